// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/ansible"
)

var digest = strings.Repeat("0a", 32)

func TestCommandLine(t *testing.T) {
	for line, want := range map[string]command{
		"-":                       {file: "-"},
		"/tmp/arguments":          {file: "/tmp/arguments"},
		"--kept=" + digest + " -": {kept: digest, file: "-"},
		"--check --diff -":        {check: true, diff: true, file: "-"},
		"--check":                 {check: true, file: "-"},
		"options.json --check":    {check: true, file: "options.json"},
		"--apply --diff o.json":   {apply: true, diff: true, file: "o.json"},
		"--help":                  {help: true},
		"-h":                      {help: true},
		"--version --check --xyz": {},
		"-check -diff -":          {check: true, diff: true, file: "-"},
		"--check=false -":         {file: "-"},
		"-help -":                 {help: true},
	} {
		got, err := parseCommand(strings.Fields(line))
		if got != want || (err != nil) != (want == command{}) {
			t.Errorf("%s: got %+v, %v", line, got, err)
		}
	}
}

func TestWrongCommandLinesSayWhatIsWrongAndReadNothing(t *testing.T) {
	for line, want := range map[string]string{
		"":                "no options",
		"a b":             "more than one file: a and b",
		"--chek -":        "flag provided but not defined: -chek",
		"- --chek":        "flag provided but not defined: -chek",
		"--check=so -":    `invalid boolean value "so" for -check`,
		"--kept":          "flag needs an argument: -kept",
		"--diff -":        "--diff needs --check",
		"--check --apply": "say one of them",

		"--kept=/etc/passwd -":             "--kept is for Ansible",
		"--kept=- -":                       "--kept is for Ansible",
		"--kept=" + digest + " a":          "--kept is for Ansible",
		"--kept=" + digest + " --check -":  "--kept is for Ansible",
		"--apply - --kept=" + digest + "0": "--kept is for Ansible",
	} {
		var stdout, stderr bytes.Buffer
		if status := mainStatus(strings.Fields(line), nil, &stdout, &stderr); status != 2 {
			t.Errorf("%q: status %d", line, status)
		}
		if text := stderr.String(); !strings.Contains(text, want) || !strings.Contains(text, "Usage:") || stdout.Len() > 0 {
			t.Errorf("%q: got %s%s, want %s", line, text, stdout.String(), want)
		}
	}
}

func TestHelpAndVersionGoToStandardOutput(t *testing.T) {
	for flag, want := range map[string]string{"--help": "ansible-doc ", "--version": "sidekiq_service " + version + "\n"} {
		var stdout, stderr bytes.Buffer
		if status := mainStatus([]string{flag}, nil, &stdout, &stderr); status != 0 || !strings.Contains(stdout.String(), want) || stderr.Len() > 0 {
			t.Errorf("%s: status %d, %s%s", flag, status, stdout.String(), stderr.String())
		}
	}
}

// TestWhatIsWrongIsSaidInTheFormAskedFor takes what is wrong before anything
// of the host is looked at.
func TestWhatIsWrongIsSaidInTheFormAskedFor(t *testing.T) {
	for line, want := range map[string]string{
		"-":         `"msg":"option \"usr\": unknown`,
		"--check -": "Error: option \"usr\": unknown",
		"--apply -": "Error: option \"usr\": unknown",
	} {
		var stdout, stderr bytes.Buffer
		status := mainStatus(strings.Fields(line), strings.NewReader(`{"project_name": "laevigata", "usr": "x"}`), &stdout, &stderr)
		if status != 1 || !strings.Contains(stdout.String(), want) {
			t.Errorf("%s: status %d, %s", line, status, stdout.String())
		}
	}
}

func words(t *testing.T, r ansible.Result, check bool) string {
	t.Helper()
	var b bytes.Buffer
	if err := writeWords(&b, r, check); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestWordsForAPerson(t *testing.T) {
	planned := ansible.Result{
		Changed: true, Steps: []string{"write /u", "start sidekiq.service"}, Warnings: []string{"Beware."},
		Diff: []ansible.Diff{
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
	failed := ansible.Result{Failed: true, Msg: "cannot start", Steps: planned.Steps}
	if got, want := words(t, failed, false), "This was to be done:"+steps+"\nError: cannot start\n"; got != want {
		t.Errorf("failed:\n%s", got)
	}
	if got := words(t, ansible.Result{}, false); got != "Nothing to do: everything is as these options ask for.\n" {
		t.Errorf("nothing to do: %s", got)
	}
}

func TestWordsHoldNothingThatATerminalObeys(t *testing.T) {
	got := words(t, ansible.Result{Failed: true, Msg: "log: \x1b]0;owned\x07\r\u009b2J é\tx"}, false)
	if want := "Error: log: ?]0;owned???2J é\tx\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
