// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/ansible"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/systemd"
)

// Reason says what a reader of the task would not expect of a change of a unit
// file, or "" where there is nothing of that kind: the file changes although no
// option has changed, or options that are no longer given go back to their
// defaults. With type auto, how systemd knows that Sidekiq is up
// changes at the first deploy, and when a later deploy brings another version
// of Sidekiq. So does the signal that makes it quiet.
func (s *Service) Reason(f Facts, was, want converge.File) string {
	var reasons []string
	for _, why := range []string{s.reasonOfItself(f, was, want), takenAway(was, want)} {
		if why != "" {
			reasons = append(reasons, why)
		}
	}
	return strings.Join(reasons, "; ")
}

// asTheyStand are options that a unit file holds only where a task has set them.
// The others may follow from what is deployed, as the type and the time to stop
// do.
var asTheyStand = []string{
	"after", "app_env", "bundle", "concurrency", "config_file", "directives", "env", "env_files", "exec_start", "group", "hardening",
	"log_file", "login_shell", "queues", "restart", "restart_sec", "start_timeout", "umask", "user", "wanted_by", "wants", "watchdog_sec",
}

// ofFirstRelease replaces what the first release wrote without being asked by
// what is written in its place now. The same values where a task has set them
// cannot be told from that.
var ofFirstRelease = strings.NewReplacer(
	"\nNotifyAccess=all\n", "\nNotifyAccess=main\n", "\nRestartSec=10\n", "\nRestartSec=25\n",
	"\nRestartSteps=6\n", "\nRestartSteps=5\n", "\nRestartMaxDelaySec=60\n", "\nRestartMaxDelaySec=30\n",
)

// takenAway names the options that an earlier task has set in a unit file of ours
// and that this one does not give, each with what it was.
func takenAway(was, want converge.File) string {
	_, origin := OriginOf(was.Content)
	several := directiveIn(was.Content, "Type") == "oneshot" || directiveIn(want.Content, "Type") == "oneshot"
	if origin != Ours || was.Kind != converge.UnitFile || several {
		return "" // a unit that only stands for others has no such options
	}
	before, after := ReadUnit(path.Base(was.Path), ofFirstRelease.Replace(was.Content)).Options, ReadUnit(path.Base(want.Path), want.Content).Options
	var gone []string
	for _, option := range asTheyStand {
		if v, given := before[option]; given && after[option] == nil && !(option == "watchdog_sec" && before["type"] != after["type"]) {
			gone = append(gone, option+valueWas(v))
		}
	}
	if gone == nil {
		return ""
	}
	return "no longer given, and so as by default: " + strings.Join(gone, ", ")
}

// valueWas is a value in parentheses; of variables and directives, their names.
func valueWas(v any) string {
	members, ok := v.(map[string]any)
	if !ok {
		return " (was " + inYAML(v) + ")"
	}
	var names []string
	for _, name := range ansible.SortedKeys(members) {
		if section, ok := members[name].(map[string]any); ok {
			for _, directive := range ansible.SortedKeys(section) {
				names = append(names, name+"."+directive)
			}
			continue
		}
		names = append(names, name)
	}
	return " (was of " + strings.Join(slices.Compact(names), ", ") + ")"
}

func (s *Service) reasonOfItself(f Facts, was, want converge.File) string {
	if why := s.reasonOfType(f, directiveIn(was.Content, "Type"), directiveIn(want.Content, "Type")); why != "" {
		return why
	}
	version := f.SidekiqVersion()
	before, after := directiveIn(was.Content, "ExecReload"), directiveIn(want.Content, "ExecReload")
	if version == "" || before == after || before != quietBy("TSTP") && before != quietBy("USR1") || after != quietBy(QuietSignal(version)) {
		return ""
	}
	return fmt.Sprintf("it is told to be quiet by %s now, which Sidekiq %s knows", QuietSignal(version), version)
}

func (s *Service) reasonOfType(f Facts, before, after string) string {
	several := before == "oneshot" || after == "oneshot" // which is that of what stands for several processes
	if s.Type != "auto" || before == "" || before == after || several {
		return ""
	}
	version := f.SidekiqVersion()
	switch {
	case after == "notify":
		return fmt.Sprintf("its type is notify now, since Sidekiq %s tells systemd when it is up", version)
	case before == "notify" && !f.Deployed:
		return fmt.Sprintf("its type is %s now, since the application is not there to tell which Sidekiq it has", after)
	case before == "notify" && version != "" && !notifies(version):
		return fmt.Sprintf("its type is %s now, since Sidekiq %s does not tell systemd when it is up", after, version)
	}
	return ""
}

// DirectoryIn is the working directory in a unit file, or "" where it has none.
func DirectoryIn(unit string) string { return directiveIn(unit, "WorkingDirectory") }

// directiveIn is the last value of a directive in a unit file, or "" where it
// has none.
func directiveIn(unit, name string) (value string) {
	for l := systemd.Lines(unit); l.Next(); {
		if l.Name == name {
			value = l.Value
		}
	}
	return value
}
