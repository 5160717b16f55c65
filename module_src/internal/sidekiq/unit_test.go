// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/oracle"
)

// FuzzUnit puts one value into every option that reaches the unit file, and
// reads the file back by systemd's rules: it holds exactly the directives that
// were meant, or the value was refused.
func FuzzUnit(f *testing.F) {
	for _, v := range oracle.Hostile() {
		f.Add(v)
	}
	f.Fuzz(func(t *testing.T, v string) {
		for way, options := range reachingUnit(v) {
			option, _, _ := strings.Cut(way, ",")
			s, err := parse(options)
			if err != nil {
				if !strings.Contains(err.Error(), `option "`+lastName(option)+`"`) && !strings.Contains(err.Error(), "arguments") {
					t.Fatalf("%s is refused without its name: %v", option, err)
				}
				continue
			}
			checkUnit(t, way, s)
		}
	})
}

// reachingUnit is a task's options with v in one of them, by that option and
// what else there is to say of the way.
func reachingUnit(v string) map[string]string {
	tasks := map[string]string{}
	task := func(way string, value any) {
		option, more, _ := strings.Cut(way, ", ")
		options := with(option, value)
		options["sudo"], options["login_shell"] = false, more == "in a shell"
		tasks[way] = quoteJSON(options)
	}
	for _, option := range []string{
		"name", "project_name", "user", "group", "umask", "app_env", "config_file", "bundle", "exec_start", "log_file", "redis_unit", "unit_dir",
	} {
		task(option, v)
	}
	task("working_directory", "/"+v)
	task("exec_start, an argument", "/bin/x "+v)
	for _, option := range []string{"app_env", "config_file", "bundle", "log_file"} {
		task(option+", in a shell", v)
	}
	task("queues, in a shell", []string{v})
	for _, option := range []string{"queues", "after", "wants", "wanted_by", "known_services"} {
		task(option, []string{v})
	}
	task("env_files", []string{"/" + v})
	for _, option := range []string{"name", "config_file", "exec_start", "log_file"} {
		task("instances[]."+option, v)
	}
	task("instances[].queues", []string{v})
	task("instances[].env_files", []string{"/" + v})
	task("instances[].env", map[string]string{"A": v})
	task("instances[].secret_env", map[string]string{"A": "long" + v})
	task("secret_env", map[string]string{"A": "long" + v})
	task("secret_env, a name", map[string]string{v: "long"})
	task("env", map[string]string{"A": v})
	task("env, a name", map[string]string{v: "x"})
	return tasks
}

// checkUnit compares the unit file of a service with what it should say.
func checkUnit(t *testing.T, way string, s Service) {
	t.Helper()
	facts := Facts{
		Systemd: 252, Deployed: true, Configs: []Text{{Path: "/opt/p/current/config/sidekiq.yml", Found: true}},
		Users:  map[string]User{s.User: {UID: 1000, GID: 1000}},
		Groups: map[string]Group{s.Group: {GID: 1000}},
		Units:  map[string]Installed{s.RedisUnit: {}},
	}
	want, _, err := s.Want(facts)
	if err != nil {
		t.Fatalf("%s: %v", way, err)
	}
	entries, err := oracle.ParseUnit(want.Files[0].Content)
	if err != nil {
		t.Fatalf("%s: %v\n%s", way, err, want.Files[0].Content)
	}
	got := decodeEntries(t, entries, s.LoginShell && s.ExecStart == nil)
	if d := cmp.Diff(intended(s), got, cmp.AllowUnexported(oracle.Entry{})); d != "" {
		t.Fatalf("%s: systemd reads other directives than meant (-meant +read):\n%s\n%s", way, d, want.Files[0].Content)
	}
}

