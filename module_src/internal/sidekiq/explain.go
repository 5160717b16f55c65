// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/systemd"
)

// Explain says in a sentence why the service probably did not come up, from how
// it ended and what it left behind, or "" where that does not tell. It is a
// guess: the words are those of Ruby, Sidekiq, Bundler, Redis clients and
// shells, which may change.
//
// Only what ended the process decides: an exception or, without one, the last
// lines. What the process had survived before does not count.
func (s *Service) Explain(f Facts, left converge.Traces, p converge.Process) string {
	if p.Behind != 0 {
		return "" // which says it all
	}
	if p.Root {
		if files := setters(left.DropIns, "User"); files != "" {
			return files + " sets User; remove that line, then: systemctl daemon-reload"
		}
		return ""
	}
	if len(left.Unmet) > 0 {
		return fmt.Sprintf("systemd did not start it, since %s is not met: see directives%s",
			strings.Join(left.Unmet, " and "), setBy(left.DropIns, conditionNames(left.Unmet)...))
	}
	if p.ExitCode == systemd.Exited && p.ExitStatus >= 200 {
		// The program did not even start, so whatever the log says is
		// systemd's.
		if why := s.startFailure(f, left, p.ExitStatus); why != "" {
			return why
		}
	}
	if name, means := s.sign(left.Log); means != "" && mayTell(p, name) {
		return s.advice(means)
	}
	if p.ExitCode == systemd.Exited {
		if why := s.startFailure(f, left, p.ExitStatus); why != "" {
			return why
		}
	}
	return s.failureOf(left, p)
}

// isUp reports whether the process is still there.
func isUp(p converge.Process) bool {
	return p.MainPID != 0 && (p.ActiveState == "active" || p.ActiveState == "activating" && p.SubState != "auto-restart")
}

// mayTell reports whether a sign in the log of a process may be what ended it.
// A process that is still there, that was ended by a signal, or that systemd
// ended when its time was over, has survived what is in its log, unless it
// crashed.
func mayTell(p converge.Process, sign string) bool {
	if sign == "crash" {
		return true
	}
	return !isUp(p) && p.ExitCode != systemd.Killed && p.ExitCode != systemd.Dumped && p.Result != "timeout" && p.Result != "oom-kill"
}

// sign finds, in the log, the sign of what ended the process.
func (s *Service) sign(log []string) (name, means string) {
	g := newGrammar()
	log, _ = g.split(log)
	if list := g.decisive(log); list != nil {
		texts := make([]string, 0, len(list))
		for i, e := range list {
			if i < maxCauses || i >= len(list)-maxCauses {
				texts = append(texts, clip(e.text(log), maxText))
			}
		}
		if name, means = find(texts, false); name != "" {
			return name, means
		}
		// Where the message begins cannot always be told; see [exception].
		log = log[:list[len(list)-1].frames]
	}
	var last []string
	for _, line := range slices.Backward(log) {
		if line = g.withoutPrefix(line); g.noise.is(line) {
			continue
		}
		if last = append(last, line); len(last) == maxAlone {
			break
		}
	}
	return find(last, true)
}

// SameFailure reports whether two logs tell of the same failure: of the same
// exception or, without any, of the same last line. Numbers, such as those of
// processes and releases, may differ.
func SameFailure(a, b []string) bool { return gist(a) == gist(b) }

func gist(log []string) string {
	g := newGrammar()
	said, manager := g.split(log)
	var gist []string
	for _, e := range g.decisive(said) {
		gist = append(gist, e.text(said))
	}
	if gist == nil {
		for _, line := range last(g.withoutFrames(said), 1) {
			gist = append(gist, g.withoutPrefix(line))
		}
	}
	if gist == nil {
		gist = last(manager, 1)
	}
	return strings.Map(func(r rune) rune {
		if isDigit(r) {
			return -1
		}
		return r
	}, strings.Join(gist, "\n"))
}

// maxText bounds what is looked at of the message of an exception, in bytes.
const maxText = 2000

