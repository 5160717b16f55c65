// SPDX-License-Identifier: GPL-3.0-or-later

package systemd

import (
	"slices"
	"strings"
	"testing"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/oracle"
)

// FuzzCommandLine shows that systemd runs exactly the words that were written.
func FuzzCommandLine(f *testing.F) {
	for _, v := range oracle.Hostile() {
		f.Add(v, "x")
		f.Add("x", v)
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		if CheckText(a) != nil || CheckText(b) != nil {
			return // never gets to an encoder
		}
		words := []string{"/bin/x", a, b}
		line := Command(words)
		entries, err := oracle.ParseUnit("[Service]\nExecStart=" + line + "\nUser=deploy\n")
		if err != nil || len(entries) != 2 || entries[1].Value != "deploy" {
			t.Fatalf("%s: read as %v, %v", line, entries, err)
		}
		got, err := oracle.Command(entries[0].Value)
		if err != nil || !slices.Equal(got, words) {
			t.Fatalf("%s: read as %q, %v; want %q", line, got, err, words)
		}
		own, err := Commands(line)
		if err != nil || len(own) != 1 || own[0].Prefixes != "" || !slices.Equal(meant(t, own[0].Words), words) {
			t.Fatalf("%s: our own reader has %q, %v; want %q", line, own, err, words)
		}
	})
}

// meant takes away what Command has doubled.
func meant(t *testing.T, words []string) []string {
	t.Helper()
	var out []string
	for _, w := range words {
		text, ok := Unspecified(w)
		if !ok {
			t.Fatalf("a specifier in %q", w)
		}
		out = append(out, strings.ReplaceAll(text, "$$", "$"))
	}
	return out
}

// FuzzAssignment shows the same for a variable.
func FuzzAssignment(f *testing.F) {
	for _, v := range oracle.Hostile() {
		f.Add(v)
	}
	f.Fuzz(func(t *testing.T, v string) {
		if CheckText(v) != nil {
			return
		}
		entries, err := oracle.ParseUnit("[Service]\nEnvironment=" + Assignment("A", v) + "\nUser=deploy\n")
		if err != nil || len(entries) != 2 || entries[1].Value != "deploy" {
			t.Fatalf("%q: read as %v, %v", v, entries, err)
		}
		got, err := oracle.Environment(entries[0].Value)
		if err != nil || !slices.Equal(got, []string{"A=" + v}) {
			t.Fatalf("%q: read as %q, %v", v, got, err)
		}
		own, err := Words(entries[0].Value)
		if text, ok := Unspecified(strings.Join(own, "\x00")); err != nil || !ok || text != "A="+v {
			t.Fatalf("%q: our own reader has %q, %v", v, own, err)
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
		if got := Command(words); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
