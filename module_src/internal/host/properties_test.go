// SPDX-License-Identifier: GPL-3.0-or-later

package host

import (
	"context"
	"os"
	"os/exec"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge"
)

func TestActivityIsWhatSystemdAndTheTitleSayTogether(t *testing.T) {
	now := 100 * time.Hour
	recently := properties{"StateChangeTimestampMonotonic": uint64((now - time.Minute).Microseconds()), "TimeoutStopUSec": uint64(90e6)}
	longAgo := properties{"StateChangeTimestampMonotonic": uint64((now - time.Hour).Microseconds()), "TimeoutStopUSec": uint64(90e6)}
	stamps := func(active, changed time.Duration) properties {
		return properties{
			"ActiveEnterTimestampMonotonic": uint64((now - active).Microseconds()), "StateChangeTimestampMonotonic": uint64((now - changed).Microseconds()),
			"TimeoutStopUSec": uint64(90e6),
		}
	}
	for _, c := range []struct {
		process converge.Process
		props   properties
		want    converge.Activity
	}{
		{converge.Process{ActiveState: "activating", SubState: "auto-restart"}, nil, converge.AutoRestart},
		{converge.Process{ActiveState: "activating", SubState: "auto-restart-queued"}, nil, converge.AutoRestart},
		{converge.Process{ActiveState: "activating", SubState: "start"}, nil, converge.Starting},
		{converge.Process{ActiveState: "deactivating"}, nil, converge.Stopping},
		{converge.Process{ActiveState: "inactive"}, nil, converge.Down},
		{converge.Process{ActiveState: "failed"}, nil, converge.Down},
		{converge.Process{ActiveState: "inactive", JobPending: true}, nil, converge.Starting},
		{converge.Process{ActiveState: "active", Type: "notify"}, nil, converge.Up},
		{converge.Process{ActiveState: "active", Type: "exec"}, nil, converge.Starting},
		{converge.Process{ActiveState: "active", Type: "exec", Ready: true}, nil, converge.Up},
		{converge.Process{ActiveState: "reloading", Type: "notify"}, nil, converge.Up},
		{converge.Process{ActiveState: "active", Type: "oneshot", SubState: "exited"}, nil, converge.Up},
		{converge.Process{ActiveState: "active", Type: "notify", Quiet: true}, longAgo, converge.Quiet},
		{converge.Process{ActiveState: "active", Type: "notify", Quiet: true}, recently, converge.Quieting},
		{converge.Process{ActiveState: "active", Type: "notify", Ready: true}, stamps(time.Hour, 2*time.Second), converge.Quieting},
		{converge.Process{ActiveState: "active", Type: "notify", Ready: true}, stamps(time.Hour, time.Minute), converge.Up},
		{converge.Process{ActiveState: "active", Type: "notify", Ready: true}, stamps(2*time.Second, 2*time.Second), converge.Up},
		{converge.Process{ActiveState: "active", Type: "notify"}, stamps(time.Hour, 2*time.Second), converge.Up},
	} {
		if got := activity(c.process, now, c.props); got != c.want {
			t.Errorf("%+v: got %q, want %q", c.process, got, c.want)
		}
	}
}

