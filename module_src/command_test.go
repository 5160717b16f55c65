// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bytes"
	"strings"
	"testing"
)

var digest = strings.Repeat("0a", 32)

func TestCommandLine(t *testing.T) {
	for line, want := range map[string]command{
		"-":                         {file: "-"},
		"/tmp/arguments":            {file: "/tmp/arguments"},
		"--cached=" + digest + " -": {cached: digest, file: "-"},
		"--check --diff -":          {check: true, diff: true, file: "-"},
		"--check":                   {check: true, file: "-"},
		"options.json --check":      {check: true, file: "options.json"},
		"--apply --diff o.json":     {apply: true, diff: true, file: "o.json"},
		"--help":                    {help: true},
		"-h":                        {help: true},
		"--version --check --xyz":   {},
		"-check -diff -":            {check: true, diff: true, file: "-"},
		"--check=false -":           {file: "-"},
		"-help -":                   {help: true},
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
		"--cached":        "flag needs an argument: -cached",
		"--diff -":        "--diff needs --check",
		"--check --apply": "say one of them",

		"--cached=/etc/passwd -":             "--cached is for Ansible",
		"--cached=- -":                       "--cached is for Ansible",
		"--cached=" + digest + " a":          "--cached is for Ansible",
		"--cached=" + digest + " --check -":  "--cached is for Ansible",
		"--apply - --cached=" + digest + "0": "--cached is for Ansible",
	} {
		var stdout, stderr bytes.Buffer
		if status := onThisHost().main(strings.Fields(line), nil, &stdout, &stderr); status != 2 {
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
		if status := onThisHost().main([]string{flag}, nil, &stdout, &stderr); status != 0 || !strings.Contains(stdout.String(), want) || stderr.Len() > 0 {
			t.Errorf("%s: status %d, %s%s", flag, status, stdout.String(), stderr.String())
		}
	}
}

// TestWhatIsWrongIsSaidInTheFormAskedFor has mistakes that are found before
// anybody looks at the host.
func TestWhatIsWrongIsSaidInTheFormAskedFor(t *testing.T) {
	for line, want := range map[string]string{
		"-":         `"msg":"option \"usr\": unknown`,
		"--check -": "Error: option \"usr\": unknown",
		"--apply -": "Error: option \"usr\": unknown",
	} {
		var stdout, stderr bytes.Buffer
		status := onThisHost().main(strings.Fields(line), strings.NewReader(`{"project_name": "laevigata", "usr": "x"}`), &stdout, &stderr)
		if status != 1 || !strings.Contains(stdout.String(), want) {
			t.Errorf("%s: status %d, %s", line, status, stdout.String())
		}
	}
}
