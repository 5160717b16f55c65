// SPDX-License-Identifier: GPL-3.0-or-later

package converge

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

const (
	// UnprovenTime is what a start may take that nobody wants proven.
	UnprovenTime = 5 * time.Minute

	// Endless is what is waited for a stop that may take as long as it likes.
	Endless = 24 * time.Hour

	// killTime is what the manager may need, when a unit's time to stop is over,
	// to kill what is left of it.
	killTime = 10 * time.Second

	// afterManager lets the manager's own limit for a start end first, since it
	// is the one to say what the limit was for.
	afterManager = 2 * time.Second
)

// limit is what the start of a unit may take that is proven like this.
func (p Proof) limit() time.Duration {
	if p.Timeout == 0 {
		return UnprovenTime
	}
	return p.Timeout
}

// wait bounds one job. The stop that a restart begins with has a limit of its
// own, that of the unit as the manager has it, for the jobs of the program may
// take that long. The start has its limit from then on, whatever the job is
// queued behind and however often the program asks for more time.
type wait struct {
	host    Host
	verb    Verb
	limit   time.Duration // of a start
	began   time.Time
	pid     int // of what is stopped first; 0: nothing
	stop    time.Duration
	started time.Time // when the start had nothing more to wait for but itself
}

// errLate says that a job has been waited for long enough.
var errLate = errors.New("it takes too long")

func newWait(h Host, v Verb, limit time.Duration, now Process) *wait {
	w := &wait{host: h, verb: v, limit: limit, began: h.Now(), stop: now.StopLimit}
	w.started = w.began
	if v == Restart && now.stopping() || v == Start && now.ActiveState == "deactivating" {
		w.pid, w.started = now.MainPID, time.Time{}
	}
	return w
}

// stopping reports whether a restart has to end something first.
func (p *Process) stopping() bool {
	switch p.ActiveState {
	case "active", "reloading", "refreshing", "deactivating":
		return true
	}
	return p.MainPID != 0
}

// look takes one more look into account.
func (w *wait) look(p Process) error {
	now := w.host.Now()
	if w.started.IsZero() && (!p.stopping() || p.MainPID != w.pid && p.ActiveState != "deactivating") {
		w.started = now
	}
	w.stop = max(w.stop, p.StopLimit)
	if w.inStop() && now.Sub(w.began) >= w.stopLimit() || !w.inStop() && now.Sub(w.started) >= w.limit+afterManager {
		return errLate
	}
	return nil
}

// inStop reports whether something is still being stopped.
func (w *wait) inStop() bool { return w.verb == Stop || w.started.IsZero() }

func (w *wait) stopLimit() time.Duration { return min(w.stop, Endless) + killTime }

// late takes a job back that takes too long, and says what it waited for.
func (w *wait) late(ctx context.Context, unit string, proof Proof) error {
	ctx = context.WithoutCancel(ctx)
	p, lookErr := w.host.Process(ctx, unit)
	ahead, err := w.host.Cancel(ctx, unit)
	if lookErr != nil || err != nil {
		return fmt.Errorf("cannot %s %s: %w: %w", w.verb, unit, errLate, errors.Join(lookErr, err))
	}
	waits := ""
	if len(ahead) > 0 {
		waits = ", since systemd first waits for " + strings.Join(ahead, " and ") + " (systemctl status " + strings.Join(ahead, " ") + ")"
	}
	if w.inStop() {
		return fmt.Errorf("cannot %s %s: %w: it has not stopped after %s (its TimeoutStopSec and %s)%s", w.verb, unit, errLate, w.stopLimit(), killTime, waits)
	}
	if w.verb == MakeQuiet {
		return fmt.Errorf("cannot %s %s: %w: what its ExecReload says has not ended after %s%s", w.verb, unit, errLate, w.limit, waits)
	}
	why := fmt.Sprintf("it was not ready after %s%s", w.limit, proof.term(w.limit))
	if p.Result == "timeout" {
		why = p.untold(proof)
	}
	return &NotUp{Unit: unit, Why: why + waits, Waited: w.host.Now().Sub(w.started), TimedOut: true, Ahead: ahead, Process: p}
}

// term names the setting that a limit comes from, where it does.
func (p Proof) term(limit time.Duration) string {
	if p.Timeout != limit {
		return ""
	}
	return p.Terms.timeout()
}

// run has a job done within its limits, and returns when its start began.
func (s *RunUnit) run(ctx context.Context, h Host, now Process) (started time.Time, err error) {
	w := newWait(h, s.Verb, max(s.limit, s.Proof.limit()), now)
	err = h.Run(ctx, s.Unit, s.Verb, w.look)
	if errors.Is(err, errLate) {
		err = w.late(ctx, s.Unit, s.Proof)
	}
	if w.started.IsZero() {
		w.started = h.Now() // between two looks
	}
	return w.started, err
}
