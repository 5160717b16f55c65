// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"fmt"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// posixWords reads a script of plain words and redirections as a POSIX shell
// does (Shell Command Language, 2.2 Quoting). It shares nothing with the code
// that writes them, and fails at whatever a shell would act on.
func posixWords(script string) ([]string, error) {
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

// FuzzShellLine shows that what a shell reads, and our own reader of command
// lines, is what the writer was given.
func FuzzShellLine(f *testing.F) {
	for _, v := range hostile() {
		f.Add("/bin/x", v)
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		if plain(a) != nil || plain(b) != nil {
			return
		}
		got, err := splitWords(shellLine([]string{a, b}))
		if err != nil || !slices.Equal(got, []string{a, b}) {
			t.Fatalf("%q, %q became %q, %v", a, b, got, err)
		}
		got, err = posixWords(shellLine([]string{a, b}))
		if err != nil || !slices.Equal(got, []string{a, b}) {
			t.Fatalf("%q, %q became %q to a shell, %v", a, b, got, err)
		}
	})
}

// sh has a real shell print the words that it makes of a command line.
func sh(t *testing.T, line string) []string {
	t.Helper()
	out, err := exec.Command("/bin/sh", "-c", `printf '%s\0' `+line).Output()
	if err != nil {
		t.Fatalf("/bin/sh on %q: %v", line, err)
	}
	return strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
}

// TestAShellReadsManyWordsAsTheyWere has one real shell read thousands.
func TestAShellReadsManyWordsAsTheyWere(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	words := make([]string, 3000)
	for i := range words {
		words[i] = randomName(r)
	}
	if got := sh(t, shellLine(words)); !slices.Equal(got, words) {
		t.Errorf("%d words became %d, or others", len(words), len(got))
	}
	if got, err := posixWords(shellLine(words)); err != nil || !slices.Equal(got, words) {
		t.Errorf("%d words became %d, or others: %v", len(words), len(got), err)
	}
}

func TestShellLineMeansTheSameToAShell(t *testing.T) {
	for _, v := range hostile() {
		if strings.Contains(v, "\x00") {
			continue
		}
		if got := sh(t, shellLine([]string{"first", v, "last"})); !slices.Equal(got, []string{"first", v, "last"}) {
			t.Errorf("%q became %q", v, got)
		}
	}
}

func TestExecStartIsSplitAsByAShell(t *testing.T) {
	for _, line := range []string{
		`/bin/a b  c`, `/bin/a 'b c' "d e"`, `/bin/a b\ c`, `/bin/a "b\"c\\d\e"`, `/bin/a 'b\c'`, `/bin/a b'c'"d"e`, `/bin/a ''`, `/bin/a "" b`,
		`/bin/bash -lc 'exec bundle exec sidekiq -e $RAILS_ENV'`, `/bin/a b#c d~e`, `/bin/a \$HOME "\$HOME" \; '#'`, `/bin/a "b!"`, `/bin/a a=b ]`,
	} {
		got, err := splitWords(line)
		if err != nil {
			t.Errorf("%q: %v", line, err)
			continue
		}
		if want := sh(t, line); !slices.Equal(got, want) {
			t.Errorf("%q: got %q, a shell %q", line, got, want)
		}
	}
}

func TestExecStartRefusesWhatOnlyAShellCanDo(t *testing.T) {
	for _, line := range []string{
		"/bin/a $HOME", `/bin/a "$HOME"`, "/bin/a `id`", "/bin/a | b", "/bin/a; b", "/bin/a &", "/bin/a > b", "/bin/a *", "/bin/a ~/x", "/bin/a {b,c}",
		"/bin/a #b", "/bin/a 'b", `/bin/a "b`, `/bin/a b\`, "/bin/a (b)", "/bin/a ! b",
		"bundle exec sidekiq", "-/bin/a", "+/bin/a", "@/bin/a b", ":/bin/a", "!/bin/a", "~/bin/a", `''`, " ", "/bin/$a", `/bin/\$a`, "/bin/",
	} {
		if s, err := parse(`{"project_name": "p", "exec_start": ` + quoteJSON(line) + `}`); err == nil {
			t.Errorf("%q is accepted as %q", line, s.ExecStart)
		} else if !strings.HasPrefix(err.Error(), `option "exec_start": `) {
			t.Errorf("%q: %v", line, err)
		}
	}
}
