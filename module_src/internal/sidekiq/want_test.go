// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/sudo"
)

func want(t *testing.T, options string, f Facts) (converge.State, []string) {
	t.Helper()
	state, warnings, err := mustParse(t, options).Want(f)
	if err != nil {
		t.Fatal(err)
	}
	return state, warnings
}

func TestStateBecomesActivity(t *testing.T) {
	for state, activity := range map[string]converge.Activity{
		"started": converge.Up, "restarted": converge.Restarted, "quiet": converge.Quiet, "stopped": converge.Down, "present": converge.Any,
	} {
		got, warnings := want(t, `{"project_name": "p", "state": "`+state+`"}`, debian12())
		if a := got.Units[0].Activity; a != activity || len(warnings) > 0 {
			t.Errorf("%s: %q %q, want %q", state, a, warnings, activity)
		}
	}
}

func TestNothingIsStartedBeforeTheFirstDeploy(t *testing.T) {
	f := debian12()
	f.Deployed, f.Lock, f.Configs = false, Text{}, nil
	for state, activity := range map[string]converge.Activity{
		"started": converge.Any, "restarted": converge.Any, "quiet": converge.Any, "stopped": converge.Down,
	} {
		got, warnings := want(t, `{"project_name": "p", "state": "`+state+`"}`, f)
		u := got.Units[0]
		if u.Activity != activity || u.Enabled != converge.On || !u.KeepStale {
			t.Errorf("%s: %+v", state, u)
		}
		if warned := strings.Contains(strings.Join(warnings, "\n"), "/opt/p/current is not there yet"); warned != (state != "stopped") {
			t.Errorf("%s: warnings %q", state, warnings)
		}
	}
}

func TestTwoReplacedFilesOfOneNameAreBothKept(t *testing.T) {
	s := mustParse(t, `{"project_name": "p", "backup": true, "replace": true}`)
	var have converge.State
	for _, dir := range []string{"/etc/sudoers.d/", "/etc/logrotate.d/"} {
		have.Files = append(have.Files, converge.File{Path: dir + "sidekiq", Exists: true, Content: dir})
	}
	gone := converge.State{Files: []converge.File{{Path: have.Files[0].Path}, {Path: have.Files[1].Path}}}
	kept, dir := s.KeepReplaced(gone, converge.Diff(gone, have), time.Unix(0, 0))
	for name, content := range map[string]string{"/sidekiq": "/etc/sudoers.d/", "/logrotate.d-sidekiq": "/etc/logrotate.d/"} {
		if f, _ := kept.File(dir + name); f.Content != content {
			t.Errorf("%s holds %q; kept: %+v", name, f.Content, kept.Files)
		}
	}
}

func TestAbsentWantsNothingOfTheHost(t *testing.T) {
	s := mustParse(t, `{"state": "absent"}`)
	got, warnings, err := s.Want(Facts{Systemd: 252})
	wanted := converge.State{
		Files: []converge.File{
			{Path: "/lib/systemd/system/sidekiq.service", Kind: converge.UnitFile, Units: []string{"sidekiq.service"}},
			{Path: "/etc/sudoers.d/sidekiq-restart-users", Kind: converge.SudoersFile},
			{
				Path: "/etc/curationexperts.sidekiq/sidekiq.env", Kind: converge.PlainFile, Units: []string{"sidekiq.service"},
				Secret: true, OwnDirectory: true,
			},
			{Path: "/usr/local/sbin/sidekiq-health", Kind: converge.ProgramFile},
		},
		Units: []converge.Unit{{
			Name: "sidekiq.service", Enabled: converge.Off, Links: []converge.Link{}, Activity: converge.Down,
			Proof: converge.Proof{Timeout: 5 * time.Minute, Titled: true, Window: time.Minute, QuietTime: quietTime, NotBehind: true, Terms: (&Service{}).terms()},
		}},
	}
	if d := cmp.Diff(wanted, got); d != "" || err != nil || warnings != nil {
		t.Errorf("%v %v\n%s", err, warnings, d)
	}
	if q := s.Questions(); len(q.Users)+len(q.Groups)+len(q.Units) > 0 || q.Dir != "" {
		t.Errorf("asks for %+v", q)
	}
}

