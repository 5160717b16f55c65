// SPDX-License-Identifier: GPL-3.0-or-later

package converge

import (
	"context"
	"fmt"
	"strings"
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

	Forget Verb = "forget the failure of" // has no job
)

// Verdict is what the host's own tools say of files in which they find no
// fault.
type Verdict struct {
	Warnings []string // about what is no obstacle

	// Faults are the faults in the host's whole sudoers policy as it was before
	// the files were installed.
	Faults []string
}

// Host is the machine, as far as package converge needs it.
//
// A method that changes something has done all of it when it returns nil, and
// may have done any part of it when it returns an error. Cancelling ctx ends a
// wait; it never interrupts a change halfway through.
type Host interface {
	// File and Unit look at the host.
	File(ctx context.Context, path string) (File, error)
	Unit(ctx context.Context, name string) (Unit, error)

	// Process looks at a unit's main process only, which is cheaper. It is
	// called again and again while the unit starts.
	Process(ctx context.Context, unit string) (Process, error)

	// Verify has the host's own tools judge exactly the bytes that are to be
	// installed, without installing them. Unless installed says that the
	// programs which the files name have been installed, a missing program is
	// only a warning.
	Verify(ctx context.Context, files []File, installed bool) (Verdict, error)

	// Put makes the file at f.Path what f says: content, mode and owner in
	// one rename, or its absence. With a ModTime it gets that, too.
	Put(ctx context.Context, f File) error

	// Enable makes u.Links exactly the links that enable the unit. Where they
	// are nil, the unit is enabled or disabled as its [Install] section says.
	Enable(ctx context.Context, u Unit) error

	// Reload makes the manager read its unit files again.
	Reload(ctx context.Context) error

	// Run tells the manager to do something with a unit and waits for the end
	// of the job. The job's failure is a [*JobError]. A start ends with a
	// [*BehindError] as soon as there is reason for one. Before a unit is
	// stopped, what works behind its main process is told to end, and waited for.
	// While the job goes on, look gets a look at the unit's process once a
	// second; its error ends the wait, and is what Run returns.
	Run(ctx context.Context, unit string, v Verb, look func(Process) error) error

	// Cancel takes the unit's job back, if it has one. What the job has begun
	// goes on. It returns the units whose jobs that one was waiting for.
	Cancel(ctx context.Context, unit string) (ahead []string, err error)

	// ProveGrants shows that sudo gives the grants, both by what sudo lists and
	// by trying one. Faults that the verdict on the files has already found do
	// not count.
	ProveGrants(ctx context.Context, grants []sudo.Grant, before Verdict) error

	// Traces are what a unit that did not come up has left behind since the
	// given time. They are for a message only, so a problem in getting them
	// becomes a line of the log.
	// The manager may have started it again since: what counts is the given run
	// or, where its Invocation is not known, the last that has ended.
	Traces(ctx context.Context, unit string, run Process, since time.Time) Traces

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

// endedBefore is a process as the failed job left it, given a look afterwards,
// which may find the next automatic start under way. That says nothing of how
// the one before has ended.
func (e *JobError) endedBefore(now Process) Process {
	if e.Result == "failed" && now.ActiveState == "activating" && strings.HasPrefix(now.SubState, "start") {
		now.MainPID, now.SubState, now.Result, now.Invocation = 0, "auto-restart", "failed", ""
	}
	return now
}

// BehindError is a unit whose work is done behind its main process, as was seen
// while it was being started; see [Process.Behind].
type BehindError struct {
	Unit    string
	Process Process
}

func (e *BehindError) Error() string {
	return fmt.Sprintf("the work of %s is done by process %d, behind its main process", e.Unit, e.Process.Behind)
}

// words says what the failed job of a start means, given a look at the unit's
// process afterwards and the proof that was asked for.
func (e *JobError) words(p Process, given Proof) string {
	switch {
	case e.Result == "dependency":
		return "a unit that it requires did not start"
	case e.Result == "timeout" || p.Result == "timeout":
		return p.untold(given)
	case p.Result == "protocol":
		return "its main process ended before it told systemd that it was ready"
	}
	return "before it was ready, its main process " + p.Ending()
}

// untold says that the manager gave a start up. The limit is that of the unit as
// the manager has it, which may be another than the proof's.
func (p *Process) untold(given Proof) string {
	within := "in time"
	switch {
	case given.Timeout > 0 && (p.StartLimit == 0 || p.StartLimit == given.Timeout):
		within = fmt.Sprintf("within %s%s", given.Timeout, given.Terms.timeout())
	case p.StartLimit > 0 && p.StartLimit < Endless:
		within = fmt.Sprintf("within %s (TimeoutStartSec of its unit)", p.StartLimit)
	}
	return "it did not tell systemd " + within + " that it was ready"
}
