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

// OnFailure says what becomes of a plan that failed halfway.
type OnFailure string

// What becomes of a plan that failed halfway.
const (
	Rollback OnFailure = "rollback" // undo what was done
	Keep     OnFailure = "keep"     // leave it, so that somebody can look at it
)

// Failure is a plan that could not be carried out.
type Failure struct {
	Step string // what was being done, in words
	Err  error

	// Unit is the name of the unit that did not come up, if that is what
	// failed, and Traces are what it left behind.
	Unit   string
	Traces Traces

	Untouched  bool     // it failed before its first step, so there is nothing to undo or to keep
	RolledBack bool     // everything is as it was before
	Left       []string // what could not be undone, in words
	Again      []string // units that had to be stopped and are up again
	Notes      []string // what else a person should know

	// Old is the previous program where it did not come up again with its old
	// files, and OldTraces are what it left behind. Old is nil where it came
	// up, or was not started. Alike reports whether the old and the new program
	// failed for the same reason; how that shows in their log is not this
	// package's business.
	Old       *NotUp
	OldTraces Traces
	Alike     bool

	down []string // units that were up, and did not come up again
}

func (f *Failure) Unwrap() error { return f.Err }

func (f *Failure) Error() string {
	var b strings.Builder
	what := "cannot " + f.Step + ": "
	b.WriteString(what)
	b.WriteString(strings.TrimPrefix(f.Err.Error(), what)) // which may say it itself
	switch {
	case f.Untouched:
		b.WriteString("; nothing was changed")
	case f.RolledBack:
		b.WriteString("; everything is as it was before")
		if len(f.Again) > 0 {
			fmt.Fprintf(&b, ", and %s up again", strings.Join(f.Again, ", "))
		}
	case len(f.Left) > 0:
		fmt.Fprintf(&b, "; what was done could not all be undone: %s", strings.Join(f.Left, "; "))
	default:
		b.WriteString("; what was done before that is kept")
	}
	notes := f.Notes
	if f.Old != nil {
		notes = append([]string{f.Old.ofOld(f.Alike)}, notes...)
	}
	for _, n := range notes {
		b.WriteString(". ")
		b.WriteString(n)
	}
	return b.String()
}

// Apply carries out the plan, proves that its units are up, and returns
// warnings. When anything fails, or ctx is cancelled between two steps, the
// error is a [*Failure], and what was done has been undone unless the caller
// wants it kept. Where nothing was done, as where a service that was found
// starting does not come up, nothing is undone either.
func (p *Plan) Apply(ctx context.Context, h Host, then OnFailure) (warnings []string, err error) {
	began := h.Now()
	others, failed := p.lookAtOthers(ctx, h)
	var done []Step
	if failed == nil {
		done, warnings, failed = p.carryOut(ctx, h)
	}
	if failed == nil {
		return warnings, nil
	}
	if ctx.Err() != nil && !errors.Is(failed.Err, context.Cause(ctx)) {
		failed.Err = fmt.Errorf("%w (%w)", context.Cause(ctx), failed.Err)
	}
	if failed.Unit != "" {
		failed.Traces = traces(ctx, h, failed, began)
	}
	failed.Untouched = len(done) == 0
	if then == Keep || failed.Untouched {
		return warnings, failed
	}
	ctx = context.WithoutCancel(ctx)
	undo(ctx, h, p.begun(done), failed)
	p.restoreOthers(ctx, h, others, failed)
	p.forgetFailures(ctx, h, others)
	lookBack(ctx, h, p.was, failed)
	failed.RolledBack = len(failed.Left) == 0
	return warnings, failed
}

// tracesTime is how long the look at what a unit has left behind may go on once
// the run has been interrupted.
const tracesTime = 500 * time.Millisecond

// traces looks at what a unit has left behind. An interrupted run still looks,
// but not for long: there may be much to undo.
func traces(ctx context.Context, h Host, failed *Failure, began time.Time) Traces {
	dead := &NotUp{}
	errors.As(failed.Err, &dead)
	looking, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(tracesTime, cancel) })
	defer stop()
	return h.Traces(looking, failed.Unit, dead.Process, began)
}

// carryOut returns the steps that were begun, including the one that failed.
// The grants are proven before any process is touched, so that a grant that
// does not hold costs no restart. Whatever is started is proven to be up before
// the next unit's turn, so that of several units the others go on with their
// work where one does not come up.
func (p *Plan) carryOut(ctx context.Context, h Host) (done []Step, warnings []string, failed *Failure) {
	i := slices.IndexFunc(p.Steps, func(s Step) bool { return s.phase() >= phaseRun })
	if i < 0 {
		i = len(p.Steps)
	}
	if done, failed = carryOut(ctx, h, p.Steps[:i]); failed != nil {
		return done, nil, failed
	}
	if failed = p.proveGrants(ctx, h); failed != nil {
		return done, nil, failed
	}
	for _, s := range p.Steps[i:] {
		run, ok := s.(RunUnit)
		if !ok || ctx.Err() != nil {
			ran, failed := carryOut(ctx, h, []Step{s})
			done = append(done, ran...)
			if failed != nil {
				return done, warnings, failed
			}
			continue
		}
		done = append(done, s)
		more, failed := p.start(ctx, h, run)
		for tries := 0; tries < commandTries && failed != nil && run.commandAlone(ctx, h); tries++ {
			run.Verb = Start
			more, failed = p.start(ctx, h, run)
		}
		warnings = append(warnings, more...)
		if failed != nil {
			return done, warnings, failed
		}
	}
	more, failed := p.prove(ctx, h, h.Now(), func(u Unit) bool { return !p.runs(u.Name) })
	return done, slices.Concat(warnings, more, p.unshown(ctx, h)), failed
}

