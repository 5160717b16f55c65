// SPDX-License-Identifier: GPL-3.0-or-later

package converge

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// OnFailure says what becomes of a plan that failed halfway.
type OnFailure string

// What becomes of a plan that failed halfway.
const (
	Rollback OnFailure = "rollback" // undo what was done
	Keep     OnFailure = "keep"     // leave it, to be looked at
)

// undoTime bounds each step of a rollback. A rollback goes on when the run
// itself was cancelled, but not for ever: whoever cancelled it waits.
const undoTime = 15 * time.Minute

// Failure is a plan that could not be carried out.
type Failure struct {
	Step string // what was being done, in words
	Err  error

	// Unit and Words are set when a unit did not come up: its name and its
	// last log lines.
	Unit  string
	Words []string

	RolledBack bool     // everything is as it was before
	Left       []string // what could not be undone, in words
	Notes      []string // what else a person should know
}

func (f *Failure) Unwrap() error { return f.Err }

func (f *Failure) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "cannot %s: %v", f.Step, f.Err)
	switch {
	case f.RolledBack:
		b.WriteString("; everything is as it was before")
	case len(f.Left) > 0:
		fmt.Fprintf(&b, "; what was done could not all be undone: %s", strings.Join(f.Left, "; "))
	default:
		b.WriteString("; what was done before that is kept")
	}
	for _, n := range f.Notes {
		b.WriteString(". ")
		b.WriteString(n)
	}
	return b.String()
}

// Apply carries out the plan, proves its units up, and returns warnings. When
// anything fails, or ctx is cancelled between two steps, the error is a
// [*Failure] and, unless told to keep it, what was done has been undone.
func (p Plan) Apply(ctx context.Context, h Host, then OnFailure) (warnings []string, err error) {
	began := h.Now()
	done, warnings, failed := p.carryOut(ctx, h)
	if failed == nil {
		return warnings, nil
	}
	if failed.Unit != "" {
		failed.Words = h.LastWords(context.WithoutCancel(ctx), failed.Unit, began)
	}
	if then == Keep {
		return warnings, failed
	}
	p.undo(context.WithoutCancel(ctx), h, done, failed)
	return warnings, failed
}

// carryOut returns the steps that were begun, the failed one included.
func (p Plan) carryOut(ctx context.Context, h Host) (done []Step, warnings []string, failed *Failure) {
	for _, s := range p.Steps {
		if ctx.Err() != nil {
			return done, warnings, &Failure{Step: s.String(), Err: context.Cause(ctx)}
		}
		done = append(done, s)
		if err := s.do(ctx, h); err != nil {
			return done, warnings, failedStep(s, err)
		}
	}
	for _, f := range p.Files() {
		if err := h.ProveGrants(ctx, f.Grants); err != nil {
			return done, warnings, &Failure{Step: "let the deploy user manage the service", Err: err}
		}
	}
	for _, u := range p.Proofs {
		warning, err := Prove(ctx, h, u)
		if err != nil {
			return done, warnings, &Failure{Step: "bring " + u.Name + " up", Err: err, Unit: u.Name}
		}
		if warning != "" {
			warnings = append(warnings, warning)
		}
	}
	return done, warnings, nil
}

// failedStep names the unit when it is the unit's own fault.
func failedStep(s Step, err error) *Failure {
	f := &Failure{Step: s.String(), Err: err}
	if run, ok := s.(RunUnit); ok {
		f.Unit = run.Unit
		f.Step = string(run.Verb) + " " + run.Unit
	}
	return f
}

// undo carries out the inverse of what was done. It goes on after a step that
// cannot be undone, since what is left then is less.
//
// It cannot promise that a program which was stopped comes back as it was:
// jobs that were interrupted go back to Redis, and the old service may be
// unable to start for reasons of its own. That is said, not hidden.
func (p Plan) undo(ctx context.Context, h Host, done []Step, failed *Failure) {
	for _, s := range inverse(done) {
		if err := withDeadline(ctx, func(ctx context.Context) error { return s.do(ctx, h) }); err != nil {
			failed.undone(s, err)
			continue
		}
		if run, ok := s.(RunUnit); ok && run.Verb != Stop {
			failed.reviveNote(ctx, h, run, p)
		}
	}
	failed.RolledBack = len(failed.Left) == 0
}

// inverse is the plan that undoes steps, in a plan's order.
func inverse(done []Step) []Step {
	var steps []Step
	reload := false
	for i := len(done) - 1; i >= 0; i-- {
		s, needed := done[i].invert()
		if _, ok := s.(ReloadManager); ok {
			needed, reload = needed && !reload, true
		}
		if needed {
			steps = append(steps, s)
		}
	}
	return inOrder(steps)
}

func withDeadline(ctx context.Context, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, undoTime)
	defer cancel()
	return do(ctx)
}

// undone records a step of the rollback that failed. A job's failure is no
// such thing: the unit's files are as before, and so is what they can do.
func (f *Failure) undone(s Step, err error) {
	var job *JobError
	if errors.As(err, &job) && job.Verb != Stop {
		f.Notes = append(f.Notes, notThisChange(job.Unit))
		return
	}
	f.Left = append(f.Left, fmt.Sprintf("cannot %s: %v", s, err))
}

// reviveNote proves that a service which was up before is up again. What was
// not up before is not waited for.
func (f *Failure) reviveNote(ctx context.Context, h Host, run RunUnit, p Plan) {
	was, proof := p.before(run.Unit)
	if was != Up && was != Draining && was != Quiet {
		return
	}
	if _, err := Prove(ctx, h, Unit{Name: run.Unit, Proof: proof}); err != nil {
		f.Notes = append(f.Notes, fmt.Sprintf("%s (%v)", notThisChange(run.Unit), err))
	}
}

func notThisChange(unit string) string {
	return fmt.Sprintf("%s does not come up with its old files either, so the cause is not this change", unit)
}

// before says what a unit did before the plan, and how it is proven up.
func (p Plan) before(unit string) (Activity, Proof) {
	for _, s := range p.Steps {
		if run, ok := s.(RunUnit); ok && run.Unit == unit {
			return run.Was.Activity, run.Proof
		}
	}
	return Any, Proof{}
}
