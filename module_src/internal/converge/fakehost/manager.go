// SPDX-License-Identifier: GPL-3.0-or-later

package fakehost

import (
	"context"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge"
)

// unit is what the manager knows of a unit, and its process.
type unit struct {
	name  string
	known *definition // as loaded; nil while the manager does not have it in memory
	proc  converge.Process
	from  string // what the process was started from
	quiet time.Time
	life  int // grows whenever the process becomes another
	job   *job

	queued bool // the job waits for another unit's
}

// definition is a unit as it was read from disk at one moment.
type definition struct {
	fragment string
	dropIns  []string
	content  string
	read     map[string]time.Time // the times of the files that it was read from
	enabled  bool                 // as UnitFileState= is kept until the next reload
}

type job struct{ result string }

func (j *job) end(result string) {
	if j != nil && j.result == "" {
		j.result = result
	}
}

func (u *unit) alive() bool {
	switch u.proc.ActiveState {
	case "active", "activating":
		return true
	}
	return false
}

func (h *Host) unit(name string) *unit {
	u, ok := h.units[name]
	if !ok {
		u = &unit{name: name, proc: converge.Process{ActiveState: "inactive", SubState: "dead"}}
		h.units[name] = u
	}
	return u
}

// unitDirs are the directories in which units are looked for, in the order of
// their precedence.
var unitDirs = []string{etcUnits, "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"}

var instance = regexp.MustCompile(`@[^.]+\.`)

// fragment is the path of a unit's file, or of its template's for an instance.
// It is "" where there is none.
func (h *Host) fragment(name string) string {
	for _, base := range []string{name, instance.ReplaceAllString(name, "@.")} {
		for _, dir := range unitDirs {
			if p := path.Join(dir, base); h.files[p].Exists {
				return p
			}
		}
	}
	return ""
}

// onDisk is a unit as it would be loaded now.
func (h *Host) onDisk(name string) definition {
	d := definition{fragment: h.fragment(name), read: map[string]time.Time{}}
	if d.fragment == "" {
		return d
	}
	d.enabled = len(h.linksOf(name)) > 0
	for _, p := range slices.Sorted(maps.Keys(h.files)) {
		if path.Dir(p) == path.Join(etcUnits, name+".d") && strings.HasSuffix(p, ".conf") {
			d.dropIns = append(d.dropIns, p)
		}
	}
	for _, p := range append([]string{d.fragment}, d.dropIns...) {
		d.content += h.files[p].Content
		d.read[p] = h.files[p].ModTime
	}
	return d
}

// known is a unit as the manager has it in memory, or would have it when asked.
func (h *Host) known(u *unit) definition {
	if u.known != nil {
		return *u.known
	}
	return h.onDisk(u.name)
}

// load makes the manager read a unit that it does not have in memory.
func (h *Host) load(u *unit) {
	if u.known == nil {
		d := h.onDisk(u.name)
		u.known = &d
	}
}

// reload makes the manager read all units again that it has in memory.
func (h *Host) reload() {
	for _, u := range h.units {
		u.known = nil
		h.load(u)
	}
}

// needReload is NeedDaemonReload=.
func (h *Host) needReload(u *unit) bool {
	if u.known == nil || u.known.fragment == "" {
		return false
	}
	disk := h.onDisk(u.name)
	if !slices.Equal(disk.dropIns, u.known.dropIns) {
		return true
	}
	for p, read := range u.known.read {
		now := h.files[p]
		if !now.Exists || now.ModTime.After(read) || h.ExactTimes && !now.ModTime.Equal(read) {
			return true
		}
	}
	return false
}

// Reload is one effect.
func (h *Host) Reload(context.Context) error { return h.effect("daemon-reload", h.reload) }

// Unit looks at a unit.
func (h *Host) Unit(_ context.Context, name string) (converge.Unit, error) {
	u := h.unit(name)
	h.load(u)
	look := converge.Unit{
		Name: name, Enabled: converge.Off, Links: h.linksOf(name),
		LoadState: "loaded", Fragment: u.known.fragment, DropIns: u.known.dropIns,
		Reload: h.needReload(u), Process: h.process(u), Activity: h.activity(u),
	}
	if u.known.fragment == "" {
		look.LoadState = "not-found"
	}
	if u.known.enabled {
		look.Enabled = converge.On
	}
	if u.proc.MainPID != 0 {
		look.Stale = h.stale(u)
	}
	return look, nil
}