// start does what the step does to a unit, and proves that it is up.
func (p *Plan) start(ctx context.Context, h Host, run RunUnit) (warnings []string, failed *Failure) {
	began, err := run.start(ctx, h)
	if err != nil {
		return nil, failedStep(run, err)
	}
	return p.prove(ctx, h, began, func(u Unit) bool { return u.Name == run.Unit })
}

// commandTries is how often a command that has lost the manager is run again. When
// the processes are up it takes a moment, in which the manager may be lost once more.
const commandTries = 20

// commandAlone reports whether of a unit that stands for others only the command
// has failed that starts these and waits for them: it loses its connection where
// the manager is executed anew meanwhile. They are up, or still coming up.
func (s *RunUnit) commandAlone(ctx context.Context, h Host) bool {
	own, err := h.Process(ctx, s.Unit)
	if err != nil || ctx.Err() != nil || len(s.Parts) == 0 || s.Verb != Start && s.Verb != Restart || own.ActiveState != "failed" {
		return false
	}
	return !slices.ContainsFunc(s.Parts, func(part string) bool {
		p, err := h.Process(ctx, part)
		return err != nil || !p.wanted() || p.Restarts > 0 || strings.HasPrefix(p.SubState, "auto-restart")
	})
}

// unshown warns of processes that were told to be quiet and do not show whether
// they are.
func (p *Plan) unshown(ctx context.Context, h Host) (warnings []string) {
	for _, s := range p.Steps {
		run, ok := s.(RunUnit)
		if !ok || run.Verb != MakeQuiet {
			continue
		}
		now, err := h.Process(ctx, run.Unit)
		switch {
		case err != nil:
			warnings = append(warnings, fmt.Sprintf("could not look whether %s is quiet: %v", run.Unit, err))
		case now.MainPID != 0 && !now.Quiet:
			warnings = append(warnings, fmt.Sprintf("%s was told to be quiet, and its main process does not show whether it is.", run.Unit))
		}
	}
	return warnings
}

// runs reports whether a step of the plan starts the unit.
func (p *Plan) runs(unit string) bool {
	return slices.ContainsFunc(p.Steps, func(s Step) bool {
		run, ok := s.(RunUnit)
		return ok && run.Unit == unit
	})
}

func carryOut(ctx context.Context, h Host, steps []Step) (done []Step, failed *Failure) {
	for _, s := range steps {
		if ctx.Err() != nil {
			return done, &Failure{Step: s.String(), Err: context.Cause(ctx)}
		}
		done = append(done, s)
		if err := s.do(ctx, h); err != nil {
			return done, failedStep(s, err)
		}
	}
	return done, nil
}

func (p *Plan) proveGrants(ctx context.Context, h Host) *Failure {
	for _, f := range p.Files() {
		if len(f.Grants) == 0 {
			continue
		}
		if err := h.ProveGrants(ctx, f.Grants, p.Verdict); err != nil {
			return &Failure{Step: f.Purpose, Err: err}
		}
	}
	return nil
}

// prove proves those of the plan's units that are up to be so, whose start
// began at that time.
func (p *Plan) prove(ctx context.Context, h Host, began time.Time, which func(Unit) bool) (warnings []string, failed *Failure) {
	for _, u := range p.Proofs {
		if !which(u) {
			continue
		}
		warning, err := Prove(ctx, h, u, began)
		if err != nil {
			return warnings, &Failure{Step: "bring " + u.Name + " up", Err: err, Unit: u.Name}
		}
		if warning != "" {
			warnings = append(warnings, warning)
		}
	}
	return warnings, nil
}

// begun adds to the steps that were carried out those that the manager may have
// carried out by itself: a unit that it keeps restarting will have been started
// from the new files once the manager knew them, and a unit that stands for
// others will have started them.
func (p *Plan) begun(done []Step) []Step {
	if !slices.ContainsFunc(done, func(s Step) bool { _, ok := s.(ReloadManager); return ok }) {
		return done
	}
	begun := slices.Clone(done)
	for _, s := range p.Steps[len(done):] {
		if run, ok := s.(RunUnit); ok {
			begun = append(begun, run)
		}
	}
	return begun
}

// failedStep names the unit when the unit itself is at fault.
func failedStep(s Step, err error) *Failure {
	f := &Failure{Step: s.String(), Err: err}
	if run, ok := s.(RunUnit); ok {
		f.Unit = run.Unit
		var dead *NotUp
		if errors.As(err, &dead) {
			f.Unit = dead.Unit // one of those that the unit stands for
		}
		f.Step = string(run.Verb) + " " + f.Unit
	}
	return f
}

// undo carries out the inverse of what was done. It goes on after a step that
// cannot be undone, so that as little as possible is left.
//
// It cannot promise that a program which was stopped comes back as it was:
// interrupted work starts again from the beginning at best, and the old service
// may be unable to start for reasons of its own. That is reported, not hidden.
func undo(ctx context.Context, h Host, done []Step, failed *Failure) {
	began := h.Now()
	for _, s := range inverse(done) {
		if err := undoStep(ctx, h, s); err != nil {
			failed.notUndone(s, err)
			if failed.Old != nil && failed.OldTraces.Log == nil {
				failed.OldTraces = h.Traces(ctx, failed.Old.Unit, failed.Old.Process, began)
			}
		} else if unit, ok := s.(restoreUnit); ok && unit.again(ctx, h) {
			failed.Again = append(failed.Again, unit.Unit)
		}
	}
	stopLatecomers(ctx, h, done, failed)
}
