// SPDX-License-Identifier: GPL-3.0-or-later

// Package fakehost is a host in memory: files, links, a systemd that loads
// units and runs processes, and a clock that only moves when somebody waits. It
// is for tests of whatever works on a [converge.Host].
//
// It behaves as systemd does wherever a converge could go wrong. What runs is
// what the manager had loaded when the process was started, not what is on
// disk. A unit that always restarts is started again and again. A start under
// Type=simple is done at once, whatever becomes of the program, and a start
// under Type=notify waits. [Behaviour] says what the programs do.
//
// Every change consists of effects, the smallest parts in which it can happen.
// Each effect can be made to fail, or to be the last thing that the process
// under test does; see [Host.Fault].
//
// Of dependencies between units it knows only PartOf= and the commands of a
// oneshot unit that start others. It knows nothing of slices, sockets or
// timers, and its sudo gives every grant that [Host.Denied] does not deny.
package fakehost

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/sudo"
)

// Host is a host in memory. It is not safe for use by several goroutines.
type Host struct {
	// Fault decides what becomes of the n-th effect, counted from 1. Where it
	// is nil, every effect is done.
	Fault func(n int, what string) Outcome

	// OnEffect is called after each effect that was done.
	OnEffect func(n int, what string)

	// Behave says what a program does; by default the function of that name.
	Behave func(unit, content string) Behaviour

	// ExactTimes makes the manager compare the times of unit files as systemd
	// did before 240: a time that is different, not only one that is newer,
	// means that the file has to be read again.
	ExactTimes bool

	// Forgetful makes the manager unload a unit when it goes down, and load it
	// again when somebody asks for it.
	Forgetful bool

	// Unnumbered makes the manager number no runs of a unit, as systemd did not
	// before 232.
	Unnumbered bool

	Denied    error // what ProveGrants says
	VerifyErr error // what Verify says

	Effects []string // done or tried, in order
	Proven  []sudo.Grant
	Looks   int // at processes

	files  map[string]converge.File
	links  map[string]string
	units  map[string]*unit
	log    map[string][]string
	now    time.Time
	timers []timer
	pids   int
}

var _ converge.Host = (*Host)(nil)

// New is a host without any file or unit.
func New() *Host {
	return &Host{
		Behave: func(_, content string) Behaviour { return Behave(content) },
		files:  map[string]converge.File{},
		links:  map[string]string{},
		units:  map[string]*unit{},
		log:    map[string][]string{},
		now:    time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
		pids:   1000,
	}
}

// Outcome is what becomes of an effect.
type Outcome int

// Outcomes.
const (
	Done         Outcome = iota
	Refused              // it fails, and has not happened
	Botched              // it fails, although it has happened
	KilledBefore         // the process under test is killed before it
	KilledAfter          // or right after it
)

// ErrFault is the error of effects that were made to fail.
var ErrFault = errors.New("made to fail")

// killed is the value that the fake panics with to end the process under test.
type killed struct{}

// Survives runs something and reports whether it was not killed.
func Survives(run func()) (survived bool) {
	defer func() {
		if r := recover(); r != nil {
			if _, ok := r.(killed); !ok {
				panic(r)
			}
		}
	}()
	run()
	return true
}

// effect is one change; every change of the process under test is one.
func (h *Host) effect(what string, change func()) error {
	h.Pass(time.Millisecond)
	h.Effects = append(h.Effects, what)
	n := len(h.Effects)
	outcome := Done
	if h.Fault != nil {
		outcome = h.Fault(n, what)
	}
	switch outcome {
	case Refused:
		return fmt.Errorf("%s: %w", what, ErrFault)
	case KilledBefore:
		panic(killed{})
	}
	change()
	if h.OnEffect != nil {
		h.OnEffect(n, what)
	}
	switch outcome {
	case Botched:
		return fmt.Errorf("%s: %w", what, ErrFault)
	case KilledAfter:
		panic(killed{})
	}
	return nil
}

// File looks at a file.
func (h *Host) File(_ context.Context, name string) (converge.File, error) {
	if target, ok := h.links[name]; ok {
		return converge.File{Path: name, Exists: true, Mode: 0o777, Irregular: "a symbolic link to " + target}, nil
	}
	f, ok := h.files[name]
	if !ok {
		return converge.File{Path: name}, nil
	}
	return f, nil
}

// Put writes a temporary file and renames it, or removes the file.
func (h *Host) Put(_ context.Context, f converge.File) error {
	if !f.Exists {
		if _, ok := h.files[f.Path]; !ok {
			return nil
		}
		return h.effect("remove "+f.Path, func() { delete(h.files, f.Path) })
	}
	temporary := path.Join(path.Dir(f.Path), "."+path.Base(f.Path)+"12345")
	written := observed(f)
	defer func() {
		if r := recover(); r != nil {
			panic(r) // a killed process cleans nothing up
		}
		delete(h.files, temporary)
	}()
	if err := h.effect("write "+temporary, func() {
		if written.ModTime.IsZero() {
			written.ModTime = h.now
		}
		h.files[temporary] = converge.File{Path: temporary, Exists: true, Content: written.Content[:len(written.Content)/2], Mode: 0o600, ModTime: h.now}
	}); err != nil {
		return err
	}
	return h.effect("rename to "+f.Path, func() {
		delete(h.files, temporary)
		h.files[f.Path] = written
	})
}

