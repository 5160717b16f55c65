// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/ansible"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/oracle"
)

// This file shows that no option is declared and then does nothing. Where a
// test fails for a new option, its message names the file in which the option
// is missing.

const here = "module_src/internal/sidekiq/"

// examples are tasks in which each option appears at least once, with a value
// other than its default.
func examples() []string {
	return []string{
		full,
		`{"project_name": "p", "working_directory": "/srv/p", "state": "stopped", "enabled": false, "login_shell": true, "processes": 3,
			"restart_on_change": false, "restart_on_release": true, "on_failure": "keep", "replace": true, "backup": true}`,
		`{"project_name": "p", "working_directory": "/srv/p", "exec_start": "/bin/x -t 200", "require_deployed": true, "known_services": ["other"]}`,
		own,
		`{"project_name": "p", "working_directory": "/srv/p", "sudo": false, "hardening": "strict", "type": "simple", "log_file": "/var/log/p/p.log", "logrotate": true}`,
	}
}

// task is an example as a map, so that options can be taken out of it.
func task(t *testing.T, example string) map[string]any {
	t.Helper()
	var options map[string]any
	if err := json.Unmarshal([]byte(example), &options); err != nil {
		t.Fatal(err)
	}
	return options
}

func without(options map[string]any, option string) map[string]any {
	less := maps.Clone(options)
	delete(less, option)
	return less
}

// outcome is what a task comes to on one host. All that is done there follows
// from it.
type outcome struct {
	Want     converge.State
	Warnings []string
	Error    string
	Rollback bool // what is done after a failure
}

// outcomes are the outcomes of a task on hosts of several kinds, on some of
// which somebody else has a unit file of the service's name.
func outcomes(t *testing.T, options map[string]any) []outcome {
	t.Helper()
	s := mustParse(t, quoteJSON(options))
	old := on(237)
	released := on(252)
	released.Release = "/srv/releases/2"
	undeployed := on(252)
	undeployed.Deployed = false
	old.Lock.Content = "    sidekiq (5.2.9)\n"
	undeployed.OtherUnits = []OtherUnit{{Path: "/etc/systemd/system/other.service", Content: strings.ReplaceAll(capistranoUnit, "/opt/laevigata/current", s.Dir)}}
	var list []outcome
	for _, facts := range []Facts{on(257), debian12(), old, on(229), released, undeployed} {
		want, warnings, err := s.Want(facts)
		have := converge.State{Files: []converge.File{{Path: s.UnitPath(), Kind: converge.UnitFile, Exists: true, Content: "[Unit]\n"}}}
		kept, _ := s.KeepReplaced(want, converge.Diff(want, have), time.Unix(0, 0))
		o := outcome{Want: kept, Warnings: warnings, Rollback: s.Rollback}
		more, conflict := s.Conflicts(converge.State{}, have)
		o.Warnings = append(o.Warnings, more...)
		o.Error = fmt.Sprint(err, conflict)
		list = append(list, o)
	}
	return list
}

func TestEachOptionIsInAnExample(t *testing.T) {
	given := map[string]bool{}
	for _, example := range examples() {
		for _, f := range taken(Options(), task(t, example), "") {
			given[f.path] = true
		}
	}
	for _, d := range all(Options(), "") {
		if !d.Required && !given[d.path] {
			t.Errorf("the option %s is in no example: add it to one in %soptions_test.go, or to full in %sgolden_test.go", d.path, here, here)
		}
	}
}

// TestEachOptionDoesSomething takes the options out of the examples, one at a
// time.
func TestEachOptionDoesSomething(t *testing.T) {
	for _, example := range examples() {
		options := task(t, example)
		before := outcomes(t, options)
		for _, f := range taken(Options(), options, "") {
			if cmp.Equal(before, outcomes(t, f.options)) {
				t.Errorf("the option %s does nothing in %s\nuse its field of Service in what Service.Want makes, %sunit.go for the unit file", f.path, example, here)
			}
		}
	}
}

// TestEachChoiceDoesSomethingElse compares the choices of an option with each
// other.
func TestEachChoiceDoesSomethingElse(t *testing.T) {
	for _, d := range all(Options(), "") {
		for i, a := range d.Choices {
			for _, b := range d.Choices[:i] {
				if cmp.Equal(chosen(t, d, a), chosen(t, d, b)) {
					t.Errorf("the option %s does the same for %q as for %q: see its field of Service in %s", d.path, a, b, here)
				}
			}
		}
	}
}

func chosen(t *testing.T, d declared, choice string) []outcome {
	t.Helper()
	if d.Type == ansible.List {
		return outcomes(t, with(d.path, []string{choice}))
	}
	return outcomes(t, with(d.path, choice))
}

// with is a task in which the option at a path has a value.
func with(path string, value any) map[string]any {
	options := only(Options(), path, value)
	if path != "project_name" {
		options["project_name"] = "p"
	}
	return options
}

