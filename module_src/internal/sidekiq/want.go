// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/systemd"
)

// UnmetError says that the host lacks something that an earlier task of the
// same play may be going to make: a user, a group, sudo, or a Redis. In check
// mode that is not a mistake; the wanted State that comes with the error is
// complete.
type UnmetError struct {
	Reasons []string
}

func (e *UnmetError) Error() string { return strings.Join(e.Reasons, "; ") }

// Want is what the host should have, and what the user should know about it. f
// has to hold the answers to [Service.Questions]. The error is an [*UnmetError]
// where nothing else is wrong.
func (s *Service) Want(f Facts) (want converge.State, warnings []string, err error) {
	w := wanting{Service: *s, facts: f}
	w.packages()
	w.lookBelow()
	if s.State == Absent {
		if n := len(f.Backups); n > 0 {
			w.warn("what this service has replaced is kept in %s", path.Join(s.BackupDir(), f.Backups[n-1]))
		}
		return w.absent(), w.warnings, w.err()
	}
	w.oldSystemd()
	w.accounts()
	want.Files = append(want.Files, w.unitFiles()...)
	want.Files = append(want.Files, w.sudoersFile())
	want.Files = append(want.Files, w.secretFiles()...)
	want.Files = append(want.Files, w.withdrawn()...)
	want.Files = append(want.Files, w.logrotateFile()...)
	want.Files = append(want.Files, w.healthFile()...)
	want.Units = append(want.Units, w.redis()...)
	want.Units = append(want.Units, w.serviceUnits()...)
	w.refuseIfOverridden(want)
	w.foreseeDropIns()
	want.Others = w.others(want)
	w.rivals()
	w.runningRivals()
	w.othersRules()
	w.secrets()
	w.onFailure()
	w.checkRootFiles()
	w.checkOwnDirectories()
	w.eachProcess((*wanting).environment, (*wanting).unjudged, (*wanting).losesJobs)
	return want, w.warnings, w.err()
}

// wanting is a Service on a certain host, with what has to be said about it.
type wanting struct {
	Service
	facts    Facts
	made     systemd.File // the unit file of the service's own name
	beside   []string     // the units that unit files start or stop with their own
	unmet    []string
	wrong    []string
	warnings []string
}

func (w *wanting) miss(option, format string, args ...any) {
	w.unmet = appendNew(w.unmet, fmt.Sprintf("option %q: ", option)+fmt.Sprintf(format, args...))
}

func (w *wanting) fail(option, format string, args ...any) {
	w.wrong = appendNew(w.wrong, fmt.Sprintf("option %q: ", option)+fmt.Sprintf(format, args...))
}

func (w *wanting) warn(format string, args ...any) {
	w.warnings = appendNew(w.warnings, fmt.Sprintf(format, args...))
}

func (w *wanting) err() error {
	switch {
	case len(w.wrong) > 0:
		return errors.New(strings.Join(append(w.wrong, w.unmet...), "; "))
	case len(w.unmet) > 0:
		return &UnmetError{Reasons: w.unmet}
	}
	return nil
}

// onFailure warns of what some versions of systemd accept and never do. From 239
// to 253 a unit counts as failed only when its start limit is reached, and there
// is none. Older and newer ones start what OnFailure= names each time that the
// process fails: systemd's pull request 9158 and its issue 33710.
func (w *wanting) onFailure() {
	for _, d := range w.Directives {
		if d.Section == "Unit" && d.Name == "OnFailure" && len(d.Values) > 0 && w.Restart == "always" && w.facts.Systemd >= 239 && w.facts.Systemd < 254 {
			w.warn("OnFailure= in directives starts nothing: with restart: always Sidekiq is restarted without end, which systemd %d never calls failed; "+
				"%s %s tells how it is", w.facts.Systemd, HealthPath, w.Name)
		}
	}
}

