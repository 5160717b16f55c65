// SPDX-License-Identifier: GPL-3.0-or-later

package host

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	maxWords = 20  // lines
	maxWord  = 500 // bytes a line
	maxRead  = 300 // lines, of which most are often a backtrace
)

// LastWords are the last lines that a unit has logged since the given time.
func (h *Host) LastWords(ctx context.Context, unit string, since time.Time) []string {
	path := find(journalPaths[:])
	if path == "" {
		return []string{"(no log: journalctl is not there)"}
	}
	out, err := program{path: path, args: []string{
		"--unit=" + unit, fmt.Sprintf("--since=@%d", since.Unix()), fmt.Sprintf("--lines=%d", maxRead),
		"--output=cat", "--no-pager", "--quiet",
	}}.run(ctx)
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
