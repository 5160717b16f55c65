// SPDX-License-Identifier: GPL-3.0-or-later

package converge

import (
	"slices"
	"time"
)

// family is a unit together with those that it stands for, or whose place it
// takes, as far as what becomes of one of them depends on the others. A unit
// without others is a family by itself.
type family struct {
	parts   []string      // that the unit stands for
	fresh   []string      // those of them whose file is not there yet
	down    []Unit        // those of them that do not run
	limit   time.Duration // what the start of the slowest of them may take
	running bool          // one of them runs
	staying []string      // units that leave, and stay for now
	ending  bool          // a unit that leaves was running, and does not stay
	alone   bool          // the unit is to stand for others, and the process that it has itself stays for now
}

type families map[string]*family

func familiesOf(want, have State) families {
	all := families{}
	for i := range want.Units {
		w := &want.Units[i]
		h, _ := have.Unit(w.Name)
		f := all.of(w)
		switch {
		case w.Of == "":
			f.alone = w.Umbrella && h.ownProcess() && (w.KeepStale || w.Activity == Quiet)
		case w.stays(&h):
			f.staying = append(f.staying, w.Name)
		case w.Leaves:
			f.ending = f.ending || h.Activity.alive()
		default:
			f.parts = append(f.parts, w.Name)
			f.limit = max(f.limit, w.Proof.limit())
			f.running = f.running || h.Activity.alive()
			if !h.Activity.alive() {
				h.Name = w.Name
				f.down = append(f.down, h)
			}
			if !have.hasFileOf(w.Name, want) {
				f.fresh = append(f.fresh, w.Name)
			}
		}
	}
	return all
}

// of is the family of a unit.
func (all families) of(w *Unit) *family {
	name := w.Of
	if name == "" {
		name = w.Name
	}
	if all[name] == nil {
		all[name] = &family{}
	}
	return all[name]
}

// stay reports whether one of the units leaves and stays for now.
func (all families) stay(units []string) bool {
	for _, f := range all {
		if slices.ContainsFunc(units, func(u string) bool { return slices.Contains(f.staying, u) }) {
			return true
		}
	}
	return false
}

// waits reports whether a unit is not started yet, although it is wanted: what
// it is to take the place of is left running. A restart of the service by
// somebody else ends that, and starts this.
func (f *family) waits(w, h *Unit) bool {
	switch {
	case w.Activity == Restarted || w.Activity == Down || h.ownProcess():
		return false
	case w.Of != "":
		return f.alone
	}
	return !w.Umbrella && len(f.staying) > 0
}

// replaces reports whether a unit that is down takes the place of one that runs
// and that this plan stops.
func (f *family) replaces(w *Unit) bool {
	if w.Of == "" {
		return f.ending && !w.Umbrella
	}
	return slices.Contains(f.fresh, w.Name) && (f.ending || f.running)
}

// stays reports whether a unit that leaves stays for now.
func (u *Unit) stays(h *Unit) bool {
	return u.Leaves && h.Activity.alive() && (u.KeepStale || u.Activity == Quiet)
}

// ownProcess reports whether the unit has a main process that is not just the
// command of a unit that starts others. While that command runs, its unit is
// activating; one that is active has kept a process from the time before the
// manager read its new file, and a run that was killed then never replaced it.
func (u *Unit) ownProcess() bool {
	starts := u.Process.Type == "oneshot" && u.Process.ActiveState != "active"
	return u.Process.MainPID != 0 && !starts
}

// alive reports whether a unit runs, or will without anybody's doing.
func (a Activity) alive() bool {
	switch a {
	case Any, Down, Stopping:
		return false
	}
	return true
}

// hasFileOf reports whether there is the file that a wanted state has for a
// unit.
func (s State) hasFileOf(unit string, want State) bool {
	return slices.ContainsFunc(want.Files, func(w File) bool {
		f, _ := s.File(w.Path)
		return f.Exists && slices.Contains(w.Units, unit)
	})
}
