// SPDX-License-Identifier: GPL-3.0-or-later

package systemd

import "strings"

// blanks are what systemd takes away around names and values: WHITESPACE.
const blanks = " \t\n\r"

// Line is one logical line of a unit file.
type Line struct {
	Raw string // as it stands in the file, with its line end and the lines that continue it

	// Section is the section that the line is in, without brackets. Name and
	// Value are those of a directive; both are empty for any other line.
	Section, Name, Value string
}

// Lines are the logical lines of a unit file: systemd.syntax(7). A line ends at
// a line feed, and since systemd 245 at a carriage return or a NUL byte, too. A
// backslash at its end joins the next line to it, with a blank in its place;
// comments in between are skipped. The Raw of all lines together is the text
// itself.
//
// The work is linear in the length of the text, and only the line at hand needs
// memory. Lines is for judging files that systemd may not accept: it takes
// every text, and a line that is no directive has no Name.
//
//	for l := systemd.Lines(text); l.Next(); {
//
// goes through them. It is no iterator to range over, since the loops of those
// are copied into each place that has one.
func Lines(text string) *LineReader { return &LineReader{rest: text} }

// LineReader has the line that was read last.
type LineReader struct {
	Line

	rest    string
	section string
	begun   bool
}

// Next reads the next line, and reports whether there was one.
func (r *LineReader) Next() bool {
	start, length := r.rest, 0
	var joined strings.Builder
	for r.rest != "" {
		raw := r.rest[:lineEnd(r.rest)]
		r.rest, length = r.rest[len(raw):], length+len(raw)
		text := strings.TrimRight(raw, "\r\n\x00")
		if code := strings.TrimLeft(text, blanks); code != "" && (code[0] == '#' || code[0] == ';') {
			if joined.Len() == 0 {
				r.Line = Line{Raw: start[:length], Section: r.section}
				return true
			}
			continue
		}
		text, more := continued(text)
		joined.WriteString(text)
		if !more {
			break
		}
	}
	r.Line = r.line(start[:length], joined.String())
	return length > 0
}

// lineEnd is the length of the first line, including its end. The two
// characters of a CRLF are one end.
func lineEnd(text string) int {
	at := strings.IndexAny(text, "\n\r\x00")
	switch {
	case at < 0:
		return len(text)
	case strings.HasPrefix(text[at:], "\r\n"):
		return at + 2
	}
	return at + 1
}

// continued takes away a backslash at the end of a line that is not itself
// escaped, and leaves a blank, as systemd does.
func continued(line string) (text string, more bool) {
	slashes := len(line) - len(strings.TrimRight(line, `\`))
	if slashes%2 == 0 {
		return line, false
	}
	return line[:len(line)-1] + " ", true
}

// line says what a logical line holds.
func (r *LineReader) line(raw, text string) Line {
	if !r.begun {
		text = strings.TrimPrefix(text, "\ufeff")
	}
	r.begun = true
	text = strings.Trim(text, blanks)
	if name, ok := strings.CutPrefix(text, "["); ok {
		r.section = strings.TrimSuffix(name, "]")
		return Line{Raw: raw, Section: r.section}
	}
	name, value, ok := strings.Cut(text, "=")
	if !ok {
		return Line{Raw: raw, Section: r.section}
	}
	return Line{Raw: raw, Section: r.section, Name: strings.Trim(name, blanks), Value: strings.Trim(value, blanks)}
}
