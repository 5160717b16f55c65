// SPDX-License-Identifier: GPL-3.0-or-later

package converge_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge/fakehost"
)

// scripted is a host with one process, whose state at each time is in the
// script.
type scripted struct {
	converge.Host
	began, now time.Time
	script     []scene
	looks      int
}

type scene struct {
	from time.Duration
	is   converge.Process
}

func play(script []scene) *scripted {
	began := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	return &scripted{began: began, now: began, script: script}
}

func (s *scripted) Now() time.Time { return s.now }

func (s *scripted) Sleep(ctx context.Context, d time.Duration) error {
	s.now = s.now.Add(d)
	return ctx.Err()
}

func (s *scripted) Process(context.Context, string) (converge.Process, error) {
	s.looks++
	var p converge.Process
	for _, scene := range s.script {
		if s.now.Sub(s.began) >= scene.from {
			p = scene.is
		}
	}
	return p, nil
}

// process is a process in the words of systemctl show: first its state, and
// then what else is true of it.
func process(pid int, state string, also ...func(*converge.Process)) converge.Process {
	active, sub, _ := strings.Cut(state, "/")
	p := converge.Process{ActiveState: active, SubState: sub, Type: "simple", MainPID: pid}
	if pid != 0 {
		p.Invocation = strings.Repeat("a", pid%30)
	}
	for _, f := range also {
		f(&p)
	}
	return p
}

func kind(k string) func(*converge.Process)  { return func(p *converge.Process) { p.Type = k } }
func restarts(n int) func(*converge.Process) { return func(p *converge.Process) { p.Restarts = n } }
func job(p *converge.Process)                { p.JobPending = true }
func ready(p *converge.Process)              { p.Ready = true }
func quiet(p *converge.Process)              { p.Quiet = true }
func behind(p *converge.Process)             { p.Behind = p.MainPID + 1 }
func exit(status int) func(*converge.Process) {
	return func(p *converge.Process) { p.ExitCode, p.ExitStatus = 1, status }
}

func signal(s int) func(*converge.Process) {
	return func(p *converge.Process) { p.ExitCode, p.ExitStatus = 2, s }
}

// eachTwoSeconds dies every two seconds and takes one more second to be
// restarted.
func eachTwoSeconds() []scene {
	var script []scene
	for i := range 100 {
		at := time.Duration(i) * 3 * time.Second
		script = append(script,
			scene{at, process(100+i, "active/running", restarts(i))},
			scene{at + 2*time.Second, process(0, "activating/auto-restart", restarts(i), exit(1))})
	}
	return script
}

