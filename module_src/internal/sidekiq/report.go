// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"path"
	"slices"
	"strings"
	"time"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/ansible"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/shell"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/systemd"
)

// ParseInfo makes a Service of the options of sidekiq_service_info. It says
// only which service it is: Dir and User are empty where they are not given.
func ParseInfo(r ansible.Request) (Service, error) {
	p := &parser{}
	p.Values = InfoOptions().Decode(r, &p.Problems)
	s := Service{
		Name:    p.unitStem("name"),
		State:   Absent, // needs no application
		User:    p.user("user"),
		UnitDir: p.absolute("unit_dir"),
		Known:   p.services("known_services"),
	}
	s.SudoersFile = p.sudoersFile("sudoers_file", s.Name, false)
	p.application(&s)
	return s, p.Err()
}

// Report is what was found out about a service on a host, whatever was or was
// not planned there.
type Report struct {
	// UnitFiles are the files of the service's name in systemd's load path; the
	// first is the one that systemd uses, and Content is its content.
	UnitFiles []string
	Content   string

	Template   string // a file from which systemd makes instances; empty: none
	Enablement string // as systemctl is-enabled says; empty: no such unit
	Sudoers    Text

	Service   UnitReport
	Processes []UnitReport // what runs Sidekiq: the service itself, or its instances

	ProcessFiles []ProcessFile // see [Report.Sources]

	Dir      string   // the working directory; empty: not known
	Release  string   // where that directory really is; empty: the application is not deployed
	Facts    Facts    // of the application and its user
	User     string   // who runs it
	Asked    bool     // whether sudo has told what that user may do
	Rules    []string // all that sudo has for that user
	Commands []string // those of sudo_commands that the user may run without a password
	All      bool     // the user may run every command without a password

	Redis        string // the unit of the host's Redis; empty: none
	RedisState   string // its ActiveState
	RedisVersion string // of the installed program; empty: not known

	// Log are the last lines of the journal of all processes, of the last seconds.
	// They are only looked at where the health is asked for.
	Log []string

	Warnings []string
}

// UnitReport is a unit with some more that only a report needs.
type UnitReport struct {
	converge.Unit
	Memory  int64     // resident memory of the main process, in bytes; 0: none, or not known
	Since   time.Time // start of the main process, or else the last change of state; zero: never
	Release string    // the directory that the main process runs in; empty: not known

	// Untitled says that it runs a program of which nobody knows what it shows in
	// its title. It is only known where its health is asked for.
	Untitled bool

	Foreign bool // says so, and that its unit file is somebody else's
}

// UnitPaths are the paths at which systemd looks for a unit's file, in the
// order of their precedence.
func (s *Service) UnitPaths(unit string) []string {
	dirs := systemd.LoadPath()
	paths := make([]string, len(dirs))
	for i, dir := range dirs {
		if systemd.Precedence(dir) == systemd.Precedence(s.UnitDir) {
			dir = s.UnitDir // as the user spells it, /lib or /usr/lib
		}
		paths[i] = path.Join(dir, unit)
	}
	return paths
}

// Started are the names of the instances that the unit file of an umbrella
// starts; no other unit file starts any. The manager does not help here, since
// it forgets an instance that is stopped.
func (s *Service) Started(unitFile string) []string {
	var list []string
	for _, command := range valuesIn(unitFile, "ExecStart") {
		words, _ := systemd.Words(command)
		for _, word := range words {
			if name, ok := s.InstanceOf(word); ok {
				list = appendNew(list, name)
			}
		}
	}
	return list
}

// InstanceOf is the name of the instance whose unit this is.
func (s *Service) InstanceOf(unit string) (name string, ok bool) {
	name, ok = strings.CutPrefix(unit, s.Name+"@")
	name, typed := strings.CutSuffix(name, ".service")
	return name, ok && typed && name != ""
}

// RedisUnits are the names of units that a host's Redis may have.
func RedisUnits() []string { return redisUnits() }

// Rivals warns of other people's units that run the same application.
func (s *Service) Rivals(f Facts) []string {
	w := wanting{Service: *s, facts: f}
	w.facts.OtherUnits, w.facts.Running = nil, nil
	for _, u := range f.OtherUnits {
		if name := path.Base(u.Path); u.User != "" || name != s.Unit() && name != s.Template() {
			w.facts.OtherUnits = append(w.facts.OtherUnits, u)
		}
	}
	for _, r := range f.Running {
		if _, process := s.InstanceOf(r.Place.Unit); !process || r.Place.Manager != SystemManager {
			w.facts.Running = append(w.facts.Running, r)
		}
	}
	w.rivals()
	w.runningRivals()
	w.embedded()
	return w.warnings
}

// RestartReasons say why the process of p should be restarted. There are none
// where a restart would change nothing, or where there is no process.
func (s *Report) RestartReasons(p *UnitReport) []string {
	if p.Process.MainPID == 0 {
		return nil
	}
	var reasons []string
	if p.Release != "" && s.Release != "" && p.Release != s.Release {
		reasons = append(reasons, "it runs in "+p.Release+", and "+s.Dir+" is "+s.Release+" now")
	}
	if len(p.Stale) > 0 {
		reasons = append(reasons, "it is older than "+strings.Join(p.Stale, ", "))
	}
	if p.Activity == converge.Quiet {
		reasons = append(reasons, quietForLong)
	}
	return reasons
}

// Behind warns of processes that run Sidekiq behind another main process. r are
// the options that reproduce the service.
func (s *Report) Behind(r Reading) (warnings []string) {
	command, _ := r.Options["exec_start"].(string)
	words, _ := shell.Split(command)
	service := Service{ExecStart: words}
	for _, p := range s.Processes {
		if p.Process.Behind != 0 {
			warnings = append(warnings, p.Name+": "+service.terms().SayBehind(p.Process))
		}
	}
	return warnings
}

// Mask hides the variables of the service's unit files. What an option says that
// has no variables is no secret.
func (s *Report) Mask(of Service, r Reading) *Mask {
	m := of.Mask()
	m.public = append(m.public, texts(r.Shown())...)
	m.Unit(s.Content)
	for _, f := range s.ProcessFiles {
		m.Unit(f.Content)
		vars, _ := systemd.Environment(f.Secrets)
		for _, v := range vars {
			m.Secret(v.Value)
		}
	}
	return m
}

// Hide is a value of any type of JSON with all its texts masked but its keys.
func (m *Mask) Hide(v any) any {
	switch v := v.(type) {
	case string:
		return m.Text(v)
	case []any:
		list := slices.Clone(v)
		for i := range list {
			list[i] = m.Hide(list[i])
		}
		return list
	case map[string]any:
		masked := map[string]any{}
		for key, value := range v {
			masked[key] = m.Hide(value)
		}
		return masked
	}
	return v
}

// texts are all texts in a value.
func texts(v any) []string {
	switch v := v.(type) {
	case string:
		return append([]string{v}, strings.Fields(v)...)
	case []any:
		var all []string
		for _, item := range v {
			all = append(all, texts(item)...)
		}
		return all
	case map[string]any:
		var all []string
		for _, item := range v {
			all = append(all, texts(item)...)
		}
		return all
	}
	return nil
}
