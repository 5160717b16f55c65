// SPDX-License-Identifier: GPL-3.0-or-later

package ansible

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func read(text string) (Request, error) {
	return ReadRequest("-", strings.NewReader(text))
}

func TestReadRequestTakesAnsiblesOwnKeysOut(t *testing.T) {
	r, err := read(`{"name": "a", "n": 1.10, "_ansible_check_mode": true, "_ansible_diff": true, "_ansible_module_name": "a.b.c",
		"_ansible_ignore_unknown_opts": true, "_ansible_from_the_future": {"a": [1]}, "_ansible_tmpdir": null}`)
	if err != nil {
		t.Fatal(err)
	}
	want := Request{
		Args: map[string]any{"name": "a", "n": json.Number("1.10")}, Check: true, Diff: true, Name: "a.b.c", IgnoreUnknown: true,
	}
	if d := cmp.Diff(want, r); d != "" {
		t.Error(d)
	}
}

func TestReadRequestReadsAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "args")
	if err := os.WriteFile(file, []byte(` {"a": "b"} `+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := ReadRequest(file, nil)
	if err != nil || r.Args["a"] != "b" {
		t.Errorf("got %v, %v", r, err)
	}
}

func TestReadRequestSaysWhatIsWrong(t *testing.T) {
	for text, want := range map[string]string{
		``:                        "the JSON object is incomplete",
		`{"a": `:                  "the JSON object is incomplete",
		`{"a": [`:                 "the JSON object is incomplete",
		`{"a"`:                    "the JSON object is incomplete",
		`[]`:                      "want a JSON object of options, got a list",
		`"a"`:                     "want a JSON object of options, got a string",
		`null`:                    "want a JSON object of options, got null",
		`name: a`:                 "not JSON",
		`{'a': 1}`:                "not JSON",
		`{"a": 1}{}`:              "something follows the JSON object, which ends at byte 8",
		`{"a": 1} x`:              "something follows the JSON object",
		`{"a": 1, "a": 2}`:        `the key "a" is given twice`,
		`{"e": {"a": 1, "a": 2}}`: `the key "a" is given twice`,
		"{\"a\": \"\xff\"}":       "not valid UTF-8",
		`{"a": ` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`: "nested more than 32 deep",
		`{"a": "` + strings.Repeat("x", maxRequest) + `"}`:                   "more than 4194304 bytes",
	} {
		_, err := read(text)
		if err == nil || !strings.Contains(err.Error(), "cannot read the arguments: "+want) {
			t.Errorf("%.40q: got %v, want %s", text, err, want)
		}
	}
}

func TestReadRequestSaysThatThereIsNoSuchFile(t *testing.T) {
	if _, err := ReadRequest("/nonexistent", nil); err == nil || !strings.HasPrefix(err.Error(), "cannot read the arguments: ") {
		t.Errorf("got %v", err)
	}
}

// FuzzReadRequest shows that the request holds what encoding/json reads, and
// that no text causes a panic.
func FuzzReadRequest(f *testing.F) {
	for _, text := range []string{`{}`, `{"a": [1, "b", null, {"c": true}]}`, `{"a": 1e9999}`, `{"a": "\ud800"}`, `[`, `{"_ansible_check_mode": "yes"}`} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := read(text)
		if err != nil {
			return
		}
		d := json.NewDecoder(strings.NewReader(text))
		d.UseNumber()
		var want map[string]any
		if err := d.Decode(&want); err != nil {
			t.Fatalf("encoding/json refuses it: %v", err)
		}
		for key := range want {
			if strings.HasPrefix(key, "_ansible_") {
				delete(want, key)
			}
		}
		if d := cmp.Diff(want, r.Args); d != "" {
			t.Fatal(d)
		}
	})
}
