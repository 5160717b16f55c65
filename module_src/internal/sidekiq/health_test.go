// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"strings"
	"testing"
	"time"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/systemd"
)

func TestHealthOfOneProcess(t *testing.T) {
	up := UnitReport{Unit: converge.Unit{
		Name: "s.service", LoadState: "loaded", Activity: converge.Up,
		Process: converge.Process{ActiveState: "active", SubState: "running", MainPID: 7, Title: "sidekiq 7.3.2 p [0 of 5 busy]", Age: time.Hour},
	}, Release: "/r/2"}
	for name, test := range map[string]struct {
		change func(*UnitReport)
		health Health
		words  string
	}{
		"up":                 {func(*UnitReport) {}, HealthUp, "OK: s.service runs and is not quiet, process 7, Sidekiq 7.3.2, in /r/2"},
		"masked":             {func(p *UnitReport) { p.LoadState = "masked" }, HealthDown, "is masked"},
		"not to be seen":     {func(p *UnitReport) { p.Process.Title = "" }, HealthUnknown, "may not look at"},
		"told to be quiet":   {func(p *UnitReport) { p.Activity = converge.Quieting }, HealthDegraded, "is quiet"},
		"stale":              {func(p *UnitReport) { p.Stale = []string{"/u"} }, HealthDegraded, "it is older than /u"},
		"old release":        {func(p *UnitReport) { p.Release = "/r/1" }, HealthDegraded, "it runs in /r/1, and /c is /r/2 now"},
		"release not seen":   {func(p *UnitReport) { p.Release = "" }, HealthUp, "process 7"},
		"just restarted":     {func(p *UnitReport) { p.Process.Restarts, p.Process.Age = 3, 9*time.Second }, HealthDegraded, "automatic restarts so far: 3, the last one 9s ago"},
		"restarted long ago": {func(p *UnitReport) { p.Process.Restarts = 3 }, HealthUp, "OK"},
		"starting":           {func(p *UnitReport) { p.Activity = converge.Starting }, HealthDegraded, "is being started"},
		"starting again":     {func(p *UnitReport) { p.Activity, p.Process.Restarts = converge.Starting, 2 }, HealthDown, "2 automatic restarts so far"},
		"a program that says nothing": {
			func(p *UnitReport) { p.Activity, p.Untitled, p.Process.Title = converge.Starting, true, "/bin/x" }, HealthUp, "runs and is not quiet, process 7",
		},
		"dead and waiting": {func(p *UnitReport) { p.Activity, p.Process.MainPID = converge.AutoRestart, 0 }, HealthDown, "next automatic restart (0 so far)"},
		"dead and uncounted": {
			func(p *UnitReport) {
				p.Activity, p.Process.MainPID, p.Process.Uncounted = converge.AutoRestart, 0, true
			}, HealthDown, "next automatic restart",
		},
		"being stopped": {func(p *UnitReport) { p.Activity, p.Process.MainPID = converge.Stopping, 0 }, HealthDegraded, "is being stopped"},
		"stopped":       {func(p *UnitReport) { p.Activity, p.Process.MainPID = converge.Down, 0 }, HealthDown, "is not running"},
		"failed": {
			func(p *UnitReport) {
				p.Activity = converge.Down
				p.Process = converge.Process{ActiveState: "failed", ExitCode: systemd.Exited, ExitStatus: 1}
			}, HealthDown, "its main process exited with status 1",
		},
	} {
		p := up
		test.change(&p)
		health, text := (&Report{Dir: "/c", Release: "/r/2", Processes: []UnitReport{p}}).Health("s.service")
		if line := health.Line(text); health != test.health || !strings.Contains(line, test.words) {
			t.Errorf("%s: %d, %q", name, health, line)
		}
	}
	down := up
	down.Activity, down.Process.MainPID = converge.Down, 0
	if _, text := (&Report{Dir: "/c", Processes: []UnitReport{down}}).Health("s.service"); !strings.Contains(text, "/c is not there") {
		t.Errorf("not deployed: %q", text)
	}
}