func TestProve(t *testing.T) {
	titled := converge.Proof{Timeout: 150 * time.Second, Titled: true, Window: 10 * time.Second, Terms: terms}
	alone := titled
	alone.NotBehind = true
	window := converge.Proof{Timeout: 150 * time.Second, Window: 10 * time.Second, Terms: terms}
	cases := []struct {
		name    string
		proof   converge.Proof
		script  []scene
		err     string // what it must contain; "" means up
		warning string
		waited  time.Duration // at most, and hardly less
		timeout bool
	}{
		{
			name: "a notify service is up when systemd says so", proof: titled,
			script: []scene{{0, process(7, "active/running", kind("notify"))}},
		},
		{
			name: "work behind the main process, which passes nothing on", proof: alone,
			script: []scene{{0, process(7, "active/running", kind("exec"))}, {3 * time.Second, process(7, "active/running", kind("exec"), behind)}},
			err:    "its main process 7 does not pass a signal to end on to process 8, which does the work: mend it", waited: 4 * time.Second,
		},
		{
			name: "the same while the unit is still being started", proof: alone,
			script: []scene{{0, process(7, "activating/start", kind("notify"), job)}, {2 * time.Second, process(7, "activating/start", kind("notify"), job, behind)}},
			err:    "its main process 7 does not pass a signal to end on to process 8, which does the work, and only the main process may say that it is up", waited: 3 * time.Second,
		},
		{
			name: "the same where its title lags behind what it tells the manager", proof: alone,
			script: []scene{{0, process(7, "active/running", kind("notify"))}, {600 * time.Millisecond, process(7, "active/running", kind("notify"), behind)}},
			err:    "its main process 7", waited: time.Second,
		},
		{
			name: "the same for an old program", proof: titled, waited: 4 * time.Second,
			script: []scene{{0, process(7, "active/running", kind("exec"))}, {3 * time.Second, process(7, "active/running", kind("exec"), behind)}},
		},
		{
			name: "a forking service, as an old Redis is", proof: window,
			script: []scene{{0, process(7, "active/running", kind("forking"))}},
		},
		{
			name: "a notify service that is being started is waited for", proof: titled,
			script: []scene{
				{0, process(7, "activating/start", kind("notify"), job)},
				{50 * time.Second, process(7, "active/running", kind("notify"))},
			},
			waited: 51 * time.Second,
		},
		{
			name: "a simple service is up when its title says so", proof: titled,
			script: []scene{{0, process(7, "active/running")}, {4 * time.Second, process(7, "active/running", ready)}},
			waited: 5 * time.Second,
		},
		{
			name: "an exec service that boots for two minutes", proof: titled,
			script: []scene{
				{0, process(7, "active/running", kind("exec"))},
				{120 * time.Second, process(7, "active/running", kind("exec"), ready)},
			},
			waited: 121 * time.Second,
		},
		{
			name: "a service that dies every two seconds", proof: titled, script: eachTwoSeconds(),
			err: "its main process exited with status 1 instead of staying up", waited: 3 * time.Second,
		},
		{
			name: "one that dies every two seconds and has no title", proof: window, script: eachTwoSeconds(),
			err: "instead of staying up", waited: 3 * time.Second,
		},
		{
			name: "one that is restarted too fast to be seen dead", proof: window,
			script: []scene{
				{0, process(7, "active/running")},
				{time.Second, process(8, "active/running", restarts(1), exit(1))},
			},
			err: "instead of staying up", waited: 2 * time.Second,
		},
		{
			name: "one that died before the first look", proof: window,
			script: []scene{
				{0, process(8, "active/running", restarts(4))},
				{2 * time.Second, process(0, "activating/auto-restart", restarts(4), signal(9))},
			},
			err: "was killed by signal 9", waited: 3 * time.Second,
		},
		{
			name: "one that dies of Redis after half a minute", proof: titled,
			script: []scene{
				{0, process(7, "active/running")},
				{30 * time.Second, process(0, "activating/auto-restart", exit(1))},
			},
			err: "exited with status 1", waited: 31 * time.Second,
		},
		{
			name: "a unit that is not restarted", proof: titled,
			script: []scene{{0, process(7, "active/running")}, {time.Second, process(0, "failed/failed", exit(217))}},
			err:    "217/USER (the user does not exist", waited: 2 * time.Second,
		},
		{
			name: "one that somebody stopped", proof: titled,
			script: []scene{{0, process(7, "active/running")}, {time.Second, process(0, "inactive/dead")}},
			err:    "its main process is not there", waited: 2 * time.Second,
		},
		{
			name: "a deploy that restarts it meanwhile", proof: titled,
			script: []scene{
				{0, process(7, "active/running")},
				{3 * time.Second, process(7, "deactivating/stop-sigterm", job)},
				{4 * time.Second, process(0, "inactive/dead", job)},
				{5 * time.Second, process(8, "active/running")},
				{9 * time.Second, process(8, "active/running", ready)},
			},
			waited: 10 * time.Second,
		},
		{
			name: "a deploy that restarts it after it had crashed once", proof: titled,
			script: []scene{
				{0, process(7, "active/running", restarts(3))},
				{time.Second, process(8, "active/running")},
				{2 * time.Second, process(8, "active/running", ready)},
			},
			waited: 3 * time.Second,
		},
		{
			name: "a deploy that restarts it, and then it crashes", proof: titled,
			script: []scene{
				{0, process(7, "active/running", restarts(3))},
				{time.Second, process(8, "active/running")},
				{2 * time.Second, process(9, "active/running", restarts(1))},
			},
			err: "instead of staying up", waited: 3 * time.Second,
		},
		{
			name: "a deploy whose restart starts the window anew", proof: window,
			script:  []scene{{0, process(7, "active/running")}, {9 * time.Second, process(8, "active/running")}},
			warning: "has been running for 10s", waited: 20 * time.Second,
		},
		{
			name: "a deploy that quiets it meanwhile", proof: titled,
			script: []scene{
				{0, process(7, "active/running", kind("notify"), quiet)},
			},
			warning: "told to be quiet by somebody else",
		},
		{
			name: "a program without a title that lives through the window", proof: window,
			script:  []scene{{0, process(7, "active/running")}},
			warning: "has been running for 10s, which is all that can be told", waited: 11 * time.Second,
		},
		{
			name: "a program without a title that has been running for long", proof: window,
			script: []scene{{0, process(7, "active/running", func(p *converge.Process) {
				p.Age = 28 * 24 * time.Hour
			})}},
			warning: "has been running for 10s",
		},
		{
			name: "a clock that has been set a year ahead since its start", proof: window,
			script: []scene{{0, process(7, "active/running", func(p *converge.Process) {
				p.Started, p.Age = time.Date(2025, 3, 1, 12, 0, 0, 0, time.UTC), time.Second
			})}},
			warning: "has been running for 10s", waited: 9 * time.Second,
		},
		{
			name: "a program without a title that shows one after all", proof: window,
			script: []scene{{0, process(7, "active/running")}, {2 * time.Second, process(7, "active/running", ready)}},
			waited: 3 * time.Second,
		},
		{
			name: "a title that never comes", proof: titled, script: []scene{{0, process(7, "active/running")}},
			err: "it was not ready after 2m30s (patience)", waited: 151 * time.Second, timeout: true,
		},
		{
			name: "a notify service that never is ready", proof: titled,
			script: []scene{{0, process(7, "activating/start", kind("notify"), job)}},
			err:    "patience", waited: 151 * time.Second, timeout: true,
		},
		{
			name: "a oneshot unit that has started others", proof: titled,
			script: []scene{{0, process(0, "active/exited", kind("oneshot"))}},
		},
		{
			name: "no proof asked for", proof: converge.Proof{Terms: terms}, script: []scene{{0, process(0, "failed/failed")}},
			warning: "patience is 0",
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			h := play(c.script)
			warning, err := converge.Prove(context.Background(), h, converge.Unit{Name: service, Proof: c.proof}, h.began)
			if waited := h.now.Sub(h.began); waited > c.waited || waited < c.waited-2*time.Second {
				t.Errorf("waited %s, want at most %s and hardly less", waited, c.waited)
			}
			if !strings.Contains(warning, c.warning) || (c.warning == "") != (warning == "") {
				t.Errorf("warning %q, want %q", warning, c.warning)
			}
			if c.err == "" {
				if err != nil {
					t.Errorf("not up: %v", err)
				}
				return
			}
			var dead *converge.NotUp
			if !errors.As(err, &dead) {
				t.Fatalf("error %v, want a *NotUp", err)
			}
			if !strings.Contains(dead.Why, c.err) || dead.TimedOut != c.timeout || dead.Unit != service {
				t.Errorf("%s is not up: %q, timed out %t; want %q, %t", dead.Unit, dead.Why, dead.TimedOut, c.err, c.timeout)
			}
		})
	}
}

