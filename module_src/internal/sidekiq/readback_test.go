// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/oracle"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/systemd"
)

// foreign are the units of others in testdata/foreign, in the form that
// projects give them: which options reproduce them, and what has none.
func foreign() map[string]struct{ unit, options, without string } {
	return map[string]struct{ unit, options, without string }{
		"samvera-2024": {"sidekiq.service", `{"project_name": "laevigata", "user": "deploy", "group": "deploy", "restart": "on-failure", "restart_sec": 1}`, ""},
		"example": {"sidekiq.service", `{"project_name": "myapp", "user": "deploy", "group": "deploy", "env": {"MALLOC_ARENA_MAX": "2"},
			"restart_sec": 1, "watchdog_sec": 10, "directives": {"Service": {"NotifyAccess": "all"}}}`, ""},
		"gem-system": {"shop_sidekiq_production.service", `{"working_directory": "/var/www/shop/current", "user": "deploy", "umask": "0022",
			"bundle": "/home/deploy/.rbenv/shims/bundle", "env": {"SECRET": "two words"}, "env_files": ["/etc/shop/env"],
			"log_file": "/var/www/shop/shared/log/sidekiq.log", "restart": "on-failure", "restart_sec": 1, "watchdog_sec": 10,
			"directives": {"Unit": {"Description": "sidekiq for shop (production)"}}}`, ""},
		"queues": {"sidekiq.service", `{"project_name": "atlas", "user": "atlas", "umask": "0022", "bundle": "/opt/atlas/current/bin/bundle",
			"app_env": "staging", "queues": ["critical", "default,2"], "concurrency": 10,
			"directives": {"Unit": {"Description": "background jobs"}}}`, ""},
		"other-user": {"sidekiq.service", `{"project_name": "adrl", "user": "adrl", "group": "web", "umask": "0022",
			"env": {"RAILS_ENV": "production", "RAILS_LOG_TO_STDOUT": "1"}, "after": ["solr.service"], "timeout_stop_sec": 120,
			"restart": "on-failure", "restart_sec": 10,
			"directives": {"Unit": {"Description": "Sidekiq"}, "Service": {"LimitNOFILE": "65536", "MemoryMax": "2G"}}}`, ""},
		"login-shell": {"sidekiq.service", `{"working_directory": "/srv/library", "user": "rails", "umask": "0027", "login_shell": true,
			"log_file": "log/sidekiq.log", "restart": "on-failure", "directives": {"Service": {"KillMode": "process"}}}`, ""},
		"rvm": {"sidekiq.service", `{"working_directory": "/home/app/site", "user": "app", "umask": "0022",
			"exec_start": "/home/app/.rvm/bin/rvm default do bundle exec sidekiq -e production -t 60", "restart_sec": 5,
			"wanted_by": ["default.target"], "directives": {"Service": {"ExecStop": "/bin/kill -TERM $MAINPID"}}}`, ""},
		"template@": {"sidekiq@2.service", `{"project_name": "hyrax", "user": "deploy", "umask": "0022", "env": {"WORKER": "2"},
			"config_file": "config/sidekiq-2.yml", "directives": {"Unit": {"Description": "sidekiq %i"}}}`, ""},
		"variables": {"sidekiq.service", `{"project_name": "hyrax", "user": "deploy", "umask": "0022",
			"env": {"NAME": "it's 50% $HOME", "THREADS": "5"}, "env_files": ["-/etc/default/hyrax"],
			"exec_start": "/bin/sh -c 'exec /usr/local/bin/bundle exec sidekiq -e production -c \"${THREADS}\" $EXTRA'"}`, ""},
		"absolute-config": {"sidekiq.service", `{"project_name": "atlas", "user": "deploy", "config_file": "/opt/atlas/current/config/sidekiq.yml",
			"env_files": ["/opt/atlas/shared/.env"], "timeout_stop_sec": 15}`, "EnvironmentFile=/opt/atlas/shared/.env: env_files takes files below directories of root's"},
		"daemon": {
			"sidekiq.service", `{"project_name": "old", "umask": "0022", "restart": "no", "wanted_by": [], "enabled": false,
			"directives": {"Unit": {"Description": "old sidekiq"}, "Service": {"PIDFile": "/opt/old/shared/tmp/pids/sidekiq.pid"}}}`,
			"runs as root|-L log/sidekiq.log: Sidekiq 6|-d: |-P /opt/old|Type=forking|TimeoutSec=infinity|env_files takes absolute paths|ExecStartPre=",
		},
	}
}

