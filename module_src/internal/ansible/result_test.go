// SPDX-License-Identifier: GPL-3.0-or-later

package ansible

import (
	"bytes"
	"encoding/json"
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
		if s != "" && back.Msg != strings.ToValidUTF8(s, "\ufffd") && !strings.Contains(back.Msg, "\ufffd") {
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
