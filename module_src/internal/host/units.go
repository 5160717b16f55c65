// SPDX-License-Identifier: GPL-3.0-or-later

package host

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/coreos/go-systemd/v22/dbus"
	godbus "github.com/godbus/dbus/v5"
	"golang.org/x/sys/unix"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/sidekiq"
)

// Unit looks at a unit: what systemd knows of it, the links that enable it,
// and what its main process says of itself.
func (h *Host) Unit(ctx context.Context, name string) (converge.Unit, error) {
	p, err := h.properties(ctx, name)
	if err != nil {
		return converge.Unit{}, err
	}
	return h.unit(ctx, name, p)
}

// unit makes a Unit of what systemd knows of it.
func (h *Host) unit(ctx context.Context, name string, p properties) (u converge.Unit, err error) {
	now := h.Now()
	u = converge.Unit{
		Name:      name,
		Enabled:   converge.Off,
		LoadState: p.text("LoadState"),
		Fragment:  p.text("FragmentPath"),
		DropIns:   p.texts("DropInPaths"),
		Reload:    p.yes("NeedDaemonReload"),
	}
	u.Process = p.process()
	if u.Links, err = h.links(name); err != nil {
		return converge.Unit{}, err
	}
	// UnitFileState says what was found when the manager last read its files,
	// and a run may have been killed after that.
	if slices.ContainsFunc(u.Links, persistent) {
		u.Enabled = converge.On
	}
	u.Activity = activity(u.Process, sinceBoot(), p)
	if u.Activity == converge.Quiet && !h.Anybody { // who may not see the journal
		recently, err := quietedSince(ctx, u.Process, now.Add(-p.span("TimeoutStopUSec")))
		if err != nil {
			return converge.Unit{}, err
		}
		if recently {
			u.Activity = converge.Quieting
		}
	}
	if u.Process.MainPID != 0 {
		u.RunsIn, _ = os.Readlink(fmt.Sprintf("/proc/%d/cwd", u.Process.MainPID)) // it may have gone, or be another user's
		if u.Stale, err = stale(u, p.envFiles(), now, h.Anybody); err != nil {
			return converge.Unit{}, err
		}
	}
	return u, nil
}

// Process looks at the main process of a unit.
func (h *Host) Process(ctx context.Context, unit string) (converge.Process, error) {
	p, err := h.properties(ctx, unit)
	if err != nil {
		return converge.Process{}, err
	}
	return p.process(), nil
}

// activity sums up what a unit does. A service of Type=notify that is active
// has itself said that it is ready; for any other, "active" only means that it
// was started. The time is that since boot; a clock that was set would make a
// Sidekiq that was just quieted look forgotten.
func activity(p converge.Process, now time.Duration, props properties) converge.Activity {
	switch p.ActiveState {
	case "activating":
		if p.SubState == "auto-restart" || p.SubState == "auto-restart-queued" {
			return converge.AutoRestart
		}
		return converge.Starting
	case "deactivating":
		return converge.Stopping
	case "active", "reloading", "refreshing":
		return activityWhileActive(p, now, props)
	}
	if p.JobPending {
		return converge.Starting
	}
	return converge.Down
}

func activityWhileActive(p converge.Process, now time.Duration, props properties) converge.Activity {
	switch {
	case p.Quiet && now-props.sinceBoot("StateChangeTimestamp") < props.span("TimeoutStopUSec"):
		return converge.Quieting
	case p.Quiet:
		return converge.Quiet
	case p.Ready && reloadedSince(props, now-sidekiq.TitleDelay):
		return converge.Quieting
	case p.Ready, p.Type == "notify", p.Type == "notify-reload", p.SubState == "exited":
		return converge.Up
	}
	return converge.Starting
}

// reloadedSince reports whether the unit was reloaded since then, which tells
// Sidekiq to be quiet: the last change of its state came after it had become
// active. The title lags behind.
func reloadedSince(p properties, then time.Duration) bool {
	changed, active := p.sinceBoot("StateChangeTimestamp"), p.sinceBoot("ActiveEnterTimestamp")
	return active != 0 && changed > active && changed > then
}

