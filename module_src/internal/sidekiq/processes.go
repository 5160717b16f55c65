// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"fmt"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/systemd"
)

// Several processes of one application are units of their own,
// sidekiq@critical.service and so on, each with a complete unit file, below an
// umbrella that has the service's own name: there is one name for Capistrano,
// for sudo and for people.
//
// The umbrella is a oneshot unit whose command starts the processes. They are
// PartOf= it, so that they stop and restart with it, and After= it, so that its
// stop waits for theirs. Its start waits for theirs, and fails where one of
// them does not come up, because its command does; that command must ignore the
// ordering, or it would wait for itself. systemd calls it well done to have
// started a process whose Condition= or ExecCondition= is not met, so the
// umbrella looks at each of them in the end. A oneshot unit that has failed takes
// none of the others down. One that is active does not run its command again;
// what has been stopped by itself is started by Wants= then.

// Instance is one of several processes of a service.
type Instance struct {
	Name string   // what stands behind the @ in the name of its unit
	Own  *Service // the service as this process has it, without instances
}

// several reports whether the service is an umbrella over processes.
func (s *Service) several() bool { return len(s.Instances) > 0 }

// Instance is the unit of the process of that name.
func (s *Service) Instance(name string) string { return s.Name + "@" + name + ".service" }

// InstancePath is where that unit's file is.
func (s *Service) InstancePath(name string) string { return path.Join(s.UnitDir, s.Instance(name)) }

// instances are the units of all processes, or none where there is only one,
// which then is the service itself.
func (s *Service) instances() []string {
	var units []string
	for _, i := range s.Instances {
		units = append(units, s.Instance(i.Name))
	}
	return units
}

// owns are the service as each of its processes has it.
func (s *Service) owns() []*Service {
	if !s.several() {
		return []*Service{s}
	}
	var owns []*Service
	for _, i := range s.Instances {
		owns = append(owns, i.Own)
	}
	return owns
}

// Template is the name of the file from which systemd makes units of that kind
// where they have none of their own. The first release of this collection wrote
// one for its processes; now it is adopted and removed.
func (s *Service) Template() string { return s.Name + "@.service" }

// TemplatePath is where that file was.
func (s *Service) TemplatePath() string { return path.Join(s.UnitDir, s.Template()) }

// Paths are the paths of all files that a run may write.
func (s *Service) Paths() []string {
	paths := []string{s.UnitPath(), s.TemplatePath(), secretPath(s.Name, "")}
	for _, i := range s.Instances {
		paths = append(paths, s.InstancePath(i.Name), secretPath(s.Name, i.Name))
	}
	return append(paths, s.logrotatePath(), s.SudoersFile)
}

// leaving are the names of the instances on the host that are no longer wanted.
// Those of somebody else are left alone, unless the files of this service
// replace what they are made from.
func (w *wanting) leaving() []string {
	var names []string
	for _, i := range w.facts.Instances {
		wanted := w.State != Absent && contains(w.instances(), w.Instance(i.Name))
		if !wanted && (i.Ours || w.Replace && w.several()) {
			names = append(names, i.Name)
		}
	}
	return names
}

// unitFiles are the rows of the service's unit files.
func (w *wanting) unitFiles() []converge.File {
	w.gemfile()
	w.logDirectories()
	if !w.several() {
		w.program()
		w.configure()
		w.made = w.build()
		return append([]converge.File{w.unitFile(w.UnitPath(), w.made, w.Unit())}, w.leavingFiles()...)
	}
	var processes []systemd.File
	for _, i := range w.Instances {
		processes = append(processes, w.process(i.Own))
	}
	w.made = w.umbrella(processes)
	var files []converge.File
	for n, i := range w.Instances {
		files = append(files, w.unitFile(w.InstancePath(i.Name), w.bound(processes[n], i.Own), w.Instance(i.Name)))
	}
	files = append(files, w.unitFile(w.UnitPath(), w.made, w.Unit()))
	return append(files, w.leavingFiles()...)
}

