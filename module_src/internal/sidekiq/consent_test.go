// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"strings"
	"testing"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge"
)

func TestAForeignUnitIsTakenOverOnlyIfTheOptionsAskForWhatItDoes(t *testing.T) {
	for _, test := range []struct {
		unit, options string
		changes       []string
	}{
		{"samvera-2024", `"project_name": "laevigata"`, nil},
		{"samvera-2024", `"project_name": "laevigata", "env": {"A": "1"}, "after": ["x"]`, nil},
		{"samvera-2024", `"project_name": "laevigata", "queues": ["a"]`, []string{`queues (it has none, and would get ["a"]; leave the option out`}},
		{"samvera-2024", `"project_name": "laevigata", "user": "bess"`, []string{`user (from "deploy" to "bess"; to keep it: user: "deploy")`}},
		{"example", `"project_name": "myapp"`, []string{"env (its values of MALLOC_ARENA_MAX would go"}},
		{"example", `"project_name": "myapp", "env": {"MALLOC_ARENA_MAX": 2}`, nil},
		{"queues", `"project_name": "atlas"`, []string{
			`queues (from ["critical","default,2"] to the default`, `bundle (from "/opt/atlas/current/bin/bundle" to the default`, `concurrency (from 10 to the default`,
			`app_env (from "staging" to the default`, `user (from "atlas" to "deploy"`, `umask (from "0022" to the default`,
		}},
		{"queues", `"project_name": "laevigata"`, []string{`it is of the project "atlas"; set another name for a second application`}},
		{"other-user", `"project_name": "adrl", "umask": "0022"`, []string{
			`user (from "adrl" to "deploy"`, `group (from "web"`, `env (its values of RAILS_ENV, RAILS_LOG_TO_STDOUT would go`, `after (from ["solr.service"]`,
			`timeout_stop_sec (from 120`, `directives (Service.LimitNOFILE, Service.MemoryMax would go`,
		}},
		{"login-shell", `"project_name": "p"`, []string{"it runs the Sidekiq of /srv/library; set another name for a second application"}},
		{"login-shell", `"working_directory": "/srv/library", "umask": "0027"`, []string{"login_shell (from true to the default", `log_file (from "log/sidekiq.log"`}},
		{"absolute-config", `"project_name": "atlas"`, []string{
			`move what is not root's into a directory of root's, such as /etc/sidekiq, and name it there: env_files: ["/opt/atlas/shared/.env"]`,
		}},
		{"no-directory", `"project_name": "atlas"`, []string{
			`working_directory (it names none and starts in /, and would start in /opt/atlas/current)`, `to keep it: exec_start: "/bin/sh -c 'exec /srv/run >>log 2>&1; sidekiq'"`,
			"what no option keeps: Group=root, which the module refuses",
		}},
		{"becomes", `"project_name": "atlas"`, []string{
			"user (it runs as root, which the module refuses, and would run as deploy)", "what no option keeps: ExecStart becomes another user by sudo",
		}},
		{"daemon", `"project_name": "old"`, []string{"user (it runs as root, which the module refuses, and would run as deploy)", "what no option keeps: Type=forking"}},
	} {
		s := mustParse(t, "{"+test.options+"}")
		want, _, _ := s.Want(debian12())
		_, err := s.Conflicts(want, converge.State{Files: []converge.File{{Path: unitPath, Kind: converge.UnitFile, Exists: true, Content: foreignUnit(t, test.unit)}}})
		if (err == nil) != (test.changes == nil) {
			t.Errorf("%s with %s: %v", test.unit, test.options, err)
			continue
		}
		for _, change := range test.changes {
			if !strings.Contains(err.Error(), change) {
				t.Errorf("%s with %s: %v\nwant %s", test.unit, test.options, err, change)
			}
		}
	}
}

func TestAUserWithoutANameIsNotRoot(t *testing.T) {
	s := mustParse(t, `{"project_name": "p"}`)
	want, _, _ := s.Want(debian12())
	err := s.adopts(converge.File{Path: unitPath, Content: "[Service]\nUser=1000\nExecStart=/usr/local/bin/bundle exec sidekiq -e production\n"}, want)
	if err == nil || !strings.Contains(err.Error(), "User=1000: must be a name, not a number") || strings.Contains(err.Error(), "root") {
		t.Errorf("got %v", err)
	}
}

// TestTheOptionsThatAreReadKeepAForeignUnit takes each unit over with the
// options that were read from it.
func TestTheOptionsThatAreReadKeepAForeignUnit(t *testing.T) {
	for name, test := range foreign() {
		if test.without != "" || strings.Contains(name, "@") {
			continue
		}
		s := mustParse(t, test.options)
		facts := debian12()
		facts.Users[s.User] = User{UID: 1000, GID: 1000, Group: s.Group}
		want, _, _ := s.Want(facts)
		err := s.adopts(converge.File{Path: s.UnitPath(), Kind: converge.UnitFile, Exists: true, Content: foreignUnit(t, name)}, want)
		if err != nil && (name != "gem-system" || !strings.Contains(err.Error(), "would change: directives (Service.SyslogIdentifier would go")) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNoValueOfAVariableIsTold(t *testing.T) {
	s := mustParse(t, `{"project_name": "shop", "working_directory": "/var/www/shop/current"}`)
	want, _, _ := s.Want(debian12())
	err := s.adopts(converge.File{Path: unitPath, Kind: converge.UnitFile, Exists: true, Content: foreignUnit(t, "gem-system")}, want)
	if err == nil || strings.Contains(err.Error(), "two words") {
		t.Errorf("%v", err)
	}
}
