// SPDX-License-Identifier: GPL-3.0-or-later

// Package sudo writes rules of a sudoers file, and reads which rules a host's
// sudo has for a user.
//
// A [Rule] lets one user or group run certain commands as root without a
// password, and [Encode] writes rules as sudoers(5) says, in such a way that
// sudo and sudo-rs read them alike. [CheckName] says which names cannot be
// written so.
//
// Whether a rule has its effect depends on all the others: the last one that
// matches a command wins, whichever file it is in. [ParseList] reads what
// "sudo -ll -U USER" prints, [List.Decides] finds the rule that wins over a
// command, and [Decision.Lacks] says what it lacks to give a [Grant]. "sudo -l
// COMMAND" would be no proof: it also succeeds where a password is asked for.
//
// The package runs no sudo and reads no sudoers file. It judges rules for
// commands as root only, and it follows no link: whether two paths are the
// same program is for the caller to say.
package sudo

import (
	"errors"
	"slices"
	"strings"
)

// Grant is one command that somebody may run as root without a password.
type Grant struct {
	User   string   // a user name; empty for a group's grant
	Group  string   // a group name; empty for a user's grant
	Args   []string // the command with its absolute path, word for word
	NoExec bool     // the command itself cannot start other programs
}

// Rule is one line of a sudoers file: what one user or one group may run as
// root without a password.
type Rule struct {
	User, Group string // one of them
	NoExec      bool
	Commands    [][]string
}

// Grants are what the rule gives, one by one.
func (r Rule) Grants() []Grant {
	grants := make([]Grant, len(r.Commands))
	for i, c := range r.Commands {
		grants[i] = Grant{User: r.User, Group: r.Group, Args: c, NoExec: r.NoExec}
	}
	return grants
}

// Encode writes a sudoers file, with a comment as its first line.
func Encode(comment string, rules []Rule) string {
	var b strings.Builder
	b.WriteString("# " + comment + "\n")
	for _, r := range rules {
		tags := "NOPASSWD:"
		if r.NoExec {
			tags += " NOEXEC:"
		}
		var commands []string
		for _, c := range r.Commands {
			commands = append(commands, command(c))
		}
		b.WriteString(r.who() + " ALL=(root) " + tags + " " + strings.Join(commands, ", ") + "\n")
	}
	return b.String()
}

func (r Rule) who() string {
	if r.Group != "" {
		return word("%" + r.Group)
	}
	return word(r.User)
}

const (
	lower  = "abcdefghijklmnopqrstuvwxyz"
	upper  = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	digits = "0123456789"
)

// word writes a name, in quotes where it could be read as something else: a
// word in capitals is an alias, and list and sudoedit are words of sudo's own.
func word(s string) string {
	name := strings.TrimPrefix(s, "%")
	if strings.Trim(name, lower+digits+"_.-") == "" && !strings.Contains(digits, name[:1]) && name != "list" && name != "sudoedit" {
		return s
	}
	return `"` + s + `"`
}

// command writes a command. Arguments escape what would end or join them:
// sudoers(5), "Other special characters and reserved words".
func command(words []string) string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = escaper.Replace(w)
	}
	return strings.Join(out, " ")
}

var escaper = strings.NewReplacer(`\`, `\\`, `,`, `\,`, `:`, `\:`, `=`, `\=`)

// words are words of sudoers' own, which cannot be names, with or without
// quotes: sudo-rs 0.2.5 reads even "Defaults" in quotes as its own word
// (tried).
var words = []string{"", "ALL", "Defaults", "User_Alias", "Runas_Alias", "Host_Alias", "Cmnd_Alias", "Cmd_Alias"}

// CheckName says why sudo and sudo-rs would not read a name alike, in quotes
// where needed, or nil. sudoers has prefixes of its own (%group, +netgroup,
// #uid, !not, @include) and words of its own, backslashes are read in
// different ways, and sudo-rs takes few other characters (tried with 0.2.5).
func CheckName(s string) error {
	if !slices.Contains(words, s) && strings.Trim(s, lower+upper+digits+"_.@ $-") == "" && strings.Contains(lower+upper+digits+"_", s[:1]) &&
		strings.Trim(s, digits) != "" && s[len(s)-1] != ' ' && len(s) < 200 {
		return nil
	}
	return errors.New("is no name that sudo and sudo-rs read alike: letters, digits, blanks, and the characters _ . @ $ -, " +
		"not all digits, not ALL or another word of sudo's own")
}