func TestProveEndsWhenItIsInterrupted(t *testing.T) {
	hungUp := errors.New("hung up")
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(hungUp)
	h := play([]scene{{0, process(7, "active/running")}})
	if _, err := converge.Prove(ctx, h, converge.Unit{Name: service, Proof: proof}, h.began); !errors.Is(err, hungUp) || h.looks > 1 {
		t.Errorf("error %v after %d looks", err, h.looks)
	}
}

// This is what a start comes to, from the manager's job to the message.
func TestAStartSaysWhyItFailed(t *testing.T) {
	cases := []struct {
		name, kind, fake string
		want             []string // parts of the message; none means up
	}{
		{"notify and ready", "notify", "boot=50s", nil},
		{"simple and slow", "simple", "boot=100s", nil},
		{"exec and ready", "exec", "boot=3s", nil},
		{"notify, dies before it is ready", "notify", "boot=50s life=30s exit=1", []string{"start sidekiq.service", "before it was ready, its main process exited with status 1"}},
		{"notify, never ready", "notify", "mute", []string{"start sidekiq.service", "did not tell systemd within 1m0s (TimeoutStartSec of its unit) that it was ready"}},
		{"exec, no such program", "exec", "exec=203", []string{"start sidekiq.service", "203/EXEC", "the program is missing"}},
		{"simple, no working directory", "simple", "exec=200", []string{"bring sidekiq.service up", "200/CHDIR", "the working directory is missing"}},
		{"simple, crashes every two seconds", "simple", "boot=5s life=2s", []string{"bring sidekiq.service up", "instead of staying up"}},
		{"simple, dies of Redis after 30 s", "simple", "boot=60s life=30s", []string{"bring sidekiq.service up", "exited with status 1"}},
		{"simple, never ready", "simple", "boot=500s", []string{"bring sidekiq.service up", "not ready after 2m0s"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			h := befores[0].host(c.kind, managers[0])
			_, err := run(context.Background(), t, h, wanted(converge.Up, unitFile(unitText("new", c.kind, c.fake))), converge.Rollback)
			if c.want == nil {
				if err != nil {
					t.Error(err)
				}
				return
			}
			f := failure(t, err)
			for _, w := range c.want {
				if !strings.Contains(f.Error(), w) {
					t.Errorf("message %q, want %q", f, w)
				}
			}
			var dead *converge.NotUp
			if !errors.As(f, &dead) || len(f.Traces.Log) == 0 && !strings.Contains(c.name, "never ready") {
				t.Errorf("NotUp: %v, last log lines %q", dead, f.Traces.Log)
			}
			if strings.Contains(f.Error(), ": cannot") {
				t.Errorf("the message says twice what it cannot: %q", f)
			}
		})
	}
}

