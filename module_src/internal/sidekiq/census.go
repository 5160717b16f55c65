// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/shell"
)

// Running is a process that runs Sidekiq in the tree of an application, as a
// census of the host's processes has found it. All its texts are the deploy
// user's to choose: he can give a process any title and any directory, which
// costs him nothing but a warning.
type Running struct {
	PID    int
	Parent int
	UID    int
	Kind   Kind
	Title  string // its command line, as it shows it itself
	Dir    string // its working directory
	Place  Place

	// OtherRoot says that it sees another file system than the host does, as
	// a container's process, so that its application is another one.
	OtherRoot bool

	// Ours says that its unit is one of this collection's; Own, that it is
	// the service's own main process or descends from it.
	Ours, Own bool
}

// Kind is how a process is known to run Sidekiq.
type Kind string

// Kinds.
const (
	NotRunning Kind = ""
	Titled     Kind = "titled"   // Sidekiq's own title
	Booting    Kind = "booting"  // Ruby, by the name that Sidekiq gives itself before it has a title
	Swarm      Kind = "swarm"    // the parent that Sidekiq Enterprise starts its processes from
	Embedded   Kind = "embedded" // threads of Sidekiq within a web server
)

// RunningKind tells from the name of a process (comm), the words of its
// command line and its title whether it runs Sidekiq. threads are the names of
// its threads, which are asked for only where a web server may embed one.
func RunningKind(comm string, words []string, title string, threads func() []string) Kind {
	first := path.Base(words[0])
	switch {
	case StartsOthers(title):
		return Swarm
	case titled(title) && strings.HasPrefix(comm, "puma"): // Sidekiq before 7 gives its title to a web server, too
		return Embedded
	case titled(title):
		return Titled
	case comm == "sidekiq" && (strings.HasPrefix(first, "ruby") || strings.HasPrefix(first, "bundle")):
		return Booting
	case strings.HasPrefix(words[0], "puma") && embeds(threads()):
		return Embedded
	}
	return NotRunning
}

// embeds reports whether threads of these names are Sidekiq's: processor,
// heartbeat and scheduler before version 7, sidekiq.default/processor and the
// like, of which the kernel keeps 15 bytes, since.
func embeds(threads []string) bool {
	if slices.ContainsFunc(threads, func(t string) bool { return strings.HasPrefix(t, "sidekiq.") }) {
		return true
	}
	return slices.Contains(threads, "processor") && slices.Contains(threads, "heartbeat")
}

// Place is what a process belongs to by its control group, and so what would
// start it again.
type Place struct {
	Manager Manager
	UID     int    // of the user whose manager or session it is
	Unit    string // its full name, or "" where it has none that can be shown
	Path    string // the control group
}

// Manager is what a process belongs to.
type Manager string

// Managers.
const (
	Nobody        Manager = ""        // a process outside of every unit
	SystemManager Manager = "system"  // a service of the host's systemd
	UserManager   Manager = "user"    // a service of a user's own systemd
	CronDaemon    Manager = "cron"    // started by cron
	Supervisor    Manager = "other"   // started, and started again, by another program for services
	LoginSession  Manager = "session" // started from a terminal
)