// leavingFiles are the rows of the files that go.
func (w *wanting) leavingFiles() []converge.File {
	var files []converge.File
	var units []string
	for _, name := range w.leaving() {
		units = append(units, w.Instance(name))
		files = append(files, converge.File{Path: w.InstancePath(name), Kind: converge.UnitFile, Units: []string{w.Instance(name)}})
	}
	if w.facts.OurTemplate {
		files = append(files, converge.File{Path: w.TemplatePath(), Kind: converge.UnitFile, Units: units})
	}
	return files
}

// process is the unit of one process, as if it were the only one.
func (w *wanting) process(own *Service) (u systemd.File) {
	w.forProcess(own, (*wanting).program, (*wanting).configure, func(one *wanting) { u = one.build() })
	return u
}

// eachProcess judges each of the processes.
func (w *wanting) eachProcess(judge ...func(*wanting)) {
	if !w.several() {
		for _, j := range judge {
			j(w)
		}
	}
	for _, i := range w.Instances {
		w.forProcess(i.Own, judge...)
	}
}

// forProcess judges a process as if it were the only one. What there is to say
// about several of them is said once.
func (w *wanting) forProcess(own *Service, judge ...func(*wanting)) {
	one := &wanting{Service: *own, facts: w.facts.of(&w.Service, own)}
	for _, j := range judge {
		j(one)
	}
	w.unmet = appendNew(w.unmet, one.unmet...)
	w.wrong = appendNew(w.wrong, one.wrong...)
	w.warnings = appendNew(w.warnings, one.warnings...)
}

// of are the facts without the configurations that only other processes have.
func (f Facts) of(s, own *Service) Facts {
	others := map[string]bool{}
	for _, o := range s.owns() {
		for _, file := range o.configFiles() {
			others[file] = !contains(own.configFiles(), file)
		}
	}
	var configs []Text
	for _, t := range f.Configs {
		if !others[t.Path] {
			configs = append(configs, t)
		}
	}
	f.Configs = configs
	return f
}

// bound is the unit of a process, bound to the umbrella.
func (w *wanting) bound(u systemd.File, own *Service) systemd.File {
	u = u.Without("Install")
	u.Add("Unit", "PartOf", w.Unit())
	u.Add("Unit", "After", w.Unit())
	u.Add("Unit", "ReloadPropagatedFrom", w.Unit())
	types := u.Values("Service", "Type")
	if len(types) == 0 || contains([]string{"exec", "simple"}, types[len(types)-1]) {
		given := u.Values("Service", "ExecStartPost")
		for i, v := range given {
			if v == "" { // it resets the list
				given = given[i+1:]
				break
			}
		}
		u.Set("Service", "ExecStartPost", append([]string{systemd.Command(own.untilUp())}, given...))
	}
	return u
}

// untilUp is a command that waits until a process is up or has ended, for types
// with which systemd takes a program for started before it is up. It runs as
// the service's user. What a program of the user's own shows in its title is
// not known, so that is waited for as long as the proof does.
func (s *Service) untilUp() []string {
	const up, gone = `grep -qs "busy]" "/proc/$MAINPID/cmdline"`, `test -d "/proc/$MAINPID" || exit 1`
	script := fmt.Sprintf("until %s; do %s; sleep 0.2; done", up, gone)
	if s.ExecStart != nil {
		looks := s.window() / (200 * time.Millisecond)
		script = fmt.Sprintf("n=0; until %s; do %s; n=$((n+1)); test $n -le %d || exit 0; sleep 0.2; done", up, gone, looks)
	}
	return []string{"/bin/sh", "-c", script}
}

