// SPDX-License-Identifier: GPL-3.0-or-later

package converge

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"sort"
	"strings"
	"time"
)

// Plan is what has to be done to a host, in order. The zero Plan means that
// the host is as wanted.
type Plan struct {
	Steps []Step

	// Proofs are the units that have to be shown to be up when the steps are
	// done. There may be proofs without steps: a service that was found
	// starting is waited for.
	Proofs []Unit

	// Warnings are about what the plan leaves as it is.
	Warnings []string

	// Verdict is the verdict on the files of the plan; see [Plan.Verify].
	Verdict Verdict

	others []string // see State.Others

	// was is what the host was like, as far as the plan is concerned, before
	// the plan.
	was State
}

// Changes reports whether the plan would change the host.
func (p Plan) Changes() bool { return len(p.Steps) > 0 }

// Words are the steps, each as a phrase for a person to read.
func (p Plan) Words() []string {
	words := make([]string, 0, len(p.Steps))
	for _, s := range p.Steps {
		words = append(words, s.String())
	}
	return words
}

// Files are the files that the plan would install, for [Host.Verify].
func (p *Plan) Files() []File {
	var files []File
	for _, put := range p.FileSteps() {
		if put.Want.Exists {
			files = append(files, put.Want)
		}
	}
	return files
}

// FileSteps are the steps that change files.
func (p *Plan) FileSteps() []PutFile {
	var puts []PutFile
	for _, s := range p.Steps {
		if put, ok := s.(PutFile); ok {
			puts = append(puts, put)
		}
	}
	return puts
}

// Step is one effect on a host. It carries what was before, so that it can be
// inverted.
type Step interface {
	// String says in words what the step does.
	String() string

	// phase is the step's place in any plan, a rollback included.
	phase() phase

	do(ctx context.Context, h Host) error
}

// phase orders the steps of a plan. What is going away is stopped before its
// files go; what comes is started after its files are there and known.
type phase int

const (
	phaseStop phase = iota
	phaseDisable
	phaseInstall
	phaseEnable
	phaseReload
	phaseRun
	phaseRunLast
	phaseTimes       // only in a rollback, see restoreTime
	phaseReloadAgain // only in a rollback, too
)

// inOrder sorts steps by phase and keeps the order within a phase.
func inOrder(steps []Step) []Step {
	sorted := slices.Clone(steps)
	sort.SliceStable(sorted, func(i, j int) bool { return sorted[i].phase() < sorted[j].phase() })
	return sorted
}

// Verify has the host judge the files that the plan would install, and returns
// the plan with the verdict.
func (p Plan) Verify(ctx context.Context, h Host, installed bool) (Plan, error) {
	var err error
	if p.Verdict, err = h.Verify(ctx, p.Files(), installed); err != nil {
		return p, err
	}
	return p, p.keepsLinks(ctx, h)
}

// keepsLinks makes sure that no link which enables a unit takes the place of
// anything else, such as another unit's alias or a mask: systemd would replace
// it, and a rollback would not bring it back.
func (p *Plan) keepsLinks(ctx context.Context, h Host) error {
	for _, s := range p.Steps {
		enable, ok := s.(SetEnabled)
		if !ok {
			continue
		}
		for _, l := range enable.Want.Links {
			if slices.ContainsFunc(enable.Was.Links, func(was Link) bool { return was.Path == l.Path }) {
				continue
			}
			there, err := h.File(ctx, l.Path)
			if err != nil {
				return err
			}
			if there.Exists {
				return fmt.Errorf("cannot enable %s: it would replace %s, which is %s; remove it or enable the unit by another name",
					enable.Want.Name, l.Path, cmp.Or(there.Irregular, "a file"))
			}
		}
	}
	return nil
}

// Because adds reasons to those changes of content that the user has not asked
// for. The function why returns the reason, or "" for a change that the user
// did ask for.
func (p Plan) Because(why func(was, want File) string) Plan {
	p.Steps = slices.Clone(p.Steps)
	for i, s := range p.Steps {
		if put, ok := s.(PutFile); ok && put.Want.Exists && put.Was.Exists {
			put.Why = why(put.Was, put.Want)
			p.Steps[i] = put
		}
	}
	return p
}

// PutFile installs, replaces or removes a file.
type PutFile struct {
	Was, Want File
	Why       string // the reason, for messages; may be empty
}

func (s PutFile) String() string {
	switch {
	case !s.Want.Exists:
		return "remove " + s.Want.Path
	case !s.Was.Exists:
		return "write " + s.Want.Path
	case s.Was.Content != s.Want.Content && s.Why != "":
		return "change " + s.Want.Path + ": " + s.Why
	case s.Was.Content != s.Want.Content:
		return "change " + s.Want.Path
	}
	return "set the " + s.attributes() + " of " + s.Want.Path
}

