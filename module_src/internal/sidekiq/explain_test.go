// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/systemd"
)

// explained is what Explain says about a plain service with this log, after
// options have been changed.
func explained(p converge.Process, f Facts, options Service, log ...string) string {
	options.User = "deploy"
	return options.Explain(f, converge.Traces{Log: log}, p)
}

func TestExplainNamesTheCauseAndTheOption(t *testing.T) {
	ended := func(status int) converge.Process {
		return converge.Process{ExitCode: systemd.Exited, ExitStatus: status}
	}
	for _, test := range []struct {
		name    string
		process converge.Process
		log     string
		want    string
	}{
		{"-L", ended(1), "invalid option: -L (OptionParser::InvalidOption)", "no -L"},
		{"no directory", ended(200), "", "working_directory"},
		{"no way into the directory", ended(200), "Changing to the requested working directory failed: Permission denied", "working_directory"},
		{"no program", ended(203), "", "bundle"},
		{"no user", ended(217), "", "user"},
		{"namespace", ended(226), "", "hardening"},
		{"too slow", converge.Process{Result: "timeout", Type: "notify"}, "", "start_timeout"},
		{"still booting", converge.Process{ActiveState: "active", MainPID: 7, Result: "success", Type: "exec"}, "", "longer than start_timeout"},
		{"still booting, with a word", converge.Process{ActiveState: "active", MainPID: 7, Type: "exec"}, "x: invalid option: -L", "longer than start_timeout"},
		{"nothing known", ended(1), "hello", ""},
		{"killed by signal 203", converge.Process{ExitCode: systemd.Killed, ExitStatus: 203}, "", ""},
		{"killed", converge.Process{ExitCode: systemd.Killed, ExitStatus: sigKILL}, "", "signal 9"},
		{"crashed", converge.Process{ExitCode: systemd.Dumped, ExitStatus: sigSEGV}, "", "bundle pristine"},
		{"a system call", converge.Process{ExitCode: systemd.Killed, ExitStatus: sigSYS}, "", "hardening"},
		{"stopped after an error that it had survived", converge.Process{ExitCode: systemd.Killed, ExitStatus: sigTERM}, "x.rb:1:in `y': Permission denied - /x (Errno::EACCES)", "somebody stopped it"},
		{"ended well", ended(0), "", "background"},
		{"env file", converge.Process{Result: "resources"}, "", "env_files"},
	} {
		got := explained(test.process, Facts{}, Service{}, "booting", test.log)
		if !strings.Contains(got, test.want) || (test.want == "") != (got == "") {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}

// These lines are written after the sources, since test hosts have no memory
// controller: dump_oom_summary and oom_kill_process of Linux 6.1, and
// unit_check_oomd_kill of systemd 252.
func TestOutOfMemoryNamesTheLimit(t *testing.T) {
	oom := converge.Process{Result: "oom-kill", ExitCode: systemd.Killed, ExitStatus: sigKILL}
	limited := Service{Name: "sidekiq", Directives: []Directive{{Section: "Service", Name: "MemoryMax", Values: []string{"1G"}}}}
	const own = "kernel: oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/system.slice/sidekiq.service,task_memcg=/system.slice/sidekiq.service,task=ruby,pid=4242,uid=1000"
	for name, test := range map[string]struct {
		service   Service
		log, want string
	}{
		"its own":         {Service{Name: "sidekiq"}, own, "its own MemoryMax"},
		"a process's own": {Service{Name: "sidekiq"}, strings.ReplaceAll(own, "/sidekiq.service", "/system-sidekiq.slice/sidekiq@1.service"), "its own MemoryMax"},
		"another's":       {Service{Name: "side"}, own, "several units"},
		"the slice's":     {limited, strings.ReplaceAll(own, "oom_memcg=/system.slice/sidekiq.service", "oom_memcg=/system.slice"), "several units"},
		"the host's":      {limited, "kernel: Out of memory: Killed process 4242 (ruby) total-vm:9126340kB, anon-rss:7812344kB, file-rss:0kB, shmem-rss:0kB, UID:1000 pgtables:15584kB oom_score_adj:0", "the host's memory is used up"},
		"oomd":            {limited, "sidekiq.service: systemd-oomd killed 12 process(es) in this unit.", "systemd-oomd"},
		"no kernel's log": {limited, "sidekiq.service: A process of this unit has been killed by the OOM killer.", "MemoryMax"},
		"no limit":        {Service{Name: "sidekiq"}, "", "the host's memory is used up"},
	} {
		if got := explained(oom, Facts{}, test.service, test.log); !strings.Contains(got, test.want) {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestAdviceFitsWhatIsSet(t *testing.T) {
	const wrongRuby = "/usr/lib/ruby/bundler/definition.rb:427:in `validate_ruby!': Your Ruby version is 3.1.2, but your Gemfile specified 3.2.2 (Bundler::RubyVersionMismatch)"
	failed := converge.Process{ExitCode: systemd.Exited, ExitStatus: 1}
	for _, test := range []struct {
		name      string
		service   Service
		facts     Facts
		status    int
		log       string
		want, not string
	}{
		{"plain", Service{}, Facts{}, 1, wrongRuby, "set login_shell: true", "~/.profile"},
		{"login shell", Service{LoginShell: true}, Facts{}, 1, wrongRuby, "the first of ~/.bash_profile", "set login_shell: true"},
		{"own command", Service{ExecStart: []string{"/x"}}, Facts{}, 1, wrongRuby, "see exec_start", "login_shell"},
		{"env ruby", Service{ExecStart: []string{"/x"}}, Facts{}, 127, "/usr/bin/env: 'ruby': No such file or directory", "PATH", "a shell"},
		{"exec", Service{}, Facts{}, 203, "sidekiq.service: Failed at step EXEC spawning /x: Permission denied", "noexec", "SELinux"},
		{"SELinux", Service{}, Facts{SELinux: true}, 203, "sidekiq.service: Failed at step EXEC spawning /x: Permission denied", "SELinux", "noexec"},
		{"fapolicyd", Service{}, Facts{}, 203, "sidekiq.service: Failed to execute /usr/local/bin/bundle: Operation not permitted", "fapolicyd", "missing"},
		{"too many processes", Service{}, Facts{}, 203, "sidekiq.service: Failed to execute /usr/local/bin/bundle: Resource temporarily unavailable", "LimitNPROC", "missing"},
		{"SELinux, but missing", Service{}, Facts{SELinux: true}, 203, "sidekiq.service: Failed at step EXEC spawning /x: No such file or directory", "missing", "SELinux"},
	} {
		failed.ExitStatus = test.status
		got := explained(failed, test.facts, test.service, test.log)
		if !strings.Contains(got, test.want) || strings.Contains(got, test.not) {
			t.Errorf("%s: %q", test.name, got)
		}
	}
}

func TestDropInsAndConditionsAreNamed(t *testing.T) {
	dropIns := []converge.File{
		{Path: "/etc/systemd/system/sidekiq.service.d/dir.conf", Content: "[Service]\nWorkingDirectory=/none\n"},
		{Path: "/etc/systemd/system/sidekiq.service.d/nice.conf", Content: "[Service]\nNice=5\n[Unit]\nConditionPathExists=/none\n"},
	}
	got := (&Service{}).Explain(Facts{}, converge.Traces{DropIns: dropIns}, converge.Process{ExitCode: systemd.Exited, ExitStatus: 200})
	if !strings.Contains(got, "dir.conf") || strings.Contains(got, "nice.conf") {
		t.Errorf("of a directory: %q", got)
	}
	got = (&Service{}).Explain(Facts{}, converge.Traces{DropIns: dropIns, Unmet: []string{"ConditionPathExists=/none"}}, converge.Process{})
	if !strings.Contains(got, "ConditionPathExists=/none is not met") || !strings.Contains(got, "nice.conf") {
		t.Errorf("of a condition: %q", got)
	}
}

func TestOldAndNewAreComparedByWhatEndedThem(t *testing.T) {
	refused := []string{
		"2026-11-26T15:58:42.756Z pid=2598 tid=2l2 WARN: LicenceError: no licence for 3 hosts",
		"2026-11-26T15:58:42.756Z pid=2598 tid=2l2 WARN: /opt/p/releases/1/app.rb:2:in `<top (required)>'",
		"/usr/bin/sidekiq:25:in `<main>'",
	}
	later := strings.Split(strings.NewReplacer("2598", "2733", "15:58:42.756", "15:59:02.007").Replace(strings.Join(refused, "\n")), "\n")
	if !SameFailure(refused, append(later, "sidekiq.service: Failed with result 'exit-code'.")) {
		t.Error("a failure and itself differ")
	}
	for _, other := range [][]string{nil, {"no licence"}, {"sidekiq.service: Failed with result 'exit-code'."}} {
		if SameFailure(refused, other) {
			t.Errorf("taken for the same: %q", other)
		}
	}
}

// The log is the deploy user's. Before each line was looked at once and within
// a bound, the third of these took 23 seconds.
func TestNoLogTakesLong(t *testing.T) {
	for i, lines := range [][]string{
		{strings.Repeat("a:1", 330)},
		{"/x:1:in `" + strings.Repeat("y", 900) + "'", strings.Repeat("z: ", 300)},
		{strings.Repeat("/a:1:in `b': ", 70) + "(X)"},
		{"     " + strings.Repeat("x'", 450), "from " + strings.Repeat(":1", 450)},
		{"/a:1:in `b': x (RescueError)", "\tfrom /a:1:in `rescue in x'"},
	} {
		var log []string
		for n := 0; len(log) < 1000; n++ {
			for _, line := range lines {
				log = append(log, line[:5]+strconv.Itoa(n)+line[5:])
			}
		}
		began := processorTime(t)
		explained(converge.Process{ExitCode: systemd.Exited, ExitStatus: 1}, Facts{}, Service{}, log...)
		LastWords(log)
		SameFailure(log, log)
		if took := processorTime(t) - began; took > 10*time.Second {
			t.Errorf("log %d took %s of a processor", i, took)
		}
	}
}
