// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/systemd"
)

// unitFile is the row of a unit file; the file describes the processes of
// units.
func (w *wanting) unitFile(path string, u systemd.File, units ...string) converge.File {
	if n, limit := u.LongestLine(), systemd.LineLimit(w.facts.Systemd); n >= limit {
		option, advice := "unit_dir", "put long values into env_files or a script"
		if w.several() && path == w.UnitPath() && len(u.Values("Service", "ExecStart")[0]) >= limit-len("ExecStart=") {
			option, advice = "name", fmt.Sprintf("it names all %d processes: have fewer of them, or shorter names", len(w.Instances))
		}
		w.fail(option, "a line of %s would be %d bytes long, and systemd %d reads less than %d; %s", path, n, w.facts.Systemd, limit, advice)
	}
	for _, directive := range []string{"Wants", "Requires", "BindsTo", "Upholds", "Conflicts", "OnFailure"} {
		w.beside = appendNew(w.beside, u.List("Unit", directive)...)
	}
	return converge.File{
		Path:    path,
		Kind:    converge.UnitFile,
		Exists:  true,
		Content: u.Encode(marker(w.Project)),
		Mode:    0o644,
		Units:   units,
	}
}

// others are the units that the wanted unit files start or stop, and that have no
// row of their own. What is written with a specifier is left out: systemd alone
// knows what it stands for.
func (w *wanting) others(want converge.State) []string {
	return slices.DeleteFunc(w.beside, func(name string) bool {
		_, known := want.Unit(name)
		full, err := systemd.UnitName(name)
		return known || err != nil || full != name || strings.Contains(name, "%")
	})
}

// build makes the unit of one Sidekiq process.
func (w *wanting) build() systemd.File {
	var u systemd.File
	w.unitSection(&u)
	w.serviceSection(&u)
	u.AddList("Install", "WantedBy", w.WantedBy)
	for _, d := range w.Directives {
		u.Set(d.Section, d.Name, d.Values)
	}
	return u
}

func (w *wanting) unitSection(u *systemd.File) {
	after, wants := w.redisOrder()
	description := w.Name
	if w.instance != "" {
		description += " process " + w.instance
	}
	u.Add("Unit", "Description", description)
	// This is not only for the start: units stop in the reverse order, and a
	// Sidekiq that stops gives its unfinished jobs back to Redis.
	u.AddList("Unit", "After", appendNew(append([]string{"network.target"}, after...), w.After...))
	u.AddList("Unit", "Wants", appendNew(wants, w.Wants...))
	// There is no start limit: five failures in ten seconds, as with Redis
	// down, would end all attempts for good. The setting moved to [Unit] with
	// systemd 230.
	if w.facts.Systemd >= 230 {
		u.Add("Unit", "StartLimitIntervalSec", "0")
	}
}

func (w *wanting) serviceSection(u *systemd.File) {
	set := func(name, value string) { u.Add("Service", name, value) }
	kind := w.serviceType()
	set("Type", kind)
	if kind == "notify" {
		// Only the main process: with "all" a job's child could end the service,
		// and a launcher that does not give its place to Sidekiq would seem to work.
		set("NotifyAccess", "main")
	}
	set("WorkingDirectory", systemd.Literal(w.Dir))
	set("ExecStart", systemd.Command(w.words()))
	set("ExecReload", quietBy(QuietSignal(w.facts.SidekiqVersion()))) // become quiet
	w.identity(u)
	w.restarts(u)
	w.timeouts(u, kind)
	set("KillMode", "mixed") // or the children of running jobs are killed at once
	if w.facts.Systemd >= 243 {
		set("OOMPolicy", "continue") // one job's child killed for memory does not end all jobs
	}
	set("SyslogIdentifier", strings.TrimSuffix(w.Unit(), ".service"))
	w.harden(u)
}

// identity is the user and the group that run the service, and their
// environment.
func (w *wanting) identity(u *systemd.File) {
	u.Add("Service", "User", systemd.Literal(w.User))
	if group := cmp.Or(w.Group, w.facts.Users[w.User].Group); group != "" {
		u.Add("Service", "Group", systemd.Literal(group))
	}
	u.Add("Service", "UMask", w.Umask)
	for _, v := range w.Env {
		u.Add("Service", "Environment", systemd.Assignment(v.Name, v.Value))
	}
	for _, f := range w.EnvFiles {
		u.Add("Service", "EnvironmentFile", systemd.Literal(f))
	}
	if len(w.Secrets) > 0 { // the last one, which counts where two files set a variable
		u.Add("Service", "EnvironmentFile", systemd.Literal(secretPath(w.Name, w.instance)))
	}
}

