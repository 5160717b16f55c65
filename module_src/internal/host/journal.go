// SPDX-License-Identifier: GPL-3.0-or-later

package host

import (
	"context"
	"fmt"
	"strings"
	"time"
)

const (
	maxWords = 20  // lines
	maxWord  = 500 // bytes a line
)

// LastWords are the last lines that a unit has logged since the given time.
func (h *Host) LastWords(ctx context.Context, unit string, since time.Time) []string {
	path := find(journalPaths[:])
	if path == "" {
		return []string{"(no log: journalctl is not there)"}
	}
	out, err := program{path: path, args: []string{
		"--unit=" + unit, fmt.Sprintf("--since=@%d", since.Unix()), fmt.Sprintf("--lines=%d", maxWords),
		"--output=cat", "--no-pager", "--quiet",
	}}.run(ctx)
	if err != nil {
		return []string{"(no log: " + err.Error() + ")"}
	}
	if out.status != 0 {
		return []string{"(no log: journalctl says: " + clip(out.all()) + ")"}
	}
	return lines(out.stdout)
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
