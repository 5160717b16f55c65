// SPDX-License-Identifier: GPL-3.0-or-later

package ansible

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// result is like those of the modules.
type result struct {
	Failed   bool     `json:"failed"`
	Msg      string   `json:"msg"`
	Warnings []string `json:"warnings"`
}

func write(t *testing.T, r result) string {
	t.Helper()
	var out bytes.Buffer
	if err := Write(&out, r); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// FuzzWrite shows that a result is one line to a reader that splits lines as
// Python does, and reads back as it was, whatever is in it.
func FuzzWrite(f *testing.F) {
	for _, s := range []string{"", "a\nb", "\u0085", "\u2028\u2029", "\x0b\x0c\x1c\x1d\x1e\x7f", "\xff\xfe", "ä漢\U0001F600", "</script>&", `"\`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		line := write(t, result{Msg: s, Failed: true, Warnings: []string{s}})
		if strings.Count(line, "\n") != 1 || !strings.HasSuffix(line, "}\n") || line[0] != '{' {
			t.Fatalf("not one line: %q", line)
		}
		for _, c := range []byte(strings.TrimSuffix(line, "\n")) {
			if c < ' ' || c > '~' {
				t.Fatalf("holds %#x: %q", c, line)
			}
		}
		var back result
		if err := json.Unmarshal([]byte(line), &back); err != nil {
			t.Fatal(err)
		}
		if s != "" && back.Msg != Printable(strings.ToValidUTF8(s, "\ufffd")) && !strings.Contains(back.Msg, "\ufffd") {
			t.Fatalf("%q became %q", s, back.Msg)
		}
	})
}

func TestAFailureIsAllThatIsPrinted(t *testing.T) {
	var out bytes.Buffer
	if err := WriteFailure(&out, "no"); err != nil || out.String() != `{"changed":false,"failed":true,"msg":"no"}`+"\n" {
		t.Errorf("got %s, %v", out.String(), err)
	}
}

func TestNoTextOfAResultReachesATerminalRaw(t *testing.T) {
	const raw = "a\x1b[2Jb\rc\u009bd\u202ee\x00f\x7fg\u2028h"
	type inner struct{ S string }
	pointed := raw
	list := []string{raw}
	result := struct {
		Text   string
		List   []string
		Inner  []inner
		Ptr    *string
		Any    any
		Map    map[string]string
		Number int
		None   *inner
	}{raw, list, []inner{{raw}}, &pointed, raw, map[string]string{raw: raw}, 1, nil}
	var out strings.Builder
	if err := Write(&out, result); err != nil {
		t.Fatal(err)
	}
	var back any
	if err := json.Unmarshal([]byte(out.String()), &back); err != nil {
		t.Fatal(err)
	}
	if shown := fmt.Sprint(back); strings.Count(shown, "a?[2Jb?c?d?e?f?g?h") != 7 || strings.ContainsAny(shown, "\x1b\r\u009b\u202e\x00\x7f\u2028") {
		t.Errorf("got %q", shown)
	}
	if list[0] != raw || pointed != raw {
		t.Error("the result itself was changed")
	}
	if got := Printable("a\tb\nc é 日本"); got != "a\tb\nc é 日本" {
		t.Errorf("got %q", got)
	}
}