// stale are the files of a unit that are newer than its main process. A file
// whose time lies in the future is left out, since no restart would help. A
// unit that the manager has not read again yet is stale whatever the times are:
// its process cannot have been started from what is on disk now.
//
// Where the clock was set forward since the start, as on a host that boots
// without the time, what the manager has noted of it is too early. The age does
// not count the time that the host has slept; without that, an earlier time is
// all that is certain.
func stale(u converge.Unit, envFiles []string, now time.Time, anybody bool) (newer []string, err error) {
	started := u.Process.Started
	if byAge := now.Add(-u.Process.Age - slept()); byAge.After(started) {
		started = byAge
	}
	for _, path := range slices.Concat([]string{u.Fragment}, u.DropIns, envFiles) {
		info, err := os.Stat(path)
		if anybody && errors.Is(err, fs.ErrPermission) {
			continue
		}
		ok, err := seen(path, err)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		if t := info.ModTime(); t.After(started) && t.Before(now) {
			newer = append(newer, path)
		}
	}
	if len(newer) == 0 && u.Reload && u.Fragment != "" {
		newer = append(newer, u.Fragment)
	}
	return newer, nil
}

// Reload makes the manager read its unit files again.
func (h *Host) Reload(ctx context.Context) error {
	if err := h.tell(ctx, func(ctx context.Context, c connection) error { return c.ReloadContext(ctx) }); err != nil {
		return fmt.Errorf("cannot reload the systemd manager: %w", err)
	}
	return nil
}

// Run queues a job for the unit and waits for its end. The job is never taken
// back: when ctx is done or look has seen enough, only the waiting ends.
func (h *Host) Run(ctx context.Context, unit string, v converge.Verb, look func(converge.Process) error) error {
	if v == converge.Forget {
		return h.tell(ctx, func(ctx context.Context, c connection) error { return c.ResetFailedUnitContext(ctx, unit) })
	}
	if v == converge.Stop || v == converge.Restart {
		if err := h.endBehind(ctx, unit); err != nil {
			return err
		}
	}
	if v == converge.MakeQuiet {
		// A process that was there before its unit stands for others knows
		// nothing of that unit's commands.
		if p, err := h.Process(ctx, unit); err == nil && p.Type == "oneshot" && p.MainPID != 0 {
			return h.quietBySignal(ctx, unit)
		}
	}
	var result chan string
	err := h.tell(ctx, func(ctx context.Context, c connection) error {
		result = make(chan string, 1)
		return h.queue(ctx, c, unit, v, result)
	})
	switch {
	case v == converge.MakeQuiet && isDBus(err, "org.freedesktop.systemd1.JobTypeNotApplicable"):
		return h.quietBySignal(ctx, unit)
	case v == converge.Stop && isDBus(err, "org.freedesktop.systemd1.NoSuchUnit"):
		return nil
	case err != nil:
		return fmt.Errorf("cannot %s %s: %w", v, unit, err)
	}
	if err = h.await(ctx, unit, v, result, look); err == nil && v == converge.Stop {
		// A unit that had failed before is failed after the stop, too, even when its
		// file is gone, and with it the whole system is called degraded.
		err = h.tell(ctx, func(ctx context.Context, c connection) error {
			forgetFailures(ctx, c, unit)
			return nil
		})
	}
	return err
}

// queue queues a job. Queueing it twice does no harm: a job that is still there
// is joined, and after one that is done there is nothing left to do, or it is
// done again.
func (h *Host) queue(ctx context.Context, c connection, unit string, v converge.Verb, result chan<- string) error {
	if err := h.subscribe(); err != nil {
		return err
	}
	queue := c.StartUnitContext
	switch v {
	case converge.Stop:
		queue = c.StopUnitContext
	case converge.Restart:
		queue = c.RestartUnitContext
	case converge.MakeQuiet:
		queue = c.ReloadUnitContext
	}
	if v == converge.Start || v == converge.Restart {
		forgetFailures(ctx, c, unit)
	}
	_, err := queue(ctx, unit, "replace", result)
	return err
}

