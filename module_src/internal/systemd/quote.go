// SPDX-License-Identifier: GPL-3.0-or-later

package systemd

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
)

// This file writes values as systemd reads them back: systemd.syntax(7),
// "Quoting", systemd.service(5), "Command lines", systemd.unit(5),
// "Specifiers". What systemd cannot hold must never get here: see CheckText.

// Literal writes a value that systemd takes as it stands, except that a
// percent sign starts a specifier.
func Literal(s string) string { return strings.ReplaceAll(s, "%", "%%") }

// Command writes words as the value of an Exec directive. A dollar sign would
// be expanded in every word; in the first one systemd does not collapse it
// again, so a program's path must not hold one.
func Command(words []string) string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = Quote(strings.ReplaceAll(Literal(w), "$", "$$"))
	}
	return strings.Join(out, " ")
}

// Assignment writes one variable for Environment=, where a dollar sign means
// itself.
func Assignment(name, value string) string {
	return doubleQuote(Literal(name + "=" + value))
}

// unquoted are the characters of words that need no quotes.
const unquoted = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:=,+@%$-~^"

// Quote writes one word, with quotes where it needs them; specifiers and
// variables in it keep their meaning. A lone semicolon in quotes does not
// separate commands. The characters that are prefixes at the start of a
// command keep their meaning in quotes, too, so the first word has to be an
// absolute path.
func Quote(s string) string {
	if s != "" && strings.Trim(s, unquoted) == "" {
		return s
	}
	if strings.Contains(s, `"`) && !strings.ContainsAny(s, `'\`) {
		return "'" + s + "'"
	}
	return doubleQuote(s)
}

func doubleQuote(s string) string {
	s = strings.ReplaceAll(s, `\`, `\\`)
	return `"` + strings.ReplaceAll(s, `"`, `\"`) + `"`
}

// CheckText says why s cannot stand in a unit file at all, or nil. Line ends
// would start another line, and CR and NUL are line ends to systemd as well.
// U+FFFD is what becomes of bytes that are not UTF-8.
func CheckText(s string) error {
	for _, r := range s {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return fmt.Errorf("holds a control character, %U", r)
		}
		if r == unicode.ReplacementChar {
			return errors.New("holds bytes that are not UTF-8")
		}
		if r&0xfffe == 0xfffe || r >= 0xfdd0 && r <= 0xfdef {
			return fmt.Errorf("holds %U, which is no character, and for which systemd ignores the line", r)
		}
	}
	return nil
}

// CheckValue says why s cannot be a value without quotes, or nil: blanks
// around it would be lost, and a backslash at its end would join the next line
// to it.
func CheckValue(s string) error {
	switch {
	case s == "":
		return errors.New("is empty")
	case strings.TrimSpace(s) != s:
		return errors.New("starts or ends with a blank")
	case strings.HasSuffix(s, `\`):
		return errors.New("ends with a backslash, which would join the next line of the unit file to it")
	}
	return CheckText(s)
}