func TestLinksAreThoseOfTheInstallSection(t *testing.T) {
	got, _ := want(t, `{
		"project_name": "p", "unit_dir": "/etc/systemd/system", "wanted_by": ["z.target", "a.target"],
		"directives": {"Install": {"RequiredBy": ["b.target", "c"], "Alias": "jobs"}}
	}`, debian12())
	const target = "/etc/systemd/system/sidekiq.service"
	wanted := []converge.Link{
		{Path: "/etc/systemd/system/a.target.wants/sidekiq.service", Target: target},
		{Path: "/etc/systemd/system/b.target.requires/sidekiq.service", Target: target},
		{Path: "/etc/systemd/system/c.service.requires/sidekiq.service", Target: target},
		{Path: "/etc/systemd/system/jobs.service", Target: target},
		{Path: "/etc/systemd/system/z.target.wants/sidekiq.service", Target: target},
	}
	if d := cmp.Diff(wanted, got.Units[0].Links); d != "" {
		t.Error(d)
	}
	got, _ = want(t, `{"project_name": "p", "enabled": false}`, debian12())
	if u := got.Units[0]; u.Enabled != converge.Off || u.Links == nil || len(u.Links) > 0 {
		t.Errorf("disabled: %+v", u)
	}
}

// TestNothingIsSaidTwice has tasks that lead to many warnings and errors, on
// hosts that are old or lack everything. A unit is built once in a run, so
// whatever there is to say about it is said once, and nothing has to remove
// repetitions.
func TestNothingIsSaidTwice(t *testing.T) {
	after := make([]string, 14)
	for i := range after {
		after[i] = fmt.Sprintf("%s%d", strings.Repeat("x", 150), i)
	}
	tasks := append(examples(), `{"project_name": "p", "processes": 3, "watchdog_sec": 30, "type": "exec", "hardening": "strict", "timeout_stop_sec": 1,
		"start_timeout": 0, "redis_unit": "nowhere", "user": "nobody1", "group": "nobody2", "log_file": "/var/log/a\"b/c",
		"sudo_users": ["nobody1", "nobody3"], "sudo_groups": ["nobody2", "nobody4"], "env": {"TOKEN": "a"}, "env_files": ["/srv/a", "/srv/b"],
		"after": `+quoteJSON(after)+`}`)
	most := 0
	for _, task := range tasks {
		for _, f := range []Facts{debian12(), on(237), on(229), {Systemd: 229, Systemctl: "/usr/bin/systemctl"}} {
			_, said, err := mustParse(t, task).Want(f)
			if err != nil {
				said = append(said, strings.Split(err.Error(), "; option ")...)
			}
			slices.Sort(said)
			if once := slices.Compact(slices.Clone(said)); len(once) != len(said) {
				t.Errorf("%s:\n%s", task, strings.Join(said, "\n"))
			}
			most = max(most, len(said))
		}
	}
	if most < 10 {
		t.Errorf("no task says more than %d things, which shows little", most)
	}
}

func TestProofFitsTheCommand(t *testing.T) {
	for options, proof := range map[string]converge.Proof{
		`{"project_name": "p"}`:                                                 {Timeout: 5 * time.Minute, Titled: true, Window: time.Minute},
		`{"project_name": "p", "start_timeout": 20}`:                            {Timeout: 20 * time.Second, Titled: true, Window: 20 * time.Second},
		`{"project_name": "p", "exec_start": "/bin/x"}`:                         {Timeout: 5 * time.Minute, Window: time.Minute},
		`{"project_name": "p", "start_timeout": 0}`:                             {Titled: true},
		`{"project_name": "p", "restart_on_change": false, "start_timeout": 1}`: {Timeout: time.Second, Titled: true, Window: time.Second},
	} {
		got, _ := want(t, options, debian12())
		proof.QuietTime, proof.NotBehind, proof.Terms = quietTime, true, mustParse(t, options).terms()
		if got.Units[0].Proof != proof {
			t.Errorf("%s: %+v", options, got.Units[0].Proof)
		}
	}
}

func TestStartWithoutProofIsWarnedOf(t *testing.T) {
	if _, warnings := want(t, `{"project_name": "p", "start_timeout": 0}`, debian12()); len(warnings) != 1 {
		t.Errorf("warnings %q", warnings)
	}
}

