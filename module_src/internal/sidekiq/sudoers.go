// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"path"
	"slices"
	"strings"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/shell"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/sudo"
)

// sudoersFile is the row of the sudoers file. Without the option sudo there is
// no such file.
func (w *wanting) sudoersFile() converge.File {
	f := converge.File{Path: w.SudoersFile, Kind: converge.SudoersFile}
	if !w.Sudo {
		return f
	}
	switch {
	case !w.facts.Sudo.Present:
		w.miss("sudo", "there is no sudo on the host; install it, or set sudo: false")
	case w.facts.Sudo.Visudo == "":
		w.miss("sudo", "there is no visudo on the host, without which a sudoers file cannot be checked; install it, or set sudo: false")
	}
	if !onlyRunes(w.facts.Systemctl, "/_.-") {
		w.fail("sudo", "cannot grant %q, which is not where systemctl usually is", w.facts.Systemctl)
	}
	rules := w.rules()
	f.Exists, f.Mode, f.Purpose = true, 0o440, "let the deploy user manage the service"
	f.Content = sudo.Encode(marker(w.Project), rules)
	for _, r := range rules {
		f.Grants = append(f.Grants, r.Grants()...)
	}
	return f
}

// withdrawn are the rows of sudoers files that this collection wrote for the
// same service under another name, when sudoers_file was another. As long as
// they are there, sudo goes by them.
func (w *wanting) withdrawn() []converge.File {
	var files []converge.File
	for _, f := range w.facts.Sudoers {
		project, origin := OriginOf(f.Content)
		if origin == Ours && (w.isOf(project) || w.State == Absent && w.Project == "") && grants(f.Content, w.Unit()) {
			files = append(files, converge.File{Path: f.Path, Kind: converge.SudoersFile})
		}
	}
	return files
}

// othersRules warns of sudoers files of others that let the same people manage
// this service and do nothing else, as another role leaves them under a name of
// its own.
func (w *wanting) othersRules() {
	for _, f := range w.facts.Sudoers {
		if _, origin := OriginOf(f.Content); origin == Foreign && w.onlyAbout(f.Content) {
			w.warn("%s, which something else wrote, has rules for %s, too, which stay in force; what is not meant any more is removed with: rm %s",
				shown(f.Path), w.Unit(), shell.Word(f.Path))
		}
	}
}

// onlyAbout reports whether every command in a sudoers file is for somebody who
// manages the service, and names it or has the manager read its files again.
func (s *Service) onlyAbout(content string) bool {
	about := false
	var aliases []string
	for _, line := range sudoersLines(content) {
		if strings.HasPrefix(line, "Defaults") {
			continue
		}
		who, commands, rule := strings.Cut(line, "=")
		user, rest, _ := strings.Cut(who, " ")
		switch {
		case rule && user == "Cmnd_Alias":
			aliases = append(aliases, strings.TrimSpace(rest))
		case !rule || user != s.User && user != "%"+s.User && !contains(s.SudoUsers, user) && !contains(s.SudoGroups, strings.TrimPrefix(user, "%")):
			return false
		}
		if strings.Contains(commands, "=") { // another host's, behind a colon
			return false
		}
		for command := range strings.SplitSeq(commands, ",") {
			words := strings.Fields(strings.ReplaceAll(command, ":", ": "))
			named := slices.ContainsFunc(words, func(w string) bool { return path.Base(w) == s.Name || w == s.Unit() || contains(aliases, w) })
			if !named && !contains(words, "daemon-reload") {
				return false
			}
			about = about || named
		}
	}
	return about
}

// grants reports whether a sudoers file of ours is about a unit. Several
// services of one project have files of their own.
func grants(content, unit string) bool {
	words := strings.FieldsFunc(content, func(r rune) bool { return strings.ContainsRune(" \t\n,\"", r) })
	return contains(words, unit)
}

// rules are the lines of the sudoers file, ordered by user or group and then by
// command.
func (w *wanting) rules() []sudo.Rule {
	var rules []sudo.Rule
	for _, name := range w.SudoUsers {
		rules = append(rules, w.rulesFor(sudo.Rule{User: name})...)
	}
	for _, name := range w.SudoGroups {
		rules = append(rules, w.rulesFor(sudo.Rule{Group: name})...)
	}
	return rules
}

func (w *wanting) rulesFor(who sudo.Rule) []sudo.Rule {
	var rules []sudo.Rule
	for _, verb := range SudoVerbs() {
		if contains(w.SudoCommands, verb) {
			rules = append(rules, w.rule(verb, who))
		}
	}
	return rules
}

// rule grants a verb for both spellings of each unit's name, since sudo compares
// word by word: Capistrano says sidekiq, and capistrano-sidekiq says
// sidekiq.service.
//
// The pager of `systemctl status` would give a root shell on systemd before 247
// (CVE-2023-26604), and on any where env_keep of sudoers lets SYSTEMD_PAGER and
// SYSTEMD_PAGERSECURE through; NOEXEC keeps systemctl from starting one.
func (w *wanting) rule(verb string, r sudo.Rule) sudo.Rule {
	r.NoExec = verb == "status" && w.facts.Sudo.noExec()
	words := SudoWords(w.facts.Systemctl, verb)
	names := []string{w.Name, w.Unit()}
	for _, unit := range w.instances() {
		names = append(names, strings.TrimSuffix(unit, ".service"), unit)
	}
	for _, name := range names {
		r.Commands = append(r.Commands, append(slices.Clone(words), name))
	}
	return r
}

// SudoVerbs are the choices of the option sudo_commands.
func SudoVerbs() []string {
	return []string{"start", "stop", "restart", "reload", "status", "kill_tstp"}
}

// SudoWords are the words of the command that a verb stands for, up to the
// name of the unit.
func SudoWords(systemctl, verb string) []string {
	if verb == "kill_tstp" {
		return []string{systemctl, "kill", "-s", "TSTP"}
	}
	return []string{systemctl, verb}
}

// noExec reports whether it is certain that the host's sudo knows NOEXEC.
func (s Sudo) noExec() bool { return !s.RS || s.NoExec }

// RSNoExec reports whether a sudo-rs knows NOEXEC, by what it prints for
// --version. Before 0.2.7 it skips the whole line and prints an error at each
// call: its CHANGELOG.md.
func RSNoExec(said string) bool {
	_, version, found := strings.Cut(said, "sudo-rs ")
	end := strings.IndexFunc(version, func(r rune) bool { return !isDigit(r) && r != '.' }) // 0.2.13-0ubuntu1
	if end >= 0 {
		version = version[:end]
	}
	return found && slices.Compare(numbers(version), []int{0, 2, 7}) >= 0
}
