// SPDX-License-Identifier: GPL-3.0-or-later

package converge

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/systemd"
)

// Diff works out what brings a host from have to want. It is pure: the same
// states give the same plan, and Diff(x, x) is empty.
func Diff(want, have State) Plan {
	p := Plan{was: State{Files: have.Files}, others: want.Others}
	all := familiesOf(want, have)
	changed := p.diffFiles(want, have, all)
	reload := false
	for _, f := range changed {
		reload = reload || f.Kind == UnitFile
	}
	for i := range want.Units {
		w := &want.Units[i]
		h, ok := have.Unit(w.Name)
		if !ok {
			h = Unit{Name: w.Name, Enabled: Off, Links: []Link{}, Activity: Down}
		}
		h.Proof, h.Umbrella = w.Proof, w.Umbrella
		p.was.Units = append(p.was.Units, h)
		in := all.of(w)
		reload = p.diffEnabled(w, &h) || reload
		pending := false
		if !want.describes(w.Name) {
			// Whether another's unit was changed is not this run's business.
			h.Stale = nil
		} else {
			unread := h.unread(want, have)
			pending = h.Reload || unread != ""
			if unread != "" && len(h.Stale) == 0 {
				h.Stale = []string{unread}
			}
			h.hollow(w)
		}
		p.diffActivity(w, &h, staleFiles(w, &h, changed), in)
		reload = reload || pending && (!want.AsIs || p.runs(w.Name))
		if w.Proof.NotBehind && h.Process.worksBehind() && !p.runs(w.Name) {
			p.warn("%s: %s", w.Name, w.Proof.Terms.SayBehind(h.Process))
		}
		if w.Proof.NotBehind && h.Process.Root && h.Activity.alive() && !p.runs(w.Name) {
			p.warn("%s: %s", w.Name, asRoot)
		}
	}
	if reload {
		p.Steps = append(p.Steps, ReloadManager{})
	}
	p.Steps = inOrder(p.Steps)
	return p
}

// describes reports whether one of the files is the unit's own.
func (s State) describes(unit string) bool {
	return slices.ContainsFunc(s.Files, func(f File) bool {
		return slices.Contains(f.Units, unit) || path.Base(f.Path) == unit
	})
}

// diffFiles plans the files and returns those whose content changes. A file of
// which only the mode or the owner changes keeps its time; otherwise its unit
// would look stale.
//
// The file of a unit that leaves stays for as long as the unit does: without it,
// the manager would no longer know what stops it.
func (p *Plan) diffFiles(want, have State, all families) (changed []File) {
	if want.AsIs {
		return nil
	}
	for _, w := range want.Files {
		if !w.Exists && all.stay(w.Units) {
			continue
		}
		h, ok := have.File(w.Path)
		if !ok {
			h = File{Path: w.Path, Kind: w.Kind, Secret: w.Secret, OwnDirectory: w.OwnDirectory}
		}
		if w.Same(h) {
			continue
		}
		if w.Content != h.Content || w.Exists != h.Exists {
			if reloadIsEnough(w, h) {
				w.ModTime = h.ModTime.Add(time.Millisecond)
			}
			changed = append(changed, w)
		} else {
			w.ModTime = h.ModTime
		}
		w.Label = h.Label
		if w.Exists && h.ACL != "" {
			p.warn("%s has an access control list (getfacl shows it), which the new file does not get: it may let others write there.", w.Path)
		}
		p.Steps = append(p.Steps, PutFile{Was: h, Want: w})
	}
	return changed
}

// reloadIsEnough reports whether a unit file changes in nothing but what a
// running process follows once the manager has read the file again. Such a file
// gets a time right after that of the one it replaces: late enough that the
// manager has to read it, also in the eyes of a later run where this one is
// killed, and no later than the process that was started since.
func reloadIsEnough(w, h File) bool {
	return w.Kind == UnitFile && w.Exists && h.Exists && systemd.OnlyReload(h.Content, w.Content)
}

// unread is the file of a unit where the manager goes by another one, or says
// that there is none, although the file exists. In that case the manager looked
// before the file was there, and whatever runs was not started from it. Newer
// versions look again when the unit is started, older ones only when they are
// told to reload.
func (u *Unit) unread(want, have State) string {
	for _, w := range want.Files {
		f, _ := have.File(w.Path)
		ours := f.Exists && w.Exists && w.Kind == UnitFile && slices.Contains(w.Units, u.Name)
		if ours && (u.LoadState == "not-found" || u.Fragment != "" && !systemd.SamePath(u.Fragment, w.Path)) {
			return w.Path
		}
	}
	return ""
}

// diffEnabled reports whether it planned anything.
func (p *Plan) diffEnabled(w, h *Unit) bool {
	if w.Enabled == "" {
		return false
	}
	sameLinks := w.Links == nil || slices.Equal(w.Links, h.Links)
	if w.Enabled == h.Enabled && sameLinks {
		return false
	}
	p.Steps = append(p.Steps, SetEnabled{Was: *h, Want: *w})
	return true
}

// staleFiles are the files that would be newer than the unit's process once
// the changed ones have been written.
func staleFiles(w, h *Unit, changed []File) []string {
	stale := slices.Clone(h.Stale)
	for _, f := range changed {
		if f.Exists && f.ModTime.IsZero() && slices.Contains(f.Units, w.Name) && !slices.Contains(stale, f.Path) {
			stale = append(stale, f.Path)
		}
	}
	return stale
}

// hasProcess reports whether there is a main process that could be stale.
func (a Activity) hasProcess() bool {
	switch a {
	case Up, Starting, Quieting, Quiet:
		return true
	}
	return false
}