// umbrella is the unit that stands for all processes. Its time limits are at
// least as long as theirs. It stops as they do, too, for the moment in which it
// takes the place of a unit that had a process of its own.
func (w *wanting) umbrella(processes []systemd.File) systemd.File {
	var u systemd.File
	first := processes[0]
	carry := func(section, name string) {
		for _, v := range first.Values(section, name) {
			u.Add(section, name, v)
		}
	}
	u.Add("Unit", "Description", fmt.Sprintf("%s (%d processes)", w.Name, len(processes)))
	carry("Unit", "After")
	u.AddList("Unit", "Wants", append(first.List("Unit", "Wants"), w.instances()...))
	u.Add("Service", "Type", "oneshot")
	u.Add("Service", "RemainAfterExit", "yes")
	start := append([]string{w.facts.Systemctl, "start", "--job-mode=ignore-dependencies"}, w.instances()...)
	u.Add("Service", "ExecStart", systemd.Command(start))
	for _, unit := range w.instances() {
		u.Add("Service", "ExecStartPost", systemd.Command([]string{w.facts.Systemctl, "is-active", unit}))
	}
	u.Add("Service", "ExecReload", "/bin/true") // goes on to the processes
	if n := longest(processes, "TimeoutStartSec"); n > 0 {
		pause := max(60, longest(processes, "RestartSec")+30) // theirs may begin with the one before an automatic restart
		u.Add("Service", "TimeoutStartSec", strconv.Itoa(n+pause))
	}
	if n := longest(processes, "TimeoutStopSec"); n > 0 {
		u.Add("Service", "TimeoutStopSec", strconv.Itoa(n))
	}
	carry("Service", "KillMode")
	for _, e := range first {
		if e.Section == "Install" {
			u = append(u, e)
		}
	}
	return u
}

// longest is the largest number of seconds that a directive has in the units,
// or 0 where one of them has none.
func longest(units []systemd.File, name string) int {
	most := 0
	for _, u := range units {
		values := u.Values("Service", name)
		if len(values) == 0 {
			return 0
		}
		n, err := strconv.Atoi(values[len(values)-1])
		if err != nil {
			return 0
		}
		most = max(most, n)
	}
	return most
}

// serviceUnits are the rows of the service and its processes. What is wanted of
// the service is wanted of each process.
func (w *wanting) serviceUnits() []converge.Unit {
	service := w.unit(w.made)
	if w.several() && w.Sudo && w.KillAsked {
		w.warn("systemctl kill -s TSTP %s reaches no process, since each is a unit of its own: quiet all with systemctl reload %s, or one with systemctl kill -s TSTP %s",
			w.Name, w.Name, strings.TrimSuffix(w.instances()[0], ".service"))
	}
	units := []converge.Unit{w.umbrellaRow(service)}
	release := ""
	if w.RestartOnRelease {
		release = w.facts.Release
	}
	for _, i := range w.Instances {
		one := wanting{Service: *i.Own}
		units = append(units, converge.Unit{
			Name: w.Instance(i.Name), Of: w.Unit(), Enabled: converge.Off, Links: []converge.Link{},
			Activity: service.Activity, KeepStale: service.KeepStale, RunsIn: release, Proof: one.proof(),
		})
	}
	return append(units, w.leavingUnits(service)...)
}

// leavingUnits are the rows of the instances that go. One that is at work stays,
// with its file, for as long as the application is away, since nothing could
// take its place.
func (w *wanting) leavingUnits(service converge.Unit) []converge.Unit {
	var units []converge.Unit
	for _, name := range w.leaving() {
		u := converge.Unit{
			Name: w.Instance(name), Of: w.Unit(), Leaves: true, Enabled: converge.Off, Links: []converge.Link{},
			Activity: converge.Down, Proof: w.proof(),
		}
		switch service.Activity {
		case converge.Quiet:
			u.Activity = converge.Quiet
		case converge.Any:
			u.KeepStale = !w.facts.Deployed
		}
		units = append(units, u)
	}
	return units
}

// umbrellaRow is the row of the service itself; where there are several
// processes, the service is an umbrella.
func (w *wanting) umbrellaRow(service converge.Unit) converge.Unit {
	if !w.several() {
		return service
	}
	service.Umbrella = true
	if service.Activity == converge.Restarted {
		service.Activity, service.KeepStale = converge.Up, false
	}
	return service
}