// observed is a file in the form in which a look at it shows it.
func observed(f converge.File) converge.File {
	return converge.File{Path: f.Path, Exists: true, Content: f.Content, Mode: f.Mode, UID: f.UID, GID: f.GID, ModTime: f.ModTime, Label: f.Label, ACL: f.ACL}
}

const etcUnits = "/etc/systemd/system"

// linksOf are the links that enable a unit.
func (h *Host) linksOf(name string) []converge.Link {
	links := []converge.Link{}
	for at, target := range h.links {
		if path.Base(at) == name && strings.HasSuffix(path.Dir(at), ".wants") {
			links = append(links, converge.Link{Path: at, Target: target})
		}
	}
	slices.SortFunc(links, converge.Link.Compare)
	return links
}

// Enable removes and makes links one by one.
func (h *Host) Enable(_ context.Context, u converge.Unit) error {
	fragment := h.fragment(u.Name)
	if u.Enabled == converge.On && fragment == "" {
		return fmt.Errorf("cannot enable %s: there is no such unit", u.Name)
	}
	want := u.Links
	if want == nil && u.Enabled == converge.On {
		for _, target := range settings(h.onDisk(u.Name).content, "WantedBy") {
			want = append(want, converge.Link{Path: path.Join(etcUnits, target+".wants", u.Name), Target: fragment})
		}
	}
	have := h.linksOf(u.Name)
	for _, l := range have {
		if slices.Contains(want, l) {
			continue
		}
		if err := h.effect("unlink "+l.Path, func() { delete(h.links, l.Path) }); err != nil {
			return err
		}
	}
	for _, l := range want {
		if slices.Contains(have, l) {
			continue
		}
		if err := h.effect("link "+l.Path, func() { h.links[l.Path] = l.Target }); err != nil {
			return err
		}
	}
	return nil
}

// Verify says what the test has told it to say.
func (h *Host) Verify(context.Context, []converge.File, bool) (converge.Verdict, error) {
	return converge.Verdict{}, h.VerifyErr
}

// ProveGrants accepts every grant unless the test says otherwise.
func (h *Host) ProveGrants(ctx context.Context, grants []sudo.Grant, _ converge.Verdict) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	h.Proven = append(h.Proven, grants...)
	return h.Denied
}

// Traces are how the unit's processes ended.
func (h *Host) Traces(_ context.Context, name string, _ converge.Process, _ time.Time) converge.Traces {
	return converge.Traces{Log: slices.Clone(h.log[name])}
}

// What follows is done by somebody other than the process under test, and so is
// no effect.

// Write makes somebody else write a file.
func (h *Host) Write(name, content string, mode fs.FileMode) {
	h.files[name] = converge.File{Path: name, Exists: true, Content: content, Mode: mode, ModTime: h.now}
}

// Own makes somebody else give a file another owner.
func (h *Host) Own(name string, uid, gid int) {
	f := h.files[name]
	f.UID, f.GID = uid, gid
	h.files[name] = f
}

// Remove makes somebody else remove a file or a link.
func (h *Host) Remove(name string) {
	delete(h.files, name)
	delete(h.links, name)
}

// Mark makes somebody else give a file a label and an access control list.
func (h *Host) Mark(name, label, list string) {
	f := h.files[name]
	f.Label, f.ACL = label, list
	h.files[name] = f
}

// Link makes somebody else create a symbolic link.
func (h *Host) Link(name, target string) { h.links[name] = target }

// DaemonReload makes somebody else reload the manager.
func (h *Host) DaemonReload() { h.reload() }

// Systemctl makes somebody else start, stop, restart or quiet a unit, and does
// not wait for it.
func (h *Host) Systemctl(v converge.Verb, name string) {
	u := h.unit(name)
	switch v {
	case converge.Start:
		h.start(u)
	case converge.Stop:
		h.stop(u)
	case converge.Restart:
		h.stop(u)
		h.start(u)
	case converge.MakeQuiet:
		h.makeQuiet(u)
	}
}

// Kill makes somebody else kill the main process of a unit.
func (h *Host) Kill(name string, signal int) {
	if u := h.unit(name); u.proc.MainPID != 0 {
		h.die(u, 2, signal, "signal")
	}
}

// Snapshot is what a host is like, for comparisons: what has to be as before
// after a rollback, and what a plan announces.
type Snapshot struct {
	Files map[string]converge.File
	Links map[string]string
	Units map[string]Running
}

// Running is a unit in a Snapshot.
type Running struct {
	Alive      bool   // runs, or will by itself
	Loaded     string // what would be started
	Enabled    bool   // as the manager has it in memory
	Unread     bool   // the manager has to be reloaded to know the unit as it is
	PID        int
	From       string // what the process was started from
	Quiet      bool
	Activating bool // not yet up
}

// Snapshot is what the host is like now.
func (h *Host) Snapshot() Snapshot {
	s := Snapshot{Files: maps.Clone(h.files), Links: maps.Clone(h.links), Units: map[string]Running{}}
	for name, u := range h.units {
		known := h.known(u)
		r := Running{Loaded: known.content, Enabled: known.enabled, Unread: h.needReload(u), PID: u.proc.MainPID}
		if u.proc.MainPID != 0 {
			r.From = u.from
		}
		r.Alive = u.alive()
		r.Activating = u.proc.ActiveState == "activating"
		r.Quiet = u.proc.Quiet
		s.Units[name] = r
	}
	return s
}