func foreignUnit(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata/foreign", name+".service"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestOptionsOfForeignUnits(t *testing.T) {
	for name, test := range foreign() {
		got := ReadUnit(test.unit, foreignUnit(t, name))
		var want map[string]any
		if err := json.Unmarshal([]byte(test.options), &want); err != nil {
			t.Fatal(name, err)
		}
		if d := cmp.Diff(want, plainJSON(t, got.Options)); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
		all := strings.Join(got.NoOption, "\n")
		if (test.without == "") != (all == "") && name != "gem-system" {
			t.Errorf("%s: no option for %q", name, all)
		}
		for part := range strings.SplitSeq(test.without, "|") {
			if !strings.Contains(all, part) {
				t.Errorf("%s: %q is not among what has no option: %s", name, part, all)
			}
		}
	}
}

func plainJSON(t *testing.T, v any) map[string]any {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var plain map[string]any
	if err := json.Unmarshal(text, &plain); err != nil {
		t.Fatal(err)
	}
	return plain
}

func TestOptionsOfForeignUnitsAreATask(t *testing.T) {
	for name, test := range foreign() {
		options := ReadUnit(test.unit, foreignUnit(t, name)).Options
		options["name"] = "x"
		text, _ := json.Marshal(options)
		s, err := parse(string(text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		// A unit of ours that is written from them says the same again.
		delete(options, "name")
		file, err := wantedUnit(&s, on(257))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		again := ReadUnit("x.service", file).Options
		for option, value := range plainJSON(t, options) {
			if got := plainJSON(t, again)[option]; cmp.Diff(value, got) != "" && option != "restart" && option != "watchdog_sec" {
				t.Errorf("%s: %s was %v and is %v", name, option, value, got)
			}
		}
	}
}

// wantedUnit is the first unit file that a service wants.
func wantedUnit(s *Service, f Facts) (string, error) {
	files, err := wantedFiles(s, f)
	if err != nil {
		return "", err
	}
	return files[0].Content, nil
}

// wantedFiles are the files that a service wants, without the sudoers file.
func wantedFiles(s *Service, f Facts) ([]converge.File, error) {
	want, _, err := s.Want(f)
	var unmet *UnmetError
	if err != nil && !errors.As(err, &unmet) {
		return nil, err
	}
	return slices.DeleteFunc(want.Files, func(f converge.File) bool { return !f.Exists || f.Kind == converge.SudoersFile }), nil
}

// reported is the report on a host that has these files.
func reported(s *Service, files []converge.File) *Report {
	found := &Report{Service: UnitReport{Unit: converge.Unit{Name: s.Unit()}}, UnitFiles: []string{s.UnitPath()}}
	content := map[string]string{}
	for _, f := range files {
		content[f.Path] = f.Content
	}
	found.Content = content[s.UnitPath()]
	for _, i := range s.Instances {
		found.Processes = append(found.Processes, UnitReport{Unit: converge.Unit{Name: s.Instance(i.Name), Fragment: s.InstancePath(i.Name)}})
	}
	found.ProcessFiles = found.Sources()
	for i := range found.ProcessFiles {
		p := &found.ProcessFiles[i]
		p.Content, p.Secrets = content[p.Path], content[p.SecretsPath]
	}
	return found
}

// checkReadBack shows that the options read from units of ours write the same
// units, and the same files of secrets.
func checkReadBack(t *testing.T, way string, s *Service, f Facts) {
	t.Helper()
	files, err := wantedFiles(s, f)
	if err != nil {
		return
	}
	read := reported(s, files).Reading()
	options := maps.Clone(read.Options)
	options["name"], options["sudo"], options["unit_dir"] = s.Name, false, s.UnitDir
	text, _ := json.Marshal(options)
	again, err := parse(string(text))
	if err != nil {
		t.Fatalf("%s: what was read is refused: %v\n%s\n%s", way, err, text, files[0].Content)
	}
	second, err := wantedFiles(&again, f)
	if err != nil {
		t.Fatalf("%s: what was read is refused: %v\n%s\n%s", way, err, text, files[0].Content)
	}
	if d := cmp.Diff(entriesOf(t, files), entriesOf(t, second)); d != "" {
		t.Fatalf("%s: the files are others (-was +is):\n%s\n%s\nno option: %q", way, d, text, read.NoOption)
	}
}

// entriesOf are the contents of files by their paths.
func entriesOf(t *testing.T, files []converge.File) map[string]any {
	t.Helper()
	all := map[string]any{}
	for _, f := range files {
		if f.Kind == converge.UnitFile {
			all[f.Path] = sortedEntries(t, f.Content)
			continue
		}
		all[f.Path], _ = systemd.Environment(f.Content)
	}
	return all
}

// sortedEntries are the directives of a unit, each with all its values.
func sortedEntries(t *testing.T, unit string) map[string][]string {
	t.Helper()
	entries, err := oracle.ParseUnit(unit)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]string{}
	for _, e := range entries {
		all[e.Section+"."+e.Name] = append(all[e.Section+"."+e.Name], e.Value)
	}
	return all
}

func TestOurOwnUnitsAreReadBack(t *testing.T) {
	for _, version := range versions() {
		for _, options := range []string{
			`"project_name": "laevigata"`, `"project_name": "laevigata", "hardening": "basic"`, `"project_name": "laevigata", "hardening": "strict"`,
			`"working_directory": "/srv/a%b", "hardening": "strict", "log_file": "/var/log/x/y", "redis_unit": "none"`,
			`"project_name": "l", "login_shell": true, "queues": ["a,2", "it;s"], "log_file": "log/side kiq.log", "concurrency": 7`,
			`"project_name": "l", "exec_start": "/bin/bash -lc 'exec sidekiq -t 120 -e $RAILS_ENV'", "restart": "no", "enabled": false`,
			`"project_name": "l", "watchdog_sec": 0, "restart_sec": 3, "start_timeout": 77, "timeout_stop_sec": 100, "wanted_by": ["a.target", "b.target"]`,
			`"project_name": "l", "env": {"A": "$x %n \"q\" \\", "B": ""}, "env_files": ["-/etc/x"], "after": ["x"], "wants": ["x"]`,
			`"project_name": "l", "directives": {"Service": {"KillMode": null, "LimitNOFILE": 5, "ExecStartPre": ["/bin/a", "/bin/b"]}, "Install": {"Alias": "x"}}`,
			`"project_name": "l", "hardening": "strict", "directives": {"Service": {"PrivateTmp": false, "ReadWritePaths": ["/a", "/b"]}}`,
		} {
			checkReadBack(t, options, mustParse(t, "{"+options+"}"), on(version))
			checkReadBack(t, options+" three times", mustParse(t, "{"+options+`, "processes": 3}`), on(version))
		}
		checkReadBack(t, "full", mustParse(t, full), on(version))
		checkReadBack(t, "own", mustParse(t, own), on(version))
		checkReadBack(t, "described", mustParse(t, `{"project_name": "l", "processes": 2, "directives": {"Unit": {"Description": "jobs", "PartOf": "x.service"}}}`), on(version))
		checkReadBack(t, "one", mustParse(t, `{"project_name": "l", "instances": [{"name": "1"}]}`), on(version))
	}
}

// FuzzReadBack reads back units of ours with any value in any option.
func FuzzReadBack(f *testing.F) {
	for _, v := range oracle.Hostile() {
		f.Add(v)
	}
	f.Add(strings.Repeat("5", 200)) // a unit's name that is longer once it is complete
	f.Fuzz(func(t *testing.T, v string) {
		ways := reachingUnit(v)
		for _, d := range []string{"Unit.Requires", "Unit.Documentation", "Service.ExecStartPre", "Service.LimitNOFILE", "Install.Alias", "Install.RequiredBy"} {
			section, name, _ := strings.Cut(d, ".")
			options := with("directives", map[string]any{section: map[string]any{name: v}})
			options["sudo"] = false
			ways["directives, "+d] = quoteJSON(options)
		}
		for _, way := range slices.Sorted(maps.Keys(ways)) {
			if s, err := parse(ways[way]); err == nil {
				checkReadBack(t, way, &s, debian12())
			}
		}
	})
}

// FuzzReadUnit reads any text as a unit. What is read is a task, whose options
// the module may still refuse, and never a panic.
func FuzzReadUnit(f *testing.F) {
	for name := range foreign() {
		text, err := os.ReadFile(filepath.Join("testdata/foreign", name+".service"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Fuzz(func(t *testing.T, text string) {
		read := ReadUnit("sidekiq@1.service", text)
		if _, err := json.Marshal(read.Shown()); err != nil {
			t.Fatal(err)
		}
	})
}

// The signal follows the version that is deployed: one that is told as a
// directive would stay when Sidekiq 4 becomes 5, and end it.
func TestTheSignalForAnOldSidekiqIsNoDirective(t *testing.T) {
	s := mustParse(t, `{"project_name": "p"}`)
	file, err := wantedUnit(s, on(257))
	if err != nil {
		t.Fatal(err)
	}
	old := strings.Replace(file, quietBy("TSTP"), quietBy("USR1"), 1)
	if options := ReadUnit("sidekiq.service", old).Options; old == file || options["directives"] != nil {
		t.Errorf("%v", options)
	}
}

func TestShownOptionsHideValues(t *testing.T) {
	read := ReadUnit("sidekiq.service", "[Service]\nEnvironment=PASSWORD=geheim99\n")
	text, _ := json.Marshal(read.Shown())
	if strings.Contains(string(text), "geheim99") || !strings.Contains(string(text), `"PASSWORD":"`+HiddenValue+`"`) {
		t.Errorf("%s", text)
	}
}

func TestProcessesOfAForeignTemplate(t *testing.T) {
	content := foreignUnit(t, "template@")
	found := Report{}
	for _, name := range []string{"1", "2"} {
		found.ProcessFiles = append(found.ProcessFiles, ProcessFile{Unit: "sidekiq@" + name + ".service", Content: content})
	}
	var want map[string]any
	if err := json.Unmarshal([]byte(`{"project_name": "hyrax", "user": "deploy", "umask": "0022", "directives": {"Unit": {"Description": "sidekiq %i"}}, "instances": [
		{"name": "1", "env": {"WORKER": "1"}, "config_file": "config/sidekiq-1.yml"},
		{"name": "2", "env": {"WORKER": "2"}, "config_file": "config/sidekiq-2.yml"}]}`), &want); err != nil {
		t.Fatal(err)
	}
	read := found.Reading()
	if d := cmp.Diff(want, plainJSON(t, read.Options)); d != "" || len(read.NoOption) > 0 {
		t.Errorf("%s\n%q", d, read.NoOption)
	}
}

func TestWhatProcessesOfOthersDifferInWithoutAnOptionIsSaid(t *testing.T) {
	unit := "[Service]\nUser=deploy\nWorkingDirectory=/opt/p/current\nExecStart=/usr/local/bin/bundle exec sidekiq -e production\nRestart=always\n"
	found := Report{ProcessFiles: []ProcessFile{
		{Unit: "a@x.service", Content: unit}, {Unit: "a@y+z.service", Content: strings.Replace(unit, "deploy", "other", 1)},
	}}
	read := found.Reading()
	said := strings.Join(read.NoOption, "\n")
	if read.Options["user"] != "deploy" || !strings.Contains(said, "user is not the same in all processes") || !strings.Contains(said, `"y+z" needs another name`) {
		t.Errorf("%v\n%s", read.Options, said)
	}
}

func TestShownOptionsHideSecretsOfEachProcess(t *testing.T) {
	s := mustParse(t, own)
	files, err := wantedFiles(s, debian12())
	if err != nil {
		t.Fatal(err)
	}
	read := reported(s, files).Reading()
	text, _ := json.Marshal(read.Shown())
	whole, _ := json.Marshal(read.Options)
	if strings.Contains(string(text), "hunter2") || !strings.Contains(string(whole), "hunter2") || !strings.Contains(string(text), `"PASSWORD":"`+HiddenValue+`"`) {
		t.Errorf("%s", text)
	}
}

func TestTheNameInTheLogIsKeptByADirective(t *testing.T) {
	const unit = "[Service]\nUser=deploy\nWorkingDirectory=/opt/p/current\nExecStart=/usr/local/bin/bundle exec sidekiq -e production\nSyslogIdentifier="
	for id, kept := range map[string]any{"sidekiq": nil, "%N": nil, "worker": "worker"} {
		directives, _ := ReadUnit("sidekiq.service", unit+id+"\n").Options["directives"].(map[string]any)
		service, _ := directives["Service"].(map[string]any)
		if service["SyslogIdentifier"] != kept {
			t.Errorf("%s: %v", id, directives)
		}
	}
	s := mustParse(t, `{"project_name": "p", "directives": {"Service": {"SyslogIdentifier": "worker"}}}`)
	want, _, _ := s.Want(debian12())
	file, _ := want.File(s.UnitPath())
	if strings.Count(file.Content, "SyslogIdentifier=") != 1 || !strings.Contains(file.Content, "\nSyslogIdentifier=worker\n") {
		t.Error(file.Content)
	}
}
