// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"testing"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/oracle"
)

func entry(section, name, value string) oracle.Entry {
	return oracle.Entry{Section: section, Name: name, Value: value}
}

// seedUnit are the directives of the guide that this collection grew from, and
// of the role sidekiq in ansible-samvera.
func seedUnit() []oracle.Entry {
	return []oracle.Entry{
		entry("Unit", "Description", "sidekiq"),
		entry("Unit", "After", "syslog.target network.target"),
		entry("Service", "Type", "simple"),
		entry("Service", "WorkingDirectory", "/opt/laevigata/current"),
		entry("Service", "ExecStart", "/usr/local/bin/bundle exec sidekiq -e production -C config/sidekiq.yml -L log/sidekiq.log"),
		entry("Service", "User", "deploy"),
		entry("Service", "Group", "deploy"),
		entry("Service", "UMask", "0002"),
		entry("Service", "RestartSec", "1"),
		entry("Service", "Restart", "on-failure"),
		entry("Service", "StandardOutput", "syslog"),
		entry("Service", "StandardError", "syslog"),
		entry("Service", "SyslogIdentifier", "sidekiq"),
		entry("Install", "WantedBy", "multi-user.target"),
	}
}

// seedExceptions are the directives that contradict the guide's own aim today,
// a Sidekiq that always runs: what is written instead, and why.
func seedExceptions() map[string]struct{ instead, why string } {
	return map[string]struct{ instead, why string }{
		"After":          {"network.target", "syslog.target has not existed since systemd 35"},
		"ExecStart":      {"/usr/local/bin/bundle exec sidekiq -e production -C config/sidekiq.yml", "Sidekiq 6 and newer dies of -L"},
		"RestartSec":     {"25", "with Redis down, one second is 98,000 journal lines an hour"},
		"StandardOutput": {"", "syslog is obsolete since systemd 246; the journal, which is the default, hands over to syslog"},
		"StandardError":  {"", "as StandardOutput"},
	}
}

// seedAdditions are directives that the guide does not have.
func seedAdditions() map[string]string {
	return map[string]string{
		"StartLimitIntervalSec": "five failures in ten seconds would leave it dead for good",
		"ExecReload":            "to be quiet before a deploy",
		"TimeoutStartSec":       "cold Rails applications need more than 90 seconds after a reboot",
		"TimeoutStopSec":        "a Sidekiq killed before its own timeout loses jobs",
		"KillMode":              "the children of running jobs would be killed at once",
		"OOMPolicy":             "one job's child killed for memory would end all jobs",
	}
}

func TestUnitHoldsTheSeedsDirectives(t *testing.T) {
	unit := unitOf(t, `{"project_name": "laevigata", "type": "simple", "restart": "on-failure", "redis_unit": "none"}`, debian12())
	entries, err := oracle.ParseUnit(unit)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, seed := range seedUnit() {
		want := seed.Value
		if e, ok := seedExceptions()[seed.Name]; ok {
			want = e.instead
		}
		if got := directive(t, unit, seed.Section, seed.Name); got != want {
			t.Errorf("%s is %q, want %q", seed.Name, got, want)
		}
		seen[seed.Name] = true
	}
	for _, e := range entries {
		if !seen[e.Name] && seedAdditions()[e.Name] == "" {
			t.Errorf("%s=%s is neither in the seed nor among the additions", e.Name, e.Value)
		}
	}
	for name, e := range seedExceptions() {
		if e.why == "" {
			t.Errorf("%s has no reason", name)
		}
	}
}
