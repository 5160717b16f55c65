// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"strings"
	"testing"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge"
)

func TestExplainNamesTheCauseAndTheOption(t *testing.T) {
	for _, test := range []struct {
		name, line string
		process    converge.Process
		want       string
	}{
		{"-L", "invalid option: -L (OptionParser::InvalidOption)", converge.Process{}, "no -L"},
		{"old Redis", "You are connecting to Redis v5.0.14, Sidekiq requires Redis v6.2.0 or greater", converge.Process{}, "too old"},
		{"no Redis", "Error connecting to Redis on 127.0.0.1:6379 (Errno::ECONNREFUSED) (Redis::CannotConnectError)", converge.Process{}, "cannot reach Redis"},
		{"no Redis, 7", "Connection refused - connect(2) for 127.0.0.1:6379 (RedisClient::CannotConnectError)", converge.Process{}, "cannot reach Redis"},
		{"no gem", "Could not find gem 'sidekiq' in locally installed gems.", converge.Process{}, "gems are not installed"},
		{"no sidekiq", "bundler: command not found: sidekiq", converge.Process{}, "gems are not installed"},
		{"another Ruby", "Your Ruby version is 2.7.0, but your Gemfile specified 3.2.2", converge.Process{}, "login_shell"},
		{"no Gemfile", "Could not locate Gemfile or .bundle/ directory", converge.Process{}, "no Gemfile in working_directory"},
		{"no application", "Please point Sidekiq to a Rails application or a Ruby file", converge.Process{}, "no Rails application"},
		{"no file", "app.rb:1:in `require': cannot load such file -- x (LoadError)", converge.Process{}, "does not load"},
		{"hardening", "Read-only file system @ rb_sysopen - /opt/x (Errno::EROFS)", converge.Process{}, "hardening"},
		{"no way into the directory", "Changing to the requested working directory failed: Permission denied", converge.Process{ExitCode: exited, ExitStatus: 200}, "working_directory"},
		{"old Redis, 7.3", "You are connecting to Redis 5.0.14, Sidekiq requires Redis 6.2.0 or greater", converge.Process{}, "too old"},
		{"no directory", "", converge.Process{ExitCode: exited, ExitStatus: 200}, "working_directory"},
		{"no program", "", converge.Process{ExitCode: exited, ExitStatus: 203}, "bundle"},
		{"no user", "", converge.Process{ExitCode: exited, ExitStatus: 217}, "user"},
		{"namespace", "", converge.Process{ExitCode: exited, ExitStatus: 226}, "hardening"},
		{"too slow", "", converge.Process{Result: "timeout", Type: "notify"}, "start_timeout"},
		{"still booting", "", converge.Process{ActiveState: "active", MainPID: 7, Result: "success", Type: "exec"}, "longer than start_timeout"},
		{"out of memory", "", converge.Process{Result: "oom-kill"}, "memory"},
		{"nothing known", "hello", converge.Process{ExitCode: exited, ExitStatus: 1, Result: "exit-code"}, ""},
		{"killed by signal 203", "", converge.Process{ExitCode: 2, ExitStatus: 203}, ""},
	} {
		got := Explain([]string{"booting", test.line}, test.process)
		if !strings.Contains(got, test.want) || (test.want == "") != (got == "") {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}