// showable is a unit's name that holds nothing but what such names are made of.
// A user may call the control groups of his own manager anything.
var showable = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9:_.@-]{0,199}\.(service|scope)$`)

var userManager = regexp.MustCompile(`^user@([0-9]{1,10})\.service$`)

// PlaceOf reads a process's control groups: proc_pid_cgroup(5). Where both
// versions are mounted, systemd's own hierarchy of the first tells, unless
// everything is at its root.
func PlaceOf(cgroup string) Place {
	var at string
	for line := range strings.Lines(cgroup) {
		_, rest, _ := strings.Cut(strings.TrimSpace(line), ":")
		controllers, where, _ := strings.Cut(rest, ":")
		if controllers == "name=systemd" && where != "/" || controllers == "" && at == "" {
			at = where
		}
	}
	return placeAt(at)
}

func placeAt(at string) Place {
	p := Place{Path: at}
	names := strings.Split(at, "/")
	for i, name := range names {
		if m := userManager.FindStringSubmatch(name); m != nil {
			p.Manager = UserManager
			p.UID, _ = strconv.Atoi(m[1])
			p.Unit = lastUnit(names[i+1:])
			return p
		}
	}
	p.Unit = lastUnit(names)
	switch {
	case p.Unit == "cron.service" || p.Unit == "crond.service" || p.Unit == "atd.service":
		p.Manager = CronDaemon
	case contains(supervisors(), strings.TrimSuffix(p.Unit, ".service")):
		p.Manager = Supervisor
	case strings.HasSuffix(p.Unit, ".service"):
		p.Manager = SystemManager
	case strings.HasPrefix(p.Unit, "session-"):
		p.Manager = LoginSession
	}
	return p
}

// supervisors are services that run what they are told to, and much else.
func supervisors() []string {
	return strings.Fields("supervisor supervisord monit runit runsvdir god eye circus circusd bluepill docker containerd")
}

// lastUnit is the innermost service or scope on the way.
func lastUnit(names []string) string {
	for _, name := range slices.Backward(names) {
		if showable.MatchString(name) {
			return name
		}
	}
	return ""
}

// runningRivals warns of processes that run the application's Sidekiq and that
// no unit of this collection has started, one of each control group.
func (w *wanting) runningRivals() {
	for _, r := range rivalsAmong(w.facts.Running) {
		if r.Kind == Embedded || w.itself(r.Place) || w.warnedOf(r.Place) || w.known(r.Place.Unit) {
			continue
		}
		meant := ""
		if r.Place.Unit != "" && (r.Place.Manager == SystemManager || r.Place.Manager == UserManager) {
			meant = "name its service in known_services if it is meant, or "
		}
		with := ""
		if r.Place.Manager == SystemManager {
			with = ", with whatever else that service runs"
		}
		w.warn("%s runs the Sidekiq of %s, too, so that there are more processes than wanted, and some of them run old code after a deploy; "+
			"%sto end it%s: %s", r, w.Dir, meant, with, r.Removal())
	}
}

// embedded tells of web servers that run a Sidekiq within themselves, which is
// a way to run one and nothing to be warned of when the service is set up.
func (w *wanting) embedded() {
	for _, r := range rivalsAmong(w.facts.Running) {
		if r.Kind == Embedded && !w.known(r.Place.Unit) {
			w.warn("%s runs the Sidekiq of %s within a web server: it takes jobs from the same Redis, and has new code when the web server is restarted", r, w.Dir)
		}
	}
}

// itself reports whether a process belongs to one of the service's own units.
func (w *wanting) itself(p Place) bool { return p.Manager == SystemManager && w.own(p.Unit) }

// own reports whether a unit is one of the service's, whoever wrote it so far, or
// one of its name that this run stops.
func (w *wanting) own(unit string) bool {
	_, name, _ := strings.Cut(strings.TrimSuffix(unit, ".service"), "@")
	return unit == w.Unit() || contains(w.instances(), unit) || unit == w.Instance(name) && contains(w.leaving(), name)
}

// warnedOf reports whether the file of the process's unit was warned of.
func (w *wanting) warnedOf(p Place) bool {
	return slices.ContainsFunc(w.facts.OtherUnits, func(u OtherUnit) bool {
		file := path.Base(u.Path)
		return (file == p.Unit || file == template(p.Unit)) && (u.User != "") == (p.Manager == UserManager) && w.sameApplication(u.Content)
	})
}

// template is the name of the file that describes an instance, or "".
func template(unit string) string {
	stem, _, instance := strings.Cut(unit, "@")
	if !instance {
		return ""
	}
	return stem + "@" + path.Ext(unit)
}

// ends reports whether there is a service by which everything in the control
// group ends at once.
func (p Place) ends() bool { return p.Manager == SystemManager || p.Manager == UserManager }

// rivalsAmong are those of the processes found that are none of this
// collection's, one of each service: a wrapper shows beside the Sidekiq that it
// has started. Where there is no service, each has to be ended by itself, but
// for those that another one has started.
func rivalsAmong(all []Running) []Running {
	var others []Running
	for _, r := range all {
		if r.Own || r.Ours || r.OtherRoot {
			continue
		}
		same := func(o Running) bool {
			return o.Place.Path == r.Place.Path && r.Place.Path != "" && (r.Place.ends() || o.PID == r.Parent || r.PID == o.Parent)
		}
		if i := slices.IndexFunc(others, same); i < 0 {
			others = append(others, r)
		} else if r.Kind == Titled && others[i].Kind == Booting || r.Kind == Swarm {
			others[i] = r
		}
	}
	return others
}

// String says which process it is. It repeats nothing that the process says of
// itself.
func (r Running) String() string {
	switch r.Place.Manager {
	case SystemManager:
		return fmt.Sprintf("process %d, of %s", r.PID, shown(r.Place.Unit))
	case UserManager:
		if r.Place.Unit != "" {
			return fmt.Sprintf("process %d, of %s of the systemd of the user with the id %d", r.PID, shown(r.Place.Unit), r.Place.UID)
		}
		return fmt.Sprintf("process %d, of the systemd of the user with the id %d", r.PID, r.Place.UID)
	case CronDaemon:
		return fmt.Sprintf("process %d, which cron has started", r.PID)
	case Supervisor:
		return fmt.Sprintf("process %d, which %s has started", r.PID, r.Place.Unit)
	case LoginSession:
		return fmt.Sprintf("process %d, which was started in a login session", r.PID)
	}
	return fmt.Sprintf("process %d, which belongs to no service", r.PID)
}

// Removal says how to end the process for good. A name that the user may have
// chosen is never part of a command.
func (r Running) Removal() string {
	end := fmt.Sprintf("kill -TERM %d", r.PID)
	switch r.Place.Manager {
	case SystemManager:
		return "systemctl disable --now " + shell.Word(r.Place.Unit)
	case UserManager:
		ctl := fmt.Sprintf("sudo -u '#%d' XDG_RUNTIME_DIR=/run/user/%[1]d systemctl --user", r.Place.UID)
		return fmt.Sprintf("`%s status %d` names its unit, which `%[1]s disable --now UNIT` ends", ctl, r.PID)
	case Supervisor:
		return fmt.Sprintf("take it out of what %s runs, and %s", r.Place.Unit, end)
	case CronDaemon:
		return fmt.Sprintf("take it out of the crontab of the user with the id %d, and %s", r.UID, end)
	}
	return end
}

// titled reports whether a title is Sidekiq's own.
func titled(title string) bool {
	t := ReadTitle(title)
	return t.Ready || t.Quiet
}
