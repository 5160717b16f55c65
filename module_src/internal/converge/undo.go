// SPDX-License-Identifier: GPL-3.0-or-later

package converge

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// inverse is the plan that undoes steps, in the order of a plan. Each of its
// steps looks first and leaves alone what is as it was before: a file system
// that refused the change is not asked to take it back, and a process that was
// never stopped is not restarted.
func inverse(done []Step) []Step {
	var steps []Step
	for _, s := range slices.Backward(done) {
		for _, i := range inverseOf(s) {
			if once(i) && slices.Contains(steps, i) || stopped(steps, i) {
				continue
			}
			steps = append(steps, i)
		}
	}
	return inOrder(steps)
}

// inverseOf gives the steps that restore what was before a step. They look before
// they act, since the step may have failed before it changed anything.
func inverseOf(s Step) []Step {
	switch s := s.(type) {
	case PutFile:
		return s.invert()
	case SetEnabled:
		return []Step{restoreEnabled{SetEnabled{Was: s.Want, Want: s.Was}}}
	case ReloadManager:
		return []Step{s}
	case RunUnit:
		return s.invert()
	}
	return nil
}

// stopped reports whether a step stops a unit that one of the others stops.
func stopped(steps []Step, s Step) bool {
	stop, ok := s.(restoreUnit)
	return ok && stop.Verb == Stop && slices.ContainsFunc(steps, func(o Step) bool {
		other, ok := o.(restoreUnit)
		return ok && other.Verb == Stop && other.Unit == stop.Unit
	})
}

// once reports whether a rollback needs a step of this kind only once.
func once(s Step) bool {
	switch s.(type) {
	case ReloadManager, reloadAgain:
		return true
	}
	return false
}

// invert puts the file back. A unit file that existed before is put back in two
// steps: first as a new file and, only when the manager and the process are
// back, with its old time. If the rollback itself is killed in between, the
// file's time shows the next run that the manager has not read the file yet and
// that the process is older than the file. If the file got its old time at
// once, a process of the file that was taken back would look up to date for
// ever.
func (s PutFile) invert() []Step {
	back := PutFile{Was: s.Want, Want: s.Was}
	if s.Want.Kind != UnitFile {
		return []Step{restoreFile{back}}
	}
	if !s.Was.Exists {
		return []Step{restoreFile{back}, ReloadManager{}}
	}
	// Before 240, systemd checked whether the times were equal, not whether the
	// file was newer.
	return []Step{restoreContent{back}, ReloadManager{}, restoreTime{back}, reloadAgain{}}
}

// restoreFile puts a file back as it was, its time included.
type restoreFile struct{ PutFile }

func (s restoreFile) String() string {
	if !s.Want.Exists {
		return "remove " + s.Want.Path + " again"
	}
	return "restore " + s.Want.Path
}

func (s restoreFile) do(ctx context.Context, h Host) error {
	now, err := h.File(ctx, s.Want.Path)
	if err != nil {
		return err
	}
	if now.Same(s.Want) && now.ModTime.Equal(s.Want.ModTime) {
		return nil
	}
	return h.Put(ctx, s.Want)
}

// restoreContent puts a file back in everything except its time.
type restoreContent struct{ PutFile }

func (s restoreContent) String() string { return "restore " + s.Want.Path }

func (s restoreContent) do(ctx context.Context, h Host) error {
	now, err := h.File(ctx, s.Want.Path)
	if err != nil {
		return err
	}
	if now.Same(s.Want) {
		return nil
	}
	anew := s.Want
	anew.ModTime = time.Time{}
	return h.Put(ctx, anew)
}

// restoreTime gives a file that has been put back its old time.
type restoreTime struct{ PutFile }

func (s restoreTime) String() string { return "restore the time of " + s.Want.Path }

func (s restoreTime) phase() phase { return phaseTimes }

func (s restoreTime) do(ctx context.Context, h Host) error { return restoreFile(s).do(ctx, h) }

// reloadAgain makes the manager see the restored times.
type reloadAgain struct{ ReloadManager }

func (reloadAgain) String() string { return "reload the systemd manager again" }
func (reloadAgain) phase() phase   { return phaseReloadAgain }

// restoreEnabled gives a unit back the links that it had.
type restoreEnabled struct{ SetEnabled }

func (s restoreEnabled) do(ctx context.Context, h Host) error {
	now, err := h.Unit(ctx, s.Want.Name)
	if err != nil {
		return err
	}
	if now.Enabled == s.Want.Enabled && slices.Equal(now.Links, s.Want.Links) {
		return nil
	}
	return h.Enable(ctx, s.Want)
}

