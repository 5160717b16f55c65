// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge"
)

// The role sidekiq of ansible-samvera gives the deploy user four commands, and
// since January 2024 a fifth, kill -s TSTP. People have written the same rules
// by hand, in another order and with other spellings. Such a file has no mark,
// so it is recognised by what it grants: commands for this very service, to one
// user, and nothing else.

// oldRule is one line of such a file, with one command or several.
var oldRule = regexp.MustCompile(`^(\S+)\s+ALL\s*=\s*(?:\(\s*(ALL|root|ALL\s*:\s*ALL|root\s*:\s*root)\s*\)\s*)?NOPASSWD\s*:\s*(.+)$`)

// oldCommand is one command, with the verb and the unit.
var oldCommand = regexp.MustCompile(`^(?:/usr)?/bin/systemctl\s+(start|stop|restart|reload|status|kill\s+-s\s+(?:SIG)?TSTP)\s+(\S+)$`)

// oldRules are what a sudoers file of the old role grants.
type oldRules struct {
	user      string
	verbs     []string // of sudo_commands
	asAnybody bool     // and not only as root
}

// readOldRules reads a sudoers file; ok says that it holds such rules for this
// service and nothing else.
func (s *Service) readOldRules(content string) (rules oldRules, ok bool) {
	for _, line := range sudoersLines(content) {
		m := oldRule.FindStringSubmatch(line)
		if m == nil || rules.user != "" && m[1] != rules.user {
			return oldRules{}, false
		}
		rules.user = m[1]
		rules.asAnybody = rules.asAnybody || strings.HasPrefix(m[2], "ALL")
		for command := range strings.SplitSeq(m[3], ",") {
			verb, ok := s.oldVerb(strings.TrimSpace(command))
			if !ok {
				return oldRules{}, false
			}
			rules.verbs = appendNew(rules.verbs, verb)
		}
	}
	return rules, rules.user != "" && (rules.user == s.User || contains(s.SudoUsers, rules.user))
}

// sudoersLines are the lines of a sudoers file, without comments and with single
// blanks. What looks like a comment may be none: #include, and a rule for a user
// by number, sudoers(5), "User List".
func sudoersLines(content string) []string {
	var lines []string
	for line := range strings.Lines(strings.ReplaceAll(content, "\\\n", " ")) {
		line, _, _ = strings.Cut(strings.Join(strings.Fields(line), " "), " #")
		text, comment := strings.CutPrefix(line, "#")
		if text != "" && (!comment || strings.HasPrefix(text, "include") || isDigit(rune(text[0]))) {
			lines = append(lines, line)
		}
	}
	return lines
}

// oldVerb is what a command is called in sudo_commands.
func (s *Service) oldVerb(command string) (verb string, ok bool) {
	m := oldCommand.FindStringSubmatch(command)
	if m == nil || m[2] != s.Name && m[2] != s.Unit() {
		return "", false
	}
	if strings.HasPrefix(m[1], "kill") {
		return "kill_tstp", true
	}
	return m[1], true
}

// lostRights warns of what a sudoers file of the old role grants and ours will
// not.
func (s *Service) lostRights(have converge.State) []string {
	f, ok := have.File(s.SudoersFile)
	if !ok || !f.Exists || s.State == Absent {
		return nil
	}
	rules, ok := s.readOldRules(f.Content)
	if going := s.goingRules(f.Content); !ok && going != "" {
		return []string{f.Path + ", which something else wrote, is replaced" + going}
	} else if !ok {
		return nil
	}
	var lost []string
	granted := s.Sudo && contains(s.SudoUsers, rules.user)
	for _, verb := range rules.verbs {
		if !granted || !contains(s.SudoCommands, verb) {
			lost = append(lost, verb)
		}
	}
	var warnings []string
	if len(lost) > 0 {
		warnings = append(warnings, fmt.Sprintf("%s lets %s do this by sudo, which these options no longer allow: %s; to keep it, %s",
			s.SudoersFile, rules.user, strings.Join(lost, ", "), s.keepRights(rules.user, lost)))
	}
	if granted && rules.asAnybody && len(lost) < len(rules.verbs) {
		warnings = append(warnings, fmt.Sprintf("%s lets %s run systemctl as every user, and from now on as root only, which is what sudo without -u does",
			s.SudoersFile, rules.user))
	}
	return warnings
}

// goingRules says which lines of a sudoers file of others go with it: those that
// are no rules of the old role for what ours grants, too.
func (s *Service) goingRules(content string) string {
	const most = 5
	var going []string
	if _, origin := OriginOf(content); origin == Ours {
		return ""
	}
	for _, line := range sudoersLines(content) {
		rules, ok := s.readOldRules(line)
		if ok && !slices.ContainsFunc(rules.verbs, func(verb string) bool { return !contains(s.SudoCommands, verb) }) {
			continue
		}
		if going = append(going, line); len(going) == most {
			break
		}
	}
	if going == nil {
		return ""
	}
	return ", and these of its rules go with it: " + strings.Join(going, "; ")
}

// keepRights says by which options a user keeps the verbs.
func (s *Service) keepRights(user string, verbs []string) string {
	switch {
	case !s.Sudo:
		return "set sudo: true"
	case !contains(s.SudoUsers, user):
		return "name " + user + " in sudo_users"
	}
	keep := slices.DeleteFunc(SudoVerbs(), func(v string) bool { return !contains(s.SudoCommands, v) && !contains(verbs, v) })
	return "set sudo_commands to [" + strings.Join(keep, ", ") + "]"
}
