// SPDX-License-Identifier: GPL-3.0-or-later

package sudo

import (
	"path"
	"slices"
	"strings"
)

// List is what sudo lists of one user's rules, in the order in which sudo
// weighs them: the last that matches a command wins.
type List struct {
	Entries []Entry

	// SameFile reports whether two paths are the same program. sudo compares
	// inodes, so that /bin/systemctl is /usr/bin/systemctl where /bin is a
	// link.
	SameFile func(a, b string) bool

	// Settings are the Defaults that count for the user.
	Settings string

	// Theirs reports whether the user could change what is at a path. nil: it is
	// not known.
	Theirs func(path string) bool
}

// Entry is one entry of the list that "sudo -ll -U USER" prints.
type Entry struct {
	Source   string // the sudoers file, as sudo 1.9.14 and newer say, or the role in a directory ("LDAP Role: x"); else ""
	RunAs    []string
	Options  []string
	Commands []string // one rule each, "!" in front where it forbids
}

// Defaults are the settings that sudo lists as the user's.
func Defaults(text string) string {
	_, rest, _ := strings.Cut(text, "Matching Defaults entries for ")
	_, rest, _ = strings.Cut(rest, "\n")
	settings, _, _ := strings.Cut(rest, "\n\n")
	return strings.Join(strings.Fields(settings), " ")
}

// WithDefaults are entries of a policy that asks nobody for a password, if that
// is among the settings.
func WithDefaults(entries []Entry, settings string) []Entry {
	if !strings.Contains(settings, "!authenticate") {
		return entries
	}
	for i := range entries {
		if !slices.Contains(entries[i].Options, "authenticate") && !slices.Contains(entries[i].Options, "!authenticate") {
			entries[i].Options = append(entries[i].Options, "!authenticate")
		}
	}
	return entries
}

// Preloads is a setting by which the user has a library loaded into whatever
// root runs for that user, or "": LD_PRELOAD is given on sudo's command line, or
// kept.
func (l List) Preloads() string {
	for setting := range strings.SplitSeq(l.Settings, ", ") {
		if setting == "setenv" || strings.HasPrefix(setting, "env_keep+=") && strings.Contains(setting, "LD_") {
			return setting
		}
	}
	return ""
}

// ParseList reads the long listing of a user's rules.
func ParseList(text string) []Entry {
	var entries []Entry
	inCommands := false
	for line := range strings.Lines(text) {
		source, inFile := strings.CutPrefix(line, "Sudoers entry:")
		if inFile || strings.HasPrefix(line, "LDAP Role: ") || strings.HasPrefix(line, "SSSD Role: ") {
			entries = append(entries, Entry{Source: strings.TrimSpace(source)})
			inCommands = false
			continue
		}
		word := strings.TrimSpace(line)
		if len(entries) == 0 || word == "" {
			continue
		}
		last := &entries[len(entries)-1]
		key, value, _ := strings.Cut(word, ": ")
		switch {
		case word == "Commands:":
			inCommands = true
		case inCommands:
			last.Commands = append(last.Commands, word)
		case key == "RunAsUsers":
			last.RunAs = strings.Split(value, ", ")
		case key == "Options":
			last.Options = strings.Split(value, ", ")
		}
	}
	return entries
}

// Rules are all rules of the list, one by one.
func (l List) Rules() []Decision {
	var rules []Decision
	for _, e := range l.Entries {
		for _, c := range e.Commands {
			rules = append(rules, Decision{Entry: e, Command: c})
		}
	}
	return rules
}

// Decision is the rule that decides over one command.
type Decision struct {
	Entry
	Command string // as the rule has it
}

// String names the rule as a person would look for it.
func (d Decision) String() string {
	if d.Source != "" {
		return d.Text() + " in " + d.Source
	}
	return d.Text() + " (grep -r for it in /etc/sudoers and /etc/sudoers.d)"
}

// Text is the rule as sudoers(5) spells it.
func (d Decision) Text() string {
	text := "(" + strings.Join(d.RunAs, ", ") + ") "
	for _, o := range d.Options {
		tag := strings.ToUpper(o)
		if o == "!authenticate" {
			tag = "NOPASSWD"
		}
		text += tag + ": "
	}
	return text + d.Command
}