// invert brings back what the unit did, and those that it stands for. A unit that stood for others is started
// anew and never restarted, which would restart the others, too. If some of the
// others were running while it was down, it is left alone, since stopping it
// would stop them; but one that had no file then is stopped in the end, when the
// others no longer depend on it.
func (s *RunUnit) invert() []Step {
	steps := s.back()
	if s.Verb == Start || s.Verb == Restart {
		for _, u := range s.PartsDown { // which it may have started
			steps = append(steps, restoreUnit{RunUnit{Unit: u.Name, Verb: Stop, Was: u, Proof: s.Proof}})
		}
	}
	return steps
}

// back brings back what the unit itself did.
func (s *RunUnit) back() (steps []Step) {
	was := s.Was.Activity.alive()
	var verbs []Verb
	switch {
	case s.Was.Process.SubState == "exited" && was && s.Verb == Stop:
		verbs = []Verb{Start}
	case s.Was.Process.SubState == "exited" && was:
		verbs = []Verb{Stop, Start}
	case !was && s.PartsUp && s.Was.LoadState != "not-found":
	case !was:
		verbs = []Verb{Stop}
	case s.Verb == Stop && s.Of != "":
		verbs = []Verb{Start}
	default:
		verbs = []Verb{Restart}
	}
	for _, v := range verbs {
		step := restoreUnit{RunUnit{Unit: s.Unit, Verb: v, Was: s.Was, Proof: s.Proof, limit: s.limit, Of: s.Of, Parts: s.Parts}}
		if !was && s.PartsUp {
			steps = append(steps, stopLast{step})
		} else {
			steps = append(steps, step)
		}
	}
	return steps
}

// restoreUnit brings back what a unit did before. A unit that was running, or
// that was being restarted again and again, is started; any other is stopped,
// so that nothing is left that systemd would restart for ever. A service that
// was up before is proven to be up again; one that was not up is not waited
// for.
type restoreUnit struct{ RunUnit }

// stopLast stops a unit when everything else is as it was.
type stopLast struct{ restoreUnit }

func (stopLast) phase() phase { return phaseRunLast }

func (s restoreUnit) String() string {
	if s.Verb == Stop {
		return "stop " + s.Unit + " again"
	}
	return "start " + s.Unit + " again"
}

func (s restoreUnit) do(ctx context.Context, h Host) error {
	now, err := h.Process(ctx, s.Unit)
	if err != nil {
		return err
	}
	if now.untouchedSince(&s.Was.Process) {
		return nil
	}
	wasUp := s.Was.wasUp(s.Proof)
	s.Proof = s.proofOfOld()
	began, err := s.run(ctx, h, now)
	var behind *BehindError
	if errors.As(err, &behind) && s.Was.Process.Behind != 0 {
		err = nil // as it was
	}
	if err = s.ended(ctx, h, err); err != nil || !wasUp {
		return err
	}
	_, err = Prove(ctx, h, Unit{Name: s.Unit, Proof: s.Proof}, began)
	return err
}

// wasUp reports whether the old program of a unit was up, as far as that can be
// told. A program that shows nothing in its title always looks as if it were
// starting.
func (u *Unit) wasUp(p Proof) bool {
	switch u.Activity {
	case Up, Quieting, Quiet:
		return true
	case Starting:
		return u.Process.worksBehind() || p.Window > 0 && u.Process.Age >= p.Window
	}
	return false
}

// untouchedSince reports whether nothing has happened to the unit since an
// earlier look: it has not been stopped, started or quieted, and no job is
// queued for it.
func (p *Process) untouchedSince(before *Process) bool {
	return p.ActiveState == before.ActiveState && p.SubState == before.SubState &&
		p.sameRun(before) &&
		p.JobPending == before.JobPending && p.Quiet == before.Quiet
}

// again reports, once the step is done, whether the unit was stopped and is up
// again.
func (s restoreUnit) again(ctx context.Context, h Host) bool {
	now, err := h.Process(ctx, s.Unit)
	return err == nil && s.Was.wasUp(s.Proof) && s.Proof.Timeout > 0 && !now.sameRun(&s.Was.Process)
}

// oldTime is how long an old program is given, at least, to come up again. It
// gets what its own unit gives it and what the new program had. How long it
// needs is not known, and each of the two may be the very mistake.
const oldTime = 5 * time.Minute

// proofOfOld is how the old program is proven to be up. Its title counts only
// if it was seen to have one.
func (s restoreUnit) proofOfOld() Proof {
	proof := s.Proof
	proof.Titled = s.Was.Process.Ready || s.Was.Process.Quiet
	proof.NotBehind = proof.NotBehind && s.Was.Process.Behind == 0 && !s.Was.Process.Root
	own := s.Was.Process.StartLimit
	if own > Endless {
		own = 0
	}
	if limit := max(proof.Timeout, oldTime, own); proof.Timeout > 0 && limit > proof.Timeout {
		proof.Timeout, proof.Terms.Timeout = limit, "" // which the task has not said
	}
	return proof
}

