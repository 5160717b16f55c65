// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/ansible"
)

func TestProjectNameIsEnough(t *testing.T) {
	s := mustParse(t, `{"project_name": "laevigata"}`)
	if s.Dir != "/opt/laevigata/current" || s.User != "deploy" || s.UnitPath() != "/lib/systemd/system/sidekiq.service" ||
		s.SudoersFile != "/etc/sudoers.d/sidekiq-restart-users" || !slices.Equal(s.SudoUsers, []string{"deploy"}) ||
		s.State != Started || !s.Enabled || !s.Rollback || s.Bundle != "/usr/local/bin/bundle" {
		t.Errorf("got %+v", s)
	}
}

func TestProjectIsKnownByItsDirectory(t *testing.T) {
	for options, want := range map[string]string{
		`{"project_name": "a"}`:                                "a",
		`{"project_name": "a", "working_directory": "/srv/b"}`: "a",
		`{"working_directory": "/opt/a/current"}`:              "a",
		`{"working_directory": "/opt/a/current/"}`:             "a",
		`{"working_directory": "/opt/a/b/current"}`:            "/opt/a/b/current",
		`{"working_directory": "/srv/a"}`:                      "/srv/a",
		`{"state": "absent"}`:                                  "",
		`{"state": "absent", "project_name": "a"}`:             "a",
	} {
		if got := mustParse(t, options).Project; got != want {
			t.Errorf("%s: the project is %q, want %q", options, got, want)
		}
	}
}

