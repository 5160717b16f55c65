// SPDX-License-Identifier: GPL-3.0-or-later

package host

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/systemd"
)

// maxWord bounds a line in a message, in bytes.
const maxWord = 500

// Traces are what a unit that did not come up has left behind: the lines about
// its present process, or about the last one that ended. Where there are none,
// as with a manager that does not number its processes yet (before 232), they
// are the unit's lines since the given time, which may include those of an
// earlier process.
func (h *Host) Traces(ctx context.Context, unit string, run converge.Process, since time.Time) converge.Traces {
	var left converge.Traces
	p, err := h.properties(ctx, unit)
	if err == nil {
		left.DropIns = dropIns(p.texts("DropInPaths"))
		left.Unmet = p.unmet()
	}
	if log, ok := h.logs[unit]; ok {
		left.LogFile = log.path
		left.Log = log.lastLines()
	}
	left.Log = append(left.Log, fromJournal(ctx, unit, run.Invocation, since, p)...)
	if len(left.Log) == 0 {
		left.Log = []string{"(no log: " + whyNoLog(ctx, unit, p) + ")"}
	}
	return left
}

// fromJournal are the lines of the journal about a run of a unit with these
// properties, or about its last one.
func fromJournal(ctx context.Context, unit, run string, since time.Time, p properties) []string {
	path, err := find(journalPaths[:])
	if err != nil {
		return []string{"(no log: " + err.Error() + ")"}
	}
	if path == "" {
		return []string{"(no log: journalctl is not there)"}
	}
	// The process may have ended a moment ago, so the journal is made to take
	// in what the process said last. Where that fails, there is only less to
	// read.
	_, _ = program{path: path, args: []string{"--sync"}}.run(ctx)
	start := journalFrom(since)
	var words []string
	if p != nil {
		last := p.invocation()
		switch id := cmp.Or(run, last); {
		case id == "":
		case run == "" && p.text("ActiveState") == "activating" && p.number("NRestarts") > 0:
			words = lastLines(ctx, path, "--unit="+unit, start)
			for i, line := range slices.Backward(words) {
				if i > 0 && strings.HasPrefix(line, "Starting ") {
					words = words[:i] // of the start that is under way
					break
				}
			}
		default:
			// These are the lines of the process, and those of the manager
			// about it: systemd.journal-fields(7). If the process has ended
			// before the journal takes in its lines, they have its number
			// and, but for systemd 245, its unit, and nothing else.
			match := []string{"_SYSTEMD_INVOCATION_ID=" + id, "+", "INVOCATION_ID=" + id}
			if id == last {
				match = append(match, "+", "_TRANSPORT=stdout", fmt.Sprintf("_PID=%d", p.number("ExecMainPID")), "_BOOT_ID="+bootID())
			}
			words = lastLines(ctx, path, match...)
		}
	}
	if pid := p.number("ExecMainPID"); len(words) == 0 && pid != 0 && p.invocation() == "" {
		// Before 232, the runs of a unit have no number, and an earlier process
		// may have said its last words since then, too. Lines that the journal
		// takes in just after the process has ended do not have its unit.
		words = lastLines(ctx, path, start, fmt.Sprintf("_PID=%d", pid), "+", "UNIT="+unit, "_PID=1")
	}
	if len(words) == 0 {
		words = lastLines(ctx, path, "--unit="+unit, start)
	}
	if p.text("Result") == "oom-kill" || p.number("ExecMainCode") == systemd.Killed {
		for _, line := range lastLines(ctx, path, "--dmesg", start) {
			if strings.Contains(line, "oom-kill:") || strings.Contains(line, "ut of memory: Kill") {
				words = append(words, "kernel: "+line)
			}
		}
	}
	return words
}

// journalFrom has journalctl begin at a time, to the microsecond: within a second there
// may be another start.
func journalFrom(since time.Time) string {
	return fmt.Sprintf("--since=@%d.%06d", since.Unix(), since.Nanosecond()/1000)
}

// bootID is the number of this boot in the form that the journal uses.
func bootID() string {
	id, _ := os.ReadFile("/proc/sys/kernel/random/boot_id") // without it, nothing matches
	return strings.ReplaceAll(strings.TrimSpace(string(id)), "-", "")
}

// whyNoLog says where else the output of a unit may be found.
func whyNoLog(ctx context.Context, unit string, p properties) string {
	if to := p.text("StandardOutput"); to != "" && to != "journal" && to != "inherit" && !strings.HasPrefix(to, "journal+") {
		return unit + " writes to " + to + " (StandardOutput=)"
	}
	if storage(ctx) == "none" {
		return "the journal of this host keeps nothing (Storage=none in journald.conf)"
	}
	return "the journal has no line about " + unit
}

// storage is where journald keeps the journal, as far as its configuration
// says: journald.conf(5).
func storage(ctx context.Context) (where string) {
	path, err := find(analyzePaths[:])
	if err != nil {
		return ""
	}
	out, err := program{path: path, args: []string{"cat-config", "systemd/journald.conf"}}.run(ctx)
	if err != nil {
		return ""
	}
	for l := systemd.Lines(out.stdout); l.Next(); {
		if l.Name == "Storage" {
			where = l.Value
		}
	}
	return where
}

// dropIns are the contents of drop-ins, as far as they can be read.
func dropIns(paths []string) []converge.File {
	var files []converge.File
	for _, path := range paths {
		if content, err := readRegular(path); err == nil {
			files = append(files, converge.File{Path: path, Kind: converge.UnitFile, Exists: true, Content: string(content)})
		}
	}
	return files
}

// quietedSince reports whether Sidekiq itself has written to the journal since
// then that it was told to be quiet. The manager knows only of a quieting that
// went through it, and capistrano-sidekiq sends the signal directly. A Sidekiq
// that logs elsewhere says nothing here.
func quietedSince(ctx context.Context, p converge.Process, since time.Time) (bool, error) {
	path, err := find(journalPaths[:])
	if err != nil || path == "" || p.Invocation == "" {
		return false, err
	}
	said, err := matching(ctx, path, journalFrom(since), "_SYSTEMD_INVOCATION_ID="+p.Invocation)
	return slices.ContainsFunc(said, func(line string) bool { return strings.Contains(line, "no longer accepting new work") }), err
}

// lastLines are the last lines of the journal that match, or one line that says
// why there are none.
func lastLines(ctx context.Context, journalctl string, match ...string) []string {
	last, err := matching(ctx, journalctl, match...)
	if err != nil {
		return []string{"(no log: " + err.Error() + ")"}
	}
	return last
}

// matching are the last lines of the journal that match.
func matching(ctx context.Context, journalctl string, match ...string) ([]string, error) {
	kept := &tail{}
	args := append([]string{"--output=cat", "--no-pager", "--quiet", fmt.Sprintf("--lines=%d", maxLines)}, match...)
	out, err := program{path: journalctl, args: args, to: kept}.run(ctx)
	if err != nil {
		return nil, err
	}
	if out.status != 0 && !strings.Contains(out.stderr, "No journal files were found") {
		return nil, errors.New("journalctl says: " + clip(out.all(), maxWord))
	}
	return kept.last(), nil
}

// lines are the lines of text that are not empty, each one bounded and
// printable.
func lines(text string) []string {
	var lines []string
	for line := range strings.Lines(text) {
		if line = clip(strings.TrimSpace(printable(line)), maxWord); line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}

// printable drops control characters: the deploy user's program wrote them, and
// a terminal will show them.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\t' {
			return ' '
		}
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
}

// clip cuts a text after so many bytes.
func clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
