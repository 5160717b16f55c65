// SPDX-License-Identifier: GPL-3.0-or-later

package systemd

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestEnvironmentFilesAreReadAsBySystemd(t *testing.T) {
	for text, want := range map[string]map[string]string{
		"A=1\nB=two words  \n":            {"A": "1", "B": "two words"},
		"  A = 1\n":                       {"A": "1"},
		"A=\n":                            {"A": ""},
		"A='it is' B\n":                   {"A": "it isB"},
		`A="a \"b\" \$c \x"` + "\n":       {"A": `a "b" $c \x`},
		"A=a\\ b\\\nc\n":                  {"A": "a bc"},
		"# A=1\n;B=2\nC=3 # no comment\n": {"C": "3 # no comment"},
		"A=$HOME\n":                       {"A": "$HOME"},
		"A=1":                             {"A": "1"},
		"# goes on \\\nA=1\nB=2\n":        {"B": "2"},
		"A=1\r\nB=2\r\n":                  {"A": "1", "B": "2"},
		"A=1\rB=2\r":                      {"A": "1", "B": "2"},
		"# ends \\\r\nB=2\r\n":            {"B": "2"},
		"A=\ufffd\u00e9\n":                {"A": "\ufffd\u00e9"},
	} {
		vars, ignored := Environment(text)
		got := map[string]string{}
		for _, v := range vars {
			got[v.Name] = v.Value
		}
		if d := cmp.Diff(want, got); d != "" || len(ignored) > 0 {
			t.Errorf("%q: ignored %v, %s", text, ignored, d)
		}
	}
}

func TestOldVersionsIgnoreControlCharacters(t *testing.T) {
	for text, until := range map[string]int{"A='two\nlines'\n": 239, "A='two\r\nlines'\n": 247, "A=a\tb\n": 0, "A=a\x7fb\n": 247, "A=a\u0085\n": 0} {
		vars, ignored := Environment(text)
		if len(vars) != 1 || (until != 0) != (len(ignored) == 1) || until != 0 && ignored[0].Until != until {
			t.Errorf("%q: %v, %v", text, vars, ignored)
		}
	}
}

func TestLinesThatSystemdIgnoresAreTold(t *testing.T) {
	for text, want := range map[string]string{
		"A=1\nexport B=hunter2\n":         "export",
		"\ufeffA=1\nB=hunter2\n":          "byte order mark",
		"A=1\nno assignment hunter2\n":    "no =",
		"1A=hunter2\n":                    "must not start with a digit",
		"A-B=hunter2\n":                   "letters, digits",
		"A=hunter2\x01\n":                 "control character",
		"A='hunter2\r\nx'\r\n":            "control character",
		"A=1\\\r\nhunter2\r\n":            "no =",
		"=hunter2\n":                      "no =",
		"A B=hunter2\n":                   "letters, digits",
		"A=hunter2\xff\n":                 "not UTF-8",
		"A\xff=hunter2\n":                 "not UTF-8",
		"A=1\nB=hunter2\x00\n":            "NUL",
		"A=1\nB=\"hunter2 C=3":            "quote does not end",
		"A=1\n\nno assignment, no end=\n": "letters, digits",
	} {
		_, ignored := Environment(text)
		if len(ignored) != 1 || !strings.Contains(ignored[0].Reason, want) || strings.Contains(ignored[0].Reason, "hunter2") {
			t.Errorf("%q: got %v, want %q", text, ignored, want)
		}
	}
	if _, ignored := Environment("A=1\n\n# x\nexport B=1\n"); len(ignored) != 1 || ignored[0].Line != 4 {
		t.Errorf("got %v, want line 4", ignored)
	}
}

func FuzzEnvironment(f *testing.F) {
	for _, v := range []string{"", "a b", `"`, `'`, "`id`", `$HOME ${X} $(id)`, `\`, `\n`, "#x", " x ", "=", "ä", ";", `a\`} {
		f.Add(v)
	}
	f.Fuzz(func(t *testing.T, value string) {
		if reason, _ := controls(value); reason != "" || !utf8.ValidString(value) || badAssignment("A", value) != "" {
			return
		}
		vars, ignored := Environment(EncodeEnvironment("x", []EnvVar{{Name: "A", Value: value}, {Name: "B", Value: "1"}}))
		if len(ignored) > 0 || len(vars) != 2 || vars[0].Value != strings.ReplaceAll(value, "\r\n", "\n") || vars[1].Value != "1" {
			t.Fatalf("%q: got %q, ignored %v", value, vars, ignored)
		}
	})
}

// systemd 239 to 245 keep backslashes within double quotes that others take
// away, so nothing is written within quotes, and a shell reads it, too.
func TestEnvironmentFilesAreReadAlikeByEveryVersionAndByAShell(t *testing.T) {
	const value = " \t`a\"b'\\c\\\\ $d #e !f*?[g]{h}~i;j&k|l<m>(n)^o=p@q%r:s/t,u.v-w+x\u00e9 "
	text := EncodeEnvironment("x", []EnvVar{{Name: "A", Value: value}})
	if bare := regexp.MustCompile(`\\.`).ReplaceAllString(text, ""); strings.ContainsAny(bare, "\"'`") {
		t.Errorf("it has quotes: %s", text)
	}
	file := filepath.Join(t.TempDir(), "env")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("sh", "-c", `. "$0" && printf %s "$A"`, file).CombinedOutput()
	if err != nil || string(out) != value {
		t.Errorf("a shell reads %q: %v", out, err)
	}
}