// TestEachBoundIsKept tries the smallest and the largest number that the
// documentation allows, and the ones beyond.
func TestEachBoundIsKept(t *testing.T) {
	for _, d := range all(Options(), "") {
		if d.Type != ansible.Int {
			continue
		}
		for n, good := range map[int]bool{d.Least: true, d.Most: true, d.Least - 1: false, d.Most + 1: false} {
			_, err := parse(quoteJSON(with(d.path, n)))
			refused := err != nil && strings.Contains(err.Error(), fmt.Sprintf("option %q: must be from %d to %d", d.Name, d.Least, d.Most))
			if good != (err == nil) || !good && !refused {
				t.Errorf("%s, where %d to %d are allowed, is %d: got %v; see %s and %sservice.go", d.path, d.Least, d.Most, n, err, modulePath, here)
			}
		}
	}
}

// bound is the longest text that an option accepts, and one that is too long.
type bound struct{ longest, tooLong any }

// ofLength are a text of n bytes and one of n+1.
func ofLength(n int) bound { return bound{strings.Repeat("a", n), strings.Repeat("a", n+1)} }

// inList is the bound of each element of a list.
func (b bound) inList() bound { return bound{[]any{b.longest}, []any{b.tooLong}} }

// paths are a path whose last name is as long as a name can be, and one whose
// last name is too long.
func paths(dir string) bound {
	b := ofLength(255)
	return bound{dir + b.longest.(string), dir + b.tooLong.(string)}
}

// bounds are the bounds of options that hold text, by the option and what else
// there is to say.
func bounds() map[string]bound {
	deep := strings.Repeat("/"+strings.Repeat("a", 127), 8)
	return map[string]bound{
		"name":                     ofLength(200),
		"project_name":             ofLength(200),
		"working_directory":        paths("/"),
		"working_directory, whole": {deep, deep + "a"},
		"user":                     ofLength(255),
		"group":                    ofLength(255),
		"umask":                    {"0777", "01000"},
		"config_file":              paths("config/"),
		"bundle":                   paths("/"),
		"exec_start":               paths("/"),
		"queues":                   bound{"a,999999", "a,1000000"}.inList(),
		"env_files":                paths("-/").inList(),
		"log_file":                 paths("log/"),
		"redis_unit":               ofLength(200),
		"after":                    ofLength(200).inList(),
		"wants":                    ofLength(200).inList(),
		"wanted_by":                ofLength(200).inList(),
		"known_services":           ofLength(200).inList(),
		"sudo_users":               ofLength(199).inList(),
		"sudo_groups":              ofLength(199).inList(),
		"sudoers_file":             paths("/etc/sudoers.d/"),
		"unit_dir":                 paths("/"),

		"instances[].name":        ofLength(40),
		"instances[].config_file": paths("config/"),
		"instances[].exec_start":  paths("/"),
		"instances[].queues":      bound{"a,999999", "a,1000000"}.inList(),
		"instances[].env_files":   paths("-/").inList(),
		"instances[].log_file":    paths("log/"),
	}
}

func TestEachBoundOfTextIsKept(t *testing.T) {
	bounded := map[string]bool{ // by the length of a line alone: see unitFile
		"app_env": true, "env": true, "directives": true, "instances[].env": true,
		"secret_env": true, "instances[].secret_env": true, // a file has no such bound, and a request has
		"instances[].directives": true,
	}
	for way, b := range bounds() {
		option, _, _ := strings.Cut(way, ",")
		bounded[option] = true
		accept := func(value any) error {
			options := with(option, value)
			if option == "user" {
				options["sudo"] = false // whose names are shorter
			}
			_, err := parse(quoteJSON(options))
			return err
		}
		if err := accept(b.longest); err != nil {
			t.Errorf("%s: %v", way, err)
		}
		if err := accept(b.tooLong); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("option %q: ", lastName(option))) {
			t.Errorf("%s: what is too long is not refused: %v; see %scheck.go", way, err, here)
		}
	}
	for _, d := range all(Options(), "") {
		if d.takesText() && !bounded[d.path] {
			t.Errorf("the option %s takes text of any length: bound it in %scheck.go, and try that in bounds in %soptions_test.go", d.path, here, here)
		}
	}
}

// lastName is the name of the option at the end of a path.
func lastName(path string) string { return path[strings.LastIndex(path, ".")+1:] }

// TestEachOptionOfTextIsFuzzed makes sure that hostile values go through each
// option that takes more than a number, yes or no, or one of a few words.
func TestEachOptionOfTextIsFuzzed(t *testing.T) {
	fuzzed := map[string]bool{"directives": true, "instances[].directives": true} // by FuzzDirectives
	for way := range reachingUnit("x") {
		option, _, _ := strings.Cut(way, ",")
		fuzzed[option] = true
	}
	for option := range reachingSudoers("x") {
		fuzzed[option] = true
	}
	for _, d := range all(Options(), "") {
		if d.takesText() && !fuzzed[d.path] {
			t.Errorf("the option %s takes text and is not fuzzed: add it to reachingUnit in %sunit_test.go, or reachingSudoers in %ssudoers_test.go",
				d.path, here, here)
		}
	}
}

