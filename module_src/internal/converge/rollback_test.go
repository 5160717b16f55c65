// SPDX-License-Identifier: GPL-3.0-or-later

package converge_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge/fakehost"
)

var every = flag.Bool("every", false, "try every case with every kind of systemd and service, not with one of eight")

// everyCase calls f with every host and goal, while the kinds of systemd and
// service take turns.
func everyCase(t *testing.T, f func(t *testing.T, c testCase)) {
	for i, b := range befores {
		for j, g := range goals {
			t.Run(b.name+"/"+g.name, func(t *testing.T) {
				t.Parallel()
				for k := range 8 {
					if *every || (i+3*j+k)%8 == 0 {
						f(t, testCase{b, g, []string{"simple", "notify"}[k/4], managers[k%4]})
					}
				}
			})
		}
	}
}

type testCase struct {
	before
	goal
	kind string
	manager
}

func (c testCase) String() string {
	return fmt.Sprintf("Type=%s, exact times %t, forgetful %t", c.kind, c.exactTimes, c.forgetful)
}

// attempt is one run with faults.
type attempt struct {
	host     *fakehost.Host
	was, is  fakehost.Snapshot
	touched  bool // the service's process, by what came before the first fault
	restarts int  // jobs of the service, from the first fault on
	err      error
	reached  bool // whether there was a fault at all
}

func (c testCase) attempt(t *testing.T, fault func(n int, what string) fakehost.Outcome, then converge.OnFailure) attempt {
	t.Helper()
	a := attempt{host: c.host(c.kind, c.manager)}
	want := c.want(c.kind)
	plan := look(t, a.host, want)
	a.was = a.host.Snapshot()
	a.host.Fault = func(n int, what string) fakehost.Outcome {
		outcome := fault(n, what)
		if job := strings.HasSuffix(what, " "+service) && !strings.Contains(what, "link "); job {
			if a.reached {
				a.restarts++
			}
			a.touched = a.touched || outcome != fakehost.Refused
		}
		a.reached = a.reached || outcome != fakehost.Done
		return outcome
	}
	a.host.OnEffect = func(_ int, what string) {
		if strings.HasPrefix(what, "rename to ") {
			_, _ = a.host.Unit(context.Background(), service) // monitoring asks
		}
	}
	_, a.err = plan.Apply(context.Background(), a.host, then)
	a.is = a.host.Snapshot()
	a.touched = a.touched || c.before.name == "crash loop" // by itself
	return a
}

// leftNamed fails the test for differences that the message does not name.
func leftNamed(t *testing.T, a attempt, f *converge.Failure) {
	t.Helper()
	left := strings.Join(f.Left, "\n")
	for path := range a.was.Files {
		if !identical(a.was.Files[path], a.is.Files[path]) && !strings.Contains(left, path) {
			t.Errorf("nothing is said of %s in:\n%s", path, left)
		}
	}
	for path := range a.is.Files {
		if _, ok := a.was.Files[path]; !ok && !strings.Contains(left, path) {
			t.Errorf("nothing is said of %s in:\n%s", path, left)
		}
	}
	if !maps.Equal(a.was.Links, a.is.Links) && !strings.Contains(left, "able "+service) {
		t.Errorf("nothing is said of the links in:\n%s", left)
	}
	was, is := a.was.Units[service], a.is.Units[service]
	if was.Alive != is.Alive && !strings.Contains(left, service+" again") {
		t.Errorf("nothing is said of the process in:\n%s", left)
	}
}

func outcomes(n int) map[string]func(int, string) fakehost.Outcome {
	only := func(o fakehost.Outcome) func(int, string) fakehost.Outcome {
		return func(i int, _ string) fakehost.Outcome {
			if i == n {
				return o
			}
			return fakehost.Done
		}
	}
	return map[string]func(int, string) fakehost.Outcome{
		"refused": only(fakehost.Refused),
		"botched": only(fakehost.Botched),
	}
}

func faultless(int, string) fakehost.Outcome { return fakehost.Done }