func TestEachMistakeNamesItsOption(t *testing.T) {
	for _, test := range []struct{ options, want string }{
		{`"project_name": ""`, `option "project_name": required, unless working_directory is given`},
		{`"project_name": "a/b"`, `option "project_name": must be letters, digits`},
		{`"project_name": ".."`, `option "project_name": must be`},
		{`"project_nmae": "a"`, `option "project_nmae": unknown; did you mean "project_name"?`},
		{`"sidekiq_user": "a"`, `option "sidekiq_user": unknown; did you mean "user"?`},
		{`"xyzzy": "a"`, `option "xyzzy": unknown`},
		{`"name": "a/b"`, `option "name": must be letters, digits, and the characters _ . -, got "a/b"`},
		{`"name": "a@1"`, `option "name": must be`},
		{`"name": "-a"`, `option "name": must start with`},
		{`"name": "sidekiq.service"`, `option "name": must be without .service`},
		{`"name": "app.example"`, `option "name": sudo ignores files with a dot or a tilde`},
		{`"sudoers_file": "/etc/sudoers.d/a~"`, `option "sudoers_file": sudo ignores`},
		{`"sudoers_file": "/etc/sudoers"`, `option "sudoers_file": must not be the host's own policy`},
		{`"user": "root"`, `option "user": must not be root`},
		{`"user": 0`, `option "user": must be a name, not a number`},
		{`"user": "0"`, `option "user": must be a name, not a number`},
		{`"user": "a\nUser=root"`, `option "user": holds a control character, U+000A`},
		{`"group": "root"`, `option "group": must not be root`},
		{`"umask": 23`, `option "umask": must be an octal number in quotes that starts with 0, got "23"; YAML makes 23 of 0027 without quotes`},
		{`"umask": "999"`, `option "umask": must be an octal number in quotes that starts with 0, got "999"`},
		{`"umask": "01777"`, `option "umask": must be an octal number from 0000 to 0777`},
		{`"umask": "0-1"`, `option "umask": must be`},
		{`"umask": []`, `option "umask": must be a string, got a list: templating in ansible-core makes`},
		{`"working_directory": "opt/a"`, `option "working_directory": must be an absolute path, got "opt/a"`},
		{`"working_directory": "~/a"`, `option "working_directory": must be an absolute path`},
		{`"working_directory": "/a\\"`, `option "working_directory": ends with a backslash`},
		{`"working_directory": "/a\\/"`, `option "working_directory": ends with a backslash`},
		{`"config_file": "a\\/."`, `option "config_file": ends with a backslash`},
		{`"config_file": "./-x"`, `option "config_file": must be absolute or below`},
		{`"env_files": ["/a\\/"]`, `option "env_files": ends with a backslash`},
		{`"working_directory": "/a "`, `option "working_directory": starts or ends with a blank`},
		{`"working_directory": "/"`, `option "working_directory": must not be the root directory`},
		{`"unit_dir": "a"`, `option "unit_dir": must be an absolute path`},
		{`"bundle": "bundle"`, `option "bundle": must be an absolute path`},
		{`"bundle": "/a/$b"`, `option "bundle": the path of a program must not hold a dollar sign`},
		{`"config_file": "-x"`, `option "config_file": must be absolute or below`},
		{`"log_file": "log/"`, `option "log_file": must be a file`},
		{`"app_env": "a b"`, `option "app_env": must be`},
		{`"queues": "critical,2"`, `option "queues": "2" is a weight without its queue`},
		{`"queues": ["a,b"]`, `option "queues": the weight of a queue must be a number`},
		{`"queues": "None"`, `option "queues": "None" as a text means nothing: leave the option out`},
		{`"queues": ["-c"]`, `option "queues": must be "name" or "name,weight"`},
		{`"queues": [["a"]]`, `option "queues": item 1 must be a string, got a list`},
		{`"concurrency": 0`, `option "concurrency": must be from 1 to 1000, got 0`},
		{`"concurrency": "many"`, `option "concurrency": must be a whole number, got "many"`},
		{`"processes": 101`, `option "processes": must be from 1 to 100, got 101`},
		{`"start_timeout": -1`, `option "start_timeout": must be from 0 to 604800 seconds, got -1`},
		{`"restart_sec": 0`, `option "restart_sec": must be from 1`},
		{`"restart": "sometimes"`, `option "restart": must be one of always, on-failure`},
		{`"state": "running"`, `option "state": must be one of started, stopped`},
		{`"enabled": "maybe"`, `option "enabled": must be a boolean, got "maybe"`},
		{`"env": {"a-b": "x"}`, `option "env": the name of a variable must be`},
		{`"env": {"A": ["x"]}`, `option "env": the value of "A" must be a string, got a list`},
		{`"env": "A=b"`, `option "env": must be a dict, got a string`},
		{`"env_files": ["a"]`, `option "env_files": must be absolute paths`},
		{`"working_directory": "/` + strings.Repeat("a", 256) + `"`, `option "working_directory": holds a name longer than 255 bytes`},
		{`"exec_start": "/` + strings.Repeat("é", 128) + `"`, `option "exec_start": holds a name longer than 255 bytes`},
		{`"env_files": ["/a/*.env"]`, `option "env_files": systemd takes`},
		{`"after": ["a b"]`, `option "after": must be the name of a unit, got "a b"`},
		{`"redis_unit": "redis.socket"`, `option "redis_unit": must be a service`},
		{`"wanted_by": []`, `option "wanted_by": empty, so nothing would start the service at boot`},
		{`"exec_start": "/bin/x", "queues": ["a"]`, `option "exec_start": cannot be given with the option "queues"`},
		{`"exec_start": "/bin/x", "login_shell": true`, `option "exec_start": cannot be given with the option "login_shell"`},
		{`"sudo_users": []`, `option "sudo_users": empty, and so is sudo_groups`},
		{`"sudo_users": ["ALL"]`, `option "sudo_users": "ALL" is no name that sudo`},
		{`"sudo_commands": ["edit"]`, `option "sudo_commands": item 1 must be one of start`},
		{`"sudo_commands": []`, `option "sudo_commands": empty`},
		{`"directives": {"Service": {"User": "root"}}`, `option "directives": Service.User: not allowed here`},
		{`"directives": {"Service": {"User": null}}`, `option "directives": Service.User: not allowed here`},
		{`"directives": {"Service": {"DynamicUser": true}}`, `option "directives": Service.DynamicUser: not allowed here`},
		{`"directives": {"Service": {"PermissionsStartOnly": true}}`, `not allowed here`},
		{`"directives": {"Service": {"ExecStart": null}}`, `option "directives": Service.ExecStart: not allowed here`},
		{`"directives": {"Service": {"ExecStop": "+/bin/x"}}`, `option "directives": Service.ExecStop: a command with "+" would run with root's rights`},
		{`"directives": {"Service": {"Restart": "no"}}`, `option "directives": Service.Restart: use the option restart`},
		{`"directives": {"Service": {"StandardOutput": "append:/x"}}`, `option "directives": Service.StandardOutput: systemd opens append as root`},
		{`"directives": {"Service": {"A=b": "c"}}`, `option "directives": Service.A=b: the name of a directive must be`},
		{`"directives": {"Service": {"A": "b\nUser=root"}}`, `option "directives": Service.A: a value holds a control character`},
		{`"directives": {"Service": {"A": "b\\"}}`, `option "directives": Service.A: a value ends with a backslash`},
		{`"directives": {"service": {"A": "b"}}`, `option "directives": want the sections Unit, Service and Install, got "service"`},
		{`"directives": {"Service": "x"}`, `option "directives": the section "Service" must be a dict`},
		{`"directives": {"Install": {"Also": "a.service"}}`, `option "directives": Install.Also: not allowed here`},
		{`"directives": {"Install": {"Alias": "a.target"}}`, `option "directives": Install.Alias: an alias must be a service`},
		{`"directives": {"Install": {"RequiredBy": "%i.target"}}`, `option "directives": Install.RequiredBy: must be the name of a unit`},
		{`"directives": {"Install": {"X": "a"}}`, `option "directives": Install.X: want WantedBy`},
	} {
		options := "{" + test.options + "}"
		if !strings.Contains(options, "project_name") {
			options = `{"project_name": "p", ` + test.options + "}"
		}
		_, err := parse(options)
		if err == nil {
			t.Errorf("%s is accepted", test.options)
		} else if !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got\n\t%v, want\n\t%s", test.options, err, test.want)
		}
	}
}