// decodeEntries decodes each value by the rules of its directive, with NUL
// between words. With inShell, the command's third word is a script.
func decodeEntries(t *testing.T, entries []oracle.Entry, inShell bool) []oracle.Entry {
	t.Helper()
	var out []oracle.Entry
	for _, e := range entries {
		var words []string
		var err error
		switch e.Name {
		case "ExecStart", "ExecStartPost":
			words, err = oracle.Command(e.Value)
			if err == nil && inShell {
				var script []string
				script, err = oracle.ShellWords(words[2])
				words = append(words[:2], script...)
			}
		case "ExecReload":
			words = []string{e.Value}
		case "Environment":
			words, err = oracle.Environment(e.Value)
		default:
			var v string
			v, err = oracle.Specifiers(e.Value)
			words = []string{v}
		}
		if err != nil {
			t.Fatalf("%s=%s: %v", e.Name, e.Value, err)
		}
		out = append(out, entry(e.Section, e.Name, strings.Join(words, "\x00")))
	}
	return out
}

// intendedProcess are the directives of the first of several processes.
func intendedProcess(s Service) []oracle.Entry {
	i := s.Instances[0]
	var unit, service []oracle.Entry
	for _, e := range intended(*i.Own) {
		switch e.Section + "." + e.Name {
		case "Unit.Description":
			e = entry("Unit", "Description", "sidekiq process "+i.Name)
		case "Service.SyslogIdentifier":
			e = entry("Service", "SyslogIdentifier", "sidekiq@"+i.Name)
		case "Service.EnvironmentFile":
			if strings.HasPrefix(e.Value, SecretDirectory) {
				e = entry("Service", e.Name, secretPath("sidekiq", i.Name))
			}
		}
		switch e.Section {
		case "Unit":
			unit = append(unit, e)
		case "Service":
			service = append(service, e)
		}
	}
	for _, name := range []string{"PartOf", "After", "ReloadPropagatedFrom"} {
		unit = append(unit, entry("Unit", name, "sidekiq.service"))
	}
	wait := `until grep -qs "busy]" "/proc/$MAINPID/cmdline"; do test -d "/proc/$MAINPID" || exit 1; sleep 0.2; done`
	if i.Own.ExecStart != nil {
		wait = `n=0; until grep -qs "busy]" "/proc/$MAINPID/cmdline"; do test -d "/proc/$MAINPID" || exit 1; n=$((n+1)); test $n -le 300 || exit 0; sleep 0.2; done`
	}
	return append(append(unit, service...), entry("Service", "ExecStartPost", strings.Join([]string{"/bin/sh", "-c", wait}, "\x00")))
}

// intended are the directives of a service that has default options except for
// those that FuzzUnit sets. They are written down here once more, by hand.
func intended(s Service) []oracle.Entry {
	if s.several() {
		return intendedProcess(s)
	}
	var list []oracle.Entry
	add := func(section, name, value string) { list = append(list, entry(section, name, value)) }
	after, wants := []string{"network.target"}, []string(nil)
	if s.RedisUnit != "auto" && s.RedisUnit != "none" {
		after, wants = append(after, s.RedisUnit), append(wants, s.RedisUnit)
	}
	for _, a := range s.After {
		if !slices.Contains(after, a) {
			after = append(after, a)
		}
	}
	wants = append(wants, s.Wants...)
	add("Unit", "Description", s.Name)
	add("Unit", "After", strings.Join(after, " "))
	if wants != nil {
		add("Unit", "Wants", strings.Join(wants, " "))
	}
	add("Unit", "StartLimitIntervalSec", "0")
	add("Service", "Type", "exec")
	add("Service", "WorkingDirectory", s.Dir)
	words := s.ExecStart
	if words == nil {
		words = []string{s.Bundle, "exec", "sidekiq", "-e", s.AppEnv, "-C", s.ConfigFile}
		for _, q := range s.Queues {
			words = append(words, "-q", q)
		}
	}
	switch {
	case s.LoginShell && s.LogFile != "":
		words = slices.Concat([]string{"/bin/bash", "-lc", "exec"}, words, []string{">>" + s.LogFile, "2>&1"})
	case s.LoginShell:
		words = slices.Concat([]string{"/bin/bash", "-lc", "exec"}, words)
	case s.LogFile != "":
		words = append([]string{"/bin/sh", "-c", `exec "$@" >>"$0" 2>&1`, s.LogFile}, words...)
	}
	add("Service", "ExecStart", strings.Join(words, "\x00"))
	add("Service", "ExecReload", "/bin/kill -TSTP $MAINPID")
	add("Service", "User", s.User)
	if s.Group != "" {
		add("Service", "Group", s.Group)
	}
	add("Service", "UMask", s.Umask)
	for _, v := range s.Env {
		add("Service", "Environment", v.Name+"="+v.Value)
	}
	for _, f := range s.EnvFiles {
		add("Service", "EnvironmentFile", f)
	}
	if s.Secrets != nil {
		add("Service", "EnvironmentFile", secretPath(s.Name, ""))
	}
	add("Service", "Restart", "always")
	add("Service", "RestartSec", "25")
	add("Service", "TimeoutStartSec", "300")
	add("Service", "TimeoutStopSec", "90")
	add("Service", "KillMode", "mixed")
	add("Service", "OOMPolicy", "continue")
	add("Service", "SyslogIdentifier", s.Name)
	add("Install", "WantedBy", strings.Join(s.WantedBy, " "))
	return list
}