func TestAFailureAtAnyEffectLeavesTheHostAsItWas(t *testing.T) {
	everyCase(t, func(t *testing.T, c testCase) {
		if c.attempt(t, faultless, converge.Rollback).err != nil {
			return
		}
		for n := 1; ; n++ {
			reached := false
			for how, fault := range outcomes(n) {
				a := c.attempt(t, fault, converge.Rollback)
				reached = reached || a.reached
				if !a.reached {
					continue
				}
				f := failure(t, a.err)
				if !f.RolledBack || len(f.Left) > 0 || !errors.Is(f, fakehost.ErrFault) {
					t.Fatalf("%v, effect %d %s: %v", c, n, how, f)
				}
				if d := differences(a.was, a.is, a.touched); d != "" {
					t.Fatalf("%v, effect %d %s: before (-) and after (+):\n%s\n%v", c, n, how, d, a.host.Effects)
				}
				if !a.touched && a.restarts > 0 {
					t.Fatalf("%v, effect %d %s: the process is restarted although nothing had happened to it:\n%v", c, n, how, a.host.Effects)
				}
			}
			if !reached {
				return
			}
		}
	})
}

func TestAUnitThatDoesNotComeUpLeavesTheHostAsItWas(t *testing.T) {
	everyCase(t, func(t *testing.T, c testCase) {
		a := c.attempt(t, faultless, converge.Rollback)
		if !c.fails && a.err == nil {
			return
		}
		f := failure(t, a.err)
		if !f.RolledBack {
			t.Fatalf("%v: %v", c, f)
		}
		if d := differences(a.was, a.is, true); d != "" {
			t.Fatalf("%v: before (-) and after (+):\n%s\n%v", c, d, a.host.Effects)
		}
		if f.Unit != service {
			t.Errorf("%v: the failure is put down to the unit %q", c, f.Unit)
		}
	})
}

func TestWhatCannotBeUndoneIsNamed(t *testing.T) {
	everyCase(t, func(t *testing.T, c testCase) {
		for n := 1; ; n++ {
			var a attempt
			for _, o := range []fakehost.Outcome{fakehost.Botched, fakehost.Refused} {
				a = c.attempt(t, func(i int, _ string) fakehost.Outcome {
					if i >= n {
						return o
					}
					return fakehost.Done
				}, converge.Rollback)
				if a.err == nil {
					continue
				}
				f := failure(t, a.err)
				if f.RolledBack != (len(f.Left) == 0) {
					t.Fatalf("rolled back %t, left %q", f.RolledBack, f.Left)
				}
				same := alike(a.was, a.is, a.touched)
				if f.RolledBack && !same {
					t.Fatalf("%v, effects from %d on: said to be rolled back, but before (-) and after (+):\n%s\n%v",
						c, n, differences(a.was, a.is, a.touched), a.host.Effects)
				}
				leftNamed(t, a, f)
				if o == fakehost.Refused && same && slices.ContainsFunc(f.Left, func(s string) bool { return !strings.Contains(s, "reload") }) {
					t.Errorf("%v, effects from %d on: nothing is left, but %q", c, n, f.Left)
				}
			}
			if !a.reached {
				return
			}
		}
	})
}

func TestAFailureIsKeptWhereThatIsWanted(t *testing.T) {
	h := befores[0].host("simple", managers[0])
	want := wanted(converge.Up, unitFile(unitText("new", "simple", "life=50ms exec=203")), sudoFile("new\n"))
	_, err := run(context.Background(), t, h, want, converge.Keep)
	f := failure(t, err)
	if f.RolledBack || len(f.Left) > 0 {
		t.Errorf("rolled back: %t, left: %q", f.RolledBack, f.Left)
	}
	if !strings.Contains(f.Error(), "what was done before that is kept") {
		t.Errorf("message: %v", f)
	}
	s := h.Snapshot()
	if s.Files[unitAt].Content != want.Files[0].Content || !s.Units[service].Alive || len(s.Links) != 1 {
		t.Errorf("not kept: %+v", s)
	}
}

