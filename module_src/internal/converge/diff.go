// SPDX-License-Identifier: GPL-3.0-or-later

package converge

import (
	"fmt"
	"slices"
	"strings"
)

// Diff works out what brings a host from have to want. It is pure: the same
// states give the same plan, and Diff(x, x) is empty.
func Diff(want, have State) Plan {
	var p Plan
	changed := p.diffFiles(want, have)
	reload := false
	for _, f := range changed {
		reload = reload || f.Kind == UnitFile
	}
	for _, w := range want.Units {
		h, _ := have.Unit(w.Name)
		h.Name = w.Name
		reload = p.diffEnabled(w, h) || reload || h.Reload
		p.diffActivity(w, h, staleFiles(w, h, changed))
	}
	if reload {
		p.Steps = append(p.Steps, ReloadManager{})
	}
	p.Steps = inOrder(p.Steps)
	return p
}

// diffFiles plans the files and returns those whose content changes.
func (p *Plan) diffFiles(want, have State) (changed []File) {
	for _, w := range want.Files {
		h, ok := have.File(w.Path)
		if !ok {
			h = File{Path: w.Path, Kind: w.Kind}
		}
		if w.Same(h) {
			continue
		}
		p.Steps = append(p.Steps, PutFile{Was: h, Want: w})
		if w.Content != h.Content || w.Exists != h.Exists {
			changed = append(changed, w)
		}
	}
	return changed
}

// diffEnabled reports whether it planned anything.
func (p *Plan) diffEnabled(w, h Unit) bool {
	if w.Enabled == "" {
		return false
	}
	sameLinks := w.Links == nil || slices.Equal(w.Links, h.Links)
	if w.Enabled == h.Enabled && sameLinks {
		return false
	}
	p.Steps = append(p.Steps, SetEnabled{Was: h, Want: w})
	return true
}

// staleFiles are the files that would be newer than the unit's process once
// the changed ones have been written.
func staleFiles(w, h Unit, changed []File) []string {
	stale := slices.Clone(h.Stale)
	for _, f := range changed {
		if f.Exists && slices.Contains(f.Units, w.Name) && !slices.Contains(stale, f.Path) {
			stale = append(stale, f.Path)
		}
	}
	return stale
}

// running reports whether there is a main process that could be stale.
func (a Activity) running() bool {
	switch a {
	case Up, Starting, Draining, Quiet:
		return true
	}
	return false
}

// diffActivity plans what is done to the unit's process, if anything.
func (p *Plan) diffActivity(w, h Unit, stale []string) {
	run := func(v Verb, why string) {
		p.Steps = append(p.Steps, RunUnit{Unit: w.Name, Verb: v, Was: h, Why: why, Proof: w.Proof})
	}
	switch w.Activity {
	case Up:
		if v, why := p.bringUp(w, h, stale); v != "" {
			run(v, why)
		} else if h.Activity != Starting {
			return
		}
	case Fresh:
		run(Restart, "")
	case Quiet:
		if h.Activity.running() {
			run(Hush, "")
		} else {
			p.warn("%s is not running, so there is nothing to quiet.", w.Name)
		}
		return
	case Down:
		if h.Activity != Down {
			run(Stop, "")
		}
		return
	case Any:
		p.leave(w, h, stale)
		return
	}
	p.Proofs = append(p.Proofs, w)
}

// bringUp decides how a unit gets up; no verb means that it is up, or on its
// way without us.
func (p *Plan) bringUp(w, h Unit, stale []string) (v Verb, why string) {
	if len(stale) > 0 && h.Activity.running() {
		if !w.KeepStale {
			return Restart, "it is older than " + strings.Join(stale, ", ")
		}
		p.warnStale(w, stale)
	}
	switch h.Activity {
	case Down, Stopping:
		return Start, ""
	case Looping:
		return Restart, "it is dead and waits for its next automatic restart"
	case Quiet:
		return Restart, "it has been quiet for long and takes no jobs"
	case Draining:
		p.warn("%s was told to be quiet just now, by a deploy it seems; it is left alone. If it stays quiet, run this again.", w.Name)
	}
	return "", ""
}

// leave plans nothing for a process that is left as it is, but for a restart
// that its changed files call for.
func (p *Plan) leave(w, h Unit, stale []string) {
	if len(stale) == 0 || !h.Activity.running() {
		return
	}
	if w.KeepStale {
		p.warnStale(w, stale)
		return
	}
	p.Steps = append(p.Steps, RunUnit{
		Unit: w.Name, Verb: Restart, Was: h, Why: "it is older than " + strings.Join(stale, ", "),
	})
	p.Proofs = append(p.Proofs, w)
}

func (p *Plan) warnStale(w Unit, stale []string) {
	p.warn("%s runs on, older than %s; restart it to bring the change into effect.", w.Name, strings.Join(stale, ", "))
}

func (p *Plan) warn(format string, args ...any) {
	p.Warnings = append(p.Warnings, fmt.Sprintf(format, args...))
}