// asRoot reports whether the entry is for commands run as root. Of the names
// that match root the last one counts. An alias, which sudo-rs does not spell
// out, may stand for root; a group does not.
func (e Entry) asRoot() bool {
	for _, name := range slices.Backward(e.RunAs) {
		who := strings.TrimLeft(name, "!")
		if who == "root" || who == "#0" || isAlias(who) {
			return !strings.HasPrefix(name, "!")
		}
	}
	return false
}

// isAlias reports whether a name is that of an alias, or ALL: sudoers(5).
func isAlias(name string) bool {
	return name != "" && strings.Contains(upper, name[:1]) && strings.Trim(name, upper+digits+"_") == ""
}

// AllowsAll reports whether the rule makes its user root.
func (d Decision) AllowsAll() bool {
	return d.Command == "ALL" && slices.Contains(d.Options, "!authenticate")
}

// Root returns the rule by which the user is root already, who may run every
// command without a password.
func (l List) Root() (rule Decision, found bool) {
	rule, found = l.Decides([]string{"/"})
	return rule, found && rule.AllowsAll()
}

// Decides returns the last rule that matches a command run as root.
func (l List) Decides(args []string) (rule Decision, found bool) {
	for _, e := range slices.Backward(l.Entries) {
		if !e.asRoot() {
			continue
		}
		for _, c := range slices.Backward(e.Commands) {
			if l.matches(strings.TrimPrefix(c, "!"), args) {
				return Decision{Entry: e, Command: c}, true
			}
		}
	}
	return Decision{}, false
}

// Has reports whether a grant is among the rules, whichever rule wins.
func (l List) Has(g Grant) bool {
	return slices.ContainsFunc(l.Entries, func(e Entry) bool {
		return slices.Contains(e.Options, "!authenticate") && slices.Contains(e.Commands, strings.Join(g.Args, " "))
	})
}

// Lacks says what the rule lacks to give the grant, or "" where it lacks
// nothing. A rule that makes the user root anyway lacks nothing, since NOEXEC
// would not keep that user from anything.
func (d Decision) Lacks(g Grant) string {
	switch {
	case strings.HasPrefix(d.Command, "!"):
		return "forbids it"
	case !slices.Contains(d.Options, "!authenticate"):
		return "asks for a password"
	case g.NoExec && !d.AllowsAll() && !slices.Contains(d.Options, "noexec"):
		return "lets it start other programs (no NOEXEC), so its pager can become a shell of root's"
	}
	return ""
}

// matches reports whether a sudoers command matches a command line, by the
// rules of sudoers(5): ALL is everything, a path without arguments allows any,
// and both may hold wildcards. A pattern that cannot be judged here, such as a
// regular expression, counts as a match.
func (l List) matches(pattern string, args []string) bool {
	if pattern == "ALL" {
		return true
	}
	for strings.HasPrefix(pattern, "sha") && strings.Contains(pattern, ":") {
		_, pattern, _ = strings.Cut(pattern, " ")
	}
	program, words, hasWords := strings.Cut(pattern, " ")
	if !l.matchesProgram(program, args[0]) {
		return false
	}
	words = strings.TrimSpace(words)
	return !hasWords || strings.HasPrefix(words, "^") || glob(words, strings.Join(args[1:], " "))
}

func (l List) matchesProgram(pattern, program string) bool {
	if strings.HasSuffix(pattern, "/") {
		return path.Dir(program) == path.Clean(pattern)
	}
	if strings.HasPrefix(pattern, "^") || glob(pattern, program) {
		return true
	}
	return path.Base(pattern) == path.Base(program) && l.SameFile(pattern, program)
}

// glob is fnmatch(3) without FNM_PATHNAME: a star matches slashes too. What
// cannot be judged here, such as a class of characters that nobody uses for
// programs, counts as a match.
func glob(pattern, text string) bool {
	pattern = asPath.Replace(pattern)
	ok, err := path.Match(pattern, strings.ReplaceAll(text, "/", slash))
	return ok || err != nil || strings.Contains(pattern, "[:")
}

const slash = "\x01" // stands for one in what path.Match is given

// asPath writes a pattern of fnmatch(3) as path.Match reads it.
var asPath = strings.NewReplacer("/", slash, "[!", "[^", "[:alpha:]", "a-zA-Z", "[:digit:]", "0-9", "[:alnum:]", "a-zA-Z0-9", "[:lower:]", "a-z", "[:upper:]", "A-Z")
