// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"slices"
	"strings"
)

const (
	maxWords   = 20  // lines of a log in a message
	maxWord    = 500 // bytes of a line
	maxOfError = 8   // lines of the message of one exception
	maxCauses  = 3   // exceptions of a chain
	leastWords = 5   // lines beside them
)

// LastWords are the lines of a log that a message shows: what the exception
// said that ended the process, with its causes, and the last lines. Frames are
// left out, except for the place in the application itself, and no line is
// shown twice.
//
// Gems that report or measure may write at the end of a process, after its
// error and more than fits. In that case the error is shown before the last
// lines.
func LastWords(log []string) []string {
	g := newGrammar()
	said, manager := g.split(log)
	manager = slices.DeleteFunc(manager, func(line string) bool { return !strings.Contains(line, ": ") })
	list := g.decisive(said)
	var words []string
	shown := 0 // lines of the log
	for _, e := range list[:min(len(list), maxCauses)] {
		words = append(words, e.words(said)...)
		shown = e.end
	}
	before := g.withoutFrames(said[:start(list)])
	after := g.withoutFrames(said[shown:])
	room := max(maxWords-len(words)-len(manager), leastWords)
	if len(words) > 0 && len(after) > room {
		after = append([]string{"…"}, last(after, room-1)...)
	}
	after = last(after, room)
	words = slices.Concat(last(before, room-len(after)), words, after, last(manager, leastWords))
	for i, line := range words {
		words[i] = clip(strings.TrimSpace(line), maxWord)
	}
	return words
}

// withoutFrames are the lines that are neither frames nor empty.
func (g grammar) withoutFrames(log []string) []string {
	return slices.DeleteFunc(slices.Clone(log), func(line string) bool { return strings.TrimSpace(line) == "" || g.isFrame(line) })
}

// last are the last lines, as many as asked for.
func last(lines []string, most int) []string { return lines[max(0, len(lines)-max(most, 0)):] }

// start is the line in which a chain of exceptions starts, or 0 where there is
// none.
func start(list []exception) int {
	if len(list) == 0 {
		return 0
	}
	return list[0].start
}

// words are the lines of an exception's message and, where its first line does
// not name it, the place in the application that the exception comes from.
func (e exception) words(log []string) []string {
	lines := slices.DeleteFunc(slices.Clone(log[e.start:e.frames]), func(line string) bool { return strings.TrimSpace(line) == "" })
	if len(lines) > maxOfError {
		lines = append(lines[:maxOfError-1], "…")
	}
	if len(lines) == 0 && e.end > e.frames {
		place, _, _ := strings.Cut(strings.TrimSpace(log[e.frames]), ":in ")
		lines = append(lines, "(an exception without a message, at "+place+")")
	}
	if e.origin != "" && (len(lines) == 0 || !strings.Contains(lines[0], e.origin)) {
		lines = append(lines, "(at "+e.origin+")")
	}
	return lines
}

// clip cuts a text after so many bytes.
func clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
