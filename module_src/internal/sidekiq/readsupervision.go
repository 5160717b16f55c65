// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"slices"
	"strconv"
	"strings"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/systemd"
)

// supervision reads how systemd starts, watches, stops and restarts it.
func (r *unitReader) supervision() {
	waits := r.startKind()
	r.restarting()
	both := r.last("Service", "TimeoutSec")
	r.given("TimeoutSec", both, "timeout_stop_sec", 90)
	r.seconds("TimeoutStopSec", "timeout_stop_sec", 90)
	if start := r.last("Service", "TimeoutStartSec"); r.ours || waits {
		r.given("TimeoutSec", both, "start_timeout", 300)
		r.given("TimeoutStartSec", start, "start_timeout", 300)
	}
	// Most of others say USR1, which ends a Sidekiq since version 5; ours does for older ones.
	if !r.ours || slices.Equal(r.left.Values("Service", "ExecReload"), []string{quietBy("USR1")}) {
		r.left.Set("Service", "ExecReload", nil)
	}
	for _, d := range ourOwn {
		if values := r.left.Values(d.Section, d.Name); len(values) == 1 && values[0] == d.Value {
			r.left.Set(d.Section, d.Name, nil)
		}
	}
	if values := r.left.Values("Unit", "Description"); len(values) == 1 && values[0] == r.stem {
		r.left.Set("Unit", "Description", nil)
	}
}

// ourOwn are directives that the module writes by itself.
var ourOwn = []systemd.Entry{
	{Section: "Unit", Name: "StartLimitIntervalSec", Value: "0"},
	{Section: "Service", Name: "StartLimitInterval", Value: "0"},
	{Section: "Service", Name: "ExecReload", Value: "/bin/kill -TSTP $MAINPID"},
	{Section: "Service", Name: "KillMode", Value: "mixed"},
	{Section: "Service", Name: "OOMPolicy", Value: "continue"},
	{Section: "Service", Name: "NotifyAccess", Value: "main"},
	{Section: "Service", Name: "WatchdogSignal", Value: "SIGTERM"},
}

// startKind reads Type= and the watchdog. A unit of others says simple where
// nobody had thought of more, so type is left to itself there: it is notify
// where the application's Sidekiq can. The result is whether systemd waits for
// Sidekiq to come up: where it does not, TimeoutStartSec= bounds no boot, and a
// start_timeout of so many seconds would.
func (r *unitReader) startKind() (waits bool) {
	kind := r.last("Service", "Type")
	watchdog := r.has("Service", "WatchdogSec")
	switch {
	case kind == "forking" || kind == "oneshot" || kind == "dbus" || kind == "idle":
		r.cannot("Type=%s: the main process is Sidekiq itself", kind)
	case r.ours && kind != "":
		r.options["type"] = kind
	}
	r.seconds("WatchdogSec", "watchdog_sec", 60)
	if r.ours && kind == "notify" && !watchdog {
		r.options["watchdog_sec"] = 0
	}
	return kind == "notify" || kind == "forking"
}

// restarting reads when and how fast it is restarted.
func (r *unitReader) restarting() {
	restart := r.last("Service", "Restart")
	switch {
	case contains([]string{"on-failure", "on-abnormal", "on-abort", "on-success", "no"}, restart):
		r.options["restart"] = restart
	case restart == "" && !r.ours:
		r.options["restart"] = "no" // systemd.service(5)
	case restart != "" && restart != "always":
		r.cannot("Restart=%s: restart has no such choice", restart)
	}
	steps := r.left.Values("Service", "RestartSteps")
	pause := r.left.Values("Service", "RestartSec")
	if r.ours && (slices.Equal(steps, []string{"5"}) || slices.Equal(pause, []string{"25"})) {
		for _, name := range []string{"RestartSec", "RestartSteps", "RestartMaxDelaySec"} {
			r.left.Set("Service", name, nil)
		}
	}
	r.seconds("RestartSec", "restart_sec", nil)
}

