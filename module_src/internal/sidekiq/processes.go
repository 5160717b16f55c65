// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"fmt"
	"path"
	"strconv"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/systemd"
)

// Several processes of one application are instances of a template,
// sidekiq@1.service and so on, below an umbrella that has the service's own
// name: there is one name for Capistrano, for sudo and for people.
//
// The umbrella is a oneshot unit whose command starts the instances. They are
// PartOf= it, so that they stop and restart with it, and After= it, so that
// its stop waits for theirs. Its start waits for theirs because its command
// does; that command must ignore the ordering, or it would wait for itself.

// Template is the name of the instances' unit file.
func (s Service) Template() string { return s.Name + "@.service" }

// TemplatePath is where that file is.
func (s Service) TemplatePath() string { return path.Join(s.UnitDir, s.Template()) }

// instance is the name of the i-th process, from 1 on.
func (s Service) instance(i int) string { return s.Name + "@" + strconv.Itoa(i) + ".service" }

// instances are the names of all processes, or none where there is only one,
// which then is the service itself.
func (s Service) instances() []string {
	if s.Processes == 1 {
		return nil
	}
	names := make([]string, s.Processes)
	for i := range names {
		names[i] = s.instance(i + 1)
	}
	return names
}

// surplus are the instances that the manager knows and that are no longer
// wanted. Instances of somebody else's template are left alone.
func (w *wanting) surplus() []string {
	if !w.facts.OurTemplate {
		return nil
	}
	wanted := w.instances()
	if w.State == Absent {
		wanted = nil
	}
	var names []string
	for _, i := range w.facts.Instances {
		if name := w.instance(i); !contains(wanted, name) {
			names = append(names, name)
		}
	}
	return names
}

// unitFiles are the rows of the service's unit files, where u is the unit of
// one process.
func (w *wanting) unitFiles(u systemd.File) []converge.File {
	if w.Processes == 1 {
		files := []converge.File{w.unitFile(w.UnitPath(), u, w.Unit())}
		if w.facts.OurTemplate {
			files = append(files, converge.File{Path: w.TemplatePath(), Kind: converge.UnitFile})
		}
		return files
	}
	return []converge.File{
		w.unitFile(w.TemplatePath(), w.template(u), w.instances()...),
		w.unitFile(w.UnitPath(), w.umbrella(u), w.Unit()),
	}
}

// template is the unit of one process among several.
func (w *wanting) template(u systemd.File) systemd.File {
	u = u.Without("Install")
	u.Set("Unit", "Description", []string{w.Name + " process %i"})
	u.Add("Unit", "PartOf", w.Unit())
	u.Add("Unit", "After", w.Unit())
	u.Add("Unit", "ReloadPropagatedFrom", w.Unit())
	return u
}

// umbrella is the unit that stands for all processes. Its time limits are at
// least as long as theirs. It stops as they do, too, for the moment in which it
// takes the place of a unit that had a process of its own.
func (w *wanting) umbrella(one systemd.File) systemd.File {
	var u systemd.File
	carry := func(section, name string) {
		for _, v := range one.Values(section, name) {
			u.Add(section, name, v)
		}
	}
	u.Add("Unit", "Description", fmt.Sprintf("%s (%d processes)", w.Name, w.Processes))
	carry("Unit", "After")
	carry("Unit", "Wants")
	u.Add("Service", "Type", "oneshot")
	u.Add("Service", "RemainAfterExit", "yes")
	start := append([]string{w.facts.Systemctl, "start", "--job-mode=ignore-dependencies"}, w.instances()...)
	u.Add("Service", "ExecStart", "-"+systemd.Command(start)) // a broken instance does not take the others down
	u.Add("Service", "ExecReload", "/bin/true")               // goes on to the instances
	carry("Service", "TimeoutStartSec")
	carry("Service", "TimeoutStopSec")
	carry("Service", "KillMode")
	for _, e := range one {
		if e.Section == "Install" {
			u = append(u, e)
		}
	}
	return u
}

// processUnits are the rows of the instances. What is wanted of the service is
// wanted of each of them. They are restarted one after the other, so that the
// others go on working meanwhile.
func (w *wanting) processUnits(service converge.Unit) []converge.Unit {
	var units []converge.Unit
	for _, name := range w.instances() {
		units = append(units, converge.Unit{
			Name: name, Activity: service.Activity, KeepStale: service.KeepStale, Proof: service.Proof,
		})
	}
	for _, name := range w.surplus() {
		units = append(units, converge.Unit{Name: name, Activity: converge.Down, Proof: service.Proof})
	}
	return units
}

// umbrellaRow is the row of the service itself; where there are several
// processes, the service is an umbrella.
func (w *wanting) umbrellaRow(service converge.Unit) converge.Unit {
	if w.Processes == 1 {
		return service
	}
	service.Umbrella = true
	switch service.Activity {
	case converge.Restarted:
		service.Activity = converge.Up
	case converge.Quiet:
		service.Activity = converge.Any
	}
	return service
}