// Process looks at the main process of a unit.
func (h *Host) Process(ctx context.Context, name string) (converge.Process, error) {
	h.Looks++
	return h.process(h.unit(name)), ctx.Err()
}

func (h *Host) process(u *unit) converge.Process {
	p := u.proc
	p.JobPending = u.job != nil && u.job.result == ""
	content := u.from
	if u.known != nil {
		content = u.known.content
	}
	p.StartLimit, p.StopLimit = span(setting(content, "TimeoutStartSec", "90")), span(setting(content, "TimeoutStopSec", "90"))
	p.Root = setting(content, "User", "") == "root" && setting(content, "Type", "") != "oneshot"
	if p.MainPID != 0 {
		p.Age = h.now.Sub(p.Started)
	}
	return p
}

func (h *Host) activity(u *unit) converge.Activity {
	p := u.proc
	switch {
	case p.SubState == "auto-restart":
		return converge.AutoRestart
	case p.ActiveState == "activating":
		return converge.Starting
	case p.ActiveState == "deactivating":
		return converge.Stopping
	case p.ActiveState != "active" && u.queued:
		return converge.Starting
	case p.ActiveState != "active":
		return converge.Down
	case p.Quiet && h.now.Sub(u.quiet) < span(setting(u.from, "TimeoutStopSec", "90")):
		return converge.Quieting
	case p.Quiet:
		return converge.Quiet
	case p.Ready, p.Type == "notify", p.SubState == "exited":
		return converge.Up
	}
	return converge.Starting
}

func (h *Host) stale(u *unit) []string {
	var newer []string
	names := append([]string{u.known.fragment}, u.known.dropIns...)
	for _, p := range append(names, settings(u.known.content, "EnvironmentFile")...) {
		if t := h.files[p].ModTime; t.After(u.proc.Started) && t.Before(h.now) {
			newer = append(newer, p)
		}
	}
	if len(newer) == 0 && h.needReload(u) {
		newer = append(newer, u.known.fragment)
	}
	return newer
}

// Run is one effect, except for a restart, which is a stop and a start. Waiting
// for the job is no effect: the job goes on when nobody waits any more.
func (h *Host) Run(ctx context.Context, name string, v converge.Verb, look func(converge.Process) error) error {
	u := h.unit(name)
	h.load(u)
	if v == converge.Forget {
		return h.effect(string(v)+" "+name, func() {
			if u.proc.ActiveState == "failed" {
				u.proc.ActiveState, u.proc.SubState = "inactive", "dead"
			}
		})
	}
	if u.known.fragment == "" && v != converge.Stop && !u.alive() {
		return fmt.Errorf("cannot %s %s: there is no such unit", v, name)
	}
	if v == converge.Stop || v == converge.Restart {
		if err := h.effect("stop "+name, func() { h.stop(u) }); err != nil {
			return err
		}
		if err := h.wait(ctx, u, v, look); err != nil {
			return err
		}
	}
	switch v {
	case converge.Start, converge.Restart:
		if err := h.effect("start "+name, func() { h.start(u) }); err != nil {
			return err
		}
	case converge.MakeQuiet:
		if err := h.effect("quiet "+name, func() { h.makeQuiet(u) }); err != nil {
			return err
		}
	}
	return h.wait(ctx, u, v, look)
}

// wait waits for the end of the unit's job.
func (h *Host) wait(ctx context.Context, u *unit, v converge.Verb, look func(converge.Process) error) error {
	j := u.job
	for j != nil && j.result == "" {
		for _, part := range append(h.parts(u), u) {
			if part.proc.Behind != 0 && (v == converge.Start || v == converge.Restart) {
				return &converge.BehindError{Unit: part.name, Process: h.process(part)}
			}
		}
		if err := h.Sleep(ctx, 100*time.Millisecond); err != nil {
			return fmt.Errorf("interrupted while waiting for %s to %s: %w", u.name, v, context.Cause(ctx))
		}
		if err := look(h.process(u)); err != nil {
			return err
		}
	}
	if j == nil || j.result == "done" {
		return nil
	}
	return &converge.JobError{Unit: u.name, Verb: v, Result: j.result}
}

