// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"fmt"
	"path"
	"strconv"
	"strings"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/shell"
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
		itself := u.User == "" && (name == w.Template() || w.own(name)) // in whatever directory
		if w.known(name) || !w.sameApplication(u.Content) {
			continue
		}
		if theirs := w.othersInstances(); itself && name == w.Template() && len(theirs) > 0 {
			w.warn("%s runs the Sidekiq of %s, too, as %s, which run or are started at boot, so that there are more processes than wanted; "+
				"name them in known_services if they are meant, or remove them: systemctl disable --now %[3]s && rm %[4]s",
				shown(u.Path), w.Dir, strings.Join(theirs, " "), shell.Word(u.Path))
		}
		if itself {
			continue
		}
		if risk := u.risk(); risk != "" {
			w.warn("%s %s", shown(u.Path), risk)
		}
		w.warn("%s runs the Sidekiq of %s, too, so that there are more processes than wanted, and some of them run old code after a deploy; "+
			"name it in known_services if it is meant, or %s", shown(u.Path), w.Dir, u.removal(w.facts.Users[u.User].UID))
	}
}

// othersInstances are instances of the service's name that something else has
// set up, that run or are started at boot, and that this service leaves alone.
func (w *wanting) othersInstances() []string {
	leaving := w.leaving()
	var units []string
	for _, i := range w.facts.Instances {
		unit := w.Instance(i.Name)
		if !i.Ours && !contains(leaving, i.Name) && !contains(w.instances(), unit) && !w.known(unit) {
			units = append(units, shell.Word(unit))
		}
	}
	return units
}

// known reports whether a unit is of a service that is meant.
func (w *wanting) known(unit string) bool {
	name := strings.TrimSuffix(unit, ".service")
	service, _, _ := strings.Cut(name, "@")
	return contains(w.Known, name) || contains(w.Known, service)
}

// risk says how a unit of the host's manager opens root's rights, or nothing.
func (u OtherUnit) risk() string {
	if u.User != "" {
		return ""
	}
	user := strings.Join(last(valuesIn(u.Content, "User"), 1), "")
	root := user == "" || user == "root" || user == "0"
	switch {
	case root && u.UID != 0:
		return fmt.Sprintf("has root run Sidekiq, since it has no User=, and belongs to the user with the id %d, who so can have root run anything", u.UID)
	case root:
		return "has root run Sidekiq, and with it the application's code, since it has no User="
	case u.UID != 0:
		return fmt.Sprintf("belongs to the user with the id %d, who so can have root run anything", u.UID)
	}
	return ""
}

// removal says how to end the unit for good. Unlike systemctl stop, systemctl
// disable takes no pattern, and its status for one is 0 all the same; for a
// template it disables all instances. A name that the user has chosen is never
// part of a command, which somebody may paste into a shell. uid is the user's.
func (u OtherUnit) removal(uid int) string {
	if u.User != "" {
		first := ""
		if u.Idle {
			first = fmt.Sprintf("start that user's systemd by `systemctl start user@%d.service`, ", uid)
		}
		return fmt.Sprintf("remove it: %sdisable and stop that unit by `sudo -u %s XDG_RUNTIME_DIR=/run/user/%d systemctl --user`, "+
			"which needs no login session, and remove its file", first, shell.Word(u.User), uid)
	}
	name := path.Base(u.Path)
	end := "systemctl disable --now " + shell.Word(name)
	if stem, ok := strings.CutSuffix(name, "@.service"); ok {
		end = "systemctl stop " + shell.Word(stem+"@*.service") + " && systemctl disable " + shell.Word(name)
	}
	return "remove it: " + end + " && rm " + shell.Word(u.Path)
}

// shown is a path as a text shows it: as it stands, or quoted where it could be
// taken for something else.
func shown(name string) string {
	if shell.Word(name) == name {
		return name
	}
	return strconv.Quote(name)
}

// sameApplication reports whether a unit file that is not ours runs a Sidekiq
// in the same directory.
func (w *wanting) sameApplication(content string) bool {
	if _, origin := OriginOf(content); origin == Ours {
		return false
	}
	for _, dir := range valuesIn(content, "WorkingDirectory") {
		if dir, _ := systemd.Unspecified(strings.TrimPrefix(dir, "-")); path.Clean(dir) == w.Dir {
			return runsSidekiqIn(content)
		}
	}
	return false
}
