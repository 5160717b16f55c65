// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"cmp"
	"slices"
	"sort"
	"strconv"
)

// instances reads how many processes s has, and what each of them has of its
// own. What a process does not say is the service's.
func (p *parser) instances(s Service) []Instance {
	var list []Instance
	items := p.Items("instances")
	if n := p.Int("processes"); n > 1 && len(items) == 0 {
		for i := range n {
			own := s
			own.instance = strconv.Itoa(i + 1)
			list = append(list, Instance{Name: own.instance, Own: &own})
		}
	}
	seen := map[string]int{}
	for n, item := range items {
		one := &parser{Values: item, Problems: *p.Within("instances", n+1)}
		name := one.instanceName("name")
		own := one.own(s)
		own.instance = name
		if first := seen[name]; first > 0 && name != "" {
			one.Add("name", "%q is the name of item %d, too", name, first)
		}
		seen[name] = n + 1
		list = append(list, Instance{Name: name, Own: &own})
	}
	return list
}

// instanceName is a part of a unit's name that systemd leaves as it is. There,
// a dot would begin the type of the unit, and a backslash escapes.
func (p *parser) instanceName(option string) string {
	name := p.String(option)
	switch {
	case name == "": // which is said already
	case !onlyRunes(name, "_-") || name[0] == '-':
		p.Add(option, "must be letters, digits, and the characters _ -, and not start with -, got %q", name)
	case len(name) > 40:
		p.Add(option, "must have at most 40 characters, got %d", len(name))
	}
	return name
}

// own is the service as a process has it that says these options. Lists replace
// those of the service, dictionaries are merged into them, and null leaves out
// what the service has.
func (p *parser) own(s Service) Service {
	p.ownCommand(&s)
	if p.said("env_files") {
		s.EnvFiles = p.envFiles("env_files")
	}
	if p.said("log_file") {
		s.LogFile = p.path("log_file")
	}
	s.Env = p.merged("env", s.Env, p.variables)
	s.Secrets = p.merged("secret_env", s.Secrets, p.secretVariables)
	p.onlyOnce(s)
	s.Directives = p.mergedDirectives(s.Directives)
	return s
}

// said reports whether an option was named, be it to leave out what the service
// has.
func (p *parser) said(option string) bool { return p.Given(option) || p.Emptied(option) }

// ownCommand reads what is run. A whole command line leaves no place for the
// options that one is otherwise made of.
func (p *parser) ownCommand(s *Service) {
	if p.said("exec_start") {
		s.ExecStart = p.commandLine("exec_start")
	}
	for _, option := range []string{"config_file", "queues", "concurrency"} {
		if p.Given(option) && !p.Given("exec_start") && s.ExecStart != nil {
			p.Add(option, "has no effect beside the service's exec_start; give this one exec_start: null")
		}
	}
	if p.said("config_file") {
		s.ConfigFile, s.ConfigGiven = cmp.Or(p.path("config_file"), p.fallback("config_file")), p.Given("config_file")
	}
	if p.said("queues") {
		s.Queues = p.queues("queues")
	}
	if p.said("concurrency") {
		s.Concurrency = p.Int("concurrency")
	}
}

// merged are the service's variables with those of one process.
func (p *parser) merged(option string, of []Variable, read func(string) []Variable) []Variable {
	if p.Emptied(option) {
		return nil
	}
	members := p.Dict(option)
	var merged []Variable
	for _, v := range of {
		if _, own := members[v.Name]; !own {
			merged = append(merged, v)
		}
	}
	for _, v := range read(option) {
		if members[v.Name] != nil {
			merged = append(merged, v)
		}
	}
	sort.Slice(merged, func(i, j int) bool { return merged[i].Name < merged[j].Name })
	return merged
}

// mergedDirectives are the service's directives with those of one process.
func (p *parser) mergedDirectives(of []Directive) []Directive {
	if p.Emptied("directives") {
		return nil
	}
	own := p.directives("directives")
	sections := p.Dict("directives")
	var merged []Directive
	for _, d := range of {
		section, named := sections[d.Section]
		theirs := slices.ContainsFunc(own, func(o Directive) bool { return o.Section == d.Section && o.Name == d.Name })
		if (!named || section != nil) && !theirs {
			merged = append(merged, d)
		}
	}
	for _, d := range own {
		if d.Section == "Install" {
			p.Add("directives", "%s.%s: has no effect here, since the service starts its processes; give it to the service", d.Section, d.Name)
		}
		merged = append(merged, d)
	}
	sort.Slice(merged, func(i, j int) bool {
		a, b := merged[i], merged[j]
		return cmp.Or(cmp.Compare(a.Section, b.Section), cmp.Compare(a.Name, b.Name)) < 0
	})
	return merged
}
