// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"cmp"
	"path"
	"strings"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/ansible"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge"
)

// logrotateDir is where logrotate's own configuration includes files from.
const logrotateDir = "/etc/logrotate.d"

// LogrotateFiles are where rules for logrotate are: logrotate(8).
func LogrotateFiles() (file, dir string) { return "/etc/logrotate.conf", logrotateDir }

// logrotatePath is the file with the rule for the service's log files.
func (s *Service) logrotatePath() string { return path.Join(logrotateDir, s.Name) }

// rotates checks what can be rotated: logrotate's files know patterns and quotes,
// but no way to write every name.
func (p *parser) rotates(s Service) {
	if !s.Logrotate || s.State == Absent {
		return
	}
	logs := s.logs()
	for _, unit := range ansible.SortedKeys(logs) {
		if !onlyRunes(logs[unit], "/._-+@:, ") {
			p.Add("logrotate", "%q has a character that cannot be written into a file for logrotate", logs[unit])
		}
	}
}

// logFiles are the service's log files, each once.
func (s *Service) logFiles() []string {
	var files []string
	logs := s.logs()
	for _, unit := range ansible.SortedKeys(logs) {
		files = appendNew(files, logs[unit])
	}
	return files
}

// logrotateFile is the row of the rule for logrotate. There is none where the
// option is off and nobody has written one, and it goes where another rule
// covers the same file: logrotate refuses a file that two rules name.
func (w *wanting) logrotateFile() []converge.File {
	f := converge.File{Path: w.logrotatePath(), Kind: converge.LogrotateFile}
	gone := []converge.File{f}
	if !contains(w.facts.Written, f.Path) {
		gone = nil
	}
	if !w.Logrotate || w.State == Absent {
		return gone
	}
	if len(w.logFiles()) == 0 {
		w.warn("logrotate has nothing to rotate: log_file is not set, and the journal rotates itself")
		return gone
	}
	for _, log := range w.logFiles() {
		if by := w.rotatedBy(log); by != "" {
			w.warn("%s is rotated by %s already, so no rule is written for it", log, by)
			return gone
		}
	}
	if !w.facts.Logrotate.Present {
		w.warn("logrotate is not installed, so nothing reads the rule in %s", f.Path)
	}
	f.Exists, f.Mode, f.Content = true, 0o644, w.logrotateRule()
	return []converge.File{f}
}

// rotatedBy is another file with a rule that covers a log file, or "".
func (w *wanting) rotatedBy(log string) string {
	for _, f := range w.facts.Logrotate.Files {
		if f.Path == w.logrotatePath() && contains(w.facts.Written, f.Path) {
			continue
		}
		for _, pattern := range rotated(f.Content) {
			for _, name := range []string{log, w.facts.Logrotate.Resolved[log]} {
				if ok, err := path.Match(pattern, name); err == nil && ok {
					return f.Path
				}
			}
		}
	}
	return ""
}

// rotated are the patterns of the files that a configuration of logrotate's
// rotates: what stands before each brace, and is a path.
func rotated(content string) (patterns []string) {
	depth := 0
	for line := range strings.Lines(content) {
		line, _, _ = strings.Cut(strings.TrimSpace(line), "#")
		before, _, opens := strings.Cut(line, "{")
		if depth == 0 {
			for _, word := range strings.Fields(before) {
				if word = strings.Trim(word, `"'`); path.IsAbs(word) {
					patterns = append(patterns, word)
				}
			}
		}
		if opens {
			depth++
		}
		depth = max(0, depth-strings.Count(line, "}"))
	}
	return patterns
}

// logrotateRule rotates as the service's user, in whose directory the file is:
// logrotate would follow that user's links as root otherwise, and refuses to.
// Sidekiq has the file open and knows no signal for opening it anew, so it is
// copied and cut short.
func (w *wanting) logrotateRule() string {
	group := cmp.Or(w.Group, w.facts.Users[w.User].Group, w.User)
	text := "# " + marker(w.Project) + "\n"
	for _, log := range w.logFiles() {
		text += `"` + log + "\"\n"
	}
	return text + "{\n    su " + w.User + " " + group + `
    daily
    rotate 14
    missingok
    notifempty
    compress
    delaycompress
    copytruncate
}
`
}
