// SPDX-License-Identifier: GPL-3.0-or-later

package ansible

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

func write(t *testing.T, r Result) string {
	t.Helper()
	var out bytes.Buffer
	if err := Write(&out, r); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// FuzzWrite shows that whatever is in a result, it is one line to a reader
// that splits lines as Python does, and reads back as it was.
func FuzzWrite(f *testing.F) {
	for _, s := range []string{"", "a\nb", "\u0085", "\u2028\u2029", "\x0b\x0c\x1c\x1d\x1e\x7f", "\xff\xfe", "ä漢\U0001F600", "</script>&", `"\`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		line := write(t, Result{Msg: s, Failed: true, Warnings: []string{s}})
		if strings.Count(line, "\n") != 1 || !strings.HasSuffix(line, "}\n") || line[0] != '{' {
			t.Fatalf("not one line: %q", line)
		}
		for _, c := range []byte(strings.TrimSuffix(line, "\n")) {
			if c < ' ' || c > '~' {
				t.Fatalf("holds %#x: %q", c, line)
			}
		}
		var back Result
		if err := json.Unmarshal([]byte(line), &back); err != nil {
			t.Fatal(err)
		}
		if s != "" && back.Msg != strings.ToValidUTF8(s, "\ufffd") && !strings.Contains(back.Msg, "\ufffd") {
			t.Fatalf("%q became %q", s, back.Msg)
		}
	})
}

func TestWriteHasTheKeysOfEachResult(t *testing.T) {
	if got, want := write(t, Result{}), `{"changed":false,"steps":[],"sidekiq_version":null}`+"\n"; got != want {
		t.Errorf("got %s", got)
	}
	if got, want := write(t, Failure(errors.New("no"))), `{"changed":false,"failed":true,"msg":"no","steps":[],"sidekiq_version":null}`+"\n"; got != want {
		t.Errorf("got %s", got)
	}
	yes, version := true, "6.4.1"
	got := write(t, Result{Changed: true, Steps: []string{"a"}, Service: &Service{}, Deployed: &yes, SidekiqVersion: &version, RolledBack: &yes})
	want := `{"changed":true,"steps":["a"],"service":{"before":{"active_state":"","sub_state":"","main_pid":0,"enabled":false,"quiet":false,` +
		`"stale":false,"reload_pending":false,"restarts":0},"after":{"active_state":"","sub_state":"","main_pid":0,"enabled":false,"quiet":false,` +
		`"stale":false,"reload_pending":false,"restarts":0}},"deployed":true,"sidekiq_version":"6.4.1","rolled_back":true}` + "\n"
	if got != want {
		t.Errorf("got  %swant %s", got, want)
	}
}

func TestFailureAlwaysSaysWhy(t *testing.T) {
	if got := write(t, Result{Failed: true}); !strings.Contains(got, `"msg":"failed without saying why"`) {
		t.Errorf("got %s", got)
	}
}
