// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"path"
	"strconv"
	"strings"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/ansible"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/systemd"
)

// ProcessFile is the unit file of a process of the service.
type ProcessFile struct {
	Unit, Path, Content string

	// Secrets is the content of the file of secrets that is at SecretsPath; empty:
	// there is none.
	SecretsPath, Secrets string
}

// Sources are the files that say what Sidekiq is run with, without their content:
// one of each process. There are none without a unit file.
func (s *Report) Sources() []ProcessFile {
	var list []ProcessFile
	add := func(unit, file string) {
		secrets := path.Join(SecretDirectory, strings.TrimSuffix(unit, ".service")+".env")
		list = append(list, ProcessFile{Unit: unit, Path: file, SecretsPath: secrets})
	}
	for _, p := range s.Processes {
		if p.Fragment != "" && p.LoadState != "masked" {
			add(p.Name, p.Fragment)
		}
	}
	if list == nil && len(s.UnitFiles) > 0 {
		add(path.Base(s.UnitFiles[0]), s.UnitFiles[0])
	}
	return list
}

// Reading are the options that reproduce the service.
func (s *Report) Reading() Reading {
	all := Reading{Options: map[string]any{}, NoOption: []string{}}
	var names []string
	var reads []Reading
	for _, f := range s.ProcessFiles {
		if f.Content == "" {
			continue
		}
		_, name, instance := strings.Cut(strings.TrimSuffix(f.Unit, ".service"), "@")
		reads, names = append(reads, f.read()), append(names, name)
		if !instance {
			return reads[0]
		}
	}
	if reads == nil {
		return all
	}
	all.Options, all.NoOption = s.install(), reads[0].NoOption
	for _, r := range reads[1:] {
		all.NoOption = appendNew(all.NoOption, r.NoOption...)
	}
	m := merger{names: names, reads: reads, all: &all, own: make([]map[string]any, len(reads))}
	m.merge()
	return all
}

// Place adds to the options of the service of that name, unless there are none,
// what they lack to have the unit where it is, and enabled as it is.
func (s *Report) Place(name string, options map[string]any) {
	if len(options) == 0 {
		return
	}
	if name != "sidekiq" {
		options["name"] = name
	}
	for _, f := range s.ProcessFiles {
		if dir := path.Dir(f.Path); contains([]string{"/etc/systemd/system", "/usr/local/lib/systemd/system"}, dir) {
			options["unit_dir"] = dir
		}
	}
	if s.Enablement == "disabled" {
		options["enabled"] = false
	}
}

// read are the options of one process.
func (f ProcessFile) read() Reading {
	r := ReadUnit(f.Unit, f.Content)
	secrets := map[string]any{}
	if _, origin := OriginOf(f.Content); origin != Ours {
		return r
	}
	vars, _ := systemd.Environment(f.Secrets)
	for _, v := range vars {
		secrets[v.Name] = v.Value
	}
	if len(secrets) > 0 {
		r.Options["secret_env"] = secrets
	}
	return r
}

// install are the options that the umbrella says: what starts it at boot.
func (s *Report) install() map[string]any {
	umbrella := newUnitReader(s.Service.Name, s.Content)
	if umbrella.ours {
		umbrella.install()
		if directives := umbrella.installed(); len(directives) > 0 {
			umbrella.options["directives"] = map[string]any{"Install": directives}
		}
	}
	return umbrella.options
}

// installed are the directives of [Install] that have no option.
func (r *unitReader) installed() map[string]any {
	directives := map[string]any{}
	for _, e := range r.left {
		if e.Section != "Install" {
			continue
		}
		if value, ok := r.directive(e.Section, e.Name); ok {
			directives[e.Name] = value
		}
	}
	return directives
}

// merger makes one task of what is read of several processes: what all have is
// the service's, and what they differ in is each one's own.
type merger struct {
	names []string
	reads []Reading
	all   *Reading
	own   []map[string]any
}