func TestARunThatFailsBeforeItsFirstStepNeitherKeepsNorUndoesAnything(t *testing.T) {
	const other = "other.service"
	for _, then := range []converge.OnFailure{converge.Rollback, converge.Keep} {
		h := fakehost.New()
		h.Write(unitAt, unitText("old", "simple", "life=30s boot=100s"), 0o644)
		h.Write(fileOf(other), unitText(other, "simple", ""), 0o644)
		h.DaemonReload()
		h.Systemctl(converge.Start, service)
		h.Systemctl(converge.Start, other)
		want := converge.State{Units: []converge.Unit{{Name: service, Activity: converge.Up, Proof: proof}}, Others: []string{other}}
		h.After(10*time.Second, func() { h.Systemctl(converge.Stop, other) })
		plan := look(t, h, want)
		_, err := plan.Apply(context.Background(), h, then)
		if f := failure(t, err); len(plan.Steps) > 0 || !f.Untouched || f.RolledBack || !strings.HasSuffix(f.Error(), "; nothing was changed") {
			t.Errorf("%s, a service that is found starting: %v", then, f)
		}
		if h.Snapshot().Units[other].Alive {
			t.Errorf("%s: what somebody else has stopped meanwhile is started again", then)
		}
		ctx, cancel := context.WithCancelCause(context.Background())
		cancel(errors.New("hung up"))
		_, err = run(ctx, t, h, wanted(converge.Up, unitFile(unitText("new", "simple", ""))), then)
		if f := failure(t, err); !f.Untouched {
			t.Errorf("%s, interrupted before the first step: %v", then, f)
		}
	}
}

func TestCancelledBetweenAnyTwoEffectsIsRolledBack(t *testing.T) {
	hungUp := errors.New("hung up")
	everyCase(t, func(t *testing.T, c testCase) {
		for n := 1; ; n++ {
			h := c.host(c.kind, c.manager)
			plan := look(t, h, c.want(c.kind))
			was := h.Snapshot()
			ctx, cancel := context.WithCancelCause(context.Background())
			touched, reached := c.before.name == "crash loop", false
			h.OnEffect = func(i int, what string) {
				if reached {
					return
				}
				touched = touched || strings.HasPrefix(what, "st") || strings.HasPrefix(what, "quiet ")
				if i == n {
					reached = true
					cancel(hungUp)
				}
			}
			_, err := plan.Apply(ctx, h, converge.Rollback)
			cancel(nil)
			if !reached {
				return
			}
			if err == nil {
				settled(t, h, c.want(c.kind)) // it came during the last step
				continue
			}
			f := failure(t, err)
			var dead *converge.NotUp
			if !f.RolledBack || !errors.As(f, &dead) && !errors.Is(f, hungUp) {
				t.Fatalf("%v, after effect %d: %v", c, n, f)
			}
			if d := differences(was, h.Snapshot(), touched); d != "" {
				t.Fatalf("%v, after effect %d: before (-) and after (+):\n%s\n%v", c, n, d, h.Effects)
			}
		}
	})
}

func TestCancelledWhileTheServiceComesUpIsRolledBack(t *testing.T) {
	hungUp := errors.New("hung up")
	for _, kind := range []string{"simple", "notify"} {
		for at := 500 * time.Millisecond; at < 20*time.Second; at += time.Second {
			h := befores[1].host(kind, managers[0])
			want := wanted(converge.Up, unitFile(unitText("new", kind, "boot=20s")))
			plan := look(t, h, want)
			was := h.Snapshot()
			ctx, cancel := context.WithCancelCause(context.Background())
			h.After(at, func() { cancel(hungUp) })
			_, err := plan.Apply(ctx, h, converge.Rollback)
			cancel(nil)
			f := failure(t, err)
			if !f.RolledBack || !errors.Is(f, hungUp) {
				t.Errorf("Type=%s, after %s: %v", kind, at, f)
			}
			if strings.Contains(f.Error(), "\n") {
				t.Errorf("a message of several lines: %q", f.Error())
			}
			if d := differences(was, h.Snapshot(), true); d != "" {
				t.Errorf("Type=%s, after %s: before (-) and after (+):\n%s", kind, at, d)
			}
		}
	}
}

