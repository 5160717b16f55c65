// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/ansible"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/systemd"
)

// ByName is a task that says what becomes of a service, and nothing of what the
// service is: a handler that restarts it, for one. It acts on the service that
// is there, by the settings in that service's own unit files, and writes
// nothing. If it wrote, it would write the defaults of all that the task does
// not say.
type ByName struct {
	Service
	enabled converge.Switch // "" leaves it as it is
	limited bool            // start_timeout is given
	files   []seenFile
	configs []string
}

// seenFile is a unit file of the service or, without a unit, one with its secrets.
type seenFile struct{ path, unit string }

// byNameOptions are the options with which a task may act by name.
var byNameOptions = []string{"name", "state", "enabled", "start_timeout", "on_failure"}

// ParseByName makes a ByName of a task's options, or nil where the task
// describes a service. A task acts by name where it gives a state and no option
// but those that act; what module_defaults adds counts as given.
func ParseByName(r ansible.Request) (*ByName, error) {
	given := func(name string) bool { return r.Args[name] != nil && r.Args[name] != "" }
	for name := range r.Args {
		if given(name) && !contains(byNameOptions, name) {
			return nil, nil
		}
	}
	if !given("state") || r.Args["state"] == string(Absent) {
		return nil, nil
	}
	p := &parser{}
	p.Values = Options().Decode(r, &p.Problems)
	b := ByName{limited: p.Given("start_timeout"), Service: Service{
		Name:         p.unitStem("name"),
		State:        State(p.String("state")),
		StartTimeout: time.Duration(p.Int("start_timeout")) * time.Second,
		Rollback:     p.String("on_failure") == "rollback",
		UnitDir:      p.absolute("unit_dir"),
	}}
	if p.Given("enabled") {
		b.enabled = converge.Off
		if p.Bool("enabled") {
			b.enabled = converge.On
		}
	}
	if err := p.Err(); err != nil {
		return nil, err
	}
	return &b, nil
}

// beside says to a task with a state why it does not act by name.
func beside(state bool) string {
	if !state {
		return ""
	}
	return "; who acts by name gives name, state, enabled, start_timeout and on_failure at most, also in module_defaults"
}

// Missing says that there is no such service.
func (b *ByName) Missing() error {
	return fmt.Errorf("there is no service %s on the host, so nothing can be done to it by its name alone; "+
		"project_name or working_directory sets one up", b.Unit())
}

// Read takes over what the service's own unit file says, as far as it takes to
// act on the service. It returns the names of the processes, if the file is
// that of an umbrella.
func (b *ByName) Read(u converge.Unit, content string) (instances []string, err error) {
	if u.LoadState == "masked" {
		return nil, errors.New(masked(u.Name, u.Fragment))
	}
	project, origin := OriginOf(content)
	if origin != Ours {
		return nil, fmt.Errorf("%s was not written by this collection, so nothing is done to %s by its name alone; "+
			"a task that describes the service takes it over", u.Fragment, u.Name)
	}
	b.Project, b.UnitDir = project, path.Dir(u.Fragment)
	b.files = append(b.files, seenFile{u.Fragment, u.Name})
	b.read(content)
	return b.Started(content), nil
}

// ReadInstance takes over what the unit file of one process says.
func (b *ByName) ReadInstance(name, content string) {
	own := b.Service
	own.Instances, own.EnvFiles, own.ExecStart = nil, nil, nil // those of the umbrella
	one := ByName{Service: own, limited: b.limited, configs: b.configs, files: append(b.files, seenFile{b.InstancePath(name), b.Instance(name)})}
	one.read(content)
	b.files, b.configs = one.files, one.configs
	if len(b.Instances) == 0 {
		b.Dir, b.User, b.StartTimeout, b.ExecStart = one.Dir, one.User, one.StartTimeout, one.ExecStart
	}
	b.Instances = append(b.Instances, Instance{Name: name, Own: &one.Service})
}

// read takes over the settings of a process from its unit file. They are in the
// form in which this collection has written them.
func (b *ByName) read(content string) {
	for l := systemd.Lines(content); l.Next(); {
		value, _ := systemd.Unspecified(l.Value)
		switch l.Name {
		case "WorkingDirectory":
			b.Dir = path.Clean(strings.TrimPrefix(value, "-"))
		case "User":
			b.User = value
		case "EnvironmentFile":
			if path.Dir(value) == SecretDirectory {
				b.files = append(b.files, seenFile{path: value})
			}
			if path.IsAbs(strings.TrimPrefix(value, "-")) && !strings.ContainsAny(value, `*?[\`) {
				b.EnvFiles = append(b.EnvFiles, value)
			}
		case "RootDirectory", "RootImage":
			b.Directives = append(b.Directives, Directive{Section: l.Section, Name: l.Name})
		case "TimeoutStartSec":
			if n, err := strconv.Atoi(value); err == nil && !b.limited {
				b.StartTimeout = time.Duration(n) * time.Second
			}
		case "ExecStart":
			words, _ := systemd.Words(value)
			own := ownCommand(words)
			for i, word := range words {
				words[i] = strings.ReplaceAll(word, "$$", "$")
			}
			b.LogFile = logIn(words)
			if b.ConfigFile, b.ConfigGiven = flagValue(words, "-C", "--config"); b.ConfigGiven {
				b.configs = append(b.configs, b.inDir(b.ConfigFile))
			}
			// What a program of the user's own shows in its title is not known.
			if !own {
				b.ExecStart = words
			}
		}
	}
}

// logIn is the file that a command of ours appends its log to; empty: none.
func logIn(words []string) string {
	r := newUnitReader("", "")
	r.loginShell(r.ownLog(words))
	file, _ := r.options["log_file"].(string)
	return file
}

// Questions says what has to be known about the host to act on the service.
func (b *ByName) Questions() Questions {
	q := Questions{Dir: b.Dir, Reader: b.User, Unit: b.Unit(), Bundles: b.bundles(), Logs: b.logs(), EnvFiles: b.environmentPaths(), Configs: b.configs}
	if b.User != "" {
		q.Users = []string{b.User}
	}
	return q
}

// Want is what the task asks for: nothing of files, and of the units what they
// are to do. The error says without what they could not be started.
func (b *ByName) Want(f Facts) (want converge.State, warnings []string, err error) {
	w := wanting{Service: b.Service, facts: f}
	activity := w.activity()
	want.AsIs = true
	for _, f := range b.files {
		want.Files = append(want.Files, converge.File{Path: f.path, Kind: converge.UnitFile, Exists: true, Secret: f.unit == "", Units: []string{f.unit}})
	}
	unit := w.umbrellaRow(converge.Unit{Name: b.Unit(), Enabled: b.enabled, Activity: activity, KeepStale: true, Proof: w.proof()})
	want.Units = append(want.Units, unit)
	for _, i := range b.Instances {
		want.Units = append(want.Units, converge.Unit{Name: w.Instance(i.Name), Of: b.Unit(), Activity: activity, KeepStale: true, Proof: i.Own.proof()})
	}
	if activity == converge.Up || activity == converge.Restarted {
		w.eachProcess((*wanting).environment, (*wanting).configure)
	}
	return want, w.warnings, w.err()
}