func TestWhatAnEarlierTaskMayMakeIsUnmet(t *testing.T) {
	f := debian12()
	f.Users, f.Sudo, f.Units, f.Groups = nil, Sudo{}, nil, nil
	s := mustParse(t, `{"project_name": "p", "group": "g", "sudo_users": ["bess"], "sudo_groups": ["operators"], "redis_unit": "redis"}`)
	state, _, err := s.Want(f)
	var unmet *UnmetError
	if !errors.As(err, &unmet) || len(unmet.Reasons) != 6 {
		t.Fatalf("got %v", err)
	}
	for _, option := range []string{"user", "group", "sudo_users", "sudo_groups", "sudo", "redis_unit"} {
		if !strings.Contains(err.Error(), `option "`+option+`"`) {
			t.Errorf("%s is not named in: %v", option, err)
		}
	}
	if len(state.Files) != 4 || len(state.Units) != 2 || !state.Files[1].Exists {
		t.Errorf("the state is not complete: %+v", state)
	}
}

func TestWhatNoTaskWillMendIsNotUnmet(t *testing.T) {
	root := debian12()
	root.Users["toor"] = User{UID: 0}
	root.Groups["wheel"] = Group{GID: 0}
	old := on(239)
	old.Lock.Content = "    sidekiq (5.2.9)\n"
	packaged := debian12()
	packaged.Packaged = map[string]string{"/lib/systemd/system/sidekiq.service": "ruby-sidekiq"}
	for _, test := range []struct {
		options, want string
		facts         Facts
	}{
		{`{"project_name": "p", "user": "toor"}`, `option "user": "toor" has the user id 0`, root},
		{`{"project_name": "p", "group": "wheel"}`, `option "group": "wheel" has the group id 0`, root},
		{`{"project_name": "p", "type": "exec"}`, `option "type": exec needs systemd 240`, old},
		{`{"project_name": "p", "type": "notify"}`, `option "type": notify needs Sidekiq 6.0.6 or newer, and the application has 5.2.9`, old},
		{`{"project_name": "p"}`, `belongs to the package ruby-sidekiq`, packaged},
		{`{"project_name": "p", "state": "absent"}`, `belongs to the package ruby-sidekiq`, packaged},
		{`{"project_name": "p", "env": {"A": "` + strings.Repeat("x", 2000) + `"}}`, `a line of /lib/systemd/system/sidekiq.service would be`, on(237)},
	} {
		_, _, err := mustParse(t, test.options).Want(test.facts)
		var unmet *UnmetError
		if err == nil || errors.As(err, &unmet) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %s", test.options, err, test.want)
		}
	}
}

func TestTypeFollowsTheDeployedSidekiq(t *testing.T) {
	for _, test := range []struct {
		lock, options string
		systemd       int
		want          string
	}{
		{"    sidekiq (6.0.6)\n", ``, 252, "notify"},
		{"    sidekiq (7.0.0.beta1)\r\n", ``, 229, "notify"},
		{"    sidekiq (10.0)\n", ``, 252, "notify"},
		{"    sidekiq (6.0.5)\n", ``, 252, "exec"},
		{"    sidekiq (5.2.9)\n", ``, 239, "simple"},
		{"      sidekiq (>= 7)\n    sidekiq-cron (7.0.0)\n", ``, 252, "exec"},
		{"", ``, 252, "exec"},
		{"    sidekiq (6.4.1)\n", `, "type": "simple"`, 252, "simple"},
		{"    sidekiq (6.4.1)\n", `, "exec_start": "/usr/local/bin/bundle exec sidekiqswarm"`, 252, "exec"},
		{"    sidekiq (6.4.1)\n", `, "exec_start": "/bin/bash -lc 'exec bin/sidekiq -e x'"`, 252, "notify"},
	} {
		f := on(test.systemd)
		f.Lock.Content = test.lock
		unit := unitOf(t, `{"project_name": "p"`+test.options+`}`, f)
		if got := directive(t, unit, "Service", "Type"); got != test.want {
			t.Errorf("%q%s on %d: %s, want %s", test.lock, test.options, test.systemd, got, test.want)
		}
		watched := directive(t, unit, "Service", "WatchdogSec") != ""
		if watched != (test.want == "notify" && test.systemd >= 240) {
			t.Errorf("%q%s on %d: watchdog is %t", test.lock, test.options, test.systemd, watched)
		}
	}
}

