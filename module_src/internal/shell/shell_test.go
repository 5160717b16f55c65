// SPDX-License-Identifier: GPL-3.0-or-later

package shell

import (
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/oracle"
)

// FuzzWords shows that a shell, and our own reader of command lines, read what
// the writer was given.
func FuzzWords(f *testing.F) {
	for _, v := range oracle.Hostile() {
		f.Add("/bin/x", v)
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		if strings.Contains(a+b, "\x00") || !utf8.ValidString(a) || !utf8.ValidString(b) {
			return // no program gets such a word
		}
		got, err := Split(Join([]string{a, b}))
		if err != nil || !slices.Equal(got, []string{a, b}) {
			t.Fatalf("%q, %q became %q, %v", a, b, got, err)
		}
		got, err = oracle.ShellWords(Join([]string{a, b}))
		if err != nil || !slices.Equal(got, []string{a, b}) {
			t.Fatalf("%q, %q became %q to a shell, %v", a, b, got, err)
		}
	})
}

// sh makes a real shell print the words that it reads in a command line.
func sh(t *testing.T, line string) []string {
	t.Helper()
	out, err := exec.Command("/bin/sh", "-c", `printf '%s\0' `+line).Output()
	if err != nil {
		t.Fatalf("/bin/sh on %q: %v", line, err)
	}
	return strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
}

// TestAShellReadsManyWordsAsTheyWere makes one real shell read thousands of
// words.
func TestAShellReadsManyWordsAsTheyWere(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	words := make([]string, 3000)
	for i := range words {
		words[i] = oracle.Name(r)
	}
	if got := sh(t, Join(words)); !slices.Equal(got, words) {
		t.Errorf("%d words became %d, or others", len(words), len(got))
	}
	if got, err := oracle.ShellWords(Join(words)); err != nil || !slices.Equal(got, words) {
		t.Errorf("%d words became %d, or others: %v", len(words), len(got), err)
	}
}

func TestALineMeansTheSameToAShell(t *testing.T) {
	for _, v := range oracle.Hostile() {
		if strings.Contains(v, "\x00") {
			continue
		}
		if got := sh(t, Join([]string{"first", v, "last"})); !slices.Equal(got, []string{"first", v, "last"}) {
			t.Errorf("%q became %q", v, got)
		}
	}
}

func TestALineIsSplitAsByAShell(t *testing.T) {
	for _, line := range []string{
		`/bin/a b  c`, `/bin/a 'b c' "d e"`, `/bin/a b\ c`, `/bin/a "b\"c\\d\e"`, `/bin/a 'b\c'`, `/bin/a b'c'"d"e`, `/bin/a ''`, `/bin/a "" b`,
		`/bin/bash -lc 'exec bundle exec sidekiq -e $RAILS_ENV'`, `/bin/a b#c d~e`, `/bin/a \$HOME "\$HOME" \; '#'`, `/bin/a "b!"`, `/bin/a a=b ]`,
	} {
		got, err := Split(line)
		if err != nil {
			t.Errorf("%q: %v", line, err)
			continue
		}
		if want := sh(t, line); !slices.Equal(got, want) {
			t.Errorf("%q: got %q, a shell %q", line, got, want)
		}
	}
}
