// SPDX-License-Identifier: GPL-3.0-or-later

package systemd

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/oracle"
)

// directives are what Lines finds in a text.
func directives(text string) []oracle.Entry {
	var list []oracle.Entry
	for l := Lines(text); l.Next(); {
		if l.Name != "" {
			list = append(list, oracle.Entry{Section: l.Section, Name: l.Name, Value: l.Value})
		}
	}
	return list
}

func TestLinesAreThoseOfSystemd(t *testing.T) {
	for text, want := range map[string][]oracle.Entry{
		"[S]\nA=b\\\n# c\n d\n\nE=f":            {{Section: "S", Name: "A", Value: "b  d"}, {Section: "S", Name: "E", Value: "f"}},
		"A=b\\\n":                               {{Name: "A", Value: "b"}},
		"A=b\\":                                 {{Name: "A", Value: "b"}},
		"A=b\\\\\nC=d":                          {{Name: "A", Value: `b\\`}, {Name: "C", Value: "d"}},
		"A=b\\\n\nC=d\n":                        {{Name: "A", Value: "b"}, {Name: "C", Value: "d"}},
		"A=b\r\nC=d\re=f\x00g=h":                {{Name: "A", Value: "b"}, {Name: "C", Value: "d"}, {Name: "e", Value: "f"}, {Name: "g", Value: "h"}},
		"\ufeff[S]\n A = b = c \n;d=e\nno\n[T]": {{Section: "S", Name: "A", Value: "b = c"}},
		"[S]\n[T\nA=b\n[]\nC=d":                 {{Section: "T", Name: "A", Value: "b"}, {Name: "C", Value: "d"}},
	} {
		if d := cmp.Diff(want, directives(text)); d != "" {
			t.Errorf("%q (-want +got):\n%s", text, d)
		}
	}
}

// FuzzLines shows that no text is lost, and that a text which systemd is
// certain to accept means the same here.
func FuzzLines(f *testing.F) {
	f.Add("[0]\\\r\n0=")
	for _, v := range oracle.Hostile() {
		f.Add("[Service]\nA=" + v + "\\\n# c\n" + v + "\nB=c\n")
		f.Add(v)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var raw strings.Builder
		for l := Lines(text); l.Next(); {
			raw.WriteString(l.Raw)
			if l.Raw == "" {
				t.Fatalf("%q: a line of nothing", text)
			}
		}
		if raw.String() != text {
			t.Fatalf("%q became %q", text, raw.String())
		}
		want, err := oracle.ParseUnit(text)
		if err != nil || strings.Contains(text, "\ufeff") {
			return
		}
		want = named(want)
		if d := cmp.Diff(want, directives(text)); d != "" {
			t.Fatalf("%q (-systemd +ours):\n%s", text, d)
		}
	})
}

// named leaves out directives without a name, which systemd refuses at a later
// stage.
func named(entries []oracle.Entry) []oracle.Entry {
	var list []oracle.Entry
	for _, e := range entries {
		if e.Name != "" {
			list = append(list, e)
		}
	}
	return list
}

// TestLongTextsAreReadInTimeLinearToTheirLength reads files of the largest size
// that is ever read. The deploy user can write such files where root reads
// them. A reader whose time grows with the square took minutes for one, and
// this takes seconds where the processor is emulated.
func TestLongTextsAreReadInTimeLinearToTheirLength(t *testing.T) {
	const size = 1 << 20
	for name, part := range map[string]string{
		"continued lines": "a\\\n", "comments": "#\n", "comments in a continued line": "a\\\n#\n", "empty lines": "\n", "words": `"a" `, "escapes": `\x41`, "quotes": `"'`,
	} {
		text := "[Service]\nEnvironment=" + strings.Repeat(part, size/len(part))
		began := time.Now()
		for l := Lines(text); l.Next(); {
			_, _ = Words(l.Value)
			_, _ = Commands(l.Value)
		}
		if took := time.Since(began); took > 30*time.Second {
			t.Errorf("%s: %d bytes took %s", name, len(text), took)
		}
	}
}
