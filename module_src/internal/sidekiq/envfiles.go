// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"path"
	"slices"
	"strings"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/systemd"
)

// environmentVariables are those that tell a Rails application and Sidekiq in
// which environment they run. Sidekiq's -e, the option app_env, counts for
// Sidekiq, and one of these may count for the application. Without -e, Sidekiq
// takes the first that is set: sidekiq/cli.rb, set_environment.
var environmentVariables = []string{"APP_ENV", "RAILS_ENV", "RACK_ENV"}

// OddFIFO is what is said of a FIFO, which systemd would wait for without an end.
const OddFIFO = "a FIFO"

// maxTold is how many lines of one file are told of.
const maxTold = 5

// environment says what is wrong with the service's environment, as systemd
// and the application will see it.
func (w *wanting) environment() {
	for _, v := range w.Env {
		w.sameEnvironment("env", v.Name, v.Value)
	}
	for _, v := range w.Secrets {
		w.sameEnvironment("secret_env", v.Name, v.Value)
	}
	for _, file := range w.EnvFiles {
		name, optional := strings.CutPrefix(file, "-")
		text, asked := w.facts.EnvFiles[name]
		switch {
		case !asked:
		case text.Problem != "" && w.facts.RootFiles[name].Replaceable != "":
			w.fail("env_files", "systemd would read %s as root, others can put another file in its place (%s), and the service's user may not read it (%s)",
				name, w.facts.RootFiles[name].Replaceable, text.Problem)
		case text.Odd != "" && (!optional || text.Odd == OddFIFO):
			w.spoilt("%s is %s, and systemd starts nothing with it", name, text.Odd)
		case text.Problem != "" && !optional:
			w.warn("could not look: %s: %s", name, text.Problem)
		case text.Found:
			w.environmentFile(name, text.Content, optional)
		case path.Dir(name) == SecretDirectory:
			w.miss("secret_env", "%s is not there, and systemd starts nothing without it; run the task that sets the service up", name)
		case !optional:
			w.spoilt("%s is not there, and systemd starts nothing without it; write - before its path if it may be missing", name)
		}
	}
	w.railsEnvironment()
}

// spoilt speaks of a file with which systemd does not start the service. Where
// nothing is to be started yet, it may still become right.
func (w *wanting) spoilt(format string, args ...any) {
	if a := w.activity(); a == converge.Up || a == converge.Restarted {
		w.miss("env_files", format, args...)
		return
	}
	w.warn(format, args...)
}

// environmentFile tells which lines of a file systemd does not use, and never
// what is in them.
func (w *wanting) environmentFile(name, content string, optional bool) {
	vars, ignored := systemd.Environment(content)
	ignored = slices.DeleteFunc(ignored, func(l systemd.Ignored) bool { return l.Until != 0 && l.Until <= w.facts.Systemd })
	if i := slices.IndexFunc(ignored, func(l systemd.Ignored) bool { return l.Whole }); i >= 0 {
		l := ignored[i]
		if optional {
			w.warn("systemd ignores all of %s for its line %d: %s", name, l.Line, l.Reason)
		} else {
			w.spoilt("systemd starts nothing with %s for its line %d: %s", name, l.Line, l.Reason)
		}
		return
	}
	for i, l := range ignored {
		if i == maxTold {
			w.warn("%s has %d more lines that systemd ignores", name, len(ignored)-maxTold)
			break
		}
		w.warn("systemd ignores line %d of %s: %s", l.Line, name, l.Reason)
	}
	last := map[string]string{}
	for _, v := range vars {
		last[v.Name] = v.Value
	}
	for _, variable := range environmentVariables {
		w.sameEnvironment(name, variable, last[variable])
	}
}

// sameEnvironment warns of a variable that contradicts app_env. Its value is
// shown: it is the name of an environment, and what is no such name is not.
func (w *wanting) sameEnvironment(where, name, value string) {
	env := w.env()
	if !contains(environmentVariables, name) || value == env || value == "" || env == "" {
		return
	}
	shown := "another value"
	if onlyRunes(value, "_-") && len(value) < 20 && where != "secret_env" {
		shown = value
	}
	w.warn("%s sets %s to %s, and app_env is %s: Sidekiq and the application would run in different environments", where, name, shown, env)
}

// railsEnvironment warns of an environment that the application does not have:
// Sidekiq starts in it, and its jobs fail.
func (w *wanting) railsEnvironment() {
	missing := func(file string) bool { return contains(w.facts.Missing, path.Join(w.Dir, file)) }
	file := "config/environments/" + w.env() + ".rb"
	if w.env() != "" && w.facts.Deployed && !missing("config/environments") && !missing("config/application.rb") && missing(file) {
		w.warn("the application has no %s, so in the environment %s its jobs would fail; is app_env right?", file, w.env())
	}
}

// railsFiles are the files by which it is known which environments a Rails
// application has.
func (s *Service) railsFiles() []string {
	if s.Dir == "" {
		return nil
	}
	env := s.env()
	if env == "" || !onlyRunes(env, "_.-") {
		return nil
	}
	return []string{s.inDir("config/environments"), s.inDir("config/application.rb"), s.inDir("config/environments/" + env + ".rb")}
}

// environmentPaths are the paths of the service's environment files.
func (s *Service) environmentPaths() []string {
	var paths []string
	for _, own := range s.owns() {
		for _, f := range own.EnvFiles {
			paths = appendNew(paths, strings.TrimPrefix(f, "-"))
		}
	}
	return paths
}
