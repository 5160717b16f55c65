// SPDX-License-Identifier: GPL-3.0-or-later

package systemd

import (
	"strings"
	"unicode/utf8"
)

// EnvVar is a variable that an environment file sets: systemd.exec(5),
// EnvironmentFile=.
type EnvVar struct {
	Name, Value string
	Line        int // in which it begins, from 1 on
}

// Ignored is a line of an environment file that systemd does not use. It says
// so in the host's log, and goes on, unless the line spoils the whole file.
type Ignored struct {
	Line   int
	Reason string // in words, without anything of the line
	Whole  bool   // systemd takes nothing of the file: load_env_file fails
	Until  int    // the version of systemd from which on the line is used; 0: none
}

// Environment reads an environment file as systemd does: src/basic/env-file.c
// of its sources. It looks like a shell's and is not: there is no export, $ is
// a dollar sign, a value may go on behind a quote that ends, and a comment
// begins only at the start of a line.
//
// systemd up to 253 has a comment that ends in a backslash go on in the next
// line, and newer versions do not; here it goes on.
func Environment(text string) (vars []EnvVar, ignored []Ignored) {
	r := envReader{line: 1}
	for i := range len(text) { // all that has a meaning is ASCII
		if text[i] == 0 {
			r.ignored = append(r.ignored, Ignored{Line: r.line, Reason: "it holds a NUL byte, at which versions of systemd end the file that do not refuse it", Whole: true})
			break
		}
		r.read(text[i])
		if text[i] == '\n' {
			r.line++
		}
	}
	r.end()
	return r.vars, r.ignored
}

type envState int

const (
	beforeKey envState = iota
	inKey
	beforeValue
	inValue
	escapedInValue
	inSingleQuotes
	inDoubleQuotes
	escapedInDoubleQuotes
	inComment
	escapedInComment
)

type envReader struct {
	state      envState
	line       int // of the character at hand
	began      int // the line in which the key began
	key, value strings.Builder
	bare       int // the length of the value up to which blanks at its end count
	vars       []EnvVar
	ignored    []Ignored
}

func (r *envReader) read(c byte) {
	switch r.state {
	case beforeKey:
		r.beforeKey(c)
	case inKey:
		r.inKey(c)
	case beforeValue, inValue:
		r.inValue(c)
	case escapedInValue:
		r.state = inValue
		if !endsLine(c) {
			r.add(c)
		}
	case inSingleQuotes:
		if c == '\'' {
			r.state = beforeValue
		} else {
			r.add(c)
		}
	case inDoubleQuotes, escapedInDoubleQuotes:
		r.inDoubleQuotes(c)
	case inComment:
		r.inComment(c)
	case escapedInComment:
		r.state = inComment
	}
}

func (r *envReader) beforeKey(c byte) {
	switch {
	case c == '#' || c == ';':
		r.state = inComment
	case !isBlank(c):
		r.state, r.began = inKey, r.line
		r.key.Reset()
		r.value.Reset()
		r.bare = 0
		r.key.WriteByte(c)
	}
}

func (r *envReader) inKey(c byte) {
	switch {
	case endsLine(c):
		r.ignored = append(r.ignored, Ignored{Line: r.began, Reason: "it has no ="})
		r.state = beforeKey
	case c == '=':
		r.state = beforeValue
	default:
		r.key.WriteByte(c)
	}
}

func (r *envReader) inValue(c byte) {
	switch {
	case endsLine(c):
		r.push()
		r.state = beforeKey
	case c == '\\':
		r.state = escapedInValue
	case r.state == beforeValue && c == '\'':
		r.state = inSingleQuotes
	case r.state == beforeValue && c == '"':
		r.state = inDoubleQuotes
	case r.state == beforeValue && isBlank(c):
	default:
		r.state = inValue
		r.value.WriteByte(c)
		if !isBlank(c) {
			r.bare = r.value.Len()
		}
	}
}

