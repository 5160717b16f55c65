// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/shell"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/systemd"
)

// commandLine reads the option exec_start, a command line that the user has
// written. It is split as a POSIX shell would split it, and nothing in it is
// expanded, neither by a shell nor by systemd.
func (p *parser) commandLine(option string) []string {
	line := p.String(option)
	if line == "" {
		return nil
	}
	if err := systemd.CheckText(line); err != nil {
		p.Add(option, "%v: %q", err, line)
		return nil
	}
	words, err := shell.Split(line)
	switch {
	case err != nil:
		p.Add(option, "%v: %q", err, line)
	case len(words) == 0:
		p.Add(option, "must be a command, got %q", line)
	case !path.IsAbs(words[0]):
		p.Add(option, "must start with the absolute path of a program, without systemd's prefixes such as - or +, got %q", words[0])
	case strings.HasSuffix(words[0], "/"):
		p.Add(option, "must start with the path of a program, got the directory %q", words[0])
	default:
		p.program(option, words[0])
	}
	return words
}

// words are the command line of the service's main process.
func (s *Service) words() []string {
	if s.LoginShell && s.ExecStart == nil {
		// With exec, the main process is Sidekiq and not a shell, which signals
		// do not get through: sidekiq/sidekiq#4401.
		script := "exec " + shell.Join(s.sidekiqWords())
		if s.LogFile != "" {
			script += " >>" + shell.Word(s.LogFile) + " 2>&1"
		}
		return []string{"/bin/bash", "-lc", script}
	}
	words := s.ExecStart
	if words == nil {
		words = s.sidekiqWords()
	}
	if s.LogFile == "" {
		return words
	}
	// The shell opens the log file as the service's user. systemd's append:
	// opens it as root and follows the links that the user plants there.
	return append([]string{"/bin/sh", "-c", `exec "$@" >>"$0" 2>&1`, s.LogFile}, words...)
}

// sidekiqWords are the words of Sidekiq's own command line. Sidekiq 6 no longer
// has -L, -d and -P.
func (s *Service) sidekiqWords() []string {
	words := []string{s.Bundle, "exec", "sidekiq", "-e", s.AppEnv}
	if s.ConfigFile != "" {
		words = append(words, "-C", s.ConfigFile)
	}
	if s.Concurrency > 0 {
		words = append(words, "-c", strconv.Itoa(s.Concurrency))
	}
	for _, q := range s.Queues {
		words = append(words, "-q", q)
	}
	return words
}

// runsSidekiq reports whether the command line starts Sidekiq's own program,
// which tells systemd when it is up. Other launchers may not tell.
func (s *Service) runsSidekiq() bool {
	if s.ExecStart == nil {
		return true
	}
	return startSidekiq(s.ExecStart)
}

// startSidekiq reports whether Sidekiq's own program is among the words of a
// command line.
func startSidekiq(words []string) bool {
	return slices.ContainsFunc(allWords(words), func(w string) bool { return path.Base(w) == "sidekiq" })
}

// allWords are the words of a command line, including those of the scripts in
// it.
func allWords(words []string) []string {
	var all []string
	for _, w := range words {
		all = append(all, strings.Fields(w)...)
	}
	return all
}

// flagValue finds the value of a flag of Sidekiq's in a command line. The last
// one counts. What stands before Sidekiq, or before a script that starts it, is a
// shell's: sh -e.
func flagValue(words []string, short, long string) (value string, found bool) {
	script := scriptOf(words)
	words = allWords(words)
	words = words[slices.IndexFunc(words, func(w string) bool { return path.Base(w) == "sidekiq" || w == script })+1:]
	for i := range words {
		if v, _, ok := flagAt(words[i:], short, long); ok {
			value, found = strings.Trim(v, `"'`), true
		}
	}
	return value, found
}

// flagAt reads a flag at the beginning of words, and what is behind it: -t 30,
// -t30, --timeout 30 or --timeout=30.
func flagAt(words []string, short, long string) (value string, rest []string, ok bool) {
	if (words[0] == short || words[0] == long) && len(words) > 1 {
		return words[1], words[2:], true
	}
	value, ok = strings.CutPrefix(words[0], long+"=")
	if !ok {
		value, ok = strings.CutPrefix(words[0], short)
		ok = ok && value != ""
	}
	return value, words[1:], ok
}
