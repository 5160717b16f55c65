// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/ansible"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/host"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/results"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/sidekiq"
)

// info is a run of the module sidekiq_service_info: it looks and tells.
func (p program) info(ctx context.Context, req ansible.Request) (results.Info, error) {
	service, err := sidekiq.ParseInfo(req)
	if err != nil {
		return results.Info{}, err
	}
	h, err := p.open(ctx, host.Options{UnitDir: service.UnitDir, Check: true})
	if err != nil {
		return results.Info{}, interruption(ctx, err)
	}
	defer h.Close()
	found, err := h.Inspect(ctx, service)
	if err != nil {
		return results.Info{}, interruption(ctx, err)
	}
	return infoOf(service, found), nil
}

func infoOf(s sidekiq.Service, found sidekiq.Report) results.Info {
	i := results.Info{
		Shadowed: []string{}, Template: found.Template, DropIns: orEmpty(sidekiq.DropIns(found.Service.Unit)),
		Enablement: found.Enablement, ReloadPending: found.Service.Reload,
		ActiveState: found.Service.Process.ActiveState, SubState: found.Service.Process.SubState,
		Up: len(found.Processes) > 0, Processes: []results.Process{}, RestartReasons: []string{},
		Current: found.Dir, Release: found.Release, Deployed: found.Facts.Deployed, SidekiqVersion: orNull(found.Facts.SidekiqVersion()),
		Warnings: found.Warnings,
	}
	reading := found.Reading()
	i.Options, i.NoOption = reading.Shown(), orEmpty(reading.NoOption)
	found.Place(s.Name, i.Options)
	i.Warnings = append(i.Warnings, found.Behind(reading)...)
	if len(found.UnitFiles) > 0 {
		i.Unit, i.Shadowed = found.UnitFiles[0], orEmpty(found.UnitFiles[1:])
		i.WrittenBy, i.Project = writer(found.Content)
	}
	if found.Sudoers.Found {
		i.Sudoers = s.SudoersFile
	}
	for n := range found.Processes {
		p := &found.Processes[n]
		process := processOf(&found, p)
		process.Name, _ = s.InstanceOf(p.Name)
		for _, file := range sidekiq.DropIns(p.Unit) {
			if !slices.Contains(i.DropIns, file) {
				i.DropIns = append(i.DropIns, file)
			}
		}
		i.Processes = append(i.Processes, process)
		i.Up = i.Up && process.Up
		i.RestartNeeded = i.RestartNeeded || process.RestartNeeded
		for _, reason := range process.RestartReasons {
			i.RestartReasons = append(i.RestartReasons, p.Name+": "+reason)
		}
	}
	if found.Redis != "" {
		i.Redis = &results.Redis{Unit: found.Redis, ActiveState: found.RedisState, Version: orNull(found.RedisVersion)}
	}
	hideIn(&i, found.Mask(s, reading))
	if found.Asked {
		i.Sudo = &results.Sudo{User: found.User, Commands: orEmpty(found.Commands), Everything: found.All, Rules: orEmpty(found.Rules)}
	}
	return i
}

// hideIn takes the values of variables out of every text that may hold some.
func hideIn(i *results.Info, mask *sidekiq.Mask) {
	for _, name := range ansible.SortedKeys(i.Options) {
		shown := fmt.Sprint(i.Options[name])
		if i.Options[name] = mask.Hide(i.Options[name]); fmt.Sprint(i.Options[name]) != shown {
			i.NoOption = append(i.NoOption, name+" holds the value of a variable, which is hidden: take it from "+i.Unit)
		}
	}
	lists := [][]string{i.NoOption, i.RestartReasons, i.Warnings}
	for n := range i.Processes {
		i.Processes[n].Title = mask.Text(i.Processes[n].Title)
		lists = append(lists, i.Processes[n].RestartReasons)
	}
	for _, list := range lists {
		for n, text := range list {
			list[n] = mask.Text(text)
		}
	}
}

func processOf(found *sidekiq.Report, p *sidekiq.UnitReport) results.Process {
	out := results.Process{
		Unit: p.Name, ActiveState: p.Process.ActiveState, SubState: p.Process.SubState,
		MainPID: p.Process.MainPID, Title: p.Process.Title, Memory: int(p.Memory), Restarts: counted(p.Process),
		Up: p.Activity == converge.Up && p.Process.MainPID != 0, Quiet: isQuiet(&p.Unit),
		Release: p.Release, SidekiqVersion: orNull(sidekiq.ReadTitle(p.Process.Title).Version),
		RestartReasons: orEmpty(found.RestartReasons(p)),
	}
	out.RestartNeeded = len(out.RestartReasons) > 0
	if p.Since.Unix() > 0 {
		out.Since = p.Since.UTC().Format(time.RFC3339)
	}
	return out
}

// writer says who wrote a unit file, and for which project.
func writer(content string) (who, project string) {
	project, origin := sidekiq.OriginOf(content)
	switch origin {
	case sidekiq.Ours:
		return "collection", project
	case sidekiq.OldRole:
		return "old_role", project
	}
	return "other", ""
}

// orEmpty is a copy of l that is never nil, which JSON would call null.
func orEmpty(l []string) []string { return append([]string{}, l...) }

// counted is how often a process was started again, or nil.
func counted(p converge.Process) *int {
	if p.Uncounted {
		return nil
	}
	return &p.Restarts
}

// orNull is a pointer to s, or nil, which JSON calls null, where s is empty
// because it is not known.
func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
