// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"strings"
	"testing"
)

func TestWhatIsWrongWithTheEnvironmentIsTold(t *testing.T) {
	file := func(content string) map[string]Text {
		return map[string]Text{"/etc/x.env": {Path: "/etc/x.env", Content: content, Found: true}}
	}
	missing := map[string]Text{"/etc/x.env": {Path: "/etc/x.env"}}
	none := []string{"/opt/p/current/config/environments", "/opt/p/current/config/application.rb", "/opt/p/current/config/environments/production.rb"}
	for name, c := range map[string]struct {
		options  string
		files    map[string]Text
		missing  []string
		warning  string // "": there is none
		unmet    string // "": there is no error
		deployed bool
	}{
		"nothing": {`"env_files": ["/etc/x.env"]`, file("A=1\nB=hunter2\n"), none, "", "", true},
		"export":  {`"env_files": ["/etc/x.env"]`, file("A=1\nexport B=hunter2\n"), none, "systemd ignores line 2 of /etc/x.env: export", "", true},
		"many":    {`"env_files": ["/etc/x.env"]`, file(strings.Repeat("hunter2\n", 20)), none, "/etc/x.env has 15 more lines", "", true},
		"another environment": {
			`"env_files": ["/etc/x.env"]`, file("RAILS_ENV=staging\n"), none,
			"/etc/x.env sets RAILS_ENV to staging, and app_env is production", "", true,
		},
		"the same environment":       {`"env": {"RAILS_ENV": "production"}`, nil, none, "", "", true},
		"another one in env":         {`"env": {"RACK_ENV": "hunter2 x"}`, nil, none, "env sets RACK_ENV to another value", "", true},
		"one by which it runs":       {`"exec_start": "/bin/sh -c 'sidekiq -e \"${RAILS_ENV}\"'", "env": {"RAILS_ENV": "staging"}`, nil, none, "", "", true},
		"one that is not known":      {`"exec_start": "/bin/sh -c 'sidekiq -e $STAGE'", "env": {"RAILS_ENV": "staging"}`, nil, none[2:], "", "", true},
		"a missing file":             {`"env_files": ["/etc/x.env"]`, missing, none, "", "/etc/x.env is not there, and systemd starts nothing", true},
		"one that may be missing":    {`"env_files": ["-/etc/x.env"]`, missing, none, "", "", true},
		"a missing one to come":      {`"env_files": ["/etc/x.env"]`, missing, none, "/etc/x.env is not there", "", false},
		"a missing one when stopped": {`"env_files": ["/etc/x.env"], "state": "stopped"`, missing, none, "/etc/x.env is not there", "", true},
		"a Rails application":        {`"app_env": "production"`, nil, nil, "", "", true},
		"no such environment":        {`"app_env": "production"`, nil, none[2:], "no config/environments/production.rb", "", true},
		"no Rails":                   {`"app_env": "production"`, nil, none[1:], "", "", true},
	} {
		f := on(252)
		f.EnvFiles, f.Missing, f.Deployed = c.files, c.missing, c.deployed
		_, warnings, err := mustParse(t, `{"project_name": "p", `+c.options+`}`).Want(f)
		said := strings.Join(warnings, "\n")
		if c.warning == "" && strings.Contains(said, "env") || !strings.Contains(said, c.warning) || strings.Contains(said, "hunter2") {
			t.Errorf("%s: got %q, want %q", name, said, c.warning)
		}
		if c.unmet == "" && err != nil || c.unmet != "" && (err == nil || !strings.Contains(err.Error(), c.unmet)) {
			t.Errorf("%s: got %v, want %q", name, err, c.unmet)
		}
	}
}

func TestAnEnvironmentFileThatTheUserMayNotReadIsRefusedWhereOthersCanReplaceIt(t *testing.T) {
	f := on(252)
	f.EnvFiles = map[string]Text{"/home/x.env": {Path: "/home/x.env", Problem: "permission denied"}}
	f.RootFiles = map[string]RootFile{"/home/x.env": {Replaceable: "the directory /home belongs to uid 7"}}
	_, _, err := mustParse(t, `{"project_name": "p", "env_files": ["/home/x.env"]}`).Want(f)
	if err == nil || !strings.Contains(err.Error(), `option "env_files"`) {
		t.Errorf("got %v", err)
	}
}