// hollow counts a unit as down that is active without a process and is wanted to
// have one: it stood for others once. A run that was killed has written its new
// file, and the manager goes by the old one.
func (h *Unit) hollow(w *Unit) {
	if !w.Umbrella && w.Activity != Down && h.Activity == Up && h.Process.MainPID == 0 && (h.Process.SubState == "exited" || h.Process.ActiveState == "active") {
		h.Activity = Hollow
	}
}

// settle counts a process as up that shows nothing in its title and has been
// running for at least as long as it would be watched. Nothing more can be seen
// of such a process, and waiting again would not show more.
func (h *Unit) settle(proof Proof) {
	if h.Activity == Starting && h.Process.MainPID != 0 && !proof.Titled && proof.Window > 0 && h.Process.Age >= proof.Window {
		h.Activity = Up
	}
}

// diffActivity plans what is done to the unit's process, if anything.
func (p *Plan) diffActivity(w, h *Unit, stale []string, in *family) {
	h.settle(w.Proof)
	if w.Umbrella && !h.ownProcess() {
		stale = nil // nothing runs that its file describes
	}
	run := func(v Verb, why string) {
		step := RunUnit{Unit: w.Name, Verb: v, Was: *h, Why: why, Proof: w.Proof, Of: w.Of}
		if w.Umbrella {
			step.Parts, step.PartsUp, step.PartsDown, step.limit = in.parts, in.running, in.down, in.limit
		}
		p.Steps = append(p.Steps, step)
		if v == Start || v == Restart {
			p.Proofs = append(p.Proofs, *w)
		}
	}
	switch {
	case w.Leaves && w.stays(h):
		if w.Activity == Quiet && h.Activity.hasProcess() {
			run(MakeQuiet, "")
		} else if w.Activity != Quiet {
			p.warn("%s is still running and is no longer wanted; it is left until what takes its place can be started. Run this again then.", w.Name)
		}
	case w.Leaves:
		if h.Activity != Down {
			run(Stop, "")
		}
	case in.waits(w, h):
		// A restart of the service by somebody else starts it.
	default:
		p.diffWanted(w, h, stale, in, run)
	}
}

// diffWanted plans what is done to the process of a unit that is wanted for
// itself.
func (p *Plan) diffWanted(w, h *Unit, stale []string, in *family, run func(Verb, string)) {
	switch w.Activity {
	case Up:
		if v, why := p.bringUp(w, h, stale); v != "" {
			run(v, why)
		} else if h.Activity == Starting && !h.Process.worksBehind() {
			p.Proofs = append(p.Proofs, *w)
		}
	case Restarted:
		if w.Of != "" && !h.Activity.alive() {
			run(Start, "") // unless the unit that stands for it has started it
		} else {
			run(Restart, "")
		}
	case Quiet:
		p.makeQuiet(w, h, stale, run)
	case Down:
		if h.Activity != Down {
			run(Stop, "")
		}
	case Any:
		switch {
		case p.outdated(w, h, stale):
			run(Restart, olderThan(stale))
		case w.elsewhere(h) != "":
			run(Restart, w.elsewhere(h))
		case h.Activity == Hollow && (!w.KeepStale || in.ending):
			run(Restart, hollowWhy)
		case !h.Activity.alive() && in.replaces(w):
			run(Start, "it takes the place of what was running")
		}
	}
}

func (p *Plan) makeQuiet(w, h *Unit, stale []string, run func(Verb, string)) {
	switch {
	case w.Umbrella && !h.ownProcess(): // each of the others is quieted itself
	case h.Activity.hasProcess():
		kept := *w
		kept.KeepStale = true
		p.outdated(&kept, h, stale)
		run(MakeQuiet, "")
	default:
		p.warn("%s is not running, so there is nothing to quiet.", w.Name)
	}
}

const hollowWhy = "it is active and has no process"

// bringUp decides how a unit gets up. An empty verb means that it is up, or on
// its way without our help.
func (p *Plan) bringUp(w, h *Unit, stale []string) (v Verb, why string) {
	if p.outdated(w, h, stale) {
		return Restart, olderThan(stale)
	}
	if why := w.elsewhere(h); why != "" {
		return Restart, why
	}
	switch h.Activity {
	case Down, Stopping:
		return Start, ""
	case Hollow:
		return Restart, hollowWhy
	case AutoRestart:
		return Restart, "it is dead and waits for its next automatic restart"
	case Quiet:
		return Restart, w.Proof.Terms.Quiet
	case Quieting:
		p.warn("%s was told to be quiet just now, %s; it is left alone. If it stays quiet, run this again.", w.Name, w.Proof.Terms.Quieting)
	}
	return "", ""
}

// outdated reports whether the unit's process has to be replaced by one that
// its present files describe.
func (p *Plan) outdated(w, h *Unit, stale []string) bool {
	if len(stale) == 0 || !h.Activity.hasProcess() {
		return false
	}
	if w.KeepStale {
		p.warn("%s is still running and is older than %s; restart it to bring the change into effect.", w.Name, strings.Join(stale, ", "))
	}
	return !w.KeepStale
}

// elsewhere says that the process runs in another directory than the one it has
// to run in, or "". Whoever has just told it to be quiet is about to restart it.
func (w *Unit) elsewhere(h *Unit) string {
	if w.RunsIn == "" || !h.Activity.hasProcess() || h.Activity == Quieting ||
		h.RunsIn == w.RunsIn || path.Dir(h.RunsIn) != path.Dir(w.RunsIn) {
		return ""
	}
	return "it runs in " + h.RunsIn + ", and " + w.RunsIn + " " + w.Proof.Terms.RunsIn
}

func olderThan(stale []string) string { return "it is older than " + strings.Join(stale, ", ") }

func (p *Plan) warn(format string, args ...any) {
	p.Warnings = append(p.Warnings, fmt.Sprintf(format, args...))
}
