// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"path"
	"strings"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/systemd"
)

// A rival is somebody else's unit that runs the Sidekiq of the same
// application, as capistrano-sidekiq sets one up. Beside ours, it doubles the
// number of processes, of which only half restart at a deploy.

// rivals warns of such units. Units of this collection do not count, since
// somebody may want a second service for other queues.
func (w *wanting) rivals() {
	for _, u := range w.facts.OtherUnits {
		name := path.Base(u.Path)
		itself := u.User == "" && (name == w.Unit() || name == w.Template()) // in whatever directory
		if itself || !w.sameApplication(u.Content) {
			continue
		}
		w.warn("%s runs the Sidekiq of %s, too, so that there are more processes than wanted, and some of them run old code after a deploy; "+
			"remove it: %s", u.Path, w.Dir, u.removal())
	}
}

// removal is the command that ends the unit for good, and who has to run it.
// Unlike systemctl stop, systemctl disable takes no pattern, and its status for
// one is 0 all the same; for a template it disables all instances.
func (u OtherUnit) removal() string {
	name, ctl, who := path.Base(u.Path), "systemctl ", ""
	if u.User != "" {
		ctl, who = "systemctl --user ", ", as "+u.User
	}
	end := ctl + "disable --now " + name
	if stem, ok := strings.CutSuffix(name, "@.service"); ok {
		end = ctl + "stop '" + stem + "@*.service' && " + ctl + "disable " + name
	}
	return end + " && rm " + u.Path + who
}

// sameApplication reports whether a unit file that is not ours runs a Sidekiq
// in the same directory.
func (w *wanting) sameApplication(content string) bool {
	if _, origin := OriginOf(content); origin == Ours {
		return false
	}
	here, runs := false, false
	for l := range systemd.Lines(content) {
		switch l.Name {
		case "WorkingDirectory":
			dir, _ := systemd.Unspecified(strings.TrimPrefix(l.Value, "-"))
			here = here || path.Clean(dir) == w.Dir
		case "ExecStart":
			runs = runs || strings.Contains(l.Value, "sidekiq")
		}
	}
	return here && runs
}
