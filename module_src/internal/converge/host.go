// SPDX-License-Identifier: GPL-3.0-or-later

package converge

import (
	"context"
	"fmt"
	"time"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/sudo"
)

// Verb is something that the manager can be told to do with a unit.
type Verb string

// Verbs.
const (
	Start     Verb = "start"
	Stop      Verb = "stop"
	Restart   Verb = "restart"
	MakeQuiet Verb = "quiet" // take no more work, finish what is in progress
)

// Verdict is what the host's own tools say of files that have no fault.
type Verdict struct {
	Warnings []string // about what does not stand in the way

	// Faults are those of the host's whole sudoers policy as it was before
	// the files were installed.
	Faults []string
}

// Host is the machine, as far as a converge needs it.
//
// Every method that changes something either has done all of it when it
// returns nil, or may have done any part of it when it returns an error.
// Cancelling ctx ends a wait, never a change halfway through.
type Host interface {
	// File and Unit look at the host.
	File(ctx context.Context, path string) (File, error)
	Unit(ctx context.Context, name string) (Unit, error)

	// Process is a cheaper look at a unit's main process, made again and
	// again while it starts.
	Process(ctx context.Context, unit string) (Process, error)

	// Verify has the host's own tools judge the very bytes of files that are
	// to be installed, without installing them. Where the programs that they
	// start are yet to be installed, a missing one is no more than a warning.
	Verify(ctx context.Context, files []File, installed bool) (Verdict, error)

	// Put makes the file at f.Path what f says: content, mode and owner in
	// one rename, or its absence. With a ModTime it gets that, too.
	Put(ctx context.Context, f File) error

	// Enable makes u.Links exactly the links that enable the unit or, where
	// they are nil, has the unit enabled or disabled as its [Install] section
	// says.
	Enable(ctx context.Context, u Unit) error

	// Reload makes the manager read its unit files again.
	Reload(ctx context.Context) error

	// Run tells the manager to do something with a unit and waits for the end
	// of the job. The job's failure is a [*JobError].
	Run(ctx context.Context, unit string, v Verb) error

	// ProveGrants shows that sudo gives the grants, by its own word and by
	// trying. What the verdict on the files has found wrong before does not
	// count.
	ProveGrants(ctx context.Context, grants []sudo.Grant, before Verdict) error

	// Traces are what a unit that did not come up has left behind since the
	// given time. They are for a message only: what goes wrong in getting them
	// is said in a line of the log.
	Traces(ctx context.Context, unit string, since time.Time) Traces

	// Now is the host's clock, and Sleep waits by it; an error is that of ctx.
	Now() time.Time
	Sleep(ctx context.Context, d time.Duration) error
}

// Traces are what a unit that did not come up has left behind.
type Traces struct {
	Log     []string // the last lines, oldest first, bounded in number and length
	LogFile string   // where they come from, if not all come from the journal
	DropIns []File   // the drop-ins that the manager applied; a longer one is cut off
	Unmet   []string // the conditions of the unit for which the manager did not start it: "ConditionPathExists=/x"
}

// JobError is a job of the manager that did not end well.
type JobError struct {
	Unit   string
	Verb   Verb
	Result string // failed, timeout, canceled, dependency, skipped: org.freedesktop.systemd1(5), JobRemoved
}

func (e *JobError) Error() string {
	return "cannot " + string(e.Verb) + " " + e.Unit + ": its job ended with the result " + e.Result
}

// words says what the failed job of a start means, after a look at the unit's
// process, for the proof that it was given.
func (e *JobError) words(p Process, given Proof) string {
	switch {
	case e.Result == "dependency":
		return "a unit that it requires did not start"
	case e.Result == "timeout" || p.Result == "timeout":
		if given.Timeout == 0 {
			return "it did not tell systemd in time that it was ready"
		}
		return fmt.Sprintf("it did not tell systemd within %s%s that it was ready", given.Timeout, given.Terms.timeout())
	case p.Result == "protocol":
		return "its main process ended before it told systemd that it was ready"
	}
	return "before it was ready, its main process " + p.Ending()
}