// maxAlone is how many of the last lines are searched for a cause that is told
// outside an exception. There are many because Sidekiq may list its options
// after that.
const maxAlone = 25

// text is an exception in the form in which signs know it. Neither Sidekiq 7
// nor the operating system says whose connection was refused, but the frames
// show it.
func (e exception) text(log []string) string {
	text := e.message
	if e.class != "" {
		text = e.class + ": " + text
	}
	first := strings.ToLower(strings.Join(log[e.frames:min(e.end, e.frames+10)], "\n"))
	lower := strings.ToLower(text)
	switch {
	case e.message == "" && hasAny(first, "/message_encryptor.rb", "/encrypted_file.rb"):
		return "[encrypted] " + text
	case slices.ContainsFunc(log[e.frames:e.end], func(frame string) bool { return hasAny(frame, "`parse_config'", "#parse_config'") }):
		return "[sidekiq.yml] " + text
	case strings.Contains(lower, "redis") || strings.Contains(first, "redis"):
		return "[redis] " + text
	case hasAny(lower, "pg::", "mysql2::", "trilogy::", "sqlite3::", "activerecord::"),
		hasAny(first, "/active_record/", "/pg/", "/pg-", "/mysql2", "/trilogy", "/sqlite3"):
		return "[database] " + text
	}
	return text
}

func hasAny(text string, parts ...string) bool {
	return slices.ContainsFunc(parts, func(part string) bool { return strings.Contains(text, part) })
}

// advice adapts the advice in a sentence to the options that are set.
func (s *Service) advice(means string) string {
	hardening := "hardening or directives"
	if s.Hardening == "none" {
		hardening = "directives, or the host,"
	}
	command := "exec_start"
	if s.ExecStart == nil {
		command = "queues, concurrency and config_file"
	}
	return strings.NewReplacer(
		"{ruby}", s.rubyAdvice(), "{bundle}", s.bundleAdvice(), "{env}", "env, or into a file of env_files",
		"{user}", s.User, "{hardening}", hardening, "{command}", command,
	).Replace(strings.ReplaceAll(means, "in {env}", "in env or env_files"))
}

// rubyAdvice says how the service can use the Ruby that its user has.
func (s *Service) rubyAdvice() string {
	switch {
	case s.ExecStart != nil:
		return "see exec_start, and what it finds in PATH"
	case s.LoginShell:
		return "login_shell is set already, so see what a login shell of " + s.User + " finds: bash reads the first of ~/.bash_profile, " +
			"~/.bash_login and ~/.profile that there is, where what sets PATH for rbenv, rvm or asdf belongs, and no file of another shell; " +
			"Debian's ~/.bashrc returns early in a shell that is not interactive"
	}
	return "with rbenv, rvm or asdf set login_shell: true"
}

func (s *Service) bundleAdvice() string {
	if s.ExecStart != nil || s.LoginShell {
		return s.rubyAdvice()
	}
	return "set bundle, or login_shell: true with rbenv, rvm or asdf"
}

// startFailure says what an exit status of systemd's own means for the
// options: systemd.exec(5), "Process Exit Codes".
func (s *Service) startFailure(f Facts, left converge.Traces, status int) string {
	by := func(names ...string) string { return setBy(left.DropIns, names...) }
	switch status {
	case 200:
		return "systemd cannot change into the working directory: it is missing, or the user may not enter it; see working_directory" +
			by("WorkingDirectory", "RootDirectory", "RootImage", "User")
	case 203:
		return s.execFailure(f, left.Log) + by("ExecStart", "RootDirectory", "RootImage", "ProtectHome", "NoExecPaths", "InaccessiblePaths")
	case 208, 209, 222:
		return "systemd cannot open the log; see directives" + by("StandardInput", "StandardOutput", "StandardError", "LogsDirectory")
	case 216:
		return "systemd cannot become the group; see group" + by("Group", "SupplementaryGroups")
	case 217:
		return "systemd cannot become the user; see user" + by("User", "DynamicUser")
	case 218, 219, 225, 226, 227, 228, 229, 230, 231, 232, 233, 234, 238, 239, 240, 243:
		return "the host cannot give the service the protection or the directories that hardening or directives ask for" + by()
	case 126, 127:
		return "a shell does not find or may not run the program; see " + cmp.Or(s.exampleOption(), "bundle") + " and log_file"
	}
	return ""
}

