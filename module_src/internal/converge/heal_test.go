// SPDX-License-Identifier: GPL-3.0-or-later

package converge_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge/fakehost"
)

// meanwhile is what others may do between a run that was killed and the next
// run.
var meanwhile = []struct {
	name string
	do   func(*fakehost.Host)
}{
	{"nothing", func(*fakehost.Host) {}},
	{"a deploy restarts the service", func(h *fakehost.Host) {
		if h.Snapshot().Units[service].Alive {
			h.Systemctl(converge.Restart, service)
		}
	}},
	{"the machine is up for a while", func(h *fakehost.Host) { h.Pass(time.Minute) }},
}

// killedAt runs the case until it is killed at its n-th effect, and reports
// whether that happened. Up to then, fault says what becomes of the effects.
func (c testCase) killedAt(t *testing.T, h *fakehost.Host, n int, o fakehost.Outcome, fault func(int, string) fakehost.Outcome) bool {
	t.Helper()
	want := c.want(c.kind)
	wholeFiles(t, h, want)
	plan := look(t, h, want)
	h.Fault = func(i int, what string) fakehost.Outcome {
		if i == n {
			return o
		}
		return fault(i, what)
	}
	defer func() { h.Fault = nil }()
	return !fakehost.Survives(func() { _, _ = plan.Apply(context.Background(), h, converge.Rollback) })
}

// wholeFiles fails the test if a file is ever anything but what it was or what
// it should become.
func wholeFiles(t *testing.T, h *fakehost.Host, want converge.State) {
	t.Helper()
	whole := map[string][]string{}
	content := func(path string) string {
		f, err := h.File(context.Background(), path)
		if err != nil {
			t.Fatal(err)
		}
		return f.Content
	}
	for _, f := range want.Files {
		whole[f.Path] = []string{content(f.Path), f.Content}
	}
	h.OnEffect = func(n int, what string) {
		for path, contents := range whole {
			if now := content(path); !slices.Contains(contents, now) {
				t.Fatalf("after effect %d, %s, %s is half written: %q", n, what, path, now)
			}
		}
	}
}

// healed makes the next, ordinary run. It fails the test unless the host is as
// wanted afterwards, with a process that was started from the wanted unit.
func (c testCase) healed(t *testing.T, h *fakehost.Host, want converge.State, how string) {
	t.Helper()
	h.OnEffect = nil
	if _, err := run(context.Background(), t, h, want, converge.Rollback); err != nil {
		t.Fatalf("%v, %s: %v\n%v", c, how, err, h.Effects)
	}
	settled(t, h, want)
	u := h.Snapshot().Units[service]
	activity, unit := want.Units[0].Activity, want.Files[0].Content
	if u.Loaded != unit || u.Unread {
		t.Fatalf("%v, %s: the manager does not know the unit as it is:\n%s", c, how, u.Loaded)
	}
	if u.PID != 0 && u.From != unit && activity != converge.Quiet {
		t.Fatalf("%v, %s: the process is not of the wanted unit, but of\n%s\n%v", c, how, u.From, h.Effects)
	}
	switch activity {
	case converge.Up, converge.Restarted:
		if u.PID == 0 || u.Quiet && c.before.name != "just quieted" {
			t.Fatalf("%v, %s: not up: %+v", c, how, u)
		}
	case converge.Down:
		if u.Alive {
			t.Fatalf("%v, %s: not down: %+v", c, how, u)
		}
	}
	if t.Failed() {
		t.Fatalf("%v, %s: %v", c, how, h.Effects)
	}
}

func TestKilledAtAnyEffectTheNextRunHeals(t *testing.T) {
	everyCase(t, func(t *testing.T, c testCase) {
		if c.fails || c.attempt(t, faultless, converge.Rollback).err != nil {
			return
		}
		for n, killed := 1, true; killed; n++ {
			for i, o := range []fakehost.Outcome{fakehost.KilledBefore, fakehost.KilledAfter} {
				for j, m := range meanwhile {
					if !*every && (i+j+n)%3 > 0 {
						continue
					}
					h := c.host(c.kind, c.manager)
					if killed = c.killedAt(t, h, n, o, faultless); !killed {
						continue // that was the last effect
					}
					m.do(h)
					h.Pass(5 * time.Second)
					c.healed(t, h, c.want(c.kind), "killed at "+h.Effects[n-1]+", then "+m.name)
				}
			}
		}
	})
}

func TestKilledDuringARollbackTheNextRunHeals(t *testing.T) {
	better := func(kind string) converge.State { return goals[0].want(kind) }
	same := func(kind string) converge.State {
		return wanted(converge.Up, unitFile(unitText("old", kind, "boot=3s")), sudoFile("old\n"))
	}
	everyCase(t, func(t *testing.T, c testCase) {
		if c.before.name == "crash loop" || !c.fails && c.goal.name != "everything new" {
			return
		}
		for i := 1; i < 20; i++ {
			for j, killed := i+1, true; killed; j++ {
				for k, next := range []func(string) converge.State{better, same} {
					if !*every && (i+j+k)%2 > 0 {
						continue
					}
					h := c.host(c.kind, c.manager)
					killed = c.killedAt(t, h, j, fakehost.KilledAfter, func(n int, _ string) fakehost.Outcome {
						if n == i && !c.fails {
							return fakehost.Botched
						}
						return fakehost.Done
					})
					if !killed {
						continue
					}
					h.Pass(5 * time.Second)
					c.healed(t, h, next(c.kind), "killed at "+h.Effects[j-1])
				}
			}
			if c.fails {
				return // it needs no fault to be rolled back
			}
		}
	})
}

func TestARunThatFindsAServiceComingUpWaitsForIt(t *testing.T) {
	h := fakehost.New()
	installed(h, "simple", "boot=100s")
	h.Systemctl(converge.Start, service)
	h.Pass(time.Second)
	began := h.Now()
	want := wanted(converge.Up, unitFile(unitText("old", "simple", "boot=100s")))
	if plan, err := run(context.Background(), t, h, want, converge.Rollback); err != nil || plan.Changes() {
		t.Errorf("error %v, steps %q", err, plan.Words())
	}
	settled(t, h, want)
	if waited := h.Now().Sub(began); waited < 99*time.Second {
		t.Errorf("it was waited for %s, and needs 99 s", waited)
	}
}

func TestARunThatFindsTheServiceUpWaitsForNothing(t *testing.T) {
	for _, kind := range []string{"simple", "notify"} {
		h := befores[1].host(kind, managers[0])
		want := wanted(converge.Up, unitFile(unitText("old", kind, "boot=3s")), sudoFile("old\n"))
		began := h.Now()
		mustRun(t, h, want)
		if h.Now() != began || h.Looks > 0 || len(h.Effects) > 0 {
			t.Errorf("Type=%s: %s, %d looks, effects %q", kind, h.Now().Sub(began), h.Looks, h.Effects)
		}
	}
}