func TestADeniedGrantCostsNoRestart(t *testing.T) {
	h := befores[1].host("simple", managers[0])
	h.Denied = errors.New("a later rule asks for a password")
	was := h.Snapshot()
	_, err := run(context.Background(), t, h, goals[0].want("simple"), converge.Rollback)
	f := failure(t, err)
	if !f.RolledBack || !errors.Is(f, h.Denied) {
		t.Error(f)
	}
	if d := differences(was, h.Snapshot(), false); d != "" {
		t.Errorf("before (-) and after (+):\n%s", d)
	}
}

func TestAnOldServiceThatDoesNotComeBackIsNotBlamedOnTheChange(t *testing.T) {
	for _, kind := range []string{"simple", "notify"} {
		h := befores[1].host(kind, managers[0])
		h.Behave = func(string, string) fakehost.Behaviour { // Redis is down
			return fakehost.Behaviour{Boot: 2 * time.Second, Life: time.Second, Exit: 1}
		}
		_, err := run(context.Background(), t, h, goals[0].want(kind), converge.Rollback)
		f := failure(t, err)
		if f.RolledBack || !slices.Contains(f.Left, "sidekiq.service was up and is not") || f.Old == nil || len(f.OldTraces.Log) == 0 || strings.Contains(f.Error(), "the cause is not this change") {
			t.Errorf("Type=%s: rolled back %t, traces %q: %v", kind, f.RolledBack, f.OldTraces.Log, f)
		}
		if f.Alike = true; !strings.Contains(f.Error(), "does not come up with its old files either, so the cause is not this change") {
			t.Errorf("Type=%s: %v", kind, f)
		}
		if len(f.Traces.Log) == 0 {
			t.Errorf("Type=%s: no last log lines", kind)
		}
	}
}

func TestAnOldProgramWithoutATitleIsProvenByItsWindow(t *testing.T) {
	h := running("simple", "untitled")
	want := wanted(converge.Up, unitFile(unitText("new", "simple", "life=50ms")))
	_, err := run(context.Background(), t, h, want, converge.Rollback)
	if f := failure(t, err); !f.RolledBack || len(f.Notes) > 0 {
		t.Error(f)
	}
	if u, _ := h.Unit(context.Background(), service); u.Process.Age < proof.Window {
		t.Errorf("it is not looked at whether the old program stays up, but for %s", u.Process.Age)
	}
}

func TestTheMessageSaysThatTheOldServiceIsUpAgain(t *testing.T) {
	for _, unnumbered := range []bool{false, true} {
		h := befores[1].host("simple", managers[0])
		if h.Unnumbered = unnumbered; unnumbered {
			h.Systemctl(converge.Restart, service) // its present run has no number, either
			h.Pass(time.Hour)
		}
		want := wanted(converge.Up, unitFile(unitText("new", "simple", "life=50ms")))
		_, err := run(context.Background(), t, h, want, converge.Rollback)
		if f := failure(t, err); !strings.Contains(f.Error(), "; everything is as it was before, and sidekiq.service up again") {
			t.Error(f)
		}
	}
}

func TestAnOldServiceThatBootsForLongIsGivenTheTime(t *testing.T) {
	h := running("simple", "boot=200s")
	want := wanted(converge.Up, unitFile(unitText("new", "simple", "boot=200s")))
	want.Units[0].Proof.Timeout = 10 * time.Second // too short, for both
	_, err := run(context.Background(), t, h, want, converge.Rollback)
	if f := failure(t, err); !f.RolledBack || len(f.Notes) > 0 || !slices.Equal(f.Again, []string{service}) {
		t.Errorf("%v\nup again: %q", f, f.Again)
	}
}

