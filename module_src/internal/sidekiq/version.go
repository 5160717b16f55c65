// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"path"
	"slices"
	"strconv"
	"strings"
)

// bundles are the files in which Bundler looks for the names of the
// application's gems.
func (s *Service) bundles() []Bundle {
	if gemfile := s.variable("BUNDLE_GEMFILE"); gemfile != "" {
		return []Bundle{bundleOf(s.inDir(gemfile))}
	}
	return Bundles(s.Dir)
}

// Bundles are where Bundler looks for the gems of the application in dir, best
// first: bundler/shared_helpers.rb, from Bundler 2 on. Before, where there are
// both, it was the other way round.
func Bundles(dir string) []Bundle {
	return []Bundle{bundleOf(path.Join(dir, "gems.rb")), bundleOf(path.Join(dir, "Gemfile"))}
}

func bundleOf(gemfile string) Bundle {
	if dir, name := path.Split(gemfile); name == "gems.rb" {
		return Bundle{gemfile, dir + "gems.locked"}
	}
	return Bundle{gemfile, gemfile + ".lock"}
}

// bundlePaths are where the program bundle is on hosts that have it from a
// package or from gem install.
func bundlePaths() []string { return []string{"/usr/local/bin/bundle", "/usr/bin/bundle"} }

// program makes sure that the program which systemd starts exists, and names
// it. Before the first deploy it may be missing, since the deploy may bring it.
func (w *wanting) program() {
	if !w.facts.Deployed || !contains(w.facts.Missing, w.Bundle) || w.ExecStart != nil || w.LoginShell || w.isolated() {
		return
	}
	elsewhere := ""
	for _, path := range bundlePaths() {
		if !contains(w.facts.Missing, path) {
			elsewhere = "; " + path + " is there, so set bundle to that"
		}
	}
	w.miss("bundle", "there is no %s%s; with rbenv, rvm or asdf set login_shell: true", w.Bundle, elsewhere)
}

// gemfile warns of an application that has none. Bundler may know of one
// elsewhere: in a directory above, or by its own configuration.
func (w *wanting) gemfile() {
	gemfile := ""
	for _, b := range w.bundles() {
		if gemfile = b.Gemfile; !contains(w.facts.Missing, gemfile) {
			return
		}
	}
	for _, t := range w.facts.EnvFiles {
		if strings.Contains(t.Content, "BUNDLE_GEMFILE") {
			return
		}
	}
	if w.facts.Deployed && !w.isolated() {
		w.warn("there is no %s: Sidekiq will not start, unless Bundler is told of another", gemfile)
	}
}

// logDirectories makes sure that the directories of the log files exist, where
// neither systemd nor a command before Sidekiq may make them.
func (w *wanting) logDirectories() {
	if !w.facts.Deployed || w.isolated() || w.State == Stopped || w.State == Present || w.gives("ExecStartPre") {
		return
	}
	for _, log := range w.logFiles() {
		if dir := path.Dir(log); contains(w.facts.Missing, dir) && !contains(w.ownDirectories(), dir) {
			w.miss("log_file", "there is no directory %s, so Sidekiq would not start", dir)
		}
	}
}

// isolated reports whether the service has a root directory of its own, which
// then holds its program.
func (s *Service) isolated() bool {
	return s.gives("RootDirectory", "RootImage")
}

// gives reports whether one of these directives is given.
func (s *Service) gives(names ...string) bool {
	return slices.ContainsFunc(s.Directives, func(d Directive) bool { return contains(names, d.Name) })
}

// SidekiqVersion is the version that the application's Gemfile.lock pins, or
// "" where that is not known.
func (f *Facts) SidekiqVersion() string {
	return lockedVersion(f.Lock.Content)
}

// lockedVersion finds Sidekiq among the specs of a Gemfile.lock or gems.locked.
// The specs are indented by four spaces, and their dependencies by six.
func lockedVersion(lock string) string {
	for line := range strings.Lines(lock) {
		line = strings.TrimRight(line, "\r\n")
		rest, ok := strings.CutPrefix(line, "    sidekiq (")
		version, closed := strings.CutSuffix(rest, ")")
		if ok && closed && onlyRunes(version, ".-") && isDigit(rune(version[0])) && len(version) < 40 {
			return version
		}
	}
	return ""
}

// notifies reports whether this version of Sidekiq tells systemd when it is up.
// Versions from 6.0.6 on do: Changes.md of Sidekiq.
func notifies(version string) bool {
	return version != "" && slices.Compare(numbers(version), []int{6, 0, 6}) >= 0
}

// QuietSignal is the name of the signal that tells this version of Sidekiq to
// take no more jobs. Before 5.0 that was USR1, which Sidekiq does not know any
// more from 6.0 on: its Changes.md.
func QuietSignal(version string) string {
	if version != "" && slices.Compare(numbers(version), []int{5}) < 0 {
		return "USR1"
	}
	return "TSTP"
}

// quietBy is the command that sends the signal to the service's main process.
func quietBy(signal string) string { return "/bin/kill -" + signal + " $MAINPID" }

// numbers are the leading numbers of a version: 7.1.0.beta1 is 7, 1, 0.
func numbers(version string) []int {
	var list []int
	for part := range strings.SplitSeq(version, ".") {
		n, err := strconv.Atoi(part)
		if err != nil {
			break
		}
		list = append(list, n)
	}
	return list
}
