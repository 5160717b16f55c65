// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import "strings"

// This file writes values as systemd reads them back: systemd.syntax(7),
// "Quoting", systemd.service(5), "Command lines", systemd.unit(5),
// "Specifiers". What systemd cannot hold (control characters) never gets here.

// specifierless writes a value that systemd takes as it stands, save that a
// percent sign starts a specifier.
func specifierless(s string) string { return strings.ReplaceAll(s, "%", "%%") }

// commandLine writes words as the value of an Exec directive. A dollar sign
// would be expanded in every word; in the first one systemd does not collapse
// it again, so a program's path must not hold one.
func commandLine(words []string) string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = quoted(strings.ReplaceAll(specifierless(w), "$", "$$"))
	}
	return strings.Join(out, " ")
}

// assignment writes one variable for Environment=, where a dollar sign means
// itself.
func assignment(v Variable) string {
	return doubleQuoted(specifierless(v.Name + "=" + v.Value))
}

// quoted writes one word, with quotes where it needs them. A lone semicolon in
// quotes does not separate commands, and the characters that are prefixes at
// the start of a command line are quoted away from a reader's eye only: the
// first word is always an absolute path.
func quoted(s string) string {
	if onlyRunes(s, "_./:=,+@%$-~^") {
		return s
	}
	if strings.Contains(s, `"`) && !strings.ContainsAny(s, `'\`) {
		return "'" + s + "'"
	}
	return doubleQuoted(s)
}

func doubleQuoted(s string) string {
	s = strings.ReplaceAll(s, `\`, `\\`)
	return `"` + strings.ReplaceAll(s, `"`, `\"`) + `"`
}
