// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"slices"
	"strings"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge"
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
// (CVE-2023-26604); NOEXEC keeps systemctl from starting one.
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
// sudo-rs knows it since 0.2.7; before that, it skips the whole line and prints
// an error at each call. Which version it is could only be found out by running
// it. sudo-rs has never been shipped with a systemd before 257, whose pager is
// safe by itself.
func (s Sudo) noExec() bool {
	return !s.RS
}
