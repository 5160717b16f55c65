// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/ansible"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/systemd"
)

// forbidden says why a directive must be neither set nor removed: it would make
// the service run, or do something, as another user than the one in the option
// user.
func forbidden(section, name string) string {
	switch section + "." + name {
	case "Service.User", "Service.DynamicUser":
		return "the option user says who runs the service, and it is never root"
	case "Service.Group":
		return "the option group says it"
	case "Service.PermissionsStartOnly":
		return "it would run commands as root"
	case "Service.ExecStart":
		return "the option exec_start says it"
	case "Service.RootDirectoryStartOnly":
		return "it would run commands outside of the service's own root"
	case "Install.Also", "Install.DefaultInstance":
		return "it would enable other units"
	}
	return ""
}

// directives reads the option of that name: section -> name -> value, list of
// values, or null. A value is in systemd's own syntax and goes into the unit
// file as it stands, with its specifiers. It may be a secret (SetCredential),
// so no message holds a value.
func (p *parser) directives(option string) []Directive {
	var list []Directive
	sections := p.Dict(option)
	for _, section := range ansible.SortedKeys(sections) {
		names, ok := sections[section].(map[string]any)
		if section != "Unit" && section != "Service" && section != "Install" {
			p.Add(option, "want the sections Unit, Service and Install, got %q", section)
		} else if !ok && sections[section] != nil && sections[section] != "" {
			p.Add(option, "the section %q must be a dict of names and values", section)
		}
		for _, name := range ansible.SortedKeys(names) {
			d, err := newDirective(section, name, names[name])
			if err != nil {
				p.Add(option, "%s.%s: %v", section, name, err)
				continue
			}
			list = append(list, d)
		}
	}
	return list
}

func newDirective(section, name string, value any) (Directive, error) {
	d := Directive{Section: section, Name: name}
	if !onlyRunes(name, "-") || isDigit(rune(name[0])) || name[0] == '-' {
		return d, fmt.Errorf("the name of a directive must be letters and digits, got %q", name)
	}
	if why := forbidden(section, name); why != "" {
		return d, fmt.Errorf("not allowed here, since %s", why)
	}
	if value == nil {
		return d, nil
	}
	if option := optionFor(section, name); option != "" {
		return d, fmt.Errorf("use the option %s; only null, which removes it, is allowed here", option)
	}
	values, ok := value.([]any)
	if !ok {
		values = []any{value}
	}
	for _, v := range values {
		s, err := directiveValue(section, name, v)
		if err != nil {
			return d, err
		}
		d.Values = append(d.Values, s)
	}
	return d, nil
}

// directiveValue is one value of a directive. With an empty value systemd
// resets a list.
func directiveValue(section, name string, v any) (string, error) {
	s, err := scalar(v, "yes", "no")
	switch {
	case err != nil:
		return "", err
	case s == "":
		return "", nil
	}
	if err := systemd.CheckValue(s); err != nil {
		return "", fmt.Errorf("a value %w", err)
	}
	if section == "Install" {
		return installedBy(name, s)
	}
	if section != "Service" {
		return s, nil
	}
	return s, judgeValue(name, s)
}

// judgeValue refuses a value of [Service] by which root would do something that
// the service's user can steer, as far as that can be told without the host.
func judgeValue(name, s string) error {
	if isCommand(name) {
		return privilegedCommand(s)
	}
	if isStream(name) {
		return openedByRoot(s)
	}
	if err := opened(name, s); err != nil {
		return err
	}
	if err := ownDirectory(name, s); err != nil {
		return err
	}
	return rootsPower(name, s)
}

// rootsPower refuses what would give root's power to the service's user:
// numbers for groups, since 0 can be written in many ways, and capabilities
// that the service's program could turn into any other capability.
func rootsPower(name, s string) error {
	if name != "SupplementaryGroups" && name != "AmbientCapabilities" {
		return nil
	}
	if strings.Contains(s, `\`) {
		return errEscapes
	}
	words, err := systemd.Words(s)
	if err != nil {
		return err
	}
	for _, word := range words {
		_, notNumber := strconv.ParseInt(word, 0, 64) // systemd 229 knows 0x0, too
		switch {
		case name == "SupplementaryGroups" && (isNumber(strings.TrimLeft(word, "+-")) || notNumber == nil || word == "root" || strings.Contains(word, "%")):
			return fmt.Errorf("want names of groups, and not root, got %q", word)
		case name == "AmbientCapabilities" && !contains(harmlessCapabilities[:], word):
			return fmt.Errorf("%s could be made into root's power; allowed are %s", word, strings.Join(harmlessCapabilities[:], ", "))
		}
	}
	return nil
}

// harmlessCapabilities are capabilities by which nobody can become root:
// capabilities(7).
var harmlessCapabilities = [...]string{"CAP_NET_BIND_SERVICE", "CAP_NET_RAW", "CAP_SYS_NICE", "CAP_IPC_LOCK", "CAP_WAKE_ALARM"}

// installedBy is a value of the [Install] section, a list of units. This
// program makes the links that such a value asks for, so the value has to be
// understood and not just passed on.
func installedBy(name, s string) (string, error) {
	if !contains([]string{"WantedBy", "RequiredBy", "UpheldBy", "Alias"}, name) {
		return "", errors.New("want WantedBy, RequiredBy, UpheldBy or Alias in this section")
	}
	var units []string
	for u := range strings.FieldsSeq(s) {
		unit, err := systemd.UnitName(u)
		if err == nil && name == "Alias" && !strings.HasSuffix(unit, ".service") {
			err = fmt.Errorf("an alias must be a service, got %q", u)
		}
		if err != nil {
			return "", err
		}
		units = append(units, unit)
	}
	return strings.Join(units, " "), nil
}

// privilegedCommand refuses commands that systemd runs as root in spite of
// User=: those with + or ! among the prefixes of systemd.service(5). It judges
// the words that systemd will see, without quotes and escapes. One value may
// hold several commands with a lone semicolon between them, each with prefixes
// of its own, so it may not.
func privilegedCommand(s string) error {
	commands, err := systemd.Commands(s)
	if err != nil {
		return fmt.Errorf("a command %w", err)
	}
	for _, c := range commands {
		if len(commands) > 1 || c.Words[0] == ";" {
			return errors.New("a value must be one command; give a list for several")
		}
		if strings.ContainsAny(c.Prefixes, "+!") {
			return fmt.Errorf("a command with %q would run with root's rights", c.Prefixes)
		}
		if !oneMeaning(c.Words[0]) {
			return fmt.Errorf("a program must not be named by specifiers but %%%%, %%i and %%n, got %q", c.Words[0])
		}
	}
	return nil
}

// openedByRoot refuses streams that systemd opens as root before it becomes
// the service's user, following links that the user may have planted.
func openedByRoot(s string) error {
	for _, scheme := range []string{"append:", "file:", "truncate:"} {
		if strings.HasPrefix(s, scheme) {
			return fmt.Errorf("systemd opens %s as root, through links of the service's user; use the option log_file", strings.TrimSuffix(scheme, ":"))
		}
	}
	return nil
}

// supplementary are the groups that directives add to the service's own group.
func (s *Service) supplementary() []string {
	var groups []string
	for _, own := range s.owns() {
		for _, d := range own.Directives {
			if d.Section == "Service" && d.Name == "SupplementaryGroups" {
				for _, v := range d.Values {
					words, _ := systemd.Words(v) // what cannot be read was refused
					groups = appendNew(groups, words...)
				}
			}
		}
	}
	return groups
}