func TestADeployThatReplacesTheJobIsNoFailure(t *testing.T) {
	for _, kind := range []string{"simple", "notify"} {
		h := befores[1].host(kind, managers[0])
		h.After(2*time.Second, func() { h.Systemctl(converge.Restart, service) })
		want := wanted(converge.Up, unitFile(unitText("new", kind, "boot=5s")))
		mustRun(t, h, want)
		if u := h.Snapshot().Units[service]; u.From != want.Files[0].Content || u.Activating {
			t.Errorf("Type=%s: %+v", kind, u)
		}
	}
}

func TestAServiceThatGoesOnWorkingIsNotCalledQuiet(t *testing.T) {
	h := running("notify", "deaf")
	_, err := run(context.Background(), t, h, wanted(converge.Quiet, unitFile(unitText("old", "notify", "deaf"))), converge.Rollback)
	if f := failure(t, err); !strings.Contains(f.Error(), "cannot quiet sidekiq.service: 15s after it was told to") || !f.RolledBack {
		t.Error(f)
	}
}

func TestAServiceThatDoesNotShowWhetherItIsQuietIsWarnedOf(t *testing.T) {
	h := running("notify", "untitled deaf")
	plan := look(t, h, wanted(converge.Quiet, unitFile(unitText("old", "notify", "untitled deaf"))))
	warnings, err := plan.Apply(context.Background(), h, converge.Rollback)
	if err != nil || len(warnings) != 1 || !strings.Contains(warnings[0], "does not show whether it is") {
		t.Errorf("%v %q", err, warnings)
	}
}

func TestABootingServiceIsQuietedOnlyWhenItIsReady(t *testing.T) {
	for _, limit := range []time.Duration{proof.Timeout, 0} { // also where no start is to be proven
		h := fakehost.New()
		installed(h, "simple", "boot=20s")
		h.Systemctl(converge.Start, service)
		h.Pass(time.Second)
		want := wanted(converge.Quiet, unitFile(unitText("old", "simple", "boot=20s")))
		want.Units[0].Proof.Timeout = limit
		mustRun(t, h, want)
		if u := h.Snapshot().Units[service]; !u.Quiet {
			t.Errorf("start_timeout %s: not quiet but suspended: %+v", limit, u)
		}
	}
}
