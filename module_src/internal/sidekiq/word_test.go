// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"slices"
	"testing"
)

// FuzzCommandLine shows that systemd runs exactly the words that were written.
func FuzzCommandLine(f *testing.F) {
	for _, v := range hostile() {
		f.Add(v, "x")
		f.Add("x", v)
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		if plain(a) != nil || plain(b) != nil {
			return // never gets to an encoder
		}
		words := []string{"/bin/x", a, b}
		line := commandLine(words)
		entries, err := systemdParse("[Service]\nExecStart=" + line + "\nUser=deploy\n")
		if err != nil || len(entries) != 2 || entries[1].value != "deploy" {
			t.Fatalf("%s: read as %v, %v", line, entries, err)
		}
		got, err := systemdCommand(entries[0].value)
		if err != nil || !slices.Equal(got, words) {
			t.Fatalf("%s: read as %q, %v; want %q", line, got, err, words)
		}
	})
}

// FuzzAssignment shows the same of a variable.
func FuzzAssignment(f *testing.F) {
	for _, v := range hostile() {
		f.Add(v)
	}
	f.Fuzz(func(t *testing.T, v string) {
		if plain(v) != nil {
			return
		}
		entries, err := systemdParse("[Service]\nEnvironment=" + assignment(Variable{"A", v}) + "\nUser=deploy\n")
		if err != nil || len(entries) != 2 || entries[1].value != "deploy" {
			t.Fatalf("%q: read as %v, %v", v, entries, err)
		}
		got, err := systemdEnvironment(entries[0].value)
		if err != nil || !slices.Equal(got, []string{"A=" + v}) {
			t.Fatalf("%q: read as %q, %v", v, got, err)
		}
	})
}

func TestCommandLineStaysReadable(t *testing.T) {
	for want, words := range map[string][]string{
		`/usr/local/bin/bundle exec sidekiq -e production -C config/sidekiq.yml`: {
			"/usr/local/bin/bundle", "exec", "sidekiq", "-e", "production", "-C", "config/sidekiq.yml",
		},
		`/bin/x -q high,2`:               {"/bin/x", "-q", "high,2"},
		`/bin/sh -c 'exec "$$@"'`:        {"/bin/sh", "-c", `exec "$@"`},
		`/bin/x "a b" "it's" ";" "" %%h`: {"/bin/x", "a b", "it's", ";", "", "%h"},
	} {
		if got := commandLine(words); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