// FuzzDirectives shows that no directive that a user adds becomes two, or one
// that runs something as root.
func FuzzDirectives(f *testing.F) {
	for _, v := range oracle.Hostile() {
		f.Add("LimitNOFILE", v)
		f.Add("ExecStartPre", v)
		f.Add(v, "x")
	}
	f.Add("ExecStartPre", "-+/bin/x")
	f.Add("ExecStartPre", "/bin/true ; +/bin/x")
	f.Fuzz(func(t *testing.T, name, value string) {
		options, _ := json.Marshal(map[string]any{
			"project_name": "p", "sudo": false, "directives": map[string]any{"Service": map[string]any{name: value}},
		})
		s, err := parse(string(options))
		if err != nil {
			return
		}
		want, _, err := s.Want(debian12())
		if err != nil {
			return
		}
		entries, err := oracle.ParseUnit(want.Files[0].Content)
		if err != nil {
			t.Fatal(err)
		}
		checkDirective(t, s, entries, name, value)
	})
}

func checkDirective(t *testing.T, s Service, entries []oracle.Entry, name, value string) {
	t.Helper()
	plain, err := oracle.ParseUnit(unitOf(t, `{"project_name": "p", "sudo": false}`, debian12()))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if slices.Contains(plain, e) || e == entry("Service", name, value) {
			continue
		}
		t.Fatalf("%q=%q became %+v", name, value, e)
	}
	for _, e := range entries {
		for word := range strings.FieldsSeq(e.Value) {
			if strings.HasPrefix(e.Name, "Exec") && e.Name != "ExecSearchPath" && word == ";" {
				t.Fatalf("more than one command: %+v", e)
			}
		}
		if e.Name == "User" && e.Value != s.User {
			t.Fatalf("another user: %+v", e)
		}
	}
}

func TestPrivilegedCommandsAreRefused(t *testing.T) {
	for _, command := range []string{
		"+/bin/x", "-+/bin/x", "@!/bin/x a", "!!/bin/x", ":|+/bin/x", "/bin/true ; +/bin/x", "/bin/true ; /bin/x", "+ /bin/x",
		`"+/bin/sh" -c id`, `'!/bin/x'`, `\x2b/bin/x`, `-\053/bin/x`, `"-"+/bin/x`, `-"!"/bin/x`, `/bin/x ";" a ; +/bin/y`, "/bin/true\t;\t/bin/x", `"/bin/x`,
	} {
		options, _ := json.Marshal(map[string]any{
			"project_name": "p", "directives": map[string]any{"Service": map[string]any{"ExecStartPre": command}},
		})
		if _, err := parse(string(options)); err == nil {
			t.Errorf("%q is accepted", command)
		}
	}
	s := mustParse(t, `{"project_name": "p", "directives": {"Service": {"ExecStartPre": ["-/bin/a +x", "@/bin/b c", "/bin/a 'x ; y' \";\" \\;"]}}}`)
	if got := s.Directives[0].Values; !slices.Equal(got, []string{"-/bin/a +x", "@/bin/b c", `/bin/a 'x ; y' ";" \;`}) {
		t.Errorf("got %q", got)
	}
}