// start starts a unit by hand. A unit that is up is left alone; for one that
// waits for its automatic restart, the restart is waited for.
func (h *Host) start(u *unit) {
	h.load(u)
	switch {
	case u.proc.ActiveState == "active":
		u.job = nil
	case u.proc.SubState == "auto-restart":
		u.job = &job{}
	case u.proc.ActiveState == "activating":
	case u.proc.ActiveState == "deactivating":
		u.job.end("canceled")
		u.job = &job{}
		h.end(u)
		h.spawn(u)
	default:
		u.job = &job{}
		u.proc.Restarts = 0
		wait := h.Behave(u.name, u.known.content).Queued
		if wait == 0 {
			h.spawn(u)
			return
		}
		u.queued = true
		h.later(u, wait, func() { h.spawn(u) })
	}
}

// Ahead is the unit that a start waits for where a [Behaviour] says Queued.
const Ahead = "slow.service"

// Cancel is one effect where the unit has a job. What is queued does not start;
// what has been started goes on.
func (h *Host) Cancel(_ context.Context, name string) (ahead []string, err error) {
	u := h.unit(name)
	if u.job == nil || u.job.result != "" {
		return nil, nil
	}
	if u.queued {
		ahead = []string{Ahead}
	}
	return ahead, h.effect("cancel "+name, func() {
		u.job.end("canceled")
		if u.queued {
			u.queued = false
			u.life++
		}
	})
}

// spawn runs the unit's program as the manager has it in memory.
func (h *Host) spawn(u *unit) {
	h.pids++
	u.life++
	u.queued = false
	u.from = u.known.content
	u.proc = converge.Process{
		ActiveState: "active", SubState: "running", Result: "success", Type: setting(u.from, "Type", "simple"),
		MainPID: h.pids, Invocation: fmt.Sprintf("%032x", h.pids), Started: h.now, Restarts: u.proc.Restarts,
	}
	if h.Unnumbered {
		u.proc.Invocation = ""
	}
	b := h.Behave(u.name, u.from)
	if b.Exec != 0 {
		b.Life, b.Exit = time.Millisecond, b.Exec
	}
	if b.Life > 0 {
		h.later(u, b.Life, func() { h.die(u, 1, b.Exit, "exit-code") })
	}
	switch u.proc.Type {
	case "oneshot":
		h.oneshot(u)
		return
	case "notify":
		u.proc.ActiveState, u.proc.SubState = "activating", "start"
		if limit := span(setting(u.from, "TimeoutStartSec", "90")); limit > 0 && !b.Extends {
			h.later(u, limit, func() {
				if u.proc.ActiveState == "activating" {
					h.die(u, 2, 15, "timeout")
				}
			})
		}
	case "exec", "simple":
		switch {
		case len(settings(u.from, "ExecStartPost")) > 0: // it waits until the program is up
			u.proc.ActiveState, u.proc.SubState = "activating", "start-post"
		case u.proc.Type == "simple" || b.Exec == 0:
			u.job.end("done")
		}
	default:
		u.job.end("done")
	}
	h.later(u, b.Boot, func() { h.booted(u, b) })
}

// booted makes the program say that it is ready.
func (h *Host) booted(u *unit, b Behaviour) {
	if b.Behind {
		u.proc.Behind = u.proc.MainPID + 1
	}
	if u.proc.Type == "notify" && (b.Mute || b.Behind) {
		return
	}
	u.proc.ActiveState, u.proc.SubState = "active", "running"
	u.job.end("done")
	if !b.Untitled && !b.Behind {
		u.proc.Ready, u.proc.Title = true, "sidekiq 7.3.2 app [0 of 5 busy]"
	}
}

// oneshot runs a command that starts other units and waits for them, if that is
// what the unit has. The command's end leaves the unit active, or failed where
// one of the others did not start, unless a dash before the command has the
// manager not care.
func (h *Host) oneshot(u *unit) {
	words := settings(u.from, "ExecStart")
	var jobs []*job
	for _, word := range words {
		if word != u.name && strings.HasSuffix(word, ".service") {
			part := h.unit(word)
			h.load(part)
			if part.known.fragment == "" {
				jobs = append(jobs, &job{result: "failed"})
				continue
			}
			h.start(part)
			jobs = append(jobs, part.job)
		}
	}
	u.proc.ActiveState, u.proc.SubState = "activating", "start"
	h.awaitParts(u, jobs, len(words) > 0 && strings.HasPrefix(words[0], "-"))
}