func TestPropertiesAreReadInTheTypesThatSystemdGivesThem(t *testing.T) {
	p := properties{
		"ActiveState": "active", "MainPID": uint32(os.Getpid()), "NRestarts": uint32(3), "InvocationID": []byte{0xab, 1},
		"ExecMainStartTimestamp": uint64(1_700_000_000_000_000), "ExecMainStartTimestampMonotonic": uint64((sinceBoot() - time.Hour).Microseconds()), "ExecMainStatus": int32(7),
		"Job": []any{uint32(12), "/org/freedesktop/systemd1/job/12"}, "DropInPaths": []string{"/d.conf"},
		"EnvironmentFiles": [][]any{{"/a.env", true}, {"/b.env", false}}, "TimeoutStopUSec": uint64(90e6),
	}
	got := p.process()
	if got.Title == "" {
		t.Error("our own process has no title")
	}
	if got.Age < time.Hour || got.Age > time.Hour+time.Minute {
		t.Errorf("it started an hour ago by the clock since boot, and its age is %s", got.Age)
	}
	got.Title, got.Age = "", 0
	want := converge.Process{
		ActiveState: "active", MainPID: os.Getpid(), Restarts: 3, Invocation: "ab01",
		Started: time.UnixMicro(1_700_000_000_000_000), ExitStatus: 7, JobPending: true, StopLimit: 90 * time.Second,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	delete(p, "NRestarts")
	if !p.process().Uncounted || (properties{}).process().Uncounted {
		t.Error("restarts that this systemd does not count are not told from none")
	}
	if files := p.envFiles(); !slices.Equal(files, []string{"/a.env", "/b.env"}) {
		t.Errorf("env files %q", files)
	}
	if !slices.Equal(p.texts("DropInPaths"), []string{"/d.conf"}) || p.span("TimeoutStopUSec") != 90*time.Second || p.yes("NeedDaemonReload") {
		t.Errorf("drop-ins %q, %s, %v", p.texts("DropInPaths"), p.span("TimeoutStopUSec"), p.yes("NeedDaemonReload"))
	}
	p["TimeoutStopUSec"] = ^uint64(0) // infinity
	if forever := p.span("TimeoutStopUSec"); forever < 100*365*24*time.Hour {
		t.Errorf("infinity is %s", forever)
	}
	p["Job"] = []any{uint32(0), "/"}
	if p.jobPending() || (properties{}).jobPending() {
		t.Error("there is no job")
	}
}

func TestUnmetConditionsAreThoseThatFailed(t *testing.T) {
	p := properties{
		"ConditionResult": false, "ConditionTimestampMonotonic": uint64(1),
		"Conditions": [][]any{
			{"ConditionPathExists", false, false, "/there", int32(1)},
			{"ConditionPathExists", false, false, "/not/there", int32(-1)},
			{"ConditionHost", false, true, "this", int32(-1)},
			{"of another systemd"},
		},
		"AssertResult": true, "AssertTimestampMonotonic": uint64(1),
		"Asserts": [][]any{{"AssertPathExists", false, false, "/x", int32(-1)}},
	}
	if got, want := p.unmet(), []string{"ConditionPathExists=/not/there", "ConditionHost=!this"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestWhatIsNewerThanItsProcessIsStale(t *testing.T) {
	dir := t.TempDir()
	at := func(name string, when time.Time) string {
		path := dir + "/" + name
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, when, when); err != nil {
			t.Fatal(err)
		}
		return path
	}
	now := time.Now()
	started := now.Add(-time.Hour)
	older, newer, future := at("older", started.Add(-time.Hour)), at("newer", started.Add(time.Minute)), at("future", now.Add(time.Hour))
	u := converge.Unit{Fragment: older, DropIns: []string{newer}, Process: converge.Process{Started: started, Age: time.Hour}}
	got, err := stale(u, []string{future, dir + "/gone"}, now, false)
	if err != nil || !slices.Equal(got, []string{newer}) {
		t.Errorf("got %q, %v", got, err)
	}
	u.DropIns, u.Reload = nil, true
	if got, err := stale(u, nil, now, false); err != nil || !slices.Equal(got, []string{older}) {
		t.Errorf("not read again: got %q, %v", got, err)
	}
	set := converge.Unit{Fragment: older, Process: converge.Process{Started: started.Add(-24 * time.Hour), Age: time.Hour}}
	if got, err := stale(set, nil, now, false); err != nil || got != nil {
		t.Errorf("a clock that was set forward: got %q, %v", got, err)
	}
}

func TestWhoeverMayNotSeeTheJournalSeesThatSidekiqIsQuiet(t *testing.T) {
	quiet := exec.Command("/bin/sleep", "60")
	quiet.Args[0] = "sidekiq 7.3.2 x [0 of 5 busy] stopping"
	if err := quiet.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = quiet.Process.Kill(); _ = quiet.Wait() })
	ctx, cancel := context.WithCancel(context.Background())
	cancel() // so that no journal can be read
	u, err := (&Host{Options: Options{Anybody: true}}).unit(ctx, "sidekiq.service", properties{
		"ActiveState": "active", "SubState": "running", "Type": "notify", "MainPID": uint32(quiet.Process.Pid), "InvocationID": []byte{0xab, 1},
		"ExecMainStartTimestamp": uint64(time.Now().UnixMicro()), "TimeoutStopUSec": uint64(1),
	})
	if u.Activity != converge.Quiet || err != nil {
		t.Errorf("it is %q, %v", u.Activity, err)
	}
}