func TestRedisIsOrderedAndStarted(t *testing.T) {
	for _, test := range []struct {
		name, redis  string
		units        map[string]Installed
		after, wants string
		rows         int
	}{
		{"enabled", "auto", map[string]Installed{"redis.service": {Enabled: true}}, "network.target redis.service", "redis.service", 1},
		{"installed only", "auto", map[string]Installed{"redis-server.service": {}}, "network.target redis-server.service", "", 1},
		{"not there", "auto", nil, "network.target", "", 1},
		{"elsewhere", "none", map[string]Installed{"redis.service": {Enabled: true}}, "network.target", "", 1},
		{"named", "redis@1", map[string]Installed{"redis@1.service": {}}, "network.target redis@1.service", "redis@1.service", 2},
	} {
		f := debian12()
		f.Units = test.units
		state, _ := want(t, `{"project_name": "p", "redis_unit": "`+test.redis+`"}`, f)
		unit := state.Files[0].Content
		if got := directive(t, unit, "Unit", "After"); got != test.after {
			t.Errorf("%s: After=%s", test.name, got)
		}
		if got := directive(t, unit, "Unit", "Wants"); got != test.wants {
			t.Errorf("%s: Wants=%s", test.name, got)
		}
		if len(state.Units) != test.rows || test.rows == 2 && (state.Units[0].Activity != converge.Up || state.Units[0].Links != nil) {
			t.Errorf("%s: %+v", test.name, state.Units)
		}
	}
}

func TestDirectivesReplaceAndRemove(t *testing.T) {
	unit := unitOf(t, `{"project_name": "p", "directives": {"Service": {
		"KillMode": "process", "OOMPolicy": null, "Restart": null, "ExecStartPre": ["-/bin/a %h", "/bin/b"], "CPUWeight": 5, "PrivateTmp": false, "LimitCORE": ""
	}}}`, debian12())
	for name, value := range map[string]string{
		"KillMode": "process", "OOMPolicy": "", "Restart": "", "ExecStartPre": "-/bin/a %h|/bin/b", "CPUWeight": "5", "PrivateTmp": "no",
	} {
		if got := directive(t, unit, "Service", name); got != value {
			t.Errorf("%s is %q, want %q", name, got, value)
		}
	}
	if !strings.Contains(unit, "\nLimitCORE=\n") || strings.Contains(unit, "Restart=") {
		t.Error(unit)
	}
}

func TestStopTimeoutFollowsSidekiqsOwn(t *testing.T) {
	for _, test := range []struct {
		config, options string
		want            string
		warned          bool
	}{
		{":timeout: 30\n", ``, "90", false},
		{":timeout: 100\n", ``, "105", false},
		{":timeout: 8\n:timeout: 100\n", ``, "105", false},
		{"timeout: 1_000\n", ``, "1005", false},
		{":timeout: 30\nproduction:\n  :timeout: 200\n", ``, "205", false},
		{":timeout: 30\n:production:\n  timeout: 200\n", ``, "205", false},
		{":timeout: 100\nstaging:\n  :timeout: 200\n", ``, "105", false},
		{"a: &a\n  :timeout: 300\nproduction:\n  <<: *a\n", ``, "305", false},
		{":timeout: <%= 100 %>\n", ``, "90", true},
		{":timeout: 100\n:verbose: <%= true %>\n", ``, "90", true},
		{"\tnot: yaml: at all", ``, "90", true},
		{":timeout: soon\n", ``, "90", true},
		{":timeout: 99999999999999999999\n", ``, "90", true},
		{":timeout: 100\n", `, "timeout_stop_sec": 60`, "60", true},
		{":timeout: 100\n", `, "timeout_stop_sec": 105`, "105", false},
		{":timeout: <%= 1 %>\n", `, "timeout_stop_sec": 200`, "200", false},
		{":timeout: 30\n", `, "exec_start": "/bin/x -t 200"`, "205", false},
		{":timeout: 30\n", `, "exec_start": "/bin/bash -lc 'exec sidekiq -t200'"`, "205", false},
		{":timeout: 30\n", `, "exec_start": "/bin/x --timeout=200"`, "205", false},
		{":timeout: 100\nstaging:\n  :timeout: 200\n", `, "exec_start": "/bin/x -e staging"`, "205", false},
		{"staging:\n  :timeout: 200\n", `, "exec_start": "/bin/bash -lc 'exec bundle exec sidekiq -e \"staging\"'"`, "205", false},
		{"staging:\n  :timeout: 200\n", `, "exec_start": "/bin/sh -ec 'exec bundle exec sidekiq -e staging'"`, "205", false},
		{"staging:\n  :timeout: 200\n", `, "exec_start": "/usr/local/bin/bundle exec sidekiq", "env": {"RAILS_ENV": "staging"}`, "205", false},
		{"staging:\n  :timeout: 200\n", `, "exec_start": "/bin/bash -e /opt/run", "env": {"RAILS_ENV": "staging"}`, "205", false},
		{"staging:\n  :timeout: 200\n", `, "exec_start": "/bin/sh -ec 'exec bundle exec sidekiq'", "env": {"RACK_ENV": "staging"}`, "205", false},
		{"", ``, "90", false},
		{"- a\n- b\n", ``, "90", false},
		{":timeout: 200\n" + strings.Repeat("# \n", 1<<15), ``, "90", true},
	} {
		f := debian12()
		f.Configs[0].Content = test.config
		state, warnings := want(t, `{"project_name": "p"`+test.options+`}`, f)
		if got := directive(t, state.Files[0].Content, "Service", "TimeoutStopSec"); got != test.want {
			t.Errorf("%q%s: %s, want %s", test.config, test.options, got, test.want)
		}
		if (len(warnings) > 0) != test.warned || len(warnings) > 1 {
			t.Errorf("%q%s: warnings %q", test.config, test.options, warnings)
		}
	}
}