// free are directives that belong to no option, or to several, and that the
// option directives may replace, each with the reason.
func free() map[string]string {
	return map[string]string{
		"Service.SyslogIdentifier":   "who has rules for the log by another name keeps it",
		"Unit.Description":           "a text",
		"Unit.StartLimitIntervalSec": "who wants Sidekiq to stay down may say so",
		"Service.StartLimitInterval": "as StartLimitIntervalSec, before systemd 230",
		"Service.RestartSteps":       "a part of restart_sec's default, for which systemd has a knob of its own",
		"Service.RestartMaxDelaySec": "as RestartSteps",
		"Service.NotifyAccess":       "follows from type; a launcher of one's own may need another",
		"Service.WatchdogSignal":     "follows from watchdog_sec; a program of one's own may need another",
		"Service.ExecReload":         "how a program of one's own is quieted",
		"Service.ExecStartPost":      "waits until a process is up, before what is added",
		"Service.KillMode":           "how a program of one's own is stopped",
		"Service.OOMPolicy":          "a policy of the host",
		"Service.ReadWritePaths":     "follows from hardening, and is added to",
		"Unit.PartOf":                "binds a process to the service",
		"Unit.ReloadPropagatedFrom":  "as PartOf",
		"Service.RemainAfterExit":    "only in the unit that stands for several processes, which directives do not reach",
	}
}

// TestEachDirectiveThatIsWrittenHasAnOwner keeps directives from being a second
// way to say what an option says, or to undo what the service relies on.
func TestEachDirectiveThatIsWrittenHasAnOwner(t *testing.T) {
	presets := map[string]bool{}
	for _, m := range slices.Concat(basic, strict) {
		presets["Service."+m.name] = true
	}
	written := map[string]bool{}
	for _, example := range examples() {
		for _, o := range outcomes(t, withoutDirectives(task(t, example))) {
			for d := range values(t, o) {
				written[d] = true
			}
		}
	}
	for d := range written {
		section, name, _ := strings.Cut(d, ".")
		_, isFree := free()[d]
		if !isFree && !presets[d] && optionFor(section, name) == "" && forbidden(section, name) == "" {
			t.Errorf("%s is written, and no option owns it: add it to optionFor in %sunit.go, or to free in %soptions_test.go", d, here, here)
		}
	}
	for d := range free() {
		if !written[d] {
			t.Errorf("%s is never written: take it out of free in %soptions_test.go", d, here)
		}
	}
}

// withoutDirectives is a task in which nobody sets directives himself.
func withoutDirectives(options map[string]any) map[string]any {
	options = without(options, "directives")
	if items, ok := options["instances"].([]any); ok {
		less := make([]any, len(items))
		for i, item := range items {
			less[i] = without(item.(map[string]any), "directives")
		}
		options["instances"] = less
	}
	return options
}

// TestOptionOwnsTheDirectiveThatItChanges takes options away and looks which
// directives disappear or change with them.
func TestOptionOwnsTheDirectiveThatItChanges(t *testing.T) {
	for _, example := range examples() {
		options := task(t, example)
		for option := range options {
			if contains([]string{"directives", "hardening", "processes", "instances"}, option) {
				continue // a preset may be replaced one directive at a time, and several processes are units of another shape
			}
			for d := range changed(t, options, without(options, option)) {
				section, name, _ := strings.Cut(d, ".")
				owned := strings.Contains(optionFor(section, name)+forbidden(section, name), option)
				_, isFree := free()[d]
				if !owned && !isFree && !slices.Contains(besides()[d], option) {
					t.Errorf("the option %s changes %s and does not own it: name it in optionFor in %sunit.go, or add it to besides in %soptions_test.go",
						option, d, here, here)
				}
			}
		}
	}
}

// besides are options that influence a directive of another option.
func besides() map[string][]string {
	command := []string{"bundle", "login_shell", "app_env", "config_file", "queues", "concurrency", "log_file", "processes", "name", "working_directory"}
	return map[string][]string{
		"Service.EnvironmentFile":  {"secret_env", "name"},
		"Service.ExecStart":        command,
		"Service.Type":             {"exec_start"},
		"Service.TimeoutStopSec":   {"exec_start", "app_env", "config_file"},
		"Service.WorkingDirectory": {"project_name"},
		"Unit.After":               {"redis_unit", "processes", "name"},
		"Unit.Wants":               {"redis_unit"},
	}
}

// values are the values of each directive in all unit files.
func values(t *testing.T, o outcome) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	for _, f := range o.Want.Files {
		if f.Kind != converge.UnitFile || !f.Exists {
			continue
		}
		entries, err := oracle.ParseUnit(f.Content)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			all[e.Section+"."+e.Name] = append(all[e.Section+"."+e.Name], e.Value)
		}
	}
	return all
}

// changed are the directives that differ between the unit files of two tasks.
func changed(t *testing.T, a, b map[string]any) map[string]bool {
	t.Helper()
	differ := map[string]bool{}
	before, after := outcomes(t, a), outcomes(t, b)
	for i := range before {
		x, y := values(t, before[i]), values(t, after[i])
		for d := range x {
			if !slices.Equal(x[d], y[d]) {
				differ[d] = true
			}
		}
	}
	return differ
}