func TestTheChangeIsNotClearedWhileItsFilesAreStillThere(t *testing.T) {
	h := befores[1].host("simple", managers[0])
	puts := 0
	h.Fault = func(_ int, what string) fakehost.Outcome {
		if strings.HasPrefix(what, "rename to "+unitAt) {
			if puts++; puts > 1 {
				return fakehost.Refused
			}
		}
		return fakehost.Done
	}
	want := wanted(converge.Up, unitFile(unitText("new", "simple", "life=50ms")))
	_, err := run(context.Background(), t, h, want, converge.Rollback)
	f := failure(t, err)
	if f.RolledBack || len(f.Notes) > 0 || !strings.Contains(f.Error(), "cannot start sidekiq.service again: its main process exited") {
		t.Error(f)
	}
}

func TestARollbackGoesBackwards(t *testing.T) {
	h := fakehost.New()
	var want converge.State
	for _, name := range []string{"a.service", "b.service", "c.service"} {
		f := unitFile(unitText("new", "simple", ""))
		f.Path, f.Units = fileOf(name), []string{name}
		want.Files = append(want.Files, f)
		want.Units = append(want.Units, converge.Unit{Name: name, Activity: converge.Up, Proof: proof})
	}
	h.Fault = func(_ int, what string) fakehost.Outcome {
		if what == "start c.service" {
			return fakehost.Botched
		}
		return fakehost.Done
	}
	_, err := run(context.Background(), t, h, want, converge.Rollback)
	if f := failure(t, err); !f.RolledBack {
		t.Error(f)
	}
	stops := slices.DeleteFunc(slices.Clone(h.Effects), func(e string) bool { return !strings.HasPrefix(e, "stop ") })
	if !slices.Equal(stops, []string{"stop c.service", "stop b.service", "stop a.service"}) {
		t.Errorf("order: %q", stops)
	}
	reloads := slices.DeleteFunc(slices.Clone(h.Effects), func(e string) bool { return e != "daemon-reload" })
	if len(reloads) != 2 {
		t.Errorf("%d reloads for a plan and its rollback", len(reloads))
	}
}

func TestRollbackToNothingLeavesNothingRestarting(t *testing.T) {
	h := befores[0].host("simple", managers[0])
	_, err := run(context.Background(), t, h, wanted(converge.Up, unitFile(unitText("new", "simple", "life=1s boot=2s"))), converge.Rollback)
	if f := failure(t, err); !f.RolledBack {
		t.Error(f)
	}
	pids := h.Snapshot().Units[service]
	h.Pass(time.Hour)
	if is := h.Snapshot().Units[service]; is.Alive || pids.Alive {
		t.Errorf("still there: %+v", is)
	}
}

func TestALoopThatPickedUpTheNewUnitIsTakenBackToTheOldOne(t *testing.T) {
	h := befores[4].host("simple", managers[0])
	h.Denied = errors.New("a later rule asks for a password")
	h.OnEffect = func(_ int, what string) {
		if what == "daemon-reload" {
			h.Pass(4 * time.Second) // dies, and is started from the new unit
		}
	}
	was := h.Snapshot()
	_, err := run(context.Background(), t, h, goals[0].want("simple"), converge.Rollback)
	f := failure(t, err)
	h.Pass(2500 * time.Millisecond)
	if d := differences(was, h.Snapshot(), true); d != "" || !f.RolledBack {
		t.Errorf("%v, before (-) and after (+):\n%s", f, d)
	}
}

func TestNothingIsWrittenOverALink(t *testing.T) {
	h := fakehost.New()
	h.Link(unitAt, "/dev/null")
	_, err := run(context.Background(), t, h, goals[0].want("simple"), converge.Rollback)
	if f := failure(t, err); !f.RolledBack || !strings.Contains(f.Error(), "a symbolic link to /dev/null") {
		t.Error(f)
	}
	for _, e := range h.Effects {
		if strings.Contains(e, unitAt) {
			t.Errorf("effect %q", e)
		}
	}
}