// attributes says what differs apart from the content.
func (s PutFile) attributes() string {
	var a []string
	if s.Was.Mode != s.Want.Mode {
		a = append(a, fmt.Sprintf("mode (%04o to %04o)", s.Was.Mode, s.Want.Mode))
	}
	if s.Was.UID != s.Want.UID || s.Was.GID != s.Want.GID {
		a = append(a, fmt.Sprintf("owner (%d:%d to %d:%d)", s.Was.UID, s.Was.GID, s.Want.UID, s.Want.GID))
	}
	return strings.Join(a, " and the ")
}

func (s PutFile) phase() phase { return phaseInstall }

func (s PutFile) do(ctx context.Context, h Host) error {
	if s.Was.Irregular != "" {
		return fmt.Errorf("it is %s", s.Was.Irregular)
	}
	return h.Put(ctx, s.Want)
}

// SetEnabled makes a unit start at boot, or not.
type SetEnabled struct{ Was, Want Unit }

func (s SetEnabled) String() string {
	if s.Want.Enabled == Off {
		return "disable " + s.Want.Name
	}
	text := "enable " + s.Want.Name
	came := missing(s.Want.Links, s.Was.Links)
	gone := slices.DeleteFunc(missing(s.Was.Links, s.Want.Links), func(dir string) bool { return slices.Contains(came, dir) })
	if s.Want.Links != nil && len(gone) > 0 {
		text += ", no longer in " + strings.Join(gone, ", ")
	}
	if len(came) > 0 {
		text += " in " + strings.Join(came, ", ")
	}
	return text
}

// missing names the directories of the links in a that b lacks.
func missing(a, b []Link) []string {
	var dirs []string
	for _, l := range a {
		if !slices.Contains(b, l) {
			dirs = append(dirs, path.Base(path.Dir(l.Path)))
		}
	}
	return dirs
}

func (s SetEnabled) phase() phase {
	if s.Want.Enabled == Off {
		return phaseDisable
	}
	return phaseEnable
}

func (s SetEnabled) do(ctx context.Context, h Host) error { return h.Enable(ctx, s.Want) }

// ReloadManager makes the manager read its unit files again.
type ReloadManager struct{}

func (ReloadManager) String() string                       { return "reload the systemd manager" }
func (ReloadManager) phase() phase                         { return phaseReload }
func (ReloadManager) do(ctx context.Context, h Host) error { return h.Reload(ctx) }

// RunUnit starts, stops, restarts or quiets a unit.
type RunUnit struct {
	Unit  string
	Verb  Verb
	Was   Unit
	Why   string // the reason, for messages; may be empty
	Proof Proof  // that the unit is up

	limit     time.Duration // what a start may take, if that is longer than for the proof: that of the units it stands for
	Of        string        // the unit that stands for this one, if any
	Parts     []string      // the units that this one stands for
	PartsUp   bool          // one of these was running before
	PartsDown []Unit        // those of them that were not
}

func (s RunUnit) String() string {
	text := string(s.Verb) + " " + s.Unit
	if s.Why != "" {
		text += ": " + s.Why
	}
	return text
}

// phase puts the start of a unit behind those that it stands for where these
// run already: they are restarted one after the other, and each is seen to be
// up, before anything is said to be up as a whole. Where none of them runs, they
// are started together.
func (s RunUnit) phase() phase {
	switch {
	case s.Verb == Stop:
		return phaseStop
	case s.Verb == Start && s.PartsUp:
		return phaseRunLast
	}
	return phaseRun
}

func (s RunUnit) do(ctx context.Context, h Host) error {
	_, err := s.start(ctx, h)
	return err
}

// start does what the step does, and returns when the start of the unit began,
// for its proof.
func (s *RunUnit) start(ctx context.Context, h Host) (began time.Time, err error) {
	if s.Verb == MakeQuiet && s.Was.Activity == Starting {
		// A process that has not set its handlers yet is not made quiet by SIGTSTP. So
		// it is waited for even where nobody wants a start proven.
		up := Unit{Name: s.Unit, Proof: s.Proof}
		if up.Proof.Timeout == 0 {
			up.Proof.Timeout, up.Proof.Terms.Timeout = UnprovenTime, "" // which the task has not said
		}
		if _, err := Prove(ctx, h, up, h.Now()); err != nil {
			return began, err
		}
	}
	now, err := h.Process(ctx, s.Unit)
	if err == nil {
		err = s.refuseRoot(ctx, h, now)
	}
	if err != nil {
		return began, err
	}
	began, err = s.run(ctx, h, now)
	if err = s.ended(ctx, h, err); err != nil || s.Verb != MakeQuiet {
		return began, err
	}
	return began, s.awaitQuiet(ctx, h)
}