// await waits for the result of a job. A systemd that is executed anew
// meanwhile may never tell the result, so await looks every second whether the
// job still exists. A job that has just ended has until the next look to be
// told of.
func (h *Host) await(ctx context.Context, unit string, v converge.Verb, result <-chan string, look func(converge.Process) error) error {
	again := time.NewTicker(time.Second)
	defer again.Stop()
	for over := false; ; {
		select {
		case r := <-result:
			if r == "done" {
				return nil
			}
			return &converge.JobError{Unit: unit, Verb: v, Result: r}
		case <-ctx.Done():
			return interrupted(ctx, unit, v)
		case <-again.C:
			p, part, err := h.startedBehind(ctx, unit)
			switch {
			case ctx.Err() != nil:
				return interrupted(ctx, unit, v)
			case err != nil:
				return err
			case part != nil && (v == converge.Start || v == converge.Restart):
				return part
			case over && !p.JobPending:
				return outlived(unit, v, p)
			}
			if over = !p.JobPending; over {
				continue
			}
			if err := look(p); err != nil {
				return err
			}
		}
	}
}

// forgetFailures releases a unit from a start limit that it has hit; until
// then, systemd refuses to start it by hand, too. It does nothing where there
// is nothing to forget, and where the unit is not known, the start will say so.
func forgetFailures(ctx context.Context, c connection, unit string) {
	_ = c.ResetFailedUnitContext(ctx, unit)
}

// quietBySignal quiets a service whose unit cannot be reloaded, as is the case
// with units that people have written by hand.
func (h *Host) quietBySignal(ctx context.Context, unit string) error {
	p, err := h.Process(ctx, unit)
	if err != nil {
		return err
	}
	if p.MainPID == 0 {
		return fmt.Errorf("cannot quiet %s: it has no main process", unit)
	}
	err = h.tell(ctx, func(ctx context.Context, c connection) error {
		return c.KillUnitWithTarget(ctx, unit, dbus.Main, int32(unix.SignalNum("SIG"+sidekiq.QuietSignal(sidekiq.ReadTitle(p.Title).Version))))
	})
	if err != nil {
		return fmt.Errorf("cannot quiet %s: %w", unit, err)
	}
	return nil
}

// isDBus reports whether err is the D-Bus error of that name.
func isDBus(err error, name string) bool {
	var e godbus.Error
	return errors.As(err, &e) && e.Name == name
}

// notKnown reports whether the manager does not know a method: an older one
// does not have it, and the system bus lets nobody call there what its policy
// does not name.
func notKnown(err error) bool {
	return isDBus(err, "org.freedesktop.DBus.Error.UnknownMethod") || isDBus(err, "org.freedesktop.DBus.Error.AccessDenied")
}

// properties are the properties of one unit, from all its interfaces:
// org.freedesktop.systemd1(5).
type properties map[string]any