func TestAnOldProgramWithoutATitleThatDoesNotComeBackIsNotAsBefore(t *testing.T) {
	h := running("simple", "untitled")
	h.Behave = func(string, string) fakehost.Behaviour {
		return fakehost.Behaviour{Life: 50 * time.Millisecond, Exit: 1, Untitled: true}
	}
	want := wanted(converge.Up, unitFile(unitText("new", "simple", "untitled")))
	_, err := run(context.Background(), t, h, want, converge.Rollback)
	if f := failure(t, err); f.RolledBack || f.Old == nil {
		t.Error(f)
	}
}

func TestWhatARollbackHasNotBroughtBackIsSeen(t *testing.T) {
	const other = "other.service"
	h := befores[1].host("simple", managers[0])
	h.Write(fileOf(other), unitText("other", "simple", ""), 0o644)
	h.DaemonReload()
	h.OnEffect = func(_ int, what string) {
		if what == "start "+service {
			h.Systemctl(converge.Start, other) // by a Wants= of the new file
		}
	}
	want := wanted(converge.Up, unitFile(unitText("new", "simple", "life=50ms")))
	want.Units = append(want.Units, converge.Unit{Name: other})
	_, err := run(context.Background(), t, h, want, converge.Rollback)
	if f := failure(t, err); f.RolledBack || !slices.Contains(f.Left, other+" was not running and is") {
		t.Error(f)
	}
}

func TestWhatTheManagerStartsOrStopsBesideThePlanIsRestored(t *testing.T) {
	const other = "other.service"
	for _, c := range []struct {
		name     string
		was      converge.Verb // what it was told last, before the run
		does     converge.Verb // what the manager does with it when the service is started
		oldWants bool
		again    bool // it can be started or stopped again
		left     string
	}{
		{"started by a Wants= of the new file", converge.Stop, converge.Start, false, true, ""},
		{"stopped by a Conflicts= of the new file", converge.Start, converge.Stop, false, true, ""},
		{"started by the old file, too", converge.Stop, converge.Start, true, true, ""},
		{"does not stop any more", converge.Stop, converge.Start, false, false, "cannot stop other.service again: "},
		{"does not start any more", converge.Start, converge.Stop, false, false, "cannot start other.service again: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := fakehost.New()
			old := unitText("old", "simple", "")
			if c.oldWants {
				old = strings.Replace(old, "[Service]", "[Unit]\nWants="+other+"\n[Service]", 1)
			}
			h.Write(unitAt, old, 0o644)
			h.Write(fileOf(other), unitText("other", "simple", ""), 0o644)
			h.DaemonReload()
			h.Systemctl(converge.Start, service)
			h.Systemctl(c.was, other)
			h.Pass(time.Hour)
			h.OnEffect = func(_ int, what string) {
				if what == "start "+service {
					h.Systemctl(c.does, other)
					h.OnEffect = nil
				}
			}
			h.Fault = func(_ int, what string) fakehost.Outcome {
				if !c.again && (what == "start "+other || what == "stop "+other) {
					return fakehost.Refused
				}
				return fakehost.Done
			}
			want := wanted(converge.Up, unitFile(unitText("new", "simple", "life=50ms")))
			want.Others = []string{other}
			_, err := run(context.Background(), t, h, want, converge.Rollback)
			f := failure(t, err)
			up := h.Snapshot().Units[other].Alive
			switch {
			case c.left != "" && (f.RolledBack || !strings.Contains(strings.Join(f.Left, "; "), c.left)):
				t.Errorf("%q: %v", f.Left, f)
			case c.left == "" && (!f.RolledBack || len(f.Left) > 0):
				t.Errorf("%q: %v", f.Left, f)
			case c.oldWants && (!up || !strings.Contains(f.Error(), "other.service was not running and is")):
				t.Errorf("up %t: %v", up, f)
			case c.left == "" && !c.oldWants && up != (c.was == converge.Start):
				t.Errorf("up %t: %v", up, f)
			}
		})
	}
}

// joined is a host whose manager starts, stops or fails more units with those
// that it is told of.
type joined struct {
	*fakehost.Host
	starts map[string][]string
}

