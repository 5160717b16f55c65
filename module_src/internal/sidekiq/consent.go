// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/ansible"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/systemd"
)

// A unit of somebody else's is taken over without consent only if the options
// ask for what it does. Both units are read into options, theirs and the one
// that is wanted, and compared there. What docs/migrating.md lists as improved
// does not count: how it is restarted, stopped and watched, and its type.

// adopts says why a unit of somebody else's that runs Sidekiq must not be taken
// over without consent, or nil. was is the file that is there, and want the
// state that is wanted.
func (s *Service) adopts(was converge.File, want converge.State) error {
	unit := path.Base(was.Path)
	theirs, ours := ReadUnit(unit, was.Content), ReadUnit(s.processFile(unit, want))
	if dir := directoryIn(theirs.Options); dir != "" && dir != s.Dir {
		return fmt.Errorf("cannot write %s: something else wrote it, and it runs the Sidekiq of %s; set another name for a second application, "+
			"or replace: true to take it over", was.Path, dir)
	}
	changes := changesOf(theirs, ours)
	if len(changes) == 0 {
		return nil
	}
	if was.UID != 0 {
		changes = slices.Insert(changes, 0, fmt.Sprintf("its owner (the user with the id %d, who so can have root run anything, and it would be root)", was.UID))
	}
	return fmt.Errorf("cannot write %s: something else wrote it, and this would change: %s. Set the options that keep it, "+
		"or replace: true to take it over as these options say, and backup: true to keep the file", was.Path, strings.Join(changes, "; "))
}

// processFile is the unit and the file that are to run Sidekiq in the place of
// the file of that name: an umbrella stands for its first process.
func (s *Service) processFile(name string, want converge.State) (unit, content string) {
	for _, f := range want.Files {
		if f.Kind == converge.UnitFile && f.Exists && (path.Base(f.Path) == name && s.Instances == nil || s.Instances != nil && strings.Contains(path.Base(f.Path), "@")) {
			return path.Base(f.Path), f.Content
		}
	}
	return name, ""
}

// runsSidekiqIn reports whether a unit file starts a Sidekiq.
func runsSidekiqIn(content string) bool {
	return strings.Contains(strings.Join(valuesIn(content, "ExecStart"), "\n"), "sidekiq")
}

// valuesIn are the values that a directive has in a unit file, in any section.
func valuesIn(content, name string) []string {
	var values []string
	for l := systemd.Lines(content); l.Next(); {
		if l.Name == name {
			values = append(values, l.Value)
		}
	}
	return values
}

// directoryIn is the working directory that options name.
func directoryIn(options map[string]any) string {
	if project, ok := options["project_name"].(string); ok {
		return path.Join("/opt", project, "current")
	}
	dir, _ := options["working_directory"].(string)
	return dir
}

// changesOf says, option by option, what ours would change of theirs.
func changesOf(theirs, ours Reading) []string {
	var changes []string
	was, is := theirs.Options, ours.Options
	for _, options := range []map[string]any{was, is} {
		if file, ok := options["config_file"].(string); ok && path.Join(directoryIn(options), ownConfigs()[0]) == file {
			delete(options, "config_file") // the default, by its whole path
		}
	}
	if contains(theirs.NoOption, runsAsRoot) {
		changes = append(changes, fmt.Sprintf("user (it runs as root, which the module refuses, and would run as %v)", is["user"]))
	}
	for _, option := range ansible.SortedKeys(was) {
		if !improved(option, was[option], is[option]) {
			changes = append(changes, change(option, was[option], is[option])...)
		}
	}
	for _, option := range []string{"exec_start", "queues", "concurrency", "app_env", "config_file", "bundle", "login_shell"} {
		if was[option] == nil && is[option] != nil {
			changes = append(changes, fmt.Sprintf("%s (it has none, and would get %s; leave the option out to keep that)", option, inYAML(is[option])))
		}
	}
	for _, what := range theirs.NoOption {
		switch {
		case what == noDirectory:
			if dir := directoryIn(is); !strings.Contains(fmt.Sprint(was["exec_start"]), dir) {
				changes = append(changes, fmt.Sprintf("working_directory (it names none and starts in /, and would start in %s)", dir))
			}
		case !strings.Contains(what, "have no such flag") && what != runsAsRoot && !strings.HasSuffix(what, rootsOwn):
			changes = append(changes, "what no option keeps: "+what)
		}
	}
	return changes
}