func (h *Host) awaitParts(u *unit, jobs []*job, careless bool) {
	failed := false
	for _, j := range jobs {
		switch {
		case j == nil:
		case j.result == "":
			h.later(u, 100*time.Millisecond, func() { h.awaitParts(u, jobs, careless) })
			return
		default:
			failed = failed || j.result != "done"
		}
	}
	if failed && !careless {
		h.die(u, 1, 1, "exit-code")
		return
	}
	u.proc.MainPID, u.proc.ActiveState, u.proc.SubState = 0, "active", "exited"
	u.job.end("done")
}

// die ends a process that nobody told to end.
func (h *Host) die(u *unit, code, status int, result string) {
	h.log[u.name] = append(h.log[u.name], fmt.Sprintf("%s: main process %d ended: code %d, status %d (%s)", u.name, u.proc.MainPID, code, status, result))
	u.life++
	u.job.end("failed")
	u.proc.MainPID, u.proc.Title, u.proc.Ready, u.proc.Quiet, u.proc.Behind = 0, "", false, false, 0
	u.proc.ExitCode, u.proc.ExitStatus, u.proc.Result = code, status, result
	if setting(u.from, "Restart", "no") != "always" {
		u.proc.ActiveState, u.proc.SubState = "failed", "failed"
		return
	}
	u.proc.ActiveState, u.proc.SubState = "activating", "auto-restart"
	h.later(u, span(setting(u.from, "RestartSec", "100ms")), func() {
		h.load(u)
		u.proc.Restarts++
		h.spawn(u)
	})
}

// parts are the units that are part of the unit.
func (h *Host) parts(u *unit) (parts []*unit) {
	for _, name := range slices.Sorted(maps.Keys(h.units)) {
		part := h.units[name]
		if part != u && slices.Contains(settings(h.known(part).content, "PartOf"), u.name) {
			parts = append(parts, part)
		}
	}
	return parts
}

// stop ends a process, or its restarting, and what is part of the unit, which is
// down only when that is.
func (h *Host) stop(u *unit) {
	parts := h.parts(u)
	for _, part := range parts {
		h.stop(part)
	}
	u.job.end("canceled")
	u.job = nil
	wait := h.Behave(u.name, u.from).Stop
	if u.proc.MainPID == 0 || wait == 0 {
		u.life++
		h.endAfter(u, parts)
		return
	}
	u.life++
	u.job = &job{}
	u.proc.ActiveState, u.proc.SubState = "deactivating", "stop-sigterm"
	h.later(u, wait, func() { h.end(u) })
}

func (h *Host) endAfter(u *unit, parts []*unit) {
	if !slices.ContainsFunc(parts, func(part *unit) bool { return part.proc.ActiveState == "deactivating" }) {
		h.end(u)
		return
	}
	if u.job == nil {
		u.job = &job{}
	}
	u.proc.ActiveState, u.proc.SubState = "deactivating", "stop"
	h.later(u, 100*time.Millisecond, func() { h.endAfter(u, parts) })
}

// end leaves a unit without a process.
func (h *Host) end(u *unit) {
	u.life++
	u.queued = false
	u.job.end("done")
	u.proc = converge.Process{ActiveState: "inactive", SubState: "dead", Result: "success", Type: u.proc.Type}
	if h.Forgetful {
		u.known = nil
	}
}

// makeQuiet tells a process to take no more jobs. A process that has not set
// its signal handlers yet is suspended by that, and never becomes ready.
func (h *Host) makeQuiet(u *unit) {
	if u.proc.MainPID == 0 || h.Behave(u.name, u.from).Deaf {
		return
	}
	u.quiet = h.now
	if !u.proc.Ready && u.proc.Title == "" && !h.Behave(u.name, u.from).Untitled {
		u.life++
		return
	}
	u.proc.Quiet, u.proc.Ready, u.proc.Title = true, false, "sidekiq 7.3.2 app [0 of 5 busy] stopping"
}
