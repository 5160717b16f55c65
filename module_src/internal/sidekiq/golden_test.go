// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew")

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s (-want +got):\n%s", file, d)
	}
}

// versions are the versions of systemd in Ubuntu 16.04, 18.04 and 20.04, Debian 11,
// Ubuntu 22.04, Debian 12, Ubuntu 24.04, Debian 13, Ubuntu 26.04 and Debian 14.
func versions() []int { return []int{229, 237, 245, 247, 249, 252, 255, 257, 259, 262} }

func TestUnitForEachSystemd(t *testing.T) {
	for _, v := range versions() {
		golden(t, fmt.Sprintf("plain-%d.service", v), unitOf(t, `{"project_name": "laevigata"}`, on(v)))
		golden(t, fmt.Sprintf("strict-%d.service", v), unitOf(t, `{"project_name": "laevigata", "hardening": "strict"}`, on(v)))
	}
}

func TestUnitWithEverything(t *testing.T) {
	golden(t, "full.service", unitOf(t, full, on(257)))
	golden(t, "login-shell.service", unitOf(t, `{
		"project_name": "laevigata", "login_shell": true, "queues": ["high,2", "it;s"], "log_file": "log/side kiq.log"
	}`, debian12()))
	golden(t, "own-command.service", unitOf(t, `{
		"working_directory": "/srv/app", "exec_start": "/bin/bash -lc 'exec sidekiq -t 120 -e $RAILS_ENV'", "hardening": "basic"
	}`, debian12()))
}

func TestUnitsOfSeveralProcesses(t *testing.T) {
	const three = `{"project_name": "laevigata", "processes": 3}`
	got, _ := want(t, three, debian12())
	golden(t, "three@1.service", got.Files[0].Content)
	golden(t, "three.service", got.Files[3].Content)
	golden(t, "three.sudoers", got.Files[4].Content)
	got, _ = want(t, three, on(229))
	golden(t, "three-229@2.service", got.Files[1].Content)
	got, _ = want(t, own, debian12())
	golden(t, "own@critical.service", got.Files[0].Content)
	golden(t, "own@images.service", got.Files[1].Content)
	golden(t, "own@rest.service", got.Files[2].Content)
	golden(t, "own.service", got.Files[3].Content)
}

func TestTheStartOfSeveralMayBeginWithThePauseOfOne(t *testing.T) {
	got, _ := want(t, `{"project_name": "laevigata", "processes": 2, "restart_sec": 600, "start_timeout": 100}`, debian12())
	if !strings.Contains(got.Files[2].Content, "\nTimeoutStartSec=730\n") {
		t.Error(got.Files[2].Content)
	}
}

// own is a service whose processes have settings of their own.
const own = `{
	"project_name": "laevigata", "working_directory": "/srv/laevigata", "queues": ["high", "low"], "env": {"A": "1", "B": "2"}, "env_files": ["/etc/l/env"], "log_file": "log/sidekiq.log",
	"secret_env": {"PASSWORD": "hunter2"},
	"directives": {"Service": {"MemoryMax": "1G", "Nice": 5}},
	"instances": [
		{"name": "critical", "queues": ["critical,2", "high"], "concurrency": 3, "config_file": "config/critical.yml", "env": {"B": "3", "C": "4", "A": null},
			"env_files": ["/etc/l/critical.env"], "log_file": null, "directives": {"Service": {"MemoryMax": "2G", "Nice": null}}},
		{"name": "images", "exec_start": "/opt/images/bin/work --all", "log_file": "log/images.log", "env": null, "secret_env": null, "env_files": []},
		{"name": "rest"}
	]
}`

// Each golden unit names the system on which systemd-analyze has accepted it;
// tests/booted/test_golden_units.py proves it there.
func TestEachGoldenUnitNamesItsSystem(t *testing.T) {
	text, err := os.ReadFile("testdata/accepted.txt")
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]string{}
	for _, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		if row := strings.Fields(line); row[0] != "#" {
			named[row[0]] = row[2]
		}
	}
	files, err := filepath.Glob("testdata/*.service")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		name := filepath.Base(file)
		if name == "seed.service" {
			continue // is none of ours
		}
		systemd, ok := named[name]
		if !ok {
			t.Errorf("%s is not in testdata/accepted.txt", name)
		}
		_, version, ok := strings.Cut(strings.TrimSuffix(name, ".service"), "-")
		version, _, _ = strings.Cut(version, "@")
		if _, err := strconv.Atoi(version); ok && err == nil && !strings.HasPrefix(systemd, version) {
			t.Errorf("%s was accepted by systemd %s", name, systemd)
		}
		delete(named, name)
	}
	for name := range named {
		t.Errorf("testdata/accepted.txt has %s, which is no golden unit", name)
	}
}

func TestSudoers(t *testing.T) {
	golden(t, "plain.sudoers", sudoersOf(t, `{"project_name": "laevigata"}`, debian12()))
	golden(t, "full.sudoers", sudoersOf(t, full, debian12()))
}

// full gives each option a value other than its default.
const full = `{
	"name": "laevigata-jobs", "project_name": "laevigata", "working_directory": "/srv/laevigata", "user": "bess", "group": "operators",
	"umask": "0027", "app_env": "staging", "config_file": "/etc/laevigata/sidekiq.yml", "bundle": "/opt/ruby/bin/bundle",
	"queues": ["high,2", "default"], "concurrency": 3, "type": "notify", "watchdog_sec": 30, "restart": "on-failure", "restart_sec": 5,
	"start_timeout": 600, "timeout_stop_sec": 120,
	"env": {"A": "50% of $HOME \"quoted\" it's \\ back", "MALLOC_ARENA_MAX": 2, "FLAG": true, "EMPTY": null},
	"env_files": ["/etc/laevigata/secrets.env", "-/etc/default/laevigata"], "secret_env": {"PASSWORD": "hunter2"}, "log_file": "log/sidekiq.log",
	"redis_unit": "redis-server@jobs", "after": ["postgresql", "fcrepo.service"], "wants": ["fcrepo"], "wanted_by": ["laevigata.target"],
	"hardening": "basic",
	"directives": {
		"Unit": {"Documentation": ["https://example.org/a", "man:sidekiq(1)"]},
		"Service": {"LimitNOFILE": 65536, "OOMPolicy": null, "KillMode": "process", "PrivateMounts": true},
		"Install": {"RequiredBy": "jobs.target"}
	},
	"sudo_users": ["bess", "DEPLOY", "joe@ad.example"], "sudo_groups": ["operators", "domain users"], "sudo_commands": ["restart", "status", "kill_tstp"],
	"sudoers_file": "/etc/sudoers.d/laevigata", "unit_dir": "/etc/systemd/system"
}`