func TestContentOfTheConfigurationIsNotRepeated(t *testing.T) {
	for _, content := range []string{"hunter2: [", ":timeout: hunter2", "<% hunter2 %>", "a: *hunter2"} {
		f := debian12()
		f.Configs[0].Content = content
		if _, warnings := want(t, `{"project_name": "p"}`, f); strings.Contains(strings.Join(warnings, ""), "hunter2") {
			t.Errorf("%q: %q", content, warnings)
		}
	}
}

// FuzzConfigTimeout shows that no sidekiq.yml, which belongs to the deploy
// user, can crash the program.
func FuzzConfigTimeout(f *testing.F) {
	bomb := "a0: &a0 [x, x]\n"
	for _, n := range "123456789" {
		bomb += "a" + string(n) + ": &a" + string(n) + " [*a" + string(n-1) + ", *a" + string(n-1) + "]\n"
	}
	for _, text := range []string{":timeout: 1", "production: &p\n  <<: *p\n", "a: &a\n  <<: [*a, *a]\nproduction: *a", bomb, "[[[[", "? {", "!!binary x", "<<: {timeout: 3}"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		n, err := configTimeout(Text{Content: text, Found: true}, "production")
		if n < 0 || n > maxSeconds || err != nil && n != 0 {
			t.Errorf("%d, %v", n, err)
		}
	})
}

func TestSecretsAreWarnedOf(t *testing.T) {
	_, warnings := want(t, `{"project_name": "p", "env": {
		"SECRET_KEY_BASE": "x", "DATABASE_URL": "x", "API_TOKEN": "x", "AWS_KEY": "x", "REDIS_URL": "redis://:hunter2@h/0", "SMTP_PASS": "x",
		"MONKEY": "x", "KEYBOARD": "x", "CACHE_URL": "redis://h:6379/0", "EMPTY_PASSWORD": "", "MALLOC_ARENA_MAX": "2"
	}}`, debian12())
	if len(warnings) != 1 || !strings.Contains(warnings[0], ": API_TOKEN, AWS_KEY, DATABASE_URL, REDIS_URL, SECRET_KEY_BASE, SMTP_PASS;") ||
		strings.Contains(warnings[0], "hunter2") {
		t.Errorf("warnings %q", warnings)
	}
}