func (h *Host) properties(ctx context.Context, unit string) (properties, error) {
	var p properties
	err := h.ask(ctx, func(ctx context.Context, c connection) (err error) {
		p, err = c.GetAllPropertiesContext(ctx, unit)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("cannot ask systemd about %s: %w", unit, err)
	}
	return p, nil
}

func (p properties) text(name string) string {
	s, _ := p[name].(string)
	return s
}

func (p properties) texts(name string) []string {
	s, _ := p[name].([]string)
	return s
}

// all is what several properties hold.
func (p properties) all(names ...string) (all []string) {
	for _, name := range names {
		all = append(all, p.texts(name)...)
	}
	return all
}

func (p properties) yes(name string) bool {
	b, _ := p[name].(bool)
	return b
}

// number reads a property of any of the integer types that systemd uses.
func (p properties) number(name string) int64 {
	switch n := p[name].(type) {
	case uint64:
		return int64(n)
	case uint32:
		return int64(n)
	case int32:
		return int64(n)
	case int64:
		return n
	}
	return 0
}

// when reads a timestamp in microseconds of wall-clock time.
func (p properties) when(name string) time.Time { return time.UnixMicro(p.number(name)) }

// sinceBoot reads a timestamp of the clock that starts with the host and that
// nobody sets: clock_gettime(2), CLOCK_MONOTONIC.
func (p properties) sinceBoot(name string) time.Duration {
	return time.Duration(p.number(name+"Monotonic")) * time.Microsecond
}

// sinceBoot is now, by the same clock.
func sinceBoot() time.Duration { return clock(unix.CLOCK_MONOTONIC) }

// slept is how long the host has slept since it was booted, which only one of
// the clocks counts.
func slept() time.Duration { return clock(unix.CLOCK_BOOTTIME) - sinceBoot() }

func clock(id int32) time.Duration {
	var now unix.Timespec
	_ = unix.ClockGettime(id, &now) // for which there is no error
	return time.Duration(now.Nano())
}

// span reads a duration in microseconds. Infinity is read as a very long one.
func (p properties) span(name string) time.Duration {
	usec := p.number(name)
	if usec < 0 || usec > int64(1<<62)/1000 {
		return 1 << 62
	}
	return time.Duration(usec) * time.Microsecond
}

// envFiles are the paths of the unit's EnvironmentFile= settings, a(sb).
func (p properties) envFiles() []string {
	rows, _ := p["EnvironmentFiles"].([][]any)
	var paths []string
	for _, r := range rows {
		if path, ok := r[0].(string); ok {
			paths = append(paths, path)
		}
	}
	return paths
}

// unmet are the conditions of the unit that kept the manager from starting it
// at the last attempt. Conditions and Asserts have the type a(sbbsi); the last
// field says how each one turned out.
func (p properties) unmet() []string {
	var unmet []string
	for _, kind := range []string{"Condition", "Assert"} {
		rows, _ := p[kind+"s"].([][]any)
		if p.yes(kind+"Result") || p.number(kind+"TimestampMonotonic") == 0 {
			continue
		}
		for _, row := range rows {
			if len(row) < 5 {
				continue
			}
			name, _ := row[0].(string)
			negated, _ := row[2].(bool)
			value, _ := row[3].(string)
			state, _ := row[4].(int32)
			if negated {
				value = "!" + value
			}
			if state < 0 {
				unmet = append(unmet, name+"="+value)
			}
		}
	}
	return unmet
}

// jobPending reads the property Job, (uo); its id is 0 where there is no job.
func (p properties) jobPending() bool {
	job, _ := p["Job"].([]any)
	if len(job) == 0 {
		return false
	}
	id, _ := job[0].(uint32)
	return id != 0
}

func (p properties) invocation() string {
	id, _ := p["InvocationID"].([]byte)
	return hex.EncodeToString(id)
}

func (p properties) process() converge.Process {
	proc := converge.Process{
		ActiveState: p.text("ActiveState"),
		SubState:    p.text("SubState"),
		Result:      p.text("Result"),
		Type:        p.text("Type"),
		MainPID:     int(p.number("MainPID")),
		Invocation:  p.invocation(),
		Started:     p.when("ExecMainStartTimestamp"),
		Restarts:    int(p.number("NRestarts")),
		StartLimit:  p.span("TimeoutStartUSec"),
		StopLimit:   p.span("TimeoutStopUSec"),
		JobPending:  p.jobPending(),
		ExitCode:    int(p.number("ExecMainCode")),
		ExitStatus:  int(p.number("ExecMainStatus")),
		Needs:       p.all("Requires", "Requisite", "BindsTo"),
		StartsWith:  p.all("Wants", "Upholds", "OnFailure"),
		StopsWith:   p.all("RequiredBy", "BoundBy", "ConsistsOf"),
		Uncounted:   p["MainPID"] != nil && p["NRestarts"] == nil,
		Root:        p.text("LoadState") == "loaded" && p.text("Type") != "oneshot" && slices.Contains([]string{"", "root", "0"}, p.text("User")) && !p.yes("DynamicUser"),
	}
	if proc.MainPID == 0 {
		return proc
	}
	proc.Age = sinceBoot() - p.sinceBoot("ExecMainStartTimestamp")
	proc.Title = title(proc.MainPID)
	said := sidekiq.ReadTitle(proc.Title)
	proc.Ready, proc.Quiet = said.Ready, said.Quiet
	if proc.ActiveState == "deactivating" {
		return proc // a launcher that has passed the signal on ignores the next one
	}
	if pids := behind("/proc", "/sys/fs/cgroup", p.text("ControlGroup"), proc.MainPID, proc.Title); pids != nil {
		proc.Behind = pids[0]
	}
	return proc
}