// stopLatecomers stops what was not running before and has been started while
// the rollback went on: the command of a unit that starts others may have been
// at work when that unit was to be stopped.
func stopLatecomers(ctx context.Context, h Host, done []Step, failed *Failure) {
	for _, s := range done {
		run, ok := s.(RunUnit)
		if !ok || run.Was.Activity != Down || failed.tells(run.Unit) {
			continue
		}
		if now, err := h.Unit(ctx, run.Unit); err != nil || now.Activity == Down {
			continue // an error will be told of by the last look
		}
		for _, i := range run.invert() {
			if err := undoStep(ctx, h, i); err != nil {
				failed.notUndone(i, err)
			}
		}
	}
}

// undoStep carries out one step of a rollback. It goes on when the run has been
// cancelled, and ends all the same, since every wait has its limit. A step that
// fails is tried once more, since it looks first and there is nothing behind a
// rollback that would put things right. What was started and does not come up
// is not started again, nor is anything waited for twice.
func undoStep(ctx context.Context, h Host, s Step) error {
	err := s.do(ctx, h)
	var dead *NotUp
	if err == nil || errors.As(err, &dead) || errors.Is(err, errLate) {
		return err
	}
	return s.do(ctx, h)
}

// notUndone records a step of the rollback that failed. If the old program does
// not come up once its files and what they grant are as before, that is
// reported separately, since it may have nothing to do with the change.
func (f *Failure) notUndone(s Step, err error) {
	var dead *NotUp
	switch {
	case !errors.As(err, &dead) || len(f.Left) > 0:
		f.Left = append(f.Left, fmt.Sprintf("cannot %s: %v", s, err))
	case f.Old == nil:
		f.Old = dead
		f.down = append(f.down, dead.Unit)
	default:
		f.Notes = append(f.Notes, dead.ofOld(false))
		f.down = append(f.down, dead.Unit)
	}
}

// lookBack looks at everything once more when a rollback has ended, and adds to
// what is left whatever is not as it was before. Only what has been seen to be
// undone is said to be undone.
func lookBack(ctx context.Context, h Host, was State, f *Failure) {
	left := func(format string, args ...any) { f.Left = append(f.Left, fmt.Sprintf(format, args...)) }
	for _, file := range was.Files {
		now, err := h.File(ctx, file.Path)
		switch {
		case err != nil:
			left("could not look: %v", err)
		case f.tells(file.Path):
		case !now.Same(file) || now.Exists && !now.ModTime.Equal(file.ModTime):
			left("%s is not as it was", file.Path)
		case now.Exists && (now.Label != file.Label || now.ACL != file.ACL):
			left("the SELinux label or the access control list of %s is not as it was", file.Path)
		}
	}
	for _, unit := range was.Units {
		now, err := h.Unit(ctx, unit.Name)
		switch {
		case err != nil:
			left("could not look: %v", err)
		case f.tells(unit.Name):
		case unit.wasUp(unit.Proof) && slices.Contains(f.down, unit.Name):
			left("%s was up and is not", unit.Name)
		default:
			f.Left = append(f.Left, unit.otherwise(&now)...)
		}
	}
}

// tells reports whether this is already among what is left.
func (f *Failure) tells(name string) bool {
	return slices.ContainsFunc(f.Left, func(l string) bool { return strings.Contains(l, name) })
}

// otherwise says how a unit differs from what it was before.
func (u *Unit) otherwise(now *Unit) (words []string) {
	if now.Enabled != u.Enabled || !slices.Equal(now.Links, u.Links) {
		words = append(words, "the links that enable "+u.Name+" are not as they were")
	}
	if now.Reload && !u.Reload {
		words = append(words, "systemd has not read the files of "+u.Name+" again")
	}
	switch was, is := u.Activity, now.Activity; {
	case u.wasUp(u.Proof) && !is.hasProcess():
		// Where nobody has asked for a proof, the unit may still be starting.
		words = append(words, u.Name+" was up and is not")
	case (was == Starting || was == AutoRestart) && !is.hasProcess() && is != AutoRestart:
		words = append(words, u.Name+" was being started and is not")
	case was == Down && is == Up && u.Umbrella && u.LoadState != "not-found":
		// It says that the others are up, which they are; see invert.
	case was == Down && is != Down:
		words = append(words, u.Name+" was not running and is")
	case u.Process.failedSince(&now.Process):
		words = append(words, u.Name+" had not failed and has")
	}
	return words
}

// ofOld says that the old program did not come up in a rollback and, if it
// failed like the new one, what that means.
func (e *NotUp) ofOld(alike bool) string {
	if e.TimedOut {
		return fmt.Sprintf("%s was started again with its old files, but is not up yet: %v", e.Unit, e)
	}
	note := fmt.Sprintf("%s does not come up with its old files either", e.Unit)
	if alike {
		note += ", so the cause is not this change"
	}
	note += fmt.Sprintf(" (%v)", e)
	if e.Process.SubState == "auto-restart" || e.Process.SubState == "auto-restart-queued" {
		note += "; systemd goes on trying to start it"
	}
	return note
}
