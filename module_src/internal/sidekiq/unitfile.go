// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"cmp"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge"
)

// longLine is what systemd before 240 can read of one line of a unit file, in
// bytes: it read LINE_MAX at a time, and took what followed for a new line.
const longLine = 2000

// longestLine is what later ones can: LONG_LINE_MAX.
const longestLine = 1 << 20

// unitFile is the row of a unit file, which describes the process of units.
func (w *wanting) unitFile(path string, u unitFile, units ...string) converge.File {
	limit := longestLine
	if w.facts.Systemd < 240 {
		limit = longLine
	}
	if n := u.longest(); n >= limit {
		w.fail("unit_dir", "a line of the unit file would be %d bytes long, and systemd %d reads less than %d; "+
			"put long values into env_files or a script", n, w.facts.Systemd, limit)
	}
	return converge.File{
		Path:    path,
		Kind:    converge.UnitFile,
		Exists:  true,
		Content: u.encode(marker(w.Project)),
		Mode:    0o644,
		Units:   units,
	}
}

// build makes the unit of one Sidekiq process.
func (w *wanting) build() unitFile {
	var u unitFile
	w.unitSection(&u)
	w.serviceSection(&u)
	u.addList("Install", "WantedBy", w.WantedBy)
	for _, d := range w.Directives {
		u.set(d.Section, d.Name, d.Values)
	}
	return u
}

func (w *wanting) unitSection(u *unitFile) {
	after, wants := w.redisOrder()
	u.add("Unit", "Description", w.Name)
	// Not only for the start: units stop in the reverse order, and a Sidekiq
	// that stops gives its unfinished jobs back to Redis.
	u.addList("Unit", "After", appendNew(append([]string{"network.target"}, after...), w.After...))
	u.addList("Unit", "Wants", appendNew(wants, w.Wants...))
	// No start limit: five failures in ten seconds, as with Redis down, would
	// end all attempts for good. It moved to [Unit] with systemd 230.
	if w.facts.Systemd >= 230 {
		u.add("Unit", "StartLimitIntervalSec", "0")
	}
}

func (w *wanting) serviceSection(u *unitFile) {
	set := func(name, value string) { u.add("Service", name, value) }
	kind := w.serviceType()
	set("Type", kind)
	if kind == "notify" {
		set("NotifyAccess", "all") // bundler and shells may stand between
	}
	set("WorkingDirectory", specifierless(w.Dir))
	set("ExecStart", commandLine(w.words()))
	set("ExecReload", "/bin/kill -TSTP $MAINPID") // quiet
	w.identity(u)
	w.restarts(u)
	w.timeouts(u, kind)
	set("KillMode", "mixed") // or the children of running jobs are killed at once
	if w.facts.Systemd >= 243 {
		set("OOMPolicy", "continue") // one job's child killed for memory does not end all jobs
	}
	set("SyslogIdentifier", w.Name)
	w.harden(u)
}

// identity is who runs it, and in which environment.
func (w *wanting) identity(u *unitFile) {
	u.add("Service", "User", specifierless(w.User))
	if group := cmp.Or(w.Group, w.facts.Users[w.User].Group); group != "" {
		u.add("Service", "Group", specifierless(group))
	}
	u.add("Service", "UMask", w.Umask)
	for _, v := range w.Env {
		u.add("Service", "Environment", assignment(v))
	}
	for _, f := range w.EnvFiles {
		u.add("Service", "EnvironmentFile", specifierless(f))
	}
}

// restarts says when systemd starts Sidekiq again by itself.
func (w *wanting) restarts(u *unitFile) {
	if w.facts.Systemd < 230 {
		u.add("Service", "StartLimitInterval", "0")
	}
	u.add("Service", "Restart", w.Restart)
	switch {
	case w.RestartSec > 0:
		u.add("Service", "RestartSec", strconv.Itoa(w.RestartSec))
	case w.facts.Systemd >= 254: // 1, 2, 4, 8, 16, 30, 60, 60, … seconds
		u.add("Service", "RestartSec", "1")
		u.add("Service", "RestartSteps", "6")
		u.add("Service", "RestartMaxDelaySec", "60")
	default:
		u.add("Service", "RestartSec", "10")
	}
}

// timeouts bound the start, the stop, and the time without a sign of life.
func (w *wanting) timeouts(u *unitFile, kind string) {
	start := int(w.StartTimeout / time.Second)
	if start == 0 {
		start = 300 // nobody waits, but a Sidekiq that hangs in its boot is still started anew
	}
	u.add("Service", "TimeoutStartSec", strconv.Itoa(start))
	u.add("Service", "TimeoutStopSec", strconv.Itoa(w.stopSec()))
	if kind != "notify" || w.WatchdogSec == 0 {
		return
	}
	// The default signal, SIGABRT, would lose all running jobs.
	if w.facts.Systemd < 240 {
		if w.WatchdogSec != 60 {
			w.warn("watchdog_sec has no effect on systemd %d: a watchdog that does not lose jobs needs 240 or newer", w.facts.Systemd)
		}
		return
	}
	u.add("Service", "WatchdogSec", strconv.Itoa(w.WatchdogSec))
	u.add("Service", "WatchdogSignal", "SIGTERM")
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
			w.warn("cannot read %s, so it is not known which Sidekiq runs: %s", w.lockFile(), w.facts.Lock.Problem)
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

// links are the links that enable the unit: systemd.unit(5), "[Install]
// Section Options".
func (w *wanting) links() []converge.Link {
	const dir = "/etc/systemd/system"
	links := []converge.Link{}
	add := func(name string) {
		links = append(links, converge.Link{Path: path.Join(dir, name), Target: w.UnitPath()})
	}
	u := w.build()
	for _, kind := range []struct{ name, suffix string }{{"WantedBy", ".wants"}, {"RequiredBy", ".requires"}, {"UpheldBy", ".upholds"}} {
		for _, by := range installed(u, kind.name) {
			add(path.Join(by+kind.suffix, w.Unit()))
		}
	}
	for _, alias := range installed(u, "Alias") {
		add(alias)
	}
	converge.SortLinks(links)
	return slices.Compact(links)
}

// installed are the units that a directive of the [Install] section names. An
// empty value resets the list.
func installed(u unitFile, name string) []string {
	var units []string
	for _, v := range u.values("Install", name) {
		if v == "" {
			units = nil
		}
		units = append(units, strings.Fields(v)...)
	}
	return units
}
