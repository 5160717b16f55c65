// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// FuzzShellLine shows that our reader of command lines gives back what the
// writer was given.
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