func (h joined) Process(ctx context.Context, unit string) (converge.Process, error) {
	p, err := h.Host.Process(ctx, unit)
	p.StartsWith = h.starts[unit]
	return p, err
}

func TestWhatStartsByWayOfAnotherUnitIsStoppedAgain(t *testing.T) {
	const first, second, failing = "first.service", "second.service", "failing.service"
	h := joined{fakehost.New(), map[string][]string{first: {second, failing}, second: {first}}}
	h.Write(unitAt, unitText("old", "simple", ""), 0o644)
	for _, name := range []string{first, second} {
		h.Write(fileOf(name), unitText(name, "simple", ""), 0o644)
	}
	h.Write(fileOf(failing), strings.Replace(unitText(failing, "simple", "life=1ms exit=1"), "Restart=always", "Restart=no", 1), 0o644)
	h.DaemonReload()
	h.Systemctl(converge.Start, service)
	h.Pass(time.Hour)
	h.OnEffect = func(_ int, what string) {
		if what == "start "+service {
			h.OnEffect = nil
			for _, name := range []string{first, second, failing} {
				h.Systemctl(converge.Start, name)
			}
		}
	}
	want := wanted(converge.Up, unitFile(unitText("new", "simple", "life=50ms")))
	want.Others = []string{first}
	_, err := run(context.Background(), t, h, want, converge.Rollback)
	f := failure(t, err)
	for _, name := range []string{first, second, failing} {
		if now, _ := h.Process(context.Background(), name); now.ActiveState != "inactive" || !f.RolledBack {
			t.Errorf("%s: %s, %v", name, now.ActiveState, f)
		}
	}
}

// torn is a host on which the command of a unit that starts others loses its
// connection to the manager at the first start.
type torn struct {
	*fakehost.Host
	starts int
}

func (h *torn) Run(ctx context.Context, unit string, v converge.Verb, look func(converge.Process) error) error {
	err := h.Host.Run(ctx, unit, v, look)
	if unit == service && v == converge.Start {
		if h.starts++; h.starts == 1 {
			return &converge.JobError{Unit: unit, Verb: v, Result: "failed"}
		}
	}
	return err
}

func (h *torn) Process(ctx context.Context, unit string) (converge.Process, error) {
	p, err := h.Host.Process(ctx, unit)
	if unit == service && h.starts == 1 {
		p.ActiveState, p.SubState, p.ExitCode, p.ExitStatus = "failed", "failed", 1, 1
	}
	return p, err
}

func TestACommandThatHasLostTheManagerIsRunAgain(t *testing.T) {
	const part = "sidekiq@1.service"
	h := &torn{Host: fakehost.New()}
	umbrella := unitFile(strings.Replace(unitText("new", "oneshot", ""), "/usr/local/bin/bundle exec sidekiq", "/usr/bin/systemctl start "+part, 1))
	want := wanted(converge.Up, umbrella)
	one := unitFile(strings.Replace(unitText("one", "notify", ""), "[Service]", "[Unit]\nPartOf="+service+"\n[Service]", 1))
	one.Path, one.Units = fileOf(part), []string{part}
	want.Files = append(want.Files, one)
	want.Units[0].Umbrella, want.Units[0].Proof = true, converge.Proof{}
	want.Units = append(want.Units, converge.Unit{Name: part, Of: service, Activity: converge.Up, Proof: proof})
	if _, err := run(context.Background(), t, h, want, converge.Rollback); err != nil || h.starts != 2 {
		t.Errorf("%d starts: %v", h.starts, err)
	}
}

