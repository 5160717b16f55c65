// SPDX-License-Identifier: GPL-3.0-or-later

package converge_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge/fakehost"
)

// have is an observed State that is as wanted, with a service that is up.
func have() converge.State {
	s := wanted(converge.Up, unitFile("unit\n"), sudoFile("sudo\n"))
	s.Files[0].Units, s.Files[1].Grants = nil, nil
	s.Units[0].Proof = converge.Proof{}
	s.Units[0].LoadState = "loaded"
	return s
}

func TestDiff(t *testing.T) {
	type change func(*converge.State)
	unit := func(f func(*converge.Unit)) change { return func(s *converge.State) { f(&s.Units[0]) } }
	activity := func(a converge.Activity) change { return unit(func(u *converge.Unit) { u.Activity = a }) }
	content := func(text string) change { return func(s *converge.State) { s.Files[0].Content = text } }
	stale := unit(func(u *converge.Unit) { u.Stale = []string{"/srv/env"} })
	keepStale := unit(func(u *converge.Unit) { u.KeepStale = true })
	reload := unit(func(u *converge.Unit) { u.Reload = true })
	exited := unit(func(u *converge.Unit) { u.Process.SubState = "exited" })
	notOurs := func(s *converge.State) { s.Files = nil }
	nothing := func(*converge.State) {}

	restart := func(of string) string { return "restart sidekiq.service: it is older than " + of }
	cases := []struct {
		name       string
		want, have change
		words      []string
		warning    string
		proofs     int
	}{
		{name: "as wanted", want: nothing, have: nothing},
		{
			name: "everything is new", want: nothing, have: func(s *converge.State) { *s = converge.State{} },
			words: []string{
				"write " + unitAt, "write " + sudoAt, "enable sidekiq.service in multi-user.target.wants",
				"reload the systemd manager", "start sidekiq.service",
			},
			proofs: 1,
		},
		{
			name: "everything goes", want: func(s *converge.State) { *s = without(service) }, have: nothing,
			words: []string{
				"stop sidekiq.service", "disable sidekiq.service", "remove " + unitAt, "remove " + sudoAt, "reload the systemd manager",
			},
		},
		{
			name: "another unit file", want: content("new\n"), have: nothing,
			words: []string{"change " + unitAt, "reload the systemd manager", restart(unitAt)}, proofs: 1,
		},
		{
			name: "another sudoers file", want: func(s *converge.State) { s.Files[1].Content = "new\n" }, have: nothing,
			words: []string{"change " + sudoAt},
		},
		{
			name: "another mode and owner is neither reloaded nor restarted", have: nothing,
			want:  func(s *converge.State) { s.Files[0].Mode, s.Files[0].GID = 0o600, 7 },
			words: []string{"set the mode (0644 to 0600) and the owner (0:0 to 0:7) of " + unitAt},
		},
		{
			name: "links moved", have: nothing,
			want: unit(func(u *converge.Unit) { u.Links = []converge.Link{linkIn("default.target")} }),
			words: []string{
				"enable sidekiq.service, no longer in multi-user.target.wants in default.target.wants", "reload the systemd manager",
			},
		},
		{
			name: "a link leads to another file", want: nothing,
			have: func(s *converge.State) {
				s.Units[0].Links = []converge.Link{{Path: linkIn("multi-user.target").Path, Target: "/etc/systemd/system/sidekiq.service"}}
			},
			words: []string{"enable sidekiq.service in multi-user.target.wants", "reload the systemd manager"},
		},
		{
			name: "any links will do", have: nothing, want: unit(func(u *converge.Unit) { u.Links = nil }),
		},
		{
			name: "the manager has an older unit in memory", want: nothing, have: reload, words: []string{"reload the systemd manager"},
		},
		{
			name: "it has an older unit in memory, and the file does not say whose it is", have: reload,
			want:  func(s *converge.State) { s.Files[0].Units = nil },
			words: []string{"reload the systemd manager"},
		},
		{
			name: "a file goes from under a service that is left alone", have: nothing,
			want: func(s *converge.State) {
				s.Files[0] = absent(s.Files[0])
				activity(converge.Any)(s)
			},
			words: []string{"remove " + unitAt, "reload the systemd manager"},
		},
		{
			name: "the manager looked before the file came", want: nothing,
			have: func(s *converge.State) {
				s.Units[0].LoadState, s.Units[0].Activity = "not-found", converge.Down
			},
			words: []string{"reload the systemd manager", "start sidekiq.service"}, proofs: 1,
		},
		{name: "a stale process", want: nothing, have: stale, words: []string{restart("/srv/env")}, proofs: 1},
		{name: "a stale process that is kept", want: keepStale, have: stale, warning: "is still running and is older than /srv/env"},
		{name: "a stale process that is left alone otherwise", want: activity(converge.Any), have: stale, words: []string{restart("/srv/env")}, proofs: 1},
		{
			name: "a stale process that is quieted", want: activity(converge.Quiet), have: stale,
			words: []string{"quiet sidekiq.service"}, warning: "is still running and is older than /srv/env",
		},
		{
			name: "another's unit that is stale or unread", want: notOurs,
			have: func(s *converge.State) { stale(s); reload(s) },
		},
		{
			name: "a stale unit that is down", want: activity(converge.Any),
			have: func(s *converge.State) { stale(s); activity(converge.Down)(s) },
		},
		{name: "down", want: nothing, have: activity(converge.Down), words: []string{"start sidekiq.service"}, proofs: 1},
		{name: "being stopped", want: nothing, have: activity(converge.Stopping), words: []string{"start sidekiq.service"}, proofs: 1},
		{name: "starting", want: nothing, have: activity(converge.Starting), proofs: 1},
		{
			name: "it stood for others once", want: nothing, have: exited, proofs: 1,
			words: []string{"restart sidekiq.service: it is active and has no process"},
		},
		{
			name: "it stands for others now, and its own process of before still runs",
			want: unit(func(u *converge.Unit) { u.Umbrella = true }),
			have: unit(func(u *converge.Unit) {
				u.Process = converge.Process{MainPID: 7, Type: "oneshot", ActiveState: "active", SubState: "running"}
				u.Stale = []string{unitAt}
			}),
			words: []string{restart(unitAt)}, proofs: 1,
		},
		{
			name: "it is about to start others", want: unit(func(u *converge.Unit) { u.Umbrella = true }), proofs: 1,
			have: unit(func(u *converge.Unit) {
				u.Activity = converge.Starting
				u.Process = converge.Process{MainPID: 7, Type: "oneshot", ActiveState: "activating", SubState: "start"}
				u.Stale = []string{unitAt}
			}),
		},
		{name: "it stands for others", want: unit(func(u *converge.Unit) { u.Umbrella = true }), have: exited},
		{name: "it is none of ours", want: notOurs, have: func(s *converge.State) { exited(s); notOurs(s) }},
		{
			name: "crash loop", want: nothing, have: activity(converge.AutoRestart), proofs: 1,
			words: []string{"restart sidekiq.service: it is dead and waits for its next automatic restart"},
		},
		{
			name: "quiet for long", want: nothing, have: activity(converge.Quiet), proofs: 1,
			words: []string{"restart sidekiq.service: it is silent"},
		},
		{name: "quiet for a moment", want: nothing, have: activity(converge.Quieting), warning: "just now, by a friend; it is left alone"},
		{name: "restarted", want: activity(converge.Restarted), have: nothing, words: []string{"restart sidekiq.service"}, proofs: 1},
		{name: "to be quiet, but down", want: activity(converge.Quiet), have: activity(converge.Down), warning: "nothing to quiet"},
		{name: "to be down, but crash loop", want: activity(converge.Down), have: activity(converge.AutoRestart), words: []string{"stop sidekiq.service"}},
		{name: "left as it is", want: activity(converge.Any), have: activity(converge.AutoRestart)},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w, h := wanted(converge.Up, unitFile("unit\n"), sudoFile("sudo\n")), have()
			c.want(&w)
			c.have(&h)
			p := converge.Diff(w, h)
			if d := cmp.Diff(c.words, p.Words(), cmpopts.EquateEmpty()); d != "" {
				t.Errorf("wanted steps (-) and planned ones (+):\n%s", d)
			}
			if len(p.Proofs) != c.proofs {
				t.Errorf("proofs: %d, want %d", len(p.Proofs), c.proofs)
			}
			warnings := strings.Join(p.Warnings, " ")
			if !strings.Contains(warnings, c.warning) || (c.warning == "") != (warnings == "") {
				t.Errorf("warnings %q, want %q", p.Warnings, c.warning)
			}
		})
	}
}