// losesJobs warns of directives by which each stop kills running jobs, or by
// which a job can have its own service killed.
func (w *wanting) losesJobs() {
	for _, d := range w.Directives {
		for _, v := range d.Values {
			switch d.Section + "." + d.Name {
			case "Service.KillSignal", "Service.RestartKillSignal":
				if !contains([]string{"", "TERM", "INT", "15", "2"}, strings.TrimPrefix(v, "SIG")) {
					w.warn("%s=%s in directives has Sidekiq end without giving its running jobs back, so that they are lost; leave it out", d.Name, v)
				}
			case "Service.NotifyAccess":
				if v == "all" || v == "exec" {
					w.warn("NotifyAccess=%s in directives lets whatever jobs start tell systemd that Sidekiq ends, and systemd then kills it with its "+
						"running jobs; leave it out", v)
				}
			}
		}
	}
}

// oldestSystemd is the oldest version of systemd for which unit files are
// written, and on which they have been tried.
const oldestSystemd = 229

// oldSystemd refuses a systemd that would not understand the unit file, or would
// ignore part of it.
func (w *wanting) oldSystemd() {
	if w.facts.Systemd < oldestSystemd {
		w.wrong = append(w.wrong, fmt.Sprintf("the host has systemd %d, and %d is the oldest for which a unit file can be written: upgrade the host",
			w.facts.Systemd, oldestSystemd))
	}
}

// packages refuses to touch a file that the distribution's package manager
// would bring back at its next upgrade.
func (w *wanting) packages() {
	for _, path := range w.Paths() {
		if name := w.facts.Packaged[path]; name != "" && path != w.TemplatePath() && path != w.SudoersFile && path != w.logrotatePath() {
			w.fail("unit_dir", "%s belongs to the package %s and is not touched; set another name, or, to have this service in its place, unit_dir to /etc/systemd/system and replace: true", path, name)
		}
	}
	if name := w.facts.Packaged[w.SudoersFile]; name != "" {
		w.fail("sudoers_file", "%s belongs to the package %s and is not touched; set another file", w.SudoersFile, name)
	}
}

// accounts checks the users and groups that have to exist.
func (w *wanting) accounts() {
	if u, ok := w.facts.Users[w.User]; !ok {
		w.miss("user", "there is no user %q on the host", w.User)
	} else if u.UID == 0 {
		w.fail("user", "%q has the user id 0 and so is root", w.User)
	} else if u.GID == 0 && w.Group == "" {
		w.fail("user", "%q has a primary group with the group id 0, which is root's; set group", w.User)
	}
	if w.Group != "" {
		if g, ok := w.facts.Groups[w.Group]; !ok {
			w.miss("group", "there is no group %q on the host", w.Group)
		} else if g.GID == 0 {
			w.fail("group", "%q has the group id 0 and so is root's", w.Group)
		}
	}
	for _, name := range w.supplementary() {
		if g, ok := w.facts.Groups[name]; ok && g.GID == 0 {
			w.fail("directives", "Service.SupplementaryGroups: %q has the group id 0 and so is root's", name)
		}
	}
	if !w.Sudo {
		return
	}
	for _, name := range w.SudoUsers {
		if _, ok := w.facts.Users[name]; !ok && name != w.User {
			w.miss("sudo_users", "there is no user %q on the host", name)
		}
	}
	for _, name := range w.SudoGroups {
		if _, ok := w.facts.Groups[name]; !ok {
			w.miss("sudo_groups", "there is no group %q on the host", name)
		}
	}
	w.onlyCase()
}

// onlyCase refuses to grant anything to a user where another one's name differs
// only in case: sudo compares names without it, unless the host's policy says
// otherwise (sudoers(5), case_insensitive_user).
func (w *wanting) onlyCase() {
	for _, name := range w.SudoUsers {
		if other := w.facts.CaseUsers[name]; other != "" {
			w.fail("sudo_users", "sudo would let %q do what %q may, since it does not tell the case of letters; rename one of the users", other, name)
		}
	}
	for _, name := range w.SudoGroups {
		if other := w.facts.CaseGroups[name]; other != "" {
			w.fail("sudo_groups", "sudo would let the group %q do what %q may, since it does not tell the case of letters; rename one of them", other, name)
		}
	}
}