// improved reports whether a difference in an option is what the module is
// there for, or only adds to what was.
func improved(option string, was, is any) bool {
	switch option {
	case "type", "watchdog_sec", "restart", "restart_sec", "enabled", "redis_unit":
		return true
	case "start_timeout", "timeout_stop_sec":
		longer, _ := was.(int)
		ours, given := is.(int)
		if !given && option == "start_timeout" {
			ours = 300
		} else if !given {
			ours = 90
		}
		return longer <= ours
	case "wanted_by":
		list, _ := was.([]any)
		return len(list) == 0
	}
	return false
}

// change says what becomes of one option, in none, one or several parts.
func change(option string, was, is any) []string {
	switch was := was.(type) {
	case map[string]any:
		other, _ := is.(map[string]any)
		if option == "env" {
			return changedVariables(was, other)
		}
		return changedDirectives(was, other)
	case []any:
		if option != "queues" && option != "wanted_by" {
			other, _ := is.([]any)
			if missing := slices.DeleteFunc(slices.Clone(was), func(v any) bool { return slices.Contains(other, v) }); len(missing) == 0 {
				return nil
			}
		}
	}
	if inYAML(was) == inYAML(is) {
		return nil
	}
	will := inYAML(is)
	if is == nil && !contains([]string{"after", "wants", "env_files"}, option) {
		will = "the default"
	}
	return []string{fmt.Sprintf("%s (from %s to %s; to keep it: %s%s: %[2]s)", option, inYAML(was), will, rootsFirst(option, was), option)}
}

// rootsFirst says what has to be done before the environment files of a unit
// can be named in env_files.
func rootsFirst(option string, was any) string {
	if files, _ := was.([]any); option == "env_files" && slices.ContainsFunc(files, func(f any) bool { return isOfTheApplication(fmt.Sprint(f)) }) {
		return "move what is not root's into a directory of root's, such as /etc/sidekiq, and name it there: "
	}
	return ""
}

// isOfTheApplication reports whether a path most likely leads through
// directories of the deploy user's, from which the module has root open nothing.
func isOfTheApplication(name string) bool {
	name = strings.TrimPrefix(name, "-")
	return strings.HasPrefix(name, "/home/") || strings.Contains(name, "/shared/") || strings.Contains(name, "/current/")
}

// changedVariables names the variables that would be lost or get another
// value, and no value.
func changedVariables(was, is map[string]any) []string {
	var names []string
	for _, name := range ansible.SortedKeys(was) {
		if is[name] != was[name] {
			names = append(names, name)
		}
	}
	if names == nil {
		return nil
	}
	return []string{"env (its values of " + strings.Join(names, ", ") + " would go; to keep them, give them in env)"}
}

// changedDirectives names the directives that would be lost or get another
// value.
func changedDirectives(was, is map[string]any) []string {
	var names []string
	for _, section := range ansible.SortedKeys(was) {
		theirs, _ := was[section].(map[string]any)
		ours, _ := is[section].(map[string]any)
		for _, name := range ansible.SortedKeys(theirs) {
			if inYAML(theirs[name]) != inYAML(ours[name]) && !contains(improvedDirectives(), name) {
				names = append(names, section+"."+name)
			}
		}
	}
	if names == nil {
		return nil
	}
	return []string{"directives (" + strings.Join(names, ", ") + " would go; to keep them, give them in directives)"}
}

// improvedDirectives are those that have no option, and that the module writes
// in its own way.
func improvedDirectives() []string {
	return []string{
		"Description", "Documentation", "StartLimitIntervalSec", "StartLimitInterval", "StartLimitBurst", "StartLimitAction",
		"NotifyAccess", "WatchdogSignal", "KillMode", "ExecReload", "OOMPolicy", "RestartSteps", "RestartMaxDelaySec",
	}
}

// inYAML is a value as it may stand in a playbook.
func inYAML(v any) string {
	if v == nil {
		return "none"
	}
	var text strings.Builder
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(v)
	return strings.TrimSpace(text.String())
}
