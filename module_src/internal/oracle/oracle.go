// SPDX-License-Identifier: GPL-3.0-or-later

// Package oracle is for tests. It says what others would read in a text that we
// have written.
//
// Its readers of unit files and of shell words follow the sources of systemd
// and the standard of the shell. They share nothing with the code that writes
// these texts, so that one misunderstanding is not made twice. Where a reader
// is not sure what every version would do, it fails rather than guesses.
// [Hostile] and [Name] are the values that the tests put wherever a value from
// a person may get to.
//
// No program is linked with it.
package oracle

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// Hostile are values that have to end up literally as one value, or be refused.
// They are the corpus of the fuzz tests and of the tests with the real /bin/sh.
func Hostile() []string {
	return []string{
		"", "a", "a b", " a", "a ", "a  b", `a\`, `a\\`, `\`, `"`, `'`, `a"b'c`, `'a "b" c'`, "%", "%h", "%%", "a%q", "$HOME", "${HOME}", "$$", "$",
		"a;b", ";", "; +/bin/evil", `\;`, "#", "#x", ";x", "[Service]", "[Service", "a=b", "=", "User=root", "-", "--", "-L", "+/bin/sh", "!/bin/sh",
		"@a", ":a", "|a", "a\nUser=root", "a\rUser=root", "a\x00User=root", "a\tb", "a\x0bb", "a\x7fb", "a\u0085b", "a\u2028b", "a\ufffdb", "ä", "漢字", "\U0001F600",
		"~", "~root", "*", "?", "[ab]", "{a,b}", "`id`", "$(id)", "&& id", "| id", "> /etc/passwd", "ALL", "root", "0", "deploy", "DEPLOY", "list", "sudoedit", "Defaults", "%wheel", "+net", "#0",
		`a\x2db`, `\n`, `\x0a`, "a,b", "a:b", "a/b", `a\/`, `a\/.`, `a\/b/..`, "a /", "./-x", "./~x", "../a", "/../a", ".include /etc/x", "a.conf", "a~", "\xff", strings.Repeat("x", 3000),
	}
}

// Name is a short random text made of the characters of names and commands,
// mixed with those that have a meaning in sudoers(5).
func Name(r *rand.Rand) string {
	const plain, special = "abcdeployDEPLOY012_.-", `\,:=@%#+!*?[]()"' $~^&|;/<>{}` + "\t\né"
	var b strings.Builder
	for range 1 + r.IntN(8) {
		from := []rune(plain)
		if r.IntN(6) == 0 {
			from = []rune(special)
		}
		b.WriteRune(from[r.IntN(len(from))])
	}
	return b.String()
}

// ShellWords reads a script of plain words and redirections as a POSIX shell
// does (Shell Command Language, 2.2 Quoting). It fails at whatever a shell
// would act on.
func ShellWords(script string) ([]string, error) {
	var words []string
	word, begun := "", false
	for rest := script; rest != ""; {
		switch {
		case rest[0] == ' ':
			if begun {
				words = append(words, word)
			}
			word, begun, rest = "", false, rest[1:]
		case rest[0] == '\'':
			quoted, after, closed := strings.Cut(rest[1:], "'")
			if !closed {
				return nil, fmt.Errorf("a quote that does not end in %q", script)
			}
			word, begun, rest = word+quoted, true, after
		case strings.HasPrefix(rest, `\'`):
			word, begun, rest = word+"'", true, rest[2:]
		case strings.ContainsRune("_./:,+@%->&", rune(rest[0])), 'a' <= rest[0] && rest[0] <= 'z', 'A' <= rest[0] && rest[0] <= 'Z', '0' <= rest[0] && rest[0] <= '9':
			word, begun, rest = word+rest[:1], true, rest[1:]
		default:
			return nil, fmt.Errorf("%q is not plain in %q", rest[0], script)
		}
	}
	if begun {
		words = append(words, word)
	}
	return words, nil
}