func (s *Service) exampleOption() string {
	if s.ExecStart != nil {
		return "exec_start"
	}
	return ""
}

// execFailure says why systemd could not run the program, in the words of
// execve(2).
func (s *Service) execFailure(f Facts, log []string) string {
	said := func(words string) bool {
		return slices.ContainsFunc(log, func(line string) bool {
			return strings.Contains(line, words) && hasAny(line, "Failed to execute", "Failed at step EXEC", "Unable to locate executable", "Failed to spawn")
		})
	}
	option := "bundle and login_shell"
	if s.ExecStart != nil {
		option = "exec_start"
	}
	switch {
	case said("Permission denied") && f.SELinux:
		return "SELinux does not let systemd run a program from there, as one below /home: login_shell: true gets round it, or a label does " +
			"(semanage fcontext -a -t bin_t, then restorecon); ausearch -m avc -ts recent shows it; see " + option
	case said("Permission denied"):
		return "systemd may not run the program as " + s.User + ": it is not executable, or that user may not enter a directory above it, or it is on a file system mounted noexec; see " + option
	case said("Operation not permitted"):
		return "something on the host forbids to run the program, as fapolicyd does or another security module: fapolicyd-cli --list shows its rules, and ausearch -m fanotify -ts recent what it refused; see " + option
	case said("Resource temporarily unavailable"):
		return s.advice("the service's user {user} may have no more processes: raise LimitNPROC or TasksMax in directives, or end what else runs as that user")
	case said("Exec format error"):
		return "systemd cannot run the program, which is for another kind of machine, or a script without an interpreter in its first line; see " + option
	}
	return "systemd cannot run the program: it is missing or not executable, or so is the interpreter in its first line; see bundle, login_shell and exec_start"
}

// failureOf reads the Result of a unit: org.freedesktop.systemd1(5).
func (s *Service) failureOf(left converge.Traces, p converge.Process) string {
	if isUp(p) && p.Type != "notify" {
		return "its boot takes longer than start_timeout, or it is no Sidekiq: it runs, but its process title does not say how busy it is"
	}
	result := p.Result
	if isUp(p) {
		result = "timeout" // as it will be
	}
	switch result {
	case "timeout":
		if slices.ContainsFunc(left.Log, func(line string) bool { return strings.Contains(line, "start-pre operation timed out") }) {
			return "a command that is run before Sidekiq takes longer than start_timeout: see ExecStartPre in directives" + setBy(left.DropIns, "ExecStartPre")
		}
		if p.Type == "notify" {
			return "Sidekiq did not tell systemd in time that it is up: its boot takes longer than start_timeout, or " +
				"something that is not Sidekiq 6.0.6 or newer runs under type notify"
		}
		return "it took longer than start_timeout"
	case "protocol":
		return ended
	case "watchdog":
		return "it gave no sign of life for watchdog_sec"
	case "oom-kill":
		return s.outOfMemory(left.Log)
	case "resources":
		return "systemd could not get what the service needs, such as an env file: see env_files" + setBy(left.DropIns, "EnvironmentFile", "LoadCredential")
	case "start-limit-hit":
		return "it was started too often in a short time: see StartLimitIntervalSec in directives" + setBy(left.DropIns, "StartLimitIntervalSec", "StartLimitInterval", "StartLimitBurst")
	}
	switch {
	case p.ExitCode == systemd.Killed || p.ExitCode == systemd.Dumped:
		return signalled(p.ExitStatus)
	case p.ExitCode == systemd.Exited && p.ExitStatus == 0 && p.MainPID == 0:
		return ended
	}
	return ""
}