// A file that is rewritten for its mode alone must not look newer than the
// process, or the next run would restart it.
func TestAnotherModeDoesNotMakeTheServiceStale(t *testing.T) {
	h := befores[1].host("notify", managers[0])
	want := goals[2].want("notify") // another mode
	pid := h.Snapshot().Units[service].PID
	mustRun(t, h, want)
	settled(t, h, want)
	s := h.Snapshot()
	if s.Files[unitAt].Mode != 0o600 || s.Units[service].PID != pid {
		t.Errorf("mode %04o, process %d, was %d", s.Files[unitAt].Mode, s.Units[service].PID, pid)
	}
}

func TestGrantsAreProvenWhenTheirFileIsInstalled(t *testing.T) {
	h := befores[1].host("notify", managers[0])
	var at string
	h.OnEffect = func(_ int, what string) {
		if len(h.Proven) == 0 {
			at = what
		}
	}
	mustRun(t, h, goals[0].want("notify"))
	if len(h.Proven) != 1 || h.Proven[0].User != "deploy" || at != "daemon-reload" {
		t.Errorf("proven %v after %q", h.Proven, at)
	}
	h.Proven = nil
	mustRun(t, h, goals[0].want("notify"))
	if len(h.Proven) != 0 {
		t.Errorf("a run that installs nothing proves %v", h.Proven)
	}
}