// restarts says when systemd restarts Sidekiq by itself.
//
// The pauses are a compromise of two bounds. Once Redis or the application is
// back, Sidekiq is up within 30 seconds and one boot of the application. And in
// an outage, an application that takes 20 seconds of processor time to boot
// costs no more than half of one processor, over ten minutes: 20 of every 45
// seconds, or, where the pauses grow, 294 of the first 600.
func (w *wanting) restarts(u *systemd.File) {
	if w.facts.Systemd < 230 {
		u.Add("Service", "StartLimitInterval", "0")
	}
	u.Add("Service", "Restart", w.Restart)
	switch {
	case w.RestartSec > 0:
		u.Add("Service", "RestartSec", strconv.Itoa(w.RestartSec))
	case w.facts.Systemd >= 254: // 1, 2, 4, 8, 15, 30, 30, … seconds
		u.Add("Service", "RestartSec", "1")
		u.Add("Service", "RestartSteps", "5")
		u.Add("Service", "RestartMaxDelaySec", "30")
	default:
		u.Add("Service", "RestartSec", "25")
	}
}

// timeouts bound the start, the stop, and the time without a sign of life.
func (w *wanting) timeouts(u *systemd.File, kind string) {
	start := w.StartTimeout
	if start == 0 { // a Sidekiq that hangs in its boot is still started anew
		start = converge.UnprovenTime
	}
	u.Add("Service", "TimeoutStartSec", strconv.Itoa(int(start/time.Second)))
	u.Add("Service", "TimeoutStopSec", strconv.Itoa(w.stopSec()))
	if kind != "notify" || w.WatchdogSec == 0 {
		return
	}
	// With the default signal, SIGABRT, all running jobs would be lost.
	if w.facts.Systemd < 240 {
		if w.WatchdogSec != 60 {
			w.warn("watchdog_sec has no effect on systemd %d: a watchdog that does not lose jobs needs 240 or newer", w.facts.Systemd)
		}
		return
	}
	u.Add("Service", "WatchdogSec", strconv.Itoa(w.WatchdogSec))
	u.Add("Service", "WatchdogSignal", "SIGTERM")
}

// serviceType is how systemd knows that Sidekiq is up.
func (w *wanting) serviceType() string {
	version := w.facts.SidekiqVersion()
	switch w.Type {
	case "notify":
		if version != "" && !notifies(version) && w.runsSidekiq() {
			w.fail("type", "notify needs Sidekiq 6.0.6 or newer, and the application has %s: "+
				"systemd would wait in vain for it to say that it is up, and kill it, for ever", version)
		}
	case "exec":
		if w.facts.Systemd < 240 {
			w.fail("type", "exec needs systemd 240 or newer, and the host has %d; use simple", w.facts.Systemd)
		}
	case "auto":
		if w.facts.Lock.Problem != "" {
			w.warn("cannot read %s, so it is not known which Sidekiq runs: %s", w.facts.Lock.Path, w.facts.Lock.Problem)
		}
		switch {
		case notifies(version) && w.runsSidekiq():
			return "notify"
		case w.facts.Systemd >= 240:
			return "exec"
		}
		return "simple"
	}
	return w.Type
}

// links are the links that enable the unit of that file.
func (w *wanting) links(u systemd.File) []converge.Link {
	links := []converge.Link{}
	for _, link := range u.InstallLinks(w.Unit()) {
		links = append(links, converge.Link{Path: link, Target: w.UnitPath()})
	}
	return links
}

// optionFor says which option a directive belongs to. Setting the directive
// would be a second way to say the same. Removing it is allowed, except for
// those in forbidden.
func optionFor(section, name string) string {
	switch section + "." + name {
	case "Unit.After":
		return "after"
	case "Unit.Wants":
		return "wants"
	case "Install.WantedBy":
		return "wanted_by"
	case "Service.Type":
		return "type"
	case "Service.WorkingDirectory":
		return "working_directory"
	case "Service.ExecStart":
		return "exec_start"
	case "Service.UMask":
		return "umask"
	case "Service.Environment":
		return "env"
	case "Service.EnvironmentFile":
		return "env_files"
	case "Service.Restart":
		return "restart"
	case "Service.RestartSec":
		return "restart_sec"
	case "Service.TimeoutStartSec":
		return "start_timeout"
	case "Service.TimeoutStopSec":
		return "timeout_stop_sec"
	case "Service.TimeoutSec":
		return "start_timeout and timeout_stop_sec"
	case "Service.WatchdogSec":
		return "watchdog_sec"
	}
	return ""
}
