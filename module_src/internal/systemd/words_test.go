// SPDX-License-Identifier: GPL-3.0-or-later

package systemd

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWordsAreThoseOfSystemd(t *testing.T) {
	for value, want := range map[string][]string{
		`a b  c`:                   {"a", "b", "c"},
		` 'b c' "d e" `:            {"b c", "d e"},
		`a"b"'c'd`:                 {"abcd"},
		`"" ''`:                    {"", ""},
		`"a\"b" c`:                 {`a"b`, "c"},
		`'a\'b'`:                   {"a'b"},
		`\a\b\f\n\r\t\v\\\s`:       {"\a\b\f\n\r\t\v\\ "},
		`\x2b\053\u002b\U0000002b`: {"++++"},
		`\xff`:                     {"\xff"},
		`\x00 \q \x4 \u12 \400`:    {`\x00`, `\q`, `\x4`, `\u12`, `\400`},
		`a\ b`:                     {`a\ b`},
		`a\`:                       {`a\`},
		``:                         nil,
	} {
		got, err := Words(value)
		if d := cmp.Diff(want, got); d != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", value, err, d)
		}
	}
	for _, value := range []string{`a "b`, `'`, `"\`, `a 'b\'`} {
		if got, err := Words(value); err == nil {
			t.Errorf("%s: read as %q", value, got)
		}
	}
}

func TestCommandsAreThoseOfSystemd(t *testing.T) {
	one := func(prefixes string, words ...string) []Exec { return []Exec{{Prefixes: prefixes, Words: words}} }
	for value, want := range map[string][]Exec{
		`/bin/a b`:           one("", "/bin/a", "b"),
		`-@/bin/a b`:         one("-@", "/bin/a", "b"),
		`"+/bin/sh" -c`:      one("+", "/bin/sh", "-c"),
		`\x2b/bin/sh`:        one("+", "/bin/sh"),
		`"-"'!'/bin/sh`:      one("-!", "/bin/sh"),
		`/bin/a ";" \; b;c`:  one("", "/bin/a", ";", ";", "b;c"),
		`/bin/a ; +/bin/b ;`: {{Words: []string{"/bin/a"}}, {Prefixes: "+", Words: []string{"/bin/b"}}},
		`; /bin/a`:           one("", ";", "/bin/a"),
		`/bin/a ; ;`:         {{Words: []string{"/bin/a"}}, {Words: []string{";"}}},
		"/bin/a\t;\t/bin/b":  {{Words: []string{"/bin/a"}}, {Words: []string{"/bin/b"}}},
	} {
		got, err := Commands(value)
		if d := cmp.Diff(want, got); d != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", value, err, d)
		}
	}
	if got, err := Commands(`/bin/a "b`); err == nil {
		t.Errorf("read as %v", got)
	}
}

func TestUnspecified(t *testing.T) {
	for value, want := range map[string]struct {
		text string
		ok   bool
	}{
		"a": {"a", true}, "50%%": {"50%", true}, "%%%%h": {"%%h", true}, "%h": {"%h", false}, "%%%h": {"%%h", false}, "%": {"%", false},
	} {
		if text, ok := Unspecified(value); text != want.text || ok != want.ok {
			t.Errorf("%s: got %q, %v", value, text, ok)
		}
	}
}