func (r *envReader) inDoubleQuotes(c byte) {
	switch {
	case r.state == escapedInDoubleQuotes:
		r.state = inDoubleQuotes
		if c == '\n' {
			return
		}
		if strings.IndexByte("\"\\`$", c) < 0 {
			r.add('\\')
		}
		r.add(c)
	case c == '"':
		r.state = beforeValue
	case c == '\\':
		r.state = escapedInDoubleQuotes
	default:
		r.add(c)
	}
}

func (r *envReader) inComment(c byte) {
	switch {
	case endsLine(c):
		r.state = beforeKey
	case c == '\\':
		r.state = escapedInComment
	}
}

// add adds a character that counts wherever it stands.
func (r *envReader) add(c byte) {
	r.value.WriteByte(c)
	r.bare = r.value.Len()
}

func (r *envReader) end() {
	switch r.state {
	case inKey:
		r.inKey('\n')
	case beforeValue, inValue, escapedInValue, inSingleQuotes, inDoubleQuotes, escapedInDoubleQuotes:
		if r.state == inSingleQuotes || r.state == inDoubleQuotes {
			r.ignored = append(r.ignored, Ignored{Line: r.began, Reason: "its quote does not end, so the rest of the file is its value"})
		}
		r.push()
	}
}

// push takes the variable, or says why systemd does not.
func (r *envReader) push() {
	name, value := strings.TrimRight(r.key.String(), " \t\r\n"), r.value.String()[:r.bare]
	if !utf8.ValidString(name) || !utf8.ValidString(value) {
		r.ignored = append(r.ignored, Ignored{Line: r.began, Reason: "it is not UTF-8", Whole: true})
		return
	}
	if reason := badAssignment(name, value); reason != "" {
		r.ignored = append(r.ignored, Ignored{Line: r.began, Reason: reason})
		return
	}
	if reason, until := controls(value); until != 0 {
		r.ignored = append(r.ignored, Ignored{Line: r.began, Reason: reason, Until: until})
	}
	r.vars = append(r.vars, EnvVar{Name: name, Value: value, Line: r.began})
}

func badAssignment(name, value string) string {
	switch {
	case strings.HasPrefix(name, "\ufeff"):
		return "the file begins with a byte order mark, which becomes part of the variable's name"
	case strings.HasPrefix(name, "export ") || strings.HasPrefix(name, "export\t"):
		return "export is not known to systemd; leave it out"
	case !IsVariable(name):
		return "the name of a variable must be letters, digits and _, and must not start with a digit"
	}
	return ""
}

// controls says which control characters of a value older versions of systemd do
// not take, and from which version on they are taken: systemd's pull requests
// 8471 and 18129, the second of which is in Debian's 247, too.
func controls(value string) (reason string, until int) {
	for _, c := range []byte(value) {
		switch {
		case c == '\n':
			reason, until = "its value has more than one line", max(until, 239)
		case c < ' ' && c != '\t', c == 0x7f:
			return "its value holds a control character", 247
		}
	}
	return reason, until
}

// IsVariable reports whether systemd takes a name for that of a variable:
// letters and digits of ASCII and _, and no digit first.
func IsVariable(name string) bool {
	for i, c := range name {
		letter := c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return name != ""
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' || endsLine(c) }

// endsLine reports whether a line ends with a character, outside quotes: of a
// line that ends with CR LF, the second ends an empty one.
func endsLine(c byte) bool { return c == '\n' || c == '\r' }

// EncodeEnvironment writes variables, whose values may hold anything but control
// characters, so that [Environment], a shell, and systemd of every version read
// them as they are: without quotes, in which versions 239 to 245 keep backslashes
// that others take away, and with a backslash before all that is special.
func EncodeEnvironment(comment string, vars []EnvVar) string {
	b := []byte("# " + comment + "\n")
	for _, v := range vars {
		b = append(b, v.Name+"="...)
		for _, c := range []byte(v.Value) {
			if strings.IndexByte(" \t\"'`\\$&;|<>()[]{}#*?!~^", c) >= 0 {
				b = append(b, '\\')
			}
			b = append(b, c)
		}
		b = append(b, '\n')
	}
	return string(b)
}
