// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/ansible"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/sudo"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/systemd"
)

// maxSeconds is the longest duration that an option may have: a week.
const maxSeconds = 7 * 24 * 60 * 60

// pathName says why s cannot be the value of a directive that is a path, or why
// the kernel cannot hold such a path (NAME_MAX).
func pathName(s string) error {
	if len(s) > 1024 {
		return errors.New("is longer than 1024 bytes")
	}
	for name := range strings.SplitSeq(s, "/") {
		if len(name) > 255 {
			return errors.New("holds a name longer than 255 bytes")
		}
	}
	return systemd.CheckValue(s)
}

// onlyRunes reports whether s is not empty and consists of ASCII letters,
// digits, and the characters in more.
func onlyRunes(s, more string) bool {
	for _, r := range s {
		if !isAlnum(r) && !strings.ContainsRune(more, r) {
			return false
		}
	}
	return s != ""
}

func isAlnum(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || isDigit(r)
}

func isDigit(r rune) bool { return '0' <= r && r <= '9' }

// isNumber reports whether s consists of digits only.
func isNumber(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// unitStem is the name of a unit without .service.
func (p *parser) unitStem(option string) string {
	name := p.String(option)
	switch {
	case !onlyRunes(name, "_.-"):
		p.Add(option, "must be letters, digits, and the characters _ . -, got %q", name)
	case !isAlnum(rune(name[0])) && name[0] != '_':
		p.Add(option, "must start with a letter or a digit, got %q", name)
	case systemd.UnitType(name) == ".service":
		p.Add(option, "must be without .service, got %q", name)
	case systemd.UnitType(name) != "":
		p.Add(option, "must not end in %q, since systemctl would take it for another unit, got %q", systemd.UnitType(name), name)
	case len(name) > 200:
		p.Add(option, "must have at most 200 characters, got %d", len(name))
	default:
		return name
	}
	return p.fallback(option)
}

// fallback stands in for a value that was refused, so that one mistake is not
// reported twice.
func (p *parser) fallback(option string) string {
	for _, o := range Options() {
		if s, ok := o.Default.(string); ok && o.Name == option {
			return s
		}
	}
	return ""
}

func (p *parser) units(option string) []string {
	var units []string
	for _, name := range p.Strings(option) {
		unit, err := systemd.UnitName(name)
		if err != nil {
			p.Add(option, "%v", err)
			continue
		}
		units = appendNew(units, unit)
	}
	return units
}

// services are names of services, without .service.
func (p *parser) services(option string) []string {
	var names []string
	for _, unit := range p.units(option) {
		name, ok := strings.CutSuffix(unit, ".service")
		if !ok {
			p.Add(option, "must be services, got %q", unit)
		}
		names = append(names, name)
	}
	return names
}

func (p *parser) redisUnit(option string) string {
	name := p.String(option)
	if name == "auto" || name == "none" {
		return name
	}
	unit, err := systemd.UnitName(name)
	if err == nil && !strings.HasSuffix(unit, ".service") {
		err = fmt.Errorf("must be a service, got %q", name)
	}
	if err != nil {
		p.Add(option, "%v", err)
		return p.fallback(option)
	}
	return unit
}

func (p *parser) projectName(option string) string {
	name := p.String(option)
	if name == "" {
		return ""
	}
	if !onlyRunes(name, "_.-") || strings.Trim(name, ".") == "" || name[0] == '-' || len(name) > 200 {
		p.Add(option, "must be letters, digits, and the characters _ . -, got %q", name)
		return ""
	}
	return name
}

// absolute is an absolute path, cleaned, or "" where none is given. The cleaned
// path is checked, since that is what will be written: cleaning may take away
// what stood behind a blank or a backslash.
func (p *parser) absolute(option string) string {
	s := p.String(option)
	if s == "" {
		return ""
	}
	clean := path.Clean(s)
	err := pathName(clean)
	switch {
	case !path.IsAbs(s):
		p.Add(option, "must be an absolute path, got %q", s)
	case err != nil:
		p.Add(option, "%v: %q", err, s)
	case clean == "/":
		p.Add(option, "must not be the root directory")
	default:
		return clean
	}
	return p.fallback(option)
}

// path is a path, cleaned, that is absolute or relative to the working
// directory.
func (p *parser) path(option string) string {
	s := p.String(option)
	if s == "" {
		return ""
	}
	clean := path.Clean(s)
	err := pathName(clean)
	switch {
	case err != nil:
		p.Add(option, "%v: %q", err, s)
	case strings.ContainsRune("-~", rune(clean[0])):
		p.Add(option, "must be absolute or below the working directory: %q", s)
	case strings.HasSuffix(s, "/") || clean == "." || clean == "/":
		p.Add(option, "must be a file: %q", s)
	default:
		return clean
	}
	return p.fallback(option)
}

// word is one word of a command line that cannot be mistaken for a flag.
func (p *parser) word(option string) string {
	s := p.String(option)
	if !onlyRunes(s, "_.-") || s[0] == '-' {
		p.Add(option, "must be letters, digits, and the characters _ . -, got %q", s)
		return p.fallback(option)
	}
	return s
}

func (p *parser) bundle(option string, loginShell bool) string {
	s := p.String(option)
	switch {
	case s == "" && loginShell:
		return "bundle" // which the shell finds
	case s == "":
		return "/usr/local/bin/bundle"
	case loginShell && onlyRunes(s, "_.-") && s[0] != '-':
		return s
	}
	return p.program(option, p.absolute(option))
}

// program is an absolute path that systemd runs as it stands. In such a path
// systemd reads a dollar sign differently than in argv[0], and it takes no path
// that would have to be quoted.
func (p *parser) program(option, s string) string {
	if strings.ContainsAny(s, "$\\\"'") {
		p.Add(option, "the path of a program must not hold a dollar sign, a quote or a backslash: %q", s)
	} else if err := pathName(s); s != "" && err != nil {
		p.Add(option, "%v: %q", err, s)
	}
	return s
}

func (p *parser) user(option string) string { return p.account(option, "user") }

func (p *parser) group(option string) string { return p.account(option, "group") }

// account is the name of a user or a group as systemd takes it:
// systemd.exec(5), User=, and systemd.io/USER_NAMES.
func (p *parser) account(option, kind string) string {
	s := p.String(option)
	if s == "" {
		return ""
	}
	err := accountName(s)
	if err == nil && s == "root" {
		err = errors.New("must not be root: the deploy user owns the code, and would become root by changing it")
	}
	if err != nil {
		p.Add(option, "%v; want the name of a %s, got %q", err, kind, s)
		return p.fallback(option)
	}
	return s
}

func accountName(s string) error {
	switch {
	case isNumber(strings.TrimPrefix(s, "-")):
		return errors.New("must be a name, not a number")
	case s[0] == '-' || s == "." || s == ".." || len(s) > 255:
		return errors.New("is no name")
	case strings.ContainsAny(s, ":/"):
		return errors.New("must not hold a colon or a slash")
	}
	return systemd.CheckValue(s)
}

func (p *parser) sudoNames(option string) []string {
	names := p.Strings(option)
	for _, name := range names {
		if err := sudo.CheckName(name); err != nil {
			p.Add(option, "%q %v", name, err)
		}
	}
	return unique(names)
}

// sudoersFile is a file that sudo really reads, at least where something is to
// be granted by it. sudo skips files with a dot in their name or a tilde at its
// end: sudoers(5), "Including other files".
func (p *parser) sudoersFile(option, stem string, grants bool) string {
	file, named := p.absolute(option), option
	if file == "" {
		file, named = "/etc/sudoers.d/"+stem+"-restart-users", "name"
		if !grants {
			return file
		}
	}
	base := path.Base(file)
	if strings.Contains(base, ".") || strings.HasSuffix(base, "~") {
		p.Add(named, "sudo ignores files with a dot or a tilde in their name, such as %q", file)
	} else if !onlyRunes(base, "_-+@") {
		p.Add(named, "the name of a sudoers file must be letters, digits, and the characters _ - + @, got %q", file)
	}
	if file == "/etc/sudoers" || strings.HasPrefix(file, "/etc/sudoers/") {
		p.Add(named, "must not be the host's own policy, %q", "/etc/sudoers")
	}
	return file
}

func (p *parser) umask(option string) string {
	s := p.String(option)
	n, err := strconv.ParseUint(s, 8, 32)
	switch {
	case err == nil && s[0] == '0' && n <= 0o777:
		return s
	case isNumber(s) && s[0] != '0':
		p.Add(option, "must be an octal number in quotes that starts with 0, got %q; YAML makes 23 of 0027 without quotes", s)
	default:
		p.Add(option, "must be an octal number from 0000 to 0777 in quotes, got %q", s)
	}
	return p.fallback(option)
}

// queues are names of queues, each with an optional weight, as Sidekiq's -q
// takes them.
func (p *parser) queues(option string) []string {
	queues := p.Strings(option)
	for _, q := range queues {
		name, weight, weighted := strings.Cut(q, ",")
		before, number, colon := strings.Cut(q, ":")
		switch {
		case colon && isNumber(number):
			p.Add(option, "the weight of a queue stands behind a comma: write %q, not %q", before+","+number, q)
		case strings.ContainsAny(name, "[](){}\"'"):
			p.Add(option, "the name of a queue must hold no brackets and no quotes, got %q", q)
		case isNumber(name):
			p.Add(option, "%q is a weight without its queue; write a list, [\"name,%s\"]", q, q)
		case contains([]string{"None", "null", "~"}, q):
			p.Add(option, "%q as a text means nothing: leave the option out", q)
		case name == "" || name[0] == '-' || systemd.CheckValue(name) != nil || strings.ContainsAny(name, " ,"):
			p.Add(option, "must be \"name\" or \"name,weight\", got %q", q)
		case weighted && (!isNumber(weight) || len(weight) > 6):
			p.Add(option, "the weight of a queue must be a number, got %q", q)
		}
	}
	return queues
}

// variables are the variables of the environment, sorted by name. No message
// holds a value.
func (p *parser) variables(option string) []Variable {
	var list []Variable
	members := p.Dict(option)
	for _, name := range ansible.SortedKeys(members) {
		if !systemd.IsVariable(name) {
			end := strings.IndexFunc(name+"=", func(r rune) bool { return !isAlnum(r) && r != '_' }) // {KEY=value} is a name with a value in it
			p.Add(option, "the name of a variable must be letters, digits and _, and not start with a digit, got %q", name[:end]+cut)
			continue
		}
		value, err := scalar(members[name], "true", "false")
		if err == nil {
			err = systemd.CheckText(value)
		}
		if value == HiddenValue {
			err = errors.New("is what stands for a value that is not shown; give the value itself")
		}
		if err != nil {
			p.Add(option, "the value of %q %v", name, err)
			continue
		}
		list = append(list, Variable{Name: name, Value: value})
	}
	return list
}

// scalar is the text of a member of a dict. Unlike in an option, a boolean
// becomes one of the words given, since YAML's true is not Python's True here.
func scalar(v any, yes, no string) (string, error) {
	if b, ok := v.(bool); ok {
		if b {
			return yes, nil
		}
		return no, nil
	}
	return ansible.Text(v)
}

func (p *parser) envFiles(option string) []string {
	var files []string
	for _, f := range p.Strings(option) {
		name, optional := strings.CutPrefix(f, "-")
		clean := path.Clean(name)
		if err := pathName(clean); err != nil {
			p.Add(option, "%v: %q", err, f)
		} else if !path.IsAbs(name) {
			p.Add(option, "must be absolute paths, each with an optional - before it, got %q", f)
		} else if strings.ContainsAny(clean, `*?[\`) {
			p.Add(option, "systemd takes *, ?, [ and backslashes for a pattern: %q", f)
		}
		if optional {
			clean = "-" + clean
		}
		files = append(files, clean)
	}
	return files
}
