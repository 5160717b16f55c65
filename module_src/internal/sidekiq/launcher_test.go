// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/shell"
)

func TestWithoutLauncher(t *testing.T) {
	for command, want := range map[string]string{
		`/bin/bash -lc 'cd /x && bundle exec sidekiq -e production; true'`: `/bin/bash -lc 'cd /x && exec bundle exec sidekiq -e production'`,
		`/bin/bash -lc 'bundle exec sidekiq 2>&1 | tee -a log/x.log'`:      `/bin/bash -lc 'exec bundle exec sidekiq 2>&1'`,
		`/bin/sh -c 'RAILS_ENV=production bin/sidekiq; true'`:              `/bin/sh -c 'exec env RAILS_ENV=production bin/sidekiq'`,
		`/bin/sh -c '. ./env; nice -n 5 bundle exec sidekiq || exit 1'`:    `/bin/sh -c '. ./env; exec nice -n 5 bundle exec sidekiq'`,
		`/bin/sh -c 'flock /tmp/l bundle exec sidekiq'`:                    `/bin/sh -c 'exec bundle exec sidekiq'`,
		`/usr/bin/flock /run/lock/x /usr/local/bin/bundle exec sidekiq`:    `/usr/local/bin/bundle exec sidekiq`,
		`/usr/bin/flock /run/lock/x bundle exec sidekiq -q 'a b'`:          `/usr/bin/env bundle exec sidekiq -q 'a b'`,
		`/usr/bin/setsid -w /opt/x/bin/sidekiq`:                            `/opt/x/bin/sidekiq`,
		`/srv/worker.sh production`:                                        ``,
		`/bin/bash -lc '/srv/start-it'`:                                    ``,
	} {
		words, err := shell.Split(command)
		if err != nil {
			t.Fatal(err)
		}
		if got := withoutLauncher(words); got != want {
			t.Errorf("%s\nis %s\nwant %s", command, got, want)
		}
	}
}

func TestTheAdviceForAScriptIsAboutTheScript(t *testing.T) {
	for command, script := range map[string]string{
		"/usr/local/bin/run.sh sidekiq":                           "/usr/local/bin/run.sh",
		"/opt/p/current/bin/sidekiq":                              "/opt/p/current/bin/sidekiq",
		"/opt/p/entrypoint bundle exec sidekiq":                   "/opt/p/entrypoint",
		"/bin/bash -e /opt/p/sidekiq.sh":                          "/opt/p/sidekiq.sh",
		"/usr/bin/env RAILS_ENV=x bash bin/start sidekiq":         "bin/start",
		"/usr/bin/flock /run/lock/x bundle exec sidekiq":          "",
		"/usr/local/bin/time /usr/bin/bundle exec sidekiq":        "",
		"/bin/bash -lc 'bundle exec sidekiq; true'":               "",
		"/home/deploy/.rbenv/shims/bundle exec timeout 9 sidekiq": "",
	} {
		options, _ := json.Marshal(map[string]any{"project_name": "p", "exec_start": command})
		advice := mustParse(t, string(options)).behindAdvice()
		if in := ": in " + script + ", let exec"; strings.Contains(advice, in) != (script != "") || strings.Contains(advice, "exec_start: ") == (script != "") {
			t.Errorf("%s: %s", command, advice)
		}
	}
}

func TestOwnCommandIsWhatTheOptionsMake(t *testing.T) {
	for options, want := range map[string]bool{
		`{"project_name": "p"}`:                                                                    true,
		`{"project_name": "p", "log_file": "/srv/p/log/x.log"}`:                                    true,
		`{"project_name": "p", "login_shell": true, "log_file": "/srv/p/x.log"}`:                   true,
		`{"project_name": "p", "exec_start": "/usr/bin/timeout 9 /usr/bin/bundle exec sidekiq"}`:   false,
		`{"project_name": "p", "exec_start": "/bin/bash -lc 'bundle exec sidekiq; true'"}`:         false,
		`{"project_name": "p", "exec_start": "/usr/bin/sidekiqswarm", "log_file": "/srv/p/x.log"}`: false,
	} {
		s := mustParse(t, options)
		words := s.words()
		for i, word := range words {
			words[i] = strings.ReplaceAll(word, "$", "$$") // as the unit file has it
		}
		if ownCommand(words) != want {
			t.Errorf("%s: %q", options, words)
		}
	}
}

func TestAProcessBehindALauncherIsSparedThatARestartWouldNotMend(t *testing.T) {
	const unit, script = "sidekiq@1.service", "/bin/sh /opt/work"
	file := func(command string) converge.File {
		return converge.File{Path: "/lib/systemd/system/" + unit, Exists: true, Content: "[Service]\nExecStart=" + command + "\n"}
	}
	for name, c := range map[string]struct {
		want, have, title string
		behind            int
		stale, spared     bool
	}{
		"made from a template":                      {"/opt/work", "", script, 8, false, true},
		"the same with a log file":                  {`/bin/sh -c 'exec "$$@" >>"$$0" 2>&1' log/x.log /opt/work a$$b`, "", "/bin/sh /opt/work a$b", 8, false, true},
		"older than its file":                       {"/opt/work", "/opt/work", script, 8, true, true},
		"not older":                                 {"/opt/work", "/opt/work", script, 8, false, false},
		"the command is mended":                     {"/opt/better", "", script, 8, false, false},
		"mended by a run that was killed":           {"/opt/better", "/opt/better", script, 8, true, false},
		"Sidekiq itself is the main process":        {"/opt/work", "", script, 0, false, false},
		"a command that cannot be read is no match": {"", "", script, 8, false, false},
	} {
		w := converge.State{Files: []converge.File{file(c.want)}, Units: []converge.Unit{{Name: unit, Proof: converge.Proof{NotBehind: true}}}}
		h := converge.State{Units: []converge.Unit{{Name: unit, Process: converge.Process{MainPID: 7, Behind: c.behind, Title: c.title}}}}
		if c.have != "" {
			h.Files = append(h.Files, file(c.have))
		}
		if c.stale {
			h.Units[0].Stale = []string{"/lib/systemd/system/" + unit}
		}
		if got := SpareLaunchers(w, h).Units[0].KeepStale; got != c.spared || w.Units[0].KeepStale {
			t.Errorf("%s: %t", name, got)
		}
	}
}
