// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/results"
)

// patched is before with the difference applied by patch(1).
func patched(t *testing.T, before, difference string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte(before), 0o600); err != nil {
		t.Fatal(err)
	}
	patch := exec.Command("patch", "--silent", file)
	patch.Stdin = strings.NewReader("--- a\n+++ b\n" + difference)
	if out, err := patch.CombinedOutput(); err != nil {
		t.Fatalf("patch: %v\n%s%s", err, out, difference)
	}
	after, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(after)
}

func TestPatchUnderstandsTheDifference(t *testing.T) {
	many := strings.Repeat("line\n", 2000)
	for _, c := range []struct{ before, after string }{
		{"a\n", "b\n"},
		{"a\nb\nc\nd\ne\nf\ng\nh\n", "a\nb\nc\nd\nE\nf\ng\nh\n"},
		{"a\nb\nc\nd\ne\nf\ng\nh\n", "b\nc\nX\nd\ne\nf\nh\ni\n"},
		{"a\nb\n", "a\nb\nc\n"},
		{"b\n", "a\nb\n"},
		{"a\na\na\n", "a\na\n"},
		{"a", "a\n"},
		{"a\nb", "a\nc"},
		{"\n", "\n\n"},
		{many, "x\n" + strings.Repeat("other\n", 2000)},
	} {
		if got := patched(t, c.before, unified(c.before, c.after)); got != c.after {
			t.Errorf("%.40q to %.40q: patch made %.40q of\n%.400s", c.before, c.after, got, unified(c.before, c.after))
		}
	}
}

func TestDifferenceIsShort(t *testing.T) {
	got := unified("1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\nfive\n6\n7\n8\n9\n")
	if want := "@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n"; got != want {
		t.Errorf("got\n%s", got)
	}
	if got := unified("a\n", "a\n"); got != "" {
		t.Errorf("of the same text: %s", got)
	}
	if got, want := unified("", "a\nb\n"), "@@ -0,0 +1,2 @@\n+a\n+b\n"; got != want {
		t.Errorf("of a new file:\n%s", got)
	}
}

func words(t *testing.T, r results.Result, check bool) string {
	t.Helper()
	var b bytes.Buffer
	if err := writeWords(&b, r, check); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestWordsForAPerson(t *testing.T) {
	planned := results.Result{
		Changed: true, Steps: []string{"write /u", "start sidekiq.service"}, Warnings: []string{"Beware."},
		Diff: []results.Diff{
			{After: "a\n", BeforeHeader: "/u (absent)", AfterHeader: "/u (mode 0644, owner 0:0)"},
			{After: "start sidekiq.service\n", BeforeHeader: "sidekiq.service", AfterHeader: "sidekiq.service (steps)"},
		},
	}
	steps := "\n  write /u\n  start sidekiq.service\n"
	shown := steps + "\n--- /u (absent)\n+++ /u (mode 0644, owner 0:0)\n@@ -0,0 +1,1 @@\n+a\n\nWarning: Beware.\n"
	if got, want := words(t, planned, true), "This would be done:"+shown+"\nNothing has been changed.\n"; got != want {
		t.Errorf("check:\n%s", got)
	}
	if got, want := words(t, planned, false), "Done:"+shown; got != want {
		t.Errorf("apply:\n%s", got)
	}
	failed := results.Result{Failed: true, Msg: "cannot start", Steps: planned.Steps}
	if got, want := words(t, failed, false), "This was to be done:"+steps+"\nError: cannot start\n"; got != want {
		t.Errorf("failed:\n%s", got)
	}
	if got := words(t, results.Result{}, false); got != "Nothing to do: everything is as these options ask for.\n" {
		t.Errorf("nothing to do: %s", got)
	}
}

func TestWordsHoldNothingThatATerminalObeys(t *testing.T) {
	got := words(t, results.Result{Failed: true, Msg: "log: \x1b]0;owned\x07\r\u009b2J é\tx"}, false)
	if want := "Error: log: ?]0;owned???2J é\tx\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
