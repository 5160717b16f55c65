// SPDX-License-Identifier: GPL-3.0-or-later

package converge

import (
	"context"
	"fmt"
	"time"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/systemd"
)

// lookEvery is the time between two looks at a process that is coming up.
const lookEvery = 200 * time.Millisecond

// titleLag is how long a program that has told the manager that it is ready may
// take to say so in its title, where nothing may be behind the main process.
const titleLag = time.Second

// NotUp is a unit that did not come up, or did not stay up.
type NotUp struct {
	Unit     string
	Why      string        // in words
	Waited   time.Duration // how long it was waited for
	TimedOut bool          // it neither came up nor died
	Ahead    []string      // the units that its start was waiting for
	Process  Process       // the last look
	Job      *JobError     // set where the manager's job failed
}

func (e *NotUp) Error() string { return e.Why }

func (e *NotUp) Unwrap() error {
	if e.Job == nil {
		return nil
	}
	return e.Job
}

// Prove waits until it has been shown that a unit is up, as its Proof says. The
// proof's time began when the start did.
// What "systemctl start" returns proves nothing for a program that is merely
// started, and one look at ActiveState proves little: a program that dies
// every two seconds is active most of the time.
//
// It returns a [*NotUp] as soon as the unit is seen to be dead or dying again
// and again, or when the time is up; and a warning where the proof is weaker
// than the program's own word.
func Prove(ctx context.Context, h Host, u Unit, began time.Time) (warning string, err error) {
	if u.Proof.Timeout == 0 {
		return fmt.Sprintf("%s was started, but %s is 0, so nobody has looked whether it came up.", u.Name, u.Proof.Terms.Timeout), nil
	}
	w := watch{unit: u, began: began}
	for {
		p, err := h.Process(ctx, u.Name)
		if err != nil {
			return "", err
		}
		if verdict, why := w.look(p, h.Now()); verdict == dead {
			return "", &NotUp{Unit: u.Name, Why: why, Waited: h.Now().Sub(w.began), TimedOut: w.timedOut, Process: p}
		} else if verdict == alive {
			return why, nil
		}
		if err := h.Sleep(ctx, lookEvery); err != nil {
			return "", fmt.Errorf("interrupted while waiting for %s: %w", u.Name, context.Cause(ctx))
		}
	}
}

type verdict int

const (
	undecided verdict = iota
	alive
	dead
)

// watch is what has been seen of a unit since its proof began.
type watch struct {
	unit     Unit
	began    time.Time
	last     Process
	since    time.Time // the present main process has been seen since, or known to run
	restarts int       // automatic restarts before this run's business with it
	active   time.Time // when the unit was first seen to be active
	seen     bool
	timedOut bool
}

// look takes one more look into account.
//
// A main process that changes without an automatic restart means that somebody
// else has restarted the service. Then the watch starts again.
func (w *watch) look(p Process, now time.Time) (verdict, string) {
	if !w.seen || p.Restarts < w.restarts {
		w.restarts = p.Restarts
	}
	if !w.seen || !p.sameRun(&w.last) {
		w.since = now.Add(-p.Age)
	}
	w.seen, w.last = true, p

	switch {
	case p.SubState == "auto-restart" || p.SubState == "auto-restart-queued" || p.Restarts > w.restarts:
		return dead, fmt.Sprintf("its main process %s instead of staying up", p.Ending())
	case !p.JobPending && (p.ActiveState == "failed" || p.ActiveState == "inactive"):
		return dead, fmt.Sprintf("its main process %s", p.Ending())
	case p.Behind != 0 && w.unit.Proof.NotBehind:
		return dead, w.unit.Proof.Terms.SayBehind(p)
	case p.Root && w.unit.Proof.NotBehind:
		return dead, asRoot
	case p.ActiveState == "active" && p.SubState == "exited" && p.Type == "oneshot":
		return alive, "" // it remains active: its job was the proof
	case p.ActiveState == "active" && p.SubState == "running":
		if v, why := w.judgeActive(p, now); v != undecided {
			return v, why
		}
	}
	if now.Sub(w.began) >= w.unit.Proof.Timeout && !w.inWindow(p) {
		w.timedOut = true
		return dead, fmt.Sprintf("it was not ready after %s%s", w.unit.Proof.Timeout, w.unit.Proof.Terms.timeout())
	}
	return undecided, ""
}

// inWindow reports whether a program that has nothing to say is being watched
// since before its time was over. What came before, such as a wait for other
// units, does not shorten the window.
func (w *watch) inWindow(p Process) bool {
	return !w.unit.Proof.Titled && p.ActiveState == "active" && p.SubState == "running" && w.since.Sub(w.began) < w.unit.Proof.Timeout
}

// judgeActive judges a main process that systemd calls running.
func (w *watch) judgeActive(p Process, now time.Time) (verdict, string) {
	if p.Quiet {
		return alive, w.unit.Name + " came up, but was told to be quiet by somebody else meanwhile."
	}
	if w.active.IsZero() {
		w.active = now
	}
	if p.Ready || p.Behind != 0 || tells(p.Type) && (!w.unit.Proof.NotBehind || now.Sub(w.active) >= titleLag) {
		return alive, ""
	}
	if !w.unit.Proof.Titled && now.Sub(w.since) >= w.unit.Proof.Window {
		return alive, fmt.Sprintf("%s has been running for %s, which is all that can be told: %s.", w.unit.Name, w.unit.Proof.Window, w.unit.Proof.Terms.NotShown)
	}
	return undecided, ""
}

// tells reports whether a service of this Type= becomes active only when its
// program is ready: systemd.service(5). A forking program says so by forking.
func tells(kind string) bool {
	switch kind {
	case "notify", "notify-reload", "forking":
		return true
	}
	return false
}

// Ending says in words how the main process ended, as far as that is known.
func (p *Process) Ending() string {
	switch p.ExitCode {
	case systemd.Exited:
		if why := systemd.ExitStatus(p.ExitStatus); why != "" {
			return fmt.Sprintf("exited with status %d/%s", p.ExitStatus, why)
		}
		return fmt.Sprintf("exited with status %d", p.ExitStatus)
	case systemd.Killed:
		return fmt.Sprintf("was killed by signal %d", p.ExitStatus)
	case systemd.Dumped:
		return fmt.Sprintf("dumped core on signal %d", p.ExitStatus)
	}
	if p.Result != "" && p.Result != "success" {
		return "ended (" + p.Result + ")"
	}
	return "is not there"
}