func TestAFailureSaysWhatWasDoneAboutIt(t *testing.T) {
	f := converge.Failure{Step: "write /x", Err: fakehost.ErrFault}
	for _, c := range []struct {
		rolledBack  bool
		left, notes []string
		want        string
	}{
		{rolledBack: true, want: "cannot write /x: made to fail; everything is as it was before"},
		{left: []string{"cannot restore /y: no space"}, want: "cannot write /x: made to fail; what was done could not all be undone: cannot restore /y: no space"},
		{rolledBack: true, notes: []string{"So it is"}, want: "cannot write /x: made to fail; everything is as it was before. So it is"},
		{want: "cannot write /x: made to fail; what was done before that is kept"},
	} {
		f.RolledBack, f.Left, f.Notes = c.rolledBack, c.left, c.notes
		if f.Error() != c.want {
			t.Errorf("got  %q\nwant %q", f.Error(), c.want)
		}
	}
}

func TestAQueryThatFailsIsNoAbsence(t *testing.T) {
	h := blind{fakehost.New()}
	if _, err := converge.Observe(context.Background(), h, wanted(converge.Up)); err == nil {
		t.Error("observed a unit that could not be looked at")
	}
}

type blind struct{ *fakehost.Host }

func (blind) Unit(context.Context, string) (converge.Unit, error) {
	return converge.Unit{}, context.DeadlineExceeded
}

// A rollback waits for an old service, too, that takes long to boot.
func TestARollbackWaitsForTheOldService(t *testing.T) {
	for _, kind := range []string{"simple", "notify"} {
		h := running(kind, "boot=40s")
		_, err := run(context.Background(), t, h, wanted(converge.Up, unitFile(unitText("new", kind, "life=50ms"))), converge.Rollback)
		if f := failure(t, err); !f.RolledBack || len(f.Notes) > 0 {
			t.Errorf("Type=%s: %v", kind, f)
		}
		if u := h.Snapshot().Units[service]; u.Activating || u.PID == 0 {
			t.Errorf("Type=%s: not waited for: %+v", kind, u)
		}
	}
}

func TestALinkThatIsSomebodyElsesIsNotReplaced(t *testing.T) {
	const alias = "/etc/systemd/system/jobs.service"
	for target, refused := range map[string]bool{"/lib/systemd/system/other.service": true, "/dev/null": true, "": false} {
		h := befores[1].host("simple", managers[0])
		if target != "" {
			h.Link(alias, target)
		}
		want := wanted(converge.Up, unitFile(unitText("old", "simple", "boot=3s")))
		want.Units[0].Links = append([]converge.Link{{Path: alias, Target: unitAt}}, want.Units[0].Links...)
		_, err := look(t, h, want).Verify(context.Background(), h, true)
		if (err != nil) != refused || refused && !strings.Contains(err.Error(), alias+", which is a symbolic link to "+target) {
			t.Errorf("%q: %v", target, err)
		}
	}
}

func TestAProcessIsNotRestartedForWhatItFollowsAfterAReload(t *testing.T) {
	const before, after = "[Service]\nExecStart=/a\nRestartSec=1\n", "[Service]\nExecStart=/a\nRestartSec=20\n"
	started := time.Unix(1000, 0)
	file := func(content string) converge.File {
		return converge.File{Path: "/u/a.service", Kind: converge.UnitFile, Exists: true, Content: content, Units: []string{"a.service"}}
	}
	observed := converge.State{Files: []converge.File{file(before)}, Units: []converge.Unit{{Name: "a.service", Activity: converge.Up, Process: converge.Process{MainPID: 1, Started: started}}}}
	observed.Files[0].ModTime = started.Add(-time.Second)
	want := converge.State{Files: []converge.File{file(after)}, Units: []converge.Unit{{Name: "a.service", Activity: converge.Up}}}
	p := converge.Diff(want, observed)
	if got := strings.Join(p.Words(), "; "); got != "change /u/a.service; reload the systemd manager" {
		t.Errorf("got %s", got)
	}
	if put := p.Steps[0].(converge.PutFile); !put.Want.ModTime.After(observed.Files[0].ModTime) || !put.Want.ModTime.Before(started) {
		t.Errorf("the file gets the time %s", put.Want.ModTime)
	}
}
