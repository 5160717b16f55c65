// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/shell"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/systemd"
)

// behindAdvice says what comes of a Sidekiq that a launcher has started as a
// process of its own, and what to write in the launcher's place.
func (s *Service) behindAdvice() string {
	text := "each stop or restart would kill Sidekiq with all its running jobs. Have Sidekiq itself as the main process: "
	script := scriptOf(s.ExecStart)
	if command := withoutLauncher(s.ExecStart); script == "" && command != "" {
		return text + "exec_start: " + command
	} else if s.ExecStart == nil {
		script = "what bundle or the drop-in runs"
	} else if script == "" {
		script = s.ExecStart[0]
	}
	return text + "in " + script + ", let exec SIDEKIQ… be the last line, with the command that starts it as SIDEKIQ…, and no & or | behind it"
}

// scriptOf is the script that a command line most likely runs: what a shell is
// given, or a program that is in no directory of the system's. What is then
// called sidekiq is the script itself, or what it is told to start.
func scriptOf(words []string) string {
	for len(words) > 1 && (path.Base(words[0]) == "env" || strings.Contains(words[0], "=")) {
		words = words[1:]
	}
	if len(words) == 0 || contains([]string{"bundle", "ruby"}, path.Base(words[0])) {
		return ""
	}
	if shells.MatchString(path.Base(words[0])) {
		for _, word := range words[1:] {
			if !strings.HasPrefix(word, "-") {
				return word
			}
			if strings.HasSuffix(word, "c") {
				return ""
			}
		}
		return ""
	}
	if dir := path.Dir(words[0]); strings.HasSuffix(dir, "/bin") && (dir == "/bin" || strings.HasPrefix(dir, "/usr/")) && path.Ext(words[0]) == "" {
		return ""
	}
	return words[0]
}

var (
	shells    = regexp.MustCompile(`^(ba|da|z|k)?sh$`)
	separator = regexp.MustCompile(`[;|&(){}\n]+\s*`)
	starter   = regexp.MustCompile(`(?:\S*/)?(?:bundle\s+exec\s+(?:\S*/)?sidekiq|sidekiq)(?:[ \t](?:>&|[^;|&\n()])*)?`)
)

// withoutLauncher is a command line that starts Sidekiq as the main process,
// made from one that does not, or "" where no such can be seen in it: that of a
// script, say.
func withoutLauncher(words []string) string {
	for i, word := range words {
		if base := path.Base(word); base == "sidekiq" || base == "bundle" && startSidekiq(words[i:]) {
			words = words[i:]
			if !path.IsAbs(word) {
				words = append([]string{"/usr/bin/env"}, words...)
			}
			return shell.Join(words)
		}
		if i == 0 || !shells.MatchString(path.Base(words[0])) {
			continue
		}
		if at := starter.FindStringIndex(word); at != nil {
			before := word[:at[0]]
			begin := 0
			if all := separator.FindAllStringIndex(before, -1); all != nil {
				begin = all[len(all)-1][1]
			}
			script := before[:begin] + "exec " + kept(before[begin:]) + strings.TrimSpace(word[at[0]:at[1]])
			return shell.Join(append(append([]string{}, words[:i]...), script))
		}
	}
	return ""
}

// kept is what stands before a command and can stay there behind exec: what
// becomes the command itself, and variables.
func kept(before string) string {
	words := strings.Fields(before)
	switch {
	case len(words) == 0 || words[0] == "exec":
		return ""
	case strings.Contains(words[0], "="):
		return "env " + strings.Join(words, " ") + " "
	case contains([]string{"env", "nice", "ionice", "chrt", "stdbuf", "nohup"}, path.Base(words[0])):
		return strings.Join(words, " ") + " "
	}
	return ""
}

// ownCommand reports whether the command line is one that this collection makes
// from its options: its main process is Sidekiq, and says so.
func ownCommand(words []string) bool {
	if len(words) > 4 && words[2] == `exec "$$@" >>"$$0" 2>&1` {
		words = words[4:]
	}
	if script, ok := loginScript(words); ok {
		script, ok = strings.CutPrefix(script, "exec ")
		if words = strings.Fields(script); !ok {
			return false
		}
	}
	return len(words) > 2 && path.Base(words[0]) == "bundle" && words[1] == "exec" && words[2] == "sidekiq"
}

// CheckLaunchers refuses a plan that would restart or quiet a Sidekiq behind
// another main process by the very command that it was started with. A restart
// would bring nothing better, and the signal that quiets would reach the wrong
// process. Nothing has been changed by then.
func (s *Service) CheckLaunchers(plan converge.Plan, want, have converge.State) error {
	for _, step := range plan.Steps {
		run, ok := step.(converge.RunUnit)
		if !ok || run.Was.Process.Behind == 0 || !run.Proof.NotBehind {
			continue
		}
		quiets := run.Verb == converge.MakeQuiet
		if quiets || run.Verb == converge.Restart && len(run.Was.Stale) == 0 && (want.AsIs || !otherCommand(run.Unit, want, have)) {
			return fmt.Errorf("cannot %s %s: %s", run.Verb, run.Unit, run.Proof.Terms.SayBehind(run.Was.Process))
		}
	}
	return nil
}

// otherCommand reports whether a unit's file gets another command.
func otherCommand(unit string, want, have converge.State) bool {
	return commandOf(unit, want) != commandOf(unit, have)
}

// commandOf is the command in the unit's file, as the file has it.
func commandOf(unit string, s converge.State) string {
	var lines []string
	for _, f := range s.Files {
		if path.Base(f.Path) != unit {
			continue
		}
		lines = append(lines, valuesIn(f.Content, "ExecStart")...)
	}
	return strings.Join(lines, "\n")
}

// SpareLaunchers has a Sidekiq behind another main process go on where its unit
// gets a file of its own, in the place of a template, or has one that is newer,
// and the process was started by the very command that is in it. A restart would
// lose the running jobs, or fail. A wanted state that spares one warns of it.
func SpareLaunchers(want, have converge.State) converge.State {
	want.Units = slices.Clone(want.Units)
	for i, w := range want.Units {
		h, _ := have.Unit(w.Name)
		older := len(h.Stale) > 0 || commandOf(w.Name, have) == ""
		if w.Proof.NotBehind && h.Process.Behind != 0 && older && startedBy(h.Process.Title, commandOf(w.Name, want)) {
			want.Units[i].KeepStale = true
		}
	}
	return want
}

// startedBy reports whether a main process was started by a command, as its
// unit's file has it. That of a script is preceded by its interpreter.
func startedBy(title, command string) bool {
	words, err := systemd.Words(command)
	if err != nil || len(words) == 0 {
		return false
	}
	if len(words) > 4 && words[2] == `exec "$$@" >>"$$0" 2>&1` { // which has given its place to the command behind it
		words = words[4:]
	}
	return strings.HasSuffix(title, strings.ReplaceAll(strings.Join(words, " "), "$$", "$"))
}