// absent is a host without the service. Other things are left as they are:
// Redis, the application, and what the files replaced when they were first
// written.
func (w *wanting) absent() converge.State {
	gone := converge.State{
		Files: []converge.File{
			{Path: w.UnitPath(), Kind: converge.UnitFile, Units: []string{w.Unit()}},
			{Path: w.SudoersFile, Kind: converge.SudoersFile},
		},
		Units: []converge.Unit{
			// The proof is needed for a rollback, which may have to start the
			// service again.
			{Name: w.Unit(), Enabled: converge.Off, Links: []converge.Link{}, Activity: converge.Down, Proof: w.proof()},
		},
	}
	gone.Files = append(gone.Files, w.leavingFiles()...)
	gone.Files = append(gone.Files, w.secretFiles()...)
	gone.Units = append(gone.Units, w.leavingUnits(gone.Units[0])...)
	gone.Files = append(gone.Files, w.withdrawn()...)
	w.othersRules()
	if theirs := w.othersInstances(); len(theirs) > 0 {
		w.warn("%s run or are started at boot and are left alone, since something else has set them up; to end them: systemctl disable --now %[1]s",
			strings.Join(theirs, " "))
	}
	gone.Files = append(gone.Files, w.logrotateFile()...)
	gone.Files = append(gone.Files, w.healthFile()...)
	return gone
}

// unit is the row of the service itself, given the unit file of one process.
func (w *wanting) unit(file systemd.File) converge.Unit {
	u := converge.Unit{
		Name:      w.Unit(),
		Enabled:   converge.Off,
		Links:     []converge.Link{},
		Activity:  w.activity(),
		KeepStale: !w.RestartOnChange || !w.facts.Deployed, // without its application the service would not come back
		Proof:     w.proof(),
	}
	if !w.several() && w.RestartOnRelease {
		u.RunsIn = w.facts.Release
	}
	if w.Enabled {
		u.Enabled, u.Links = converge.On, w.links(file)
	}
	if w.StartTimeout == 0 && (u.Activity == converge.Up || u.Activity == converge.Restarted) {
		w.warn("start_timeout is 0: nothing shows whether %s really comes up", w.Unit())
	}
	return u
}

// quietForLong is said of a Sidekiq that was quieted and that no deploy has
// restarted.
const quietForLong = "it has been quiet for long and takes no jobs"

// proof is how a process of the service is shown to be up.
func (s *Service) proof() converge.Proof {
	return converge.Proof{
		Timeout:   s.StartTimeout,
		Titled:    s.ExecStart == nil,
		Window:    s.window(),
		QuietTime: quietTime,
		NotBehind: true,
		Terms:     s.terms(),
	}
}

// window is how long a process that does not show in its title that it is up
// has to live.
func (s *Service) window() time.Duration { return min(s.StartTimeout, time.Minute) }

// terms are the words that package converge uses in its messages.
func (s *Service) terms() converge.Terms {
	return converge.Terms{
		Timeout:  "start_timeout",
		NotShown: "its main process does not say in its title how busy it is, as Sidekiq does",
		Quiet:    quietForLong,
		Quieting: "by a deploy it seems",
		Behind:   s.behindAdvice(),
		RunsIn:   "is deployed now",
	}
}

// activity is what the main process should do. Before the first deploy there is
// nothing that could be started.
func (w *wanting) activity() converge.Activity {
	if w.State == Stopped {
		return converge.Down
	}
	if w.State == Present {
		return converge.Any
	}
	if !w.facts.Deployed && w.RequireDeployed {
		w.miss("require_deployed", "%s is not there", w.Dir)
		return converge.Any
	}
	if !w.facts.Deployed {
		w.warn("%s is not there yet, so %s is prepared but not started; the first deploy has to start it: sudo systemctl restart %s",
			w.Dir, w.Unit(), w.Name)
		return converge.Any
	}
	switch w.State {
	case Restarted:
		return converge.Restarted
	case Quiet:
		return converge.Quiet
	}
	return converge.Up
}