func TestOneMistakeIsReportedOnce(t *testing.T) {
	for _, options := range []string{
		`{"project_name": "a/b"}`, `{"project_name": "p", "name": "a b"}`, `{"project_name": "p", "user": "root"}`,
		`{"working_directory": "x"}`, `{"project_name": "p", "sudo_users": ["ALL"]}`,
	} {
		_, err := parse(options)
		var wrong *ansible.ArgumentError
		if !errors.As(err, &wrong) || len(wrong.Problems) != 1 {
			t.Errorf("%s: got %v", options, err)
		}
	}
}

func TestAllMistakesAreReportedAtOnce(t *testing.T) {
	_, err := parse(`{"umask": 23, "user": "root", "unknwon": 1, "working_directory": "x", "concurrency": "x", "queues": ["a b"]}`)
	var wrong *ansible.ArgumentError
	if !errors.As(err, &wrong) || len(wrong.Problems) != 6 {
		t.Errorf("got %v", err)
	}
}

func TestValuesOfTheEnvironmentAreNeverInMessages(t *testing.T) {
	for _, value := range []string{`"hunter2\n"`, `["hunter2"]`, `{"hunter2": "hunter2"}`, `"hunter2\u0000"`} {
		_, err := parse(`{"project_name": "p", "env": {"A": ` + value + `}}`)
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: got %v", value, err)
		}
	}
	_, err := parse(`{"project_name": "p", "env": "A=hunter2", "directives": {"Service": {"Environment": "A=hunter2", "X": "hunter2\n"}}}`)
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("got %v", err)
	}
}

func TestEmptyAndNullMeanTheDefault(t *testing.T) {
	want := mustParse(t, `{"project_name": "p"}`)
	for _, o := range Options() {
		if o.Name == "project_name" {
			continue
		}
		for _, nothing := range []string{`""`, `null`} {
			got, err := parse(`{"project_name": "p", "` + o.Name + `": ` + nothing + `}`)
			if neither := o.Type == ansible.Bool || o.Type == ansible.Int; neither && nothing == `""` {
				if err == nil {
					t.Errorf("%s: an empty string is taken for a boolean or a number", o.Name)
				}
			} else if err != nil {
				t.Errorf("%s: %v", o.Name, err)
			} else if quoteJSON(got) != quoteJSON(want) {
				t.Errorf("%s = %s is not as if it was not given", o.Name, nothing)
			}
		}
	}
}

func TestRestartNoSurvivesYAML(t *testing.T) {
	if s := mustParse(t, `{"project_name": "p", "restart": false}`); s.Restart != "no" {
		t.Errorf("restart is %q", s.Restart)
	}
}

func TestQueuesAreWrittenInOneForm(t *testing.T) {
	for queues, want := range map[string]string{
		`"[\"critical\", \"default\"]"`: "",
		`"['critical', 'default']"`:     "",
		`"critical"`:                    "",
		`[[critical, 2], default]`:      "not JSON",
		`[["critical", 2], "default"]`:  `write "critical,2"`,
		`["critical:2"]`:                `write "critical,2", not "critical:2"`,
		`["[critical"]`:                 "no brackets and no quotes",
		`["'critical'"]`:                "no brackets and no quotes",
	} {
		_, err := parse(`{"project_name": "p", "queues": ` + queues + `}`)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: got %v, want %q", queues, err, want)
		}
	}
}