func (m *merger) merge() {
	names := map[string]bool{}
	for i, r := range m.reads {
		m.own[i] = map[string]any{}
		for name := range r.Options {
			names[name] = true
		}
	}
	for _, name := range ansible.SortedKeys(names) {
		switch name {
		case "env", "secret_env":
			m.members(name)
		case "directives":
			m.directives()
		default:
			m.option(name)
		}
	}
	m.count()
}

// option is one option. A process of which an option says nothing does not
// count: one that has a command line of its own, for what command lines are made
// of, and one that does not notify, for the watchdog.
func (m *merger) option(name string) {
	var first any
	same, asked := true, false
	for _, r := range m.reads {
		if r.Options["exec_start"] != nil && contains([]string{"app_env", "bundle", "login_shell", "config_file", "queues", "concurrency"}, name) ||
			name == "watchdog_sec" && r.Options["type"] != nil && r.Options["type"] != "notify" {
			continue
		}
		if !asked {
			first, asked = r.Options[name], true
		}
		same = same && inYAML(first) == inYAML(r.Options[name])
	}
	switch {
	case same && asked:
		m.all.Options[name] = first
	case !asked || name == "type": // auto finds out by itself which notify
	case contains([]string{"config_file", "exec_start", "queues", "concurrency", "env_files", "log_file"}, name):
		for i, r := range m.reads {
			if v := r.Options[name]; v != nil {
				m.own[i][name] = v
			}
		}
	default:
		if first != nil {
			m.all.Options[name] = first
		}
		m.all.NoOption = appendNew(m.all.NoOption, name+" is not the same in all processes, which have it in common here: that of "+m.names[0]+" is taken")
	}
}

// members are the members of dictionaries, each by itself.
func (m *merger) members(option string) {
	of := func(i int) map[string]any { d, _ := m.reads[i].Options[option].(map[string]any); return d }
	m.each(of, func(d map[string]any, _ bool, name string, value any) { put(d, value, option, name) })
}

// directives are those of each section. The description is only for people.
func (m *merger) directives() {
	sections := map[string]bool{}
	for _, r := range m.reads {
		d, _ := r.Options["directives"].(map[string]any)
		for section := range d {
			sections[section] = true
		}
	}
	for section := range sections {
		of := func(i int) map[string]any {
			d, _ := m.reads[i].Options["directives"].(map[string]any)
			names, _ := d[section].(map[string]any)
			return names
		}
		m.each(of, func(d map[string]any, own bool, name string, value any) {
			if !own || name != "Description" {
				put(d, value, "directives", section, name)
			}
		})
	}
}

// each gives every member to the service where all processes have it alike,
// and to the processes that have it otherwise.
func (m *merger) each(of func(i int) map[string]any, give func(d map[string]any, own bool, name string, value any)) {
	for i := range m.reads {
		for name, value := range of(i) {
			if m.common(of, name) {
				give(m.all.Options, false, name, value)
			} else {
				give(m.own[i], true, name, value)
			}
		}
	}
}

func (m *merger) common(of func(i int) map[string]any, name string) bool {
	value, ok := of(0)[name]
	for i := range m.reads {
		other, has := of(i)[name]
		ok = ok && has && inYAML(other) == inYAML(value)
	}
	return ok
}

// put puts a value into dictionaries within each other.
func put(d map[string]any, value any, keys ...string) {
	for _, key := range keys[:len(keys)-1] {
		inner, ok := d[key].(map[string]any)
		if !ok {
			inner = map[string]any{}
			d[key] = inner
		}
		d = inner
	}
	d[keys[len(keys)-1]] = value
}

// count says how many processes there are, by a number where they are called by
// numbers and have nothing of their own.
func (m *merger) count() {
	numbered := len(m.names) > 1
	var list []any
	for i, name := range m.names {
		numbered = numbered && name == strconv.Itoa(i+1) && len(m.own[i]) == 0
		if !onlyRunes(name, "_-") || name[0] == '-' || len(name) > 40 {
			m.all.NoOption = append(m.all.NoOption, "the process "+strconv.Quote(name)+" needs another name in instances")
		}
		m.own[i]["name"] = name
		list = append(list, m.own[i])
	}
	if numbered {
		m.all.Options["processes"] = len(list)
		return
	}
	m.all.Options["instances"] = list
}
