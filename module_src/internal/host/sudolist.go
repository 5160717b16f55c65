// SPDX-License-Identifier: GPL-3.0-or-later

package host

import (
	"path"
	"slices"
	"strings"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge"
)

// sudoEntry is one entry of "sudo -ll -U USER".
type sudoEntry struct {
	source   string // the sudoers file, as sudo 1.9.14 and newer say; else ""
	runAs    []string
	options  []string
	commands []string // one rule each, "!" in front where it forbids
}

// parseSudoList reads the long listing of a user's rules, in the order in
// which sudo weighs them: the last that matches a command wins.
func parseSudoList(text string) []sudoEntry {
	var entries []sudoEntry
	inCommands := false
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		word := strings.TrimSpace(line)
		key, value, _ := strings.Cut(word, ": ")
		switch {
		case strings.HasPrefix(line, "Sudoers entry:"):
			entries = append(entries, sudoEntry{source: strings.TrimSpace(strings.TrimPrefix(line, "Sudoers entry:"))})
			inCommands = false
		case len(entries) == 0 || word == "":
		case word == "Commands:":
			inCommands = true
		case inCommands:
			last := &entries[len(entries)-1]
			last.commands = append(last.commands, word)
		case key == "RunAsUsers":
			entries[len(entries)-1].runAs = strings.Split(value, ", ")
		case key == "Options":
			entries[len(entries)-1].options = strings.Split(value, ", ")
		}
	}
	return entries
}

// sudoRule is the rule that decides over one command.
type sudoRule struct {
	sudoEntry
	command string
}

// String names the rule as a person would look for it.
func (r sudoRule) String() string {
	if r.source != "" {
		return r.text() + " in " + r.source
	}
	return r.text() + " (grep -r for it in /etc/sudoers and /etc/sudoers.d)"
}

// text is the rule as sudoers(5) spells it.
func (r sudoRule) text() string {
	text := "(" + strings.Join(r.runAs, ", ") + ") "
	for _, o := range r.options {
		tag := strings.ToUpper(o)
		if o == "!authenticate" {
			tag = "NOPASSWD"
		}
		text += tag + ": "
	}
	return text + r.command
}

// asRoot reports whether the entry is for commands run as root. The last of
// the names that matches root counts. An alias, which sudo-rs does not spell
// out, may stand for root; a group does not.
func (e sudoEntry) asRoot() bool {
	for _, name := range slices.Backward(e.runAs) {
		who := strings.TrimLeft(name, "!")
		if who == "root" || who == "#0" || isAlias(who) {
			return !strings.HasPrefix(name, "!")
		}
	}
	return false
}

// isAlias reports whether a name is that of an alias, or ALL: sudoers(5).
func isAlias(name string) bool {
	return name != "" && 'A' <= name[0] && name[0] <= 'Z' && strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == ""
}

// givesAll reports whether the rule makes its user root.
func (r sudoRule) givesAll() bool {
	return r.command == "ALL" && slices.Contains(r.options, "!authenticate")
}

// decides returns the last rule that matches the grant's command, run as root.
func decides(entries []sudoEntry, g converge.Grant) (rule sudoRule, found bool) {
	for _, e := range slices.Backward(entries) {
		if !e.asRoot() {
			continue
		}
		for _, c := range slices.Backward(e.commands) {
			if matches(strings.TrimPrefix(c, "!"), g.Args) {
				return sudoRule{sudoEntry: e, command: c}, true
			}
		}
	}
	return sudoRule{}, false
}

// listed reports whether the grant is among the rules, whatever wins.
func listed(entries []sudoEntry, g converge.Grant) bool {
	return slices.ContainsFunc(entries, func(e sudoEntry) bool {
		return slices.Contains(e.options, "!authenticate") && slices.Contains(e.commands, strings.Join(g.Args, " "))
	})
}

// missing says what the rule lacks to give the grant; "" means nothing. A rule
// that makes the user root anyway lacks nothing: NOEXEC would keep him from
// nothing.
func (r sudoRule) missing(g converge.Grant) string {
	switch {
	case strings.HasPrefix(r.command, "!"):
		return "forbids it"
	case !slices.Contains(r.options, "!authenticate"):
		return "asks for a password"
	case g.NoExec && !r.givesAll() && !slices.Contains(r.options, "noexec"):
		return "lets it start other programs (no NOEXEC), so its pager can become a shell of root's"
	}
	return ""
}

// matches reports whether a sudoers command matches a command line, by the
// rules of sudoers(5): ALL is everything, a path without arguments allows any,
// and both may hold wildcards. A pattern that cannot be judged here, such as a
// regular expression, counts as a match.
func matches(pattern string, args []string) bool {
	if pattern == "ALL" {
		return true
	}
	for strings.HasPrefix(pattern, "sha") && strings.Contains(pattern, ":") {
		_, pattern, _ = strings.Cut(pattern, " ")
	}
	program, words, hasWords := strings.Cut(pattern, " ")
	if !matchesProgram(program, args[0]) {
		return false
	}
	words = strings.TrimSpace(words)
	return !hasWords || strings.HasPrefix(words, "^") || glob(words, strings.Join(args[1:], " "))
}

func matchesProgram(pattern, program string) bool {
	if strings.HasSuffix(pattern, "/") {
		return path.Dir(program) == path.Clean(pattern)
	}
	if strings.HasPrefix(pattern, "^") || glob(pattern, program) {
		return true
	}
	// sudo compares inodes, so /bin/systemctl is /usr/bin/systemctl where
	// /bin is a link.
	return path.Base(pattern) == path.Base(program) && real(pattern) == real(program)
}

// glob is fnmatch(3) without FNM_PATHNAME: a star matches slashes too.
func glob(pattern, text string) bool {
	const slash = "\x01"
	ok, err := path.Match(strings.ReplaceAll(pattern, "/", slash), strings.ReplaceAll(text, "/", slash))
	return ok || err != nil
}
