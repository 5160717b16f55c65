// SPDX-License-Identifier: GPL-3.0-or-later

package fakehost_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge/fakehost"
)

// These are the facts about systemd that tests on the fake rely on, with one
// test for each. They were tried on real hosts.

const (
	name = "x.service"
	at   = "/lib/systemd/system/x.service"
)

func host(content string) *fakehost.Host {
	h := fakehost.New()
	h.Write(at, content, 0o644)
	h.Pass(time.Hour)
	return h
}

func unit(t *testing.T, h *fakehost.Host) converge.Unit {
	t.Helper()
	u, err := h.Unit(context.Background(), name)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func do(h *fakehost.Host, v converge.Verb) error {
	return h.Run(context.Background(), name, v, func(converge.Process) error { return nil })
}

func TestStartUnderSimpleIsDoneAtOnceWhateverBecomesOfIt(t *testing.T) {
	h := host("X-Fake=life=1s\nRestart=always\nRestartSec=1")
	if err := do(h, converge.Start); err != nil {
		t.Error(err)
	}
	if u := unit(t, h); u.Process.ActiveState != "active" {
		t.Errorf("%+v", u.Process)
	}
	h.Pass(1500 * time.Millisecond)
	if u := unit(t, h); u.Activity != converge.AutoRestart || u.Process.ExitStatus != 1 {
		t.Errorf("%+v", u.Process)
	}
	h.Pass(time.Second)
	if u := unit(t, h); u.Process.Restarts != 1 || u.Process.MainPID == 0 {
		t.Errorf("%+v", u.Process)
	}
	if err := do(h, converge.Stop); err != nil {
		t.Error(err)
	}
	h.Pass(time.Hour)
	if u := unit(t, h); u.Activity != converge.Down {
		t.Errorf("a stop does not end the loop: %+v", u.Process)
	}
}

func TestStartUnderNotifyWaits(t *testing.T) {
	h := host("Type=notify\nX-Fake=boot=20s")
	began := h.Now()
	if err := do(h, converge.Start); err != nil || h.Now().Sub(began) < 20*time.Second {
		t.Errorf("after %s: %v", h.Now().Sub(began), err)
	}
	var job *converge.JobError
	if err := do(host("Type=notify\nX-Fake=mute"), converge.Start); !errors.As(err, &job) || job.Result != "failed" {
		t.Error(err)
	}
}

func TestAStartOfWhatIsUpDoesNothing(t *testing.T) {
	h := host("")
	_ = do(h, converge.Start)
	was := unit(t, h).Process
	_ = do(h, converge.Start)
	if is := unit(t, h).Process; is.MainPID != was.MainPID {
		t.Errorf("process %d, was %d", is.MainPID, was.MainPID)
	}
}

func TestWhatRunsIsWhatWasLoaded(t *testing.T) {
	h := host("# old")
	_ = do(h, converge.Start)
	h.Write(at, "# new", 0o644)
	h.Pass(time.Second)
	if u := unit(t, h); !u.Reload || len(u.Stale) != 1 {
		t.Errorf("reload %t, stale %q", u.Reload, u.Stale)
	}
	_ = do(h, converge.Restart)
	if u := h.Snapshot().Units[name]; u.From != "# old" {
		t.Errorf("runs %q", u.From)
	}
	_ = h.Reload(context.Background())
	_ = do(h, converge.Restart)
	if u := h.Snapshot().Units[name]; u.From != "# new" || u.Unread {
		t.Errorf("runs %q", u.From)
	}
}

func TestAnOlderFileIsNoticedByOldManagersOnly(t *testing.T) {
	for _, exact := range []bool{false, true} {
		h := host("# new")
		h.ExactTimes = exact
		_ = unit(t, h)
		f, _ := h.File(context.Background(), at)
		f.Content, f.ModTime = "# old", f.ModTime.Add(-time.Minute)
		_ = h.Put(context.Background(), f)
		if u := unit(t, h); u.Reload != exact {
			t.Errorf("exact times %t: reload %t", exact, u.Reload)
		}
	}
}

func TestAQuietServiceIsActiveAndStaysQuietWhenStarted(t *testing.T) {
	h := host("")
	_ = do(h, converge.Start)
	h.Pass(time.Minute)
	_ = do(h, converge.MakeQuiet)
	_ = do(h, converge.Start)
	if u := unit(t, h); u.Activity != converge.Quieting || u.Process.ActiveState != "active" {
		t.Errorf("%s %+v", u.Activity, u.Process)
	}
	h.Pass(time.Hour)
	if u := unit(t, h); u.Activity != converge.Quiet {
		t.Errorf("after an hour: %s", u.Activity)
	}
}

func TestAJobThatSomebodyReplacesIsCanceled(t *testing.T) {
	h := host("Type=notify\nX-Fake=boot=20s")
	h.After(time.Second, func() { h.Systemctl(converge.Restart, name) })
	var job *converge.JobError
	if err := do(h, converge.Start); !errors.As(err, &job) || job.Result != "canceled" {
		t.Error(err)
	}
}

func TestAStopCanTakeItsTime(t *testing.T) {
	h := host("X-Fake=stop=20s")
	_ = do(h, converge.Start)
	began := h.Now()
	if err := do(h, converge.Restart); err != nil || h.Now().Sub(began) < 20*time.Second {
		t.Errorf("after %s: %v", h.Now().Sub(began), err)
	}
}

func TestInstancesAreLoadedFromTheirTemplateAndStartedByAnUmbrella(t *testing.T) {
	h := fakehost.New()
	h.Write("/lib/systemd/system/x@.service", "PartOf=x.service\nX-Fake=boot=1s", 0o644)
	h.Write(at, "Type=oneshot\nRemainAfterExit=yes\nExecStart=-/bin/systemctl start --job-mode=ignore-dependencies x@1.service x@2.service", 0o644)
	if err := do(h, converge.Start); err != nil {
		t.Fatal(err)
	}
	h.Pass(time.Minute)
	pids := map[int]bool{}
	for _, n := range []string{"x@1.service", "x@2.service"} {
		u, _ := h.Unit(context.Background(), n)
		pids[u.Process.MainPID] = true
		if u.Activity != converge.Up || u.Fragment != "/lib/systemd/system/x@.service" {
			t.Errorf("%s: %s of %s", n, u.Activity, u.Fragment)
		}
	}
	if len(pids) != 2 || unit(t, h).Activity != converge.Up {
		t.Errorf("processes %v", pids)
	}
	_ = do(h, converge.Stop)
	if u, _ := h.Unit(context.Background(), "x@1.service"); u.Activity != converge.Down {
		t.Errorf("the umbrella is down, its instance is %s", u.Activity)
	}
}

func TestAPutThatIsKilledLeavesTheOldFile(t *testing.T) {
	for n, want := range map[int]string{1: "# old", 2: "# new"} {
		h := host("# old")
		h.Fault = func(i int, _ string) fakehost.Outcome {
			if i == n {
				return fakehost.KilledAfter
			}
			return fakehost.Done
		}
		if fakehost.Survives(func() {
			_ = h.Put(context.Background(), converge.File{Path: at, Exists: true, Content: "# new"})
		}) {
			t.Error("not killed")
		}
		if f, _ := h.File(context.Background(), at); f.Content != want {
			t.Errorf("killed after effect %d: %q", n, f.Content)
		}
	}
}