// seconds reads a span of time into an option, unless it is its default.
func (r *unitReader) seconds(directive, option string, standard any) {
	r.given(directive, r.last("Service", directive), option, standard)
}

func (r *unitReader) given(directive, value, option string, standard any) {
	if value == "" {
		return
	}
	n, ok := span(value)
	if !ok || n > maxSeconds || n == 0 && option != "watchdog_sec" {
		r.cannot("%s=%s: %s takes whole seconds up to a week", directive, value, option)
		return
	}
	r.unless(option, n, standard)
}

// secondsIn is how many seconds a unit of time has, by its words in
// systemd.time(7), or 0.
func secondsIn(unit string) int {
	switch unit {
	case "", "s", "sec", "second", "seconds":
		return 1
	case "m", "min", "minute", "minutes":
		return 60
	case "h", "hr", "hour", "hours":
		return 60 * 60
	case "d", "day", "days":
		return 24 * 60 * 60
	case "w", "week", "weeks":
		return 7 * 24 * 60 * 60
	}
	return 0
}

// span reads a span of time as whole seconds: 90, 5min, 1min 30s.
func span(text string) (seconds int, ok bool) {
	rest := strings.TrimSpace(text)
	for rest != "" {
		digits := rest[:len(rest)-len(strings.TrimLeft(rest, "0123456789"))]
		rest = strings.TrimLeft(rest[len(digits):], " ")
		unit := rest[:len(rest)-len(strings.TrimLeft(rest, "abcdefghijklmnopqrstuvwxyz"))]
		rest = strings.TrimLeft(rest[len(unit):], " ")
		n, err := strconv.Atoi(digits)
		each := secondsIn(unit)
		if err != nil || each == 0 || n > maxSeconds {
			return 0, false
		}
		seconds, ok = seconds+n*each, true
	}
	return seconds, ok
}

// hardening finds one of the presets in a unit of ours. What a directive has
// changed in it is left.
func (r *unitReader) hardening() {
	if !r.ours {
		return
	}
	for _, preset := range []struct {
		name     string
		measures []measure
		mark     string // a directive that only this preset has
	}{{"strict", strict, "SystemCallArchitectures"}, {"basic", basic, "ProtectSystem"}} {
		if !r.has("Service", preset.mark) {
			continue
		}
		r.options["hardening"] = preset.name
		for _, m := range preset.measures {
			if slices.Equal(r.left.Values("Service", m.name), []string{m.value}) {
				r.left.Set("Service", m.name, nil)
			}
		}
		break
	}
	if r.options["hardening"] == "strict" {
		r.writable()
	}
}

// writable takes away the directories that strict keeps writable.
func (r *unitReader) writable() {
	dir, _ := r.options["working_directory"].(string)
	if project, ok := r.options["project_name"].(string); ok {
		dir = "/opt/" + project + "/current"
	}
	log, _ := r.options["log_file"].(string)
	var u systemd.File
	(&wanting{Service: Service{Dir: dir, LogFile: log}}).writable(&u)
	if slices.Equal(r.left.Values("Service", "ReadWritePaths"), u.Values("Service", "ReadWritePaths")) {
		r.left.Set("Service", "ReadWritePaths", nil)
	}
}

// removed are the directives that the module writes by itself and that a unit
// of ours lacks, since the option directives has removed them.
func (r *unitReader) removed() []systemd.Entry {
	var gone []systemd.Entry
	if !r.ours {
		return nil
	}
	for _, d := range ourOwn {
		if d.Name == "ExecReload" || d.Name == "KillMode" || d.Name == "OOMPolicy" && r.options["type"] != "simple" {
			if !r.saw[d.Section+"."+d.Name] {
				gone = append(gone, systemd.Entry{Section: d.Section, Name: d.Name})
			}
		}
	}
	return gone
}