func TestALineOfHealthIsOneLine(t *testing.T) {
	if line := HealthUp.Line("a|b\nc\x1b[2J"); strings.ContainsAny(line, "|\n\x1b") {
		t.Errorf("%q", line)
	}
}

func TestRefusalsAreSidekiqsOwnErrors(t *testing.T) {
	for line, refused := range map[string]bool{
		"2026-11-26T19:55:36.611Z pid=2650 tid=2q6 ERROR: heartbeat: OOM command not allowed when used memory > 'maxmemory'.":   true,
		"2026-11-26T19:55:47.155Z pid=2703 tid=2lv ERROR: heartbeat: READONLY You can't write against a read only replica.":     true,
		"2026-11-26T19:55:47.155Z pid=2703 tid=2lv ERROR: heartbeat: MISCONF Redis is configured to save RDB snapshots, but":    true,
		"2026-11-26T19:55:47.155Z pid=2703 tid=2lv ERROR: heartbeat: NOPERM No permissions to access a key":                     true,
		"2026-11-26T19:55:47.155Z pid=2703 tid=2lv class=X jid=1 INFO: the documentation of READONLY You can't write says that": false,
		"2026-11-26T19:55:47.155Z pid=2703 tid=2lv ERROR: heartbeat: Connection refused":                                        true,
		"2026-11-26T19:55:47.155Z pid=2703 tid=2lv ERROR: Error fetching job: Error connecting to Redis on localhost:6379":      true,
		"2026-11-26T19:55:47.155Z pid=2703 tid=2lv ERROR: heartbeat: NOAUTH Authentication required.":                           true,
		"2026-11-26T19:55:47.155Z pid=2703 tid=2lv ERROR: heartbeat: Permission denied - connect(2) for /run/redis.sock":        true,
		"2026-11-26T19:55:47.155Z pid=2703 tid=2lv class=X jid=1 ERROR: Connection refused - connect(2) for solr.example.org":   false,
	} {
		if got := Refusal([]string{"x", line}); (got != "") != refused || strings.ContainsAny(got, "{$") {
			t.Errorf("%s: %q", line, got)
		}
		if got := Refusal([]string{line, "2026-11-26T19:55:48.155Z pid=2703 tid=2lv INFO: Redis is online, 11.2 sec downtime"}); got != "" {
			t.Errorf("%s, which is over: %q", line, got)
		}
	}
}

func TestAProgramOfOthersIsNotSidekiq(t *testing.T) {
	p := UnitReport{Foreign: true, Unit: converge.Unit{Name: "cron.service", Activity: converge.Up, Process: converge.Process{MainPID: 29, Title: "/usr/sbin/cron -f"}}}
	report := Report{Processes: []UnitReport{p}}
	if health, text := report.Health("cron.service"); health != HealthUnknown || !strings.Contains(report.Prometheus("cron"), `sidekiq_up{service="cron",unit="cron.service"} 0`) {
		t.Errorf("%d, %q", health, text)
	}
	if !OfOthers("[Service]\nExecStart=/usr/sbin/cron -f\n") || OfOthers("[Service]\nExecStart=/usr/bin/bundle exec sidekiq\n") {
		t.Error("what a unit file runs is taken for something else")
	}
}

func TestOnFailureIsWarnedOfWhereItNeverFires(t *testing.T) {
	for version, warned := range map[int]bool{229: false, 237: false, 239: true, 252: true, 253: true, 254: false, 257: false} {
		s := mustParse(t, `{"project_name": "p", "directives": {"Unit": {"OnFailure": "alarm.service"}}}`)
		_, warnings, _ := s.Want(on(version))
		if got := strings.Contains(strings.Join(warnings, " "), "OnFailure= in directives starts nothing"); got != warned {
			t.Errorf("%d: %q", version, warnings)
		}
	}
	s := mustParse(t, `{"project_name": "p", "restart": "on-failure", "directives": {"Unit": {"OnFailure": "alarm.service"}}}`)
	if _, warnings, _ := s.Want(on(252)); strings.Contains(strings.Join(warnings, " "), "OnFailure=") {
		t.Errorf("with on-failure: %q", warnings)
	}
}