func TestGrantsAreAsOptionsNameThem(t *testing.T) {
	state, _ := want(t, `{"project_name": "p", "sudo_users": ["bess"], "sudo_groups": ["operators"], "sudo_commands": ["kill_tstp", "status"]}`, debian12())
	ctl := "/usr/bin/systemctl"
	wanted := []sudo.Grant{
		{User: "bess", Args: []string{ctl, "status", "sidekiq"}, NoExec: true},
		{User: "bess", Args: []string{ctl, "status", "sidekiq.service"}, NoExec: true},
		{User: "bess", Args: []string{ctl, "kill", "-s", "TSTP", "sidekiq"}},
		{User: "bess", Args: []string{ctl, "kill", "-s", "TSTP", "sidekiq.service"}},
		{Group: "operators", Args: []string{ctl, "status", "sidekiq"}, NoExec: true},
		{Group: "operators", Args: []string{ctl, "status", "sidekiq.service"}, NoExec: true},
		{Group: "operators", Args: []string{ctl, "kill", "-s", "TSTP", "sidekiq"}},
		{Group: "operators", Args: []string{ctl, "kill", "-s", "TSTP", "sidekiq.service"}},
	}
	if d := cmp.Diff(wanted, state.Files[1].Grants); d != "" {
		t.Error(d)
	}
}

func TestWithoutSudoTheFileIsAbsent(t *testing.T) {
	f := debian12()
	f.Sudo = Sudo{}
	state, _ := want(t, `{"project_name": "p", "sudo": false}`, f)
	if state.Files[1].Exists || state.Files[1].Path != "/etc/sudoers.d/sidekiq-restart-users" {
		t.Errorf("got %+v", state.Files[1])
	}
}

func TestQuestionsCoverWhatIsNamed(t *testing.T) {
	q := mustParse(t, `{
		"project_name": "p", "user": "bess", "group": "g", "sudo_users": ["deploy", "bess"], "sudo_groups": ["g", "h"], "redis_unit": "redis",
		"env": {"BUNDLE_GEMFILE": "gems/Gemfile"}, "config_file": "/etc/s.yml"
	}`).Questions()
	wanted := Questions{
		Users: []string{"bess", "deploy"}, Groups: []string{"g", "h"}, Units: []string{"redis.service"}, Grants: true,
		Paths: []string{
			"/lib/systemd/system/sidekiq.service", "/lib/systemd/system/sidekiq@.service", "/etc/curationexperts.sidekiq/sidekiq.env",
			"/etc/logrotate.d/sidekiq", "/etc/sudoers.d/sidekiq-restart-users",
		},
		SudoersFile: "/etc/sudoers.d/sidekiq-restart-users",
		Template:    "/lib/systemd/system/sidekiq@.service",
		Dir:         "/opt/p/current", Reader: "bess", Unit: "sidekiq.service", Configs: []string{"/etc/s.yml"},
		Bundles: []Bundle{{"/opt/p/current/gems/Gemfile", "/opt/p/current/gems/Gemfile.lock"}},
		Programs: []string{
			"/usr/local/bin/bundle", "/usr/bin/bundle", "/opt/p/current/gems/Gemfile",
			"/opt/p/current/config/environments", "/opt/p/current/config/application.rb", "/opt/p/current/config/environments/production.rb",
		},
		Logs: map[string]string{},
	}
	q.Overriding, q.Overridden = nil, nil // see TestOnlyWhatTakesPrecedenceIsAskedFor
	q.DropIns = nil                       // see TestDropInsAreAskedForInTheOrderInWhichTheyCount
	if d := cmp.Diff(wanted, q); d != "" {
		t.Error(d)
	}
}

func TestUnitsNameWhatTheirFileDescribes(t *testing.T) {
	state, _ := want(t, `{"project_name": "p"}`, debian12())
	if !slices.Equal(state.Files[0].Units, []string{"sidekiq.service"}) || state.Files[0].Mode != 0o644 || state.Files[1].Mode != 0o440 {
		t.Errorf("got %+v", state.Files)
	}
}

func TestNothingIsGrantedToANameThatSudoTakesForAnothers(t *testing.T) {
	facts := debian12()
	facts.Users["DEPLOY"] = User{UID: 1001, GID: 1001, Group: "DEPLOY"}
	facts.Groups["OPS"] = Group{GID: 1002}
	facts.CaseUsers, facts.CaseGroups = map[string]string{"DEPLOY": "deploy"}, map[string]string{"OPS": "ops"}
	for options, option := range map[string]string{`"sudo_users": ["DEPLOY"]`: "sudo_users", `"sudo_groups": ["OPS"]`: "sudo_groups"} {
		_, _, err := mustParse(t, project(options)).Want(facts)
		if err == nil || !strings.Contains(err.Error(), `option "`+option+`": sudo would let`) {
			t.Errorf("%s: got %v", options, err)
		}
		if _, _, err := mustParse(t, project(options+`, "sudo": false`)).Want(facts); err != nil {
			t.Errorf("%s, without sudo: %v", options, err)
		}
	}
}