// ended says of a process with the status 0 what else may have ended it.
const ended = "it ended without an error: somebody stopped it, the application calls exit, or it puts itself into the background, as no Sidekiq does; see exec_start"

// signalled says what it means that a signal ended the process: signal(7).
func signalled(signal int) string {
	switch signal {
	case sigILL, sigABRT, sigBUS, sigFPE, sigSEGV:
		return fmt.Sprintf("signal %d ended it, which is a crash of Ruby or of the native part of a gem: "+
			"build the gems anew for this Ruby and this host (bundle pristine)", signal)
	case sigSYS:
		return "signal 31 ended it: it made a system call that hardening or directives (SystemCallFilter) do not allow"
	case sigKILL:
		return "signal 9 ended it, which the kernel sends where memory is used up, or a person does: see journalctl -k"
	case sigINT, sigTERM:
		return fmt.Sprintf("signal %d ended it: somebody stopped it while it came up", signal)
	}
	return ""
}

const (
	sigINT  = 2
	sigILL  = 4
	sigABRT = 6
	sigBUS  = 7
	sigFPE  = 8
	sigKILL = 9
	sigSEGV = 11
	sigTERM = 15
	sigSYS  = 31
)

// outOfMemory distinguishes the unit's own limit from the host's memory by the
// words of the kernel (mm/oom_kill.c) and of systemd-oomd.
func (s *Service) outOfMemory(log []string) string {
	said := func(words ...string) bool {
		return slices.ContainsFunc(log, func(line string) bool { return hasAny(line, words...) })
	}
	switch {
	case slices.ContainsFunc(log, s.usedUp):
		return "the service has used up its own MemoryMax: raise it in directives, or lower concurrency"
	case said("CONSTRAINT_MEMCG", "Memory cgroup out of memory"):
		return "a limit of memory for several units, such as MemoryMax of a slice or of the container, is used up"
	case said("CONSTRAINT_NONE", "Out of memory: Kill"):
		return "the host's memory is used up"
	case said("systemd-oomd killed"):
		return "systemd-oomd ended it, since the host is short of memory: see ManagedOOMMemoryPressure in directives"
	case s.limitsMemory():
		return "the service has used up its own MemoryMax, set in directives, or the host's memory is used up: journalctl -k says which"
	}
	return "the host's memory is used up"
}

// usedUp reports whether a line of the kernel's names the group of the service,
// or of one of its processes, as the one whose limit was reached.
func (s *Service) usedUp(line string) bool {
	_, group, _ := strings.Cut(line, "oom_memcg=")
	group, _, _ = strings.Cut(group, ",")
	unit := path.Base(group)
	return unit == s.Unit() || strings.HasPrefix(unit, s.Name+"@")
}

func (s *Service) limitsMemory() bool {
	return slices.ContainsFunc(s.Directives, func(d Directive) bool { return hasAny(d.Name, "MemoryMax", "MemoryLimit", "MemoryHigh") })
}

// setBy names the drop-ins that set one of these directives, or all drop-ins
// where no directives are named. What they set does not come from the options.
func setBy(dropIns []converge.File, names ...string) string {
	if paths := setters(dropIns, names...); paths != "" {
		return ", and the drop-in " + paths + ", which sets it"
	}
	return ""
}

// setters are the paths of these drop-ins.
func setters(dropIns []converge.File, names ...string) string {
	var paths []string
	for _, d := range dropIns {
		for line := systemd.Lines(d.Content); line.Next(); {
			if len(names) == 0 && line.Name != "" || contains(names, line.Name) {
				paths = appendNew(paths, d.Path)
			}
		}
	}
	return strings.Join(paths, ", ")
}

// conditionNames are the directives of conditions that are written as
// "ConditionPathExists=/x".
func conditionNames(conditions []string) []string {
	var names []string
	for _, c := range conditions {
		name, _, _ := strings.Cut(c, "=")
		names = append(names, name)
	}
	return names
}