func TestAUnitThatAnotherOfThePlanHasStartedIsStoppedAgain(t *testing.T) {
	const second = "second.service"
	h := befores[1].host("simple", managers[0])
	h.OnEffect = func(_ int, what string) {
		if what == "start "+service {
			h.Systemctl(converge.Start, second)
			h.OnEffect = nil
		}
	}
	want := wanted(converge.Up, unitFile(unitText("new", "simple", "life=50ms")))
	f := unitFile(unitText("second", "simple", ""))
	f.Path, f.Units = fileOf(second), []string{second}
	want.Files = append(want.Files, f)
	want.Units = append(want.Units, converge.Unit{Name: second, Activity: converge.Up, Proof: proof})
	h.Fault = func(_ int, what string) fakehost.Outcome {
		if what == "start "+second {
			return fakehost.Refused
		}
		return fakehost.Done
	}
	_, err := run(context.Background(), t, h, want, converge.Rollback)
	if failed := failure(t, err); !failed.RolledBack || h.Snapshot().Units[second].Alive {
		t.Errorf("%v: %+v", failed, h.Snapshot().Units[second])
	}
}

func TestAUnitThatStoodForOthersIsSaidToBeUpAgain(t *testing.T) {
	const part = "sidekiq@1.service"
	h := fakehost.New()
	umbrella := strings.Replace(unitText("old", "oneshot", ""), "/usr/local/bin/bundle exec sidekiq", "/usr/bin/systemctl start "+part, 1)
	h.Write(unitAt, umbrella, 0o644)
	h.Write(fileOf(part), strings.Replace(unitText("one", "notify", ""), "[Service]", "[Unit]\nPartOf="+service+"\n[Service]", 1), 0o644)
	h.DaemonReload()
	h.Systemctl(converge.Start, service)
	h.Pass(time.Hour)
	h.Fault = func(_ int, what string) fakehost.Outcome {
		if what == "remove "+fileOf(part) {
			return fakehost.Refused
		}
		return fakehost.Done
	}
	want := wanted(converge.Down, absent(unitFile("")), converge.File{Path: fileOf(part), Kind: converge.UnitFile, Units: []string{part}})
	want.Units[0].Enabled, want.Units[0].Links = converge.Off, []converge.Link{}
	want.Units = append(want.Units, converge.Unit{Name: part, Of: service, Leaves: true, Activity: converge.Down, Proof: proof})
	_, err := run(context.Background(), t, h, want, converge.Rollback)
	f := failure(t, err)
	slices.Sort(f.Again)
	if !f.RolledBack || !slices.Equal(f.Again, []string{service, part}) {
		t.Errorf("again %q: %v", f.Again, f)
	}
}

func TestAStepOfARollbackThatFailsIsTriedOnceMore(t *testing.T) {
	for _, outcome := range []fakehost.Outcome{fakehost.Refused, fakehost.Botched} {
		h := befores[1].host("simple", managers[0])
		puts := 0
		h.Fault = func(_ int, what string) fakehost.Outcome {
			if strings.HasPrefix(what, "rename to "+unitAt) {
				if puts++; puts == 2 {
					return outcome
				}
			}
			return fakehost.Done
		}
		want := wanted(converge.Up, unitFile(unitText("new", "simple", "life=50ms")))
		_, err := run(context.Background(), t, h, want, converge.Rollback)
		if f := failure(t, err); !f.RolledBack || puts < 3 {
			t.Errorf("written %d times: %v", puts, f)
		}
	}
}

func TestAUnitThatIsStartedWhileARollbackGoesOnIsStopped(t *testing.T) {
	const second = "second.service"
	h := befores[1].host("simple", managers[0])
	want := wanted(converge.Up, unitFile(unitText("new", "simple", "boot=1s")))
	f := unitFile(unitText("second", "simple", "life=50ms"))
	f.Path, f.Units = fileOf(second), []string{second}
	want.Files = append(want.Files, f)
	want.Units = append(want.Units, converge.Unit{Name: second, Activity: converge.Up, Proof: proof})
	h.OnEffect = func(_ int, what string) {
		if what == "stop "+second {
			h.OnEffect = nil
			h.Systemctl(converge.Start, second)
		}
	}
	_, err := run(context.Background(), t, h, want, converge.Rollback)
	if failed := failure(t, err); !failed.RolledBack || h.Snapshot().Units[second].Alive || h.OnEffect != nil {
		t.Errorf("%v: %+v", failed, h.Snapshot().Units[second])
	}
}
