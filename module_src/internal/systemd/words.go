// SPDX-License-Identifier: GPL-3.0-or-later

package systemd

import (
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"
)

// This file reads values as systemd does: extract_first_word
// (src/basic/extract-word.c) with EXTRACT_UNQUOTE and EXTRACT_CUNESCAPE,
// cunescape_one (src/basic/escape.c), and config_parse_exec
// (src/core/load-fragment.c).

// Exec is one command of an Exec directive.
type Exec struct {
	Prefixes string   // of @ - : + ! |, as they stand: systemd.service(5), "Command lines"
	Words    []string // unquoted; specifiers and variables are as they stand
}

// Commands reads the value of an Exec directive, which may hold several
// commands with a lone semicolon between them.
func Commands(value string) ([]Exec, error) {
	var commands []Exec
	var words []string
	end := func() {
		if words != nil {
			commands = append(commands, newExec(words))
		}
		words = nil
	}
	for rest := skipBlanks(value); rest != ""; rest = skipBlanks(rest) {
		var word string
		var err error
		switch t := token(rest); {
		case t == ";" && words != nil: // the first word of a command is never a separator
			rest = rest[1:]
			end()
			continue
		case t == `\;` && words != nil:
			word, rest = ";", rest[2:]
		default:
			if word, rest, err = nextWord(rest); err != nil {
				return nil, err
			}
		}
		words = append(words, word)
	}
	end()
	return commands, nil
}

// newExec finds the prefixes, which systemd looks for after it has taken
// quotes and escapes away.
func newExec(words []string) Exec {
	program := strings.TrimLeft(words[0], "@-:+!|")
	prefixes := words[0][:len(words[0])-len(program)]
	words[0] = program
	return Exec{Prefixes: prefixes, Words: words}
}

// token is what stands before the first blank.
func token(s string) string {
	if i := strings.IndexAny(s, blanks); i >= 0 {
		return s[:i]
	}
	return s
}

func skipBlanks(s string) string { return strings.TrimLeft(s, blanks) }

// Words splits a value into words and takes quotes and escapes away. The error
// says that a quote is not closed; systemd ignores such a line. The words
// before the faulty one are returned with the error.
func Words(value string) ([]string, error) {
	var words []string
	for rest := skipBlanks(value); rest != ""; rest = skipBlanks(rest) {
		word, after, err := nextWord(rest)
		if err != nil {
			return words, err
		}
		words, rest = append(words, word), after
	}
	return words, nil
}

var errQuotes = errors.New("holds quotes that are not closed")

// nextWord reads one word, which starts at the first character of s.
func nextWord(s string) (word, rest string, err error) {
	var b strings.Builder
	quote := byte(0)
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '\\':
			text, n := unescape(s[i:])
			b.WriteString(text)
			i += n - 1
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
		case quote == 0 && strings.IndexByte(blanks, c) >= 0:
			return b.String(), s[i:], nil
		default:
			b.WriteByte(c)
		}
	}
	if quote != 0 {
		return "", "", errQuotes
	}
	return b.String(), "", nil
}

// unescape reads the escape at the start of s and says how long it is. What is
// no valid escape stands for itself: systemd warns of it and reads on
// (EXTRACT_CUNESCAPE_RELAX).
func unescape(s string) (text string, length int) {
	if len(s) == 1 {
		return s, 1
	}
	if at := strings.IndexByte(`abfnrtvs\"'`, s[1]); at >= 0 {
		return "\a\b\f\n\r\t\v \\\"'"[at : at+1], 2
	}
	switch s[1] {
	case 'x':
		return unescapeNumber(s, 2, 4, 16)
	case 'u':
		return unescapeNumber(s, 2, 6, 16)
	case 'U':
		return unescapeNumber(s, 2, 10, 16)
	}
	return unescapeNumber(s, 1, 4, 8)
}

// unescapeNumber reads the digits s[from:to] of a character. NUL is not
// allowed, and numbers in hexadecimal or octal are bytes.
func unescapeNumber(s string, from, to, base int) (text string, length int) {
	if len(s) < to {
		return s[:2], 2
	}
	bits := 8
	if to > 4 {
		bits = 32
	}
	n, err := strconv.ParseUint(s[from:to], base, bits)
	switch {
	case err != nil || n == 0 || bits == 32 && !utf8.ValidRune(rune(n)):
		return s[:2], 2
	case bits == 8:
		return string([]byte{byte(n)}), to
	}
	return string(rune(n)), to
}

// Unspecified is the text that a value stands for. The only specifier that it
// resolves is %%; with any other, ok is false, since what that stands for
// depends on the host.
func Unspecified(value string) (text string, ok bool) {
	rest := strings.ReplaceAll(value, "%%", "")
	return strings.ReplaceAll(value, "%%", "%"), !strings.Contains(rest, "%")
}
