// SPDX-License-Identifier: GPL-3.0-or-later

package host

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge"
)

const (
	maxWords = 20  // lines
	maxWord  = 500 // bytes a line
	maxRead  = 300 // lines, of which most are often a backtrace
)

// LastWords are the last lines about the present process of a unit, or the one
// that ended last. Where there are none, as with a manager that does not number
// its processes yet (before 232), they are the unit's since the given time,
// with which those of its process before may be mixed.
func (h *Host) LastWords(ctx context.Context, unit string, since time.Time) []string {
	path := find(journalPaths[:])
	if path == "" {
		return []string{"(no log: journalctl is not there)"}
	}
	// The process may have ended a moment ago: the journal is to take in first
	// what it said last. Where that fails, there is only less to read.
	_, _ = program{path: path, args: []string{"--sync"}}.run(ctx)
	if p, err := h.Process(ctx, unit); err == nil && p.Invocation != "" {
		// What the process said, or what the manager said of it:
		// systemd.journal-fields(7).
		if words := lastLines(ctx, path, "_SYSTEMD_INVOCATION_ID="+p.Invocation, "+", "INVOCATION_ID="+p.Invocation); len(words) > 0 {
			return words
		}
	}
	return lastLines(ctx, path, "--unit="+unit, fmt.Sprintf("--since=@%d", since.Unix()))
}

// quietedSince reports whether the journal has it from Sidekiq itself that it
// was told to be quiet since then. The manager knows only of the quieting that
// went through it: capistrano-sidekiq sends the signal past it. A Sidekiq that
// logs elsewhere says nothing here.
func (h *Host) quietedSince(ctx context.Context, p converge.Process, since time.Time) bool {
	path := find(journalPaths[:])
	if path == "" || p.Invocation == "" {
		return false
	}
	args := []string{
		"--output=cat", "--no-pager", "--quiet", fmt.Sprintf("--lines=%d", maxRead), fmt.Sprintf("--since=@%d", since.Unix()),
		"_SYSTEMD_INVOCATION_ID=" + p.Invocation,
	}
	out, err := program{path: path, args: args}.run(ctx)
	return err == nil && strings.Contains(out.stdout, "no longer accepting new work")
}

// lastLines are the last lines of the journal that match, without backtraces.
func lastLines(ctx context.Context, journalctl string, match ...string) []string {
	args := append([]string{"--output=cat", "--no-pager", "--quiet", fmt.Sprintf("--lines=%d", maxRead)}, match...)
	out, err := program{path: journalctl, args: args}.run(ctx)
	if err != nil {
		return []string{"(no log: " + err.Error() + ")"}
	}
	if out.status != 0 {
		return []string{"(no log: journalctl says: " + clip(out.all()) + ")"}
	}
	words := slices.DeleteFunc(lines(out.stdout), isFrame)
	return words[max(0, len(words)-maxWords):]
}

// isFrame reports whether a line is a frame of a Ruby backtrace, which would
// push the error that it belongs to out of the last words:
//
//	/usr/lib/ruby/gems/redis-4.8.0/lib/redis/client.rb:398:in `connect'
func isFrame(line string) bool {
	frame := strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(line), "from "))
	path, _, found := strings.Cut(frame, ":in ")
	return found && (strings.HasPrefix(path, "/") || strings.HasPrefix(path, "<internal:"))
}

// lines are the lines of text that are not empty, each bounded and printable.
func lines(text string) []string {
	var lines []string
	for line := range strings.Lines(text) {
		if line = clip(strings.TrimSpace(printable(line))); line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}

// printable drops control characters: the deploy user's program wrote them,
// and a terminal will show them.
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

func clip(s string) string {
	if len(s) <= maxWord {
		return s
	}
	return strings.ToValidUTF8(s[:maxWord], "") + "…"
}
