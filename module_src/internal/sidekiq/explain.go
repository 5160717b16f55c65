// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"strings"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge"
)

// Explain says in a sentence why a Sidekiq probably did not come up, from its
// last log lines and from how it ended, or "" where neither tells. It is a
// guess: the words are those of Sidekiq, Bundler, Redis clients and shells,
// which may change.
func Explain(lines []string, p converge.Process) string {
	if p.ExitCode == exited && p.ExitStatus >= 200 {
		// The program did not even start; whatever the log says is systemd's.
		if why := startFailure(p.ExitStatus); why != "" {
			return why
		}
	}
	for _, sign := range signs() {
		for _, line := range lines {
			if sign.in(line) {
				return sign.means
			}
		}
	}
	if p.ExitCode == exited {
		if why := startFailure(p.ExitStatus); why != "" {
			return why
		}
	}
	return failureOf(p)
}

// exited is CLD_EXITED of siginfo_t: sigaction(2).
const exited = 1

// sign is a log line that gives a cause away: one that holds any of these.
type sign struct {
	any   []string
	means string
}

func (s sign) in(line string) bool {
	for _, text := range s.any {
		if strings.Contains(line, text) {
			return true
		}
	}
	return false
}

// signs are in the order of how much they say: a connection that is refused
// may be an effect of something else, a wrong option is none.
func signs() []sign {
	return []sign{
		{
			[]string{"invalid option: -L", "invalid option: -d", "invalid option: -P", "invalid option: -i"},
			"this Sidekiq has no -L, -d, -P and -i (6 ignores them, 7 refuses them): take them out of exec_start; the log goes to the journal, or to log_file",
		},
		{[]string{"invalid option: ", "missing argument: "}, "Sidekiq does not understand its command line: see exec_start"},
		{
			[]string{"Sidekiq requires Redis", "is not supported by this version of Sidekiq", "Sidekiq supports Redis", "You are connecting to Redis v", "You are using Redis v"},
			"the Redis server is too old for this Sidekiq",
		},
		{[]string{"NOAUTH", "WRONGPASS", "invalid username-password pair"}, "Redis refuses the application's password"},
		{
			[]string{"Your Ruby version is "},
			"the application wants another Ruby than it got: with rbenv, rvm or asdf set login_shell: true",
		},
		{
			[]string{"Bundler::GemNotFound", "Could not find gem", "bundler: command not found: sidekiq", "Run `bundle install`", "can't find gem"},
			"the application's gems are not installed for this user and this Ruby: run bundle install in the working directory, as a deploy does",
		},
		{[]string{"Could not locate Gemfile"}, "there is no Gemfile in working_directory"},
		{
			[]string{"bundle: not found", "bundle: command not found", "exec: bundle"},
			"bundle is not where the service looks for it: set bundle, or login_shell: true with rbenv, rvm or asdf",
		},
		{
			[]string{"No such file file", "No such file config", "Error parsing config file"},
			"Sidekiq cannot read its configuration: see config_file",
		},
		{
			[]string{"Please point Sidekiq to a Rails", "Please point sidekiq to a Rails"},
			"there is no Rails application in working_directory, and the configuration requires no other file",
		},
		{[]string{"Read-only file system", "Errno::EROFS"}, "the application writes where hardening does not let it"},
		{
			[]string{"ECONNREFUSED", "Connection refused", "Error connecting to Redis", "CannotConnectError", "Connection timed out", "getaddrinfo"},
			"Sidekiq cannot reach Redis, or another server that the application needs: see whether it runs, and redis_unit and the address in env",
		},
		{[]string{"LoadError", "cannot load such file"}, "the application does not load: a file or a gem of it is missing"},
		{[]string{"Permission denied", "Errno::EACCES"}, "the service's user may not read or write something that the application needs"},
		{[]string{"SyntaxError", "NameError", "NoMethodError", "ArgumentError"}, "the application itself fails while it loads"},
	}
}

// startFailure says what an exit status of systemd's own means for the
// options: systemd.exec(5), "Process Exit Codes".
func startFailure(status int) string {
	switch status {
	case 200:
		return "systemd cannot change into the working directory: it is missing, or the user may not enter it; see working_directory"
	case 203:
		return "systemd cannot run the program: it is missing or not executable, or so is the interpreter in its first line; see bundle, login_shell and exec_start"
	case 209, 222:
		return "systemd cannot open the log; see directives"
	case 216:
		return "systemd cannot become the group; see group"
	case 217:
		return "systemd cannot become the user; see user"
	case 218, 219, 225, 226, 227, 228, 229, 230, 231, 232, 233, 234:
		return "the host cannot give the service the protection that hardening or directives ask for"
	case 126, 127:
		return "a shell does not find or may not run the program; see bundle, exec_start and log_file"
	}
	return ""
}

// failureOf reads the Result of a unit: org.freedesktop.systemd1(5).
func failureOf(p converge.Process) string {
	if p.ActiveState == "active" && p.MainPID != 0 {
		return "its boot takes longer than start_timeout, or it is no Sidekiq: it runs, but its process title does not say that it takes jobs"
	}
	switch p.Result {
	case "timeout":
		if p.Type == "notify" {
			return "Sidekiq did not tell systemd in time that it is up: its boot takes longer than start_timeout, or " +
				"something that is not Sidekiq 6.0.6 or newer runs under type notify"
		}
		return "it took longer than start_timeout"
	case "protocol":
		return "it ended before it told systemd that it is up"
	case "watchdog":
		return "it gave no sign of life for watchdog_sec"
	case "oom-kill":
		return "the host's memory is used up"
	case "resources":
		return "systemd could not get what the service needs, such as an env file: see env_files"
	}
	return ""
}