func TestANameIsNotThatOfAnotherTypeOfUnit(t *testing.T) {
	for _, name := range []string{"systemd-tmpfiles-clean.timer", "x.socket", "a.b.target", "-.slice", "x.service"} {
		if _, err := parse(project(`"name": "` + name + `"`)); err == nil || !strings.Contains(err.Error(), `option "name"`) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	for _, name := range []string{"timer", "x.timers", "x-timer", "a.timer.b"} {
		if _, err := parse(project(`"name": "` + name + `", "sudoers_file": "/etc/sudoers.d/x"`)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestALineThatIsTooLongSaysWhatToShorten(t *testing.T) {
	long := strings.Repeat("x", 2000)
	for options, advice := range map[string]string{
		`{"project_name": "p", "processes": 100}`:                                                         "",
		`{"project_name": "p", "processes": 100, "name": "sidekiq-critical"}`:                             "it names all 100 processes: have fewer of them, or shorter names",
		`{"project_name": "p", "processes": 2, "env": {"A": "` + long + `"}}`:                             "put long values into env_files or a script",
		`{"project_name": "p", "env": {"A": "` + long + `"}}`:                                             "put long values into env_files or a script",
		`{"project_name": "p", "processes": 2, "after": ["` + strings.Join(unitNames(100), `","`) + `"]}`: "put long values into env_files or a script",
	} {
		f := debian12()
		for f.Systemd = 252; f.Systemd >= 229; f.Systemd -= 23 {
			_, _, err := mustParse(t, options).Want(f)
			if wrong := advice != "" && f.Systemd < 240; wrong != (err != nil) || wrong && !strings.HasSuffix(err.Error(), advice) {
				t.Errorf("systemd %d, %.70s…: %v", f.Systemd, options, err)
			}
		}
	}
}

// unitNames are names of n units.
func unitNames(n int) (names []string) {
	for i := range n {
		names = append(names, fmt.Sprintf("some-other-unit-%d.service", i))
	}
	return names
}

func TestDropInsAreAskedForInTheOrderInWhichTheyCount(t *testing.T) {
	for options, names := range map[string]string{
		`{"project_name": "p", "name": "a-b-c"}`:                 "service.d",
		`{"project_name": "p", "name": "a-b-c", "processes": 2}`: "a-b-c.service.d a-b-.service.d a-.service.d service.d",
		`{"project_name": "p", "processes": 2}`:                  "sidekiq.service.d service.d",
	} {
		var got []string
		for _, dir := range mustParse(t, options).Questions().DropIns {
			if name, ok := strings.CutPrefix(dir, "/etc/systemd/system/"); ok {
				got = append(got, name)
			}
		}
		if strings.Join(got, " ") != names {
			t.Errorf("%s: %q", options, got)
		}
	}
}

func TestAnApplicationWithoutAGemfileIsToldOf(t *testing.T) {
	facts := debian12()
	facts.Deployed = true
	facts.Missing = []string{"/opt/p/current/gems.rb", "/opt/p/current/Gemfile", "/opt/p/current/gems/Gemfile"}
	facts.EnvFiles = map[string]Text{"/etc/p.env": {Path: "/etc/p.env", Content: "BUNDLE_GEMFILE=/srv/Gemfile\n", Found: true}}
	told := []string{"there is no /opt/p/current/Gemfile: Sidekiq will not start, unless Bundler is told of another"}
	for options, wanted := range map[string][]string{
		`{"project_name": "p"}`:                               told,
		`{"project_name": "p", "processes": 3}`:               told,
		`{"project_name": "p", "login_shell": true}`:          told,
		`{"project_name": "p", "env_files": ["/etc/p.env"]}`:  nil,
		`{"project_name": "p", "exec_start": "/srv/sidekiq"}`: nil,
	} {
		s := mustParse(t, options)
		now := facts
		if s.EnvFiles == nil {
			now.EnvFiles = nil
		}
		now.Missing = slices.DeleteFunc(slices.Clone(facts.Missing), func(path string) bool { return !contains(s.Questions().Programs, path) })
		_, warnings, err := s.Want(now)
		if err != nil || !slices.Equal(warnings, wanted) {
			t.Errorf("%s: got %q, %v", options, warnings, err)
		}
	}
}