// refuseRoot refuses to start what the manager would run as root, be it the unit
// or one of those that it stands for. The unit's own file does not say so.
func (s *RunUnit) refuseRoot(ctx context.Context, h Host, now Process) error {
	if !s.Proof.NotBehind || s.Verb != Start && s.Verb != Restart {
		return nil
	}
	for _, part := range s.Parts {
		if p, err := h.Process(ctx, part); err != nil {
			return err
		} else if p.Root {
			return &NotUp{Unit: part, Why: asRoot, Process: p}
		}
	}
	if now.Root {
		return &NotUp{Unit: s.Unit, Why: asRoot, Process: now}
	}
	return nil
}

// awaitQuiet waits until the main process says that it is quiet. Until then, a
// look at it would find a service that is at work. A process that goes on saying
// that it is at work has not been quieted. One whose title says nothing is not
// waited for; see [Plan.unshown].
func (s *RunUnit) awaitQuiet(ctx context.Context, h Host) error {
	for end := h.Now().Add(s.Proof.QuietTime); ; {
		p, err := h.Process(ctx, s.Unit)
		if err != nil {
			return err
		}
		if !p.Ready {
			return nil
		}
		if h.Now().After(end) {
			return fmt.Errorf("cannot quiet %s: %s after it was told to, its main process still says in its title that it is at work (%q)",
				s.Unit, s.Proof.QuietTime, p.Title)
		}
		if err := h.Sleep(ctx, lookEvery); err != nil {
			return fmt.Errorf("interrupted while waiting for %s to be quiet: %w", s.Unit, context.Cause(ctx))
		}
	}
}

// ended explains why a unit did not start. A job that was replaced by somebody
// else's job is not a failure: others restart the service, too, and the proof
// will show whether it is up.
func (s *RunUnit) ended(ctx context.Context, h Host, err error) error {
	var behind *BehindError
	if errors.As(err, &behind) {
		return &NotUp{Unit: behind.Unit, Why: s.Proof.Terms.SayBehind(behind.Process), Process: behind.Process}
	}
	var job *JobError
	if !errors.As(err, &job) || s.Verb == Stop || s.Verb == MakeQuiet {
		return err
	}
	if job.Result == "canceled" {
		return nil
	}
	p, lookErr := h.Process(context.WithoutCancel(ctx), s.Unit)
	if lookErr != nil {
		return err
	}
	if part, dead, ok := s.deadPart(ctx, h, p); ok {
		dead = job.endedBefore(dead)
		return &NotUp{Unit: part, Why: job.words(dead, s.Proof), TimedOut: dead.Result == "timeout", Process: dead, Job: job}
	}
	why := job.words(p, s.Proof)
	if job.Result == "dependency" {
		why += down(ctx, h, p.Needs)
	}
	return &NotUp{Unit: s.Unit, Why: why, TimedOut: job.Result == "timeout" || p.Result == "timeout", Process: p, Job: job}
}

// down says which of the units do not run, or nothing.
func down(ctx context.Context, h Host, units []string) string {
	var names []string
	for _, name := range units {
		if now, err := h.Process(context.WithoutCancel(ctx), name); err == nil && !now.wanted() {
			names = append(names, fmt.Sprintf("%s (systemctl status %[1]s)", name))
		}
	}
	if names == nil {
		return ""
	}
	return ": " + strings.Join(names, ", ")
}

// deadPart finds the unit that is at fault where a unit that stands for others
// did not start: one that has ended, or one that is being started again. Where
// the command of that unit has failed itself and has started none of them, be it
// because of a drop-in, it is the unit; the manager starts the others then.
func (s *RunUnit) deadPart(ctx context.Context, h Host, command Process) (name string, p Process, found bool) {
	untouched := 0
	for _, part := range s.Parts {
		now, err := h.Process(context.WithoutCancel(ctx), part)
		switch {
		case err != nil || now.ActiveState == "active":
			continue
		case now.SubState == "auto-restart" || now.SubState == "auto-restart-queued" || now.ActiveState == "failed":
			return part, now, true
		case now.ActiveState == "inactive" && now.Invocation == "", now.ActiveState == "activating" && now.Restarts == 0:
			untouched++
		}
		if !found {
			name, p, found = part, now, true
		}
	}
	return name, p, found && (untouched < len(s.Parts) || command.ExitStatus == 0)
}
