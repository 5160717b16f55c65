// SPDX-License-Identifier: GPL-3.0-or-later

package ansible

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func decode(t *testing.T, option Option, arg string) (any, error) {
	t.Helper()
	r, err := read(`{"x": ` + arg + `}`)
	if err != nil {
		t.Fatal(err)
	}
	option.Name = "x"
	var problems Problems
	v := Schema{option}.Decode(r, &problems)
	return v.values["x"], problems.Err()
}

// TestValuesAreCoercedAsByAnsibleModule covers what ansible-core 2.14 to 2.21
// make of the same task.
func TestValuesAreCoercedAsByAnsibleModule(t *testing.T) {
	choices := []string{"always", "no"}
	for _, test := range []struct {
		option Option
		arg    string
		want   any
	}{
		{Option{Type: Str}, `"a"`, "a"},
		{Option{Type: Str}, `5`, "5"},
		{Option{Type: Str}, `1.10`, "1.10"},
		{Option{Type: Str}, `true`, "True"},
		{Option{Type: Str}, `"{{ x }}"`, "{{ x }}"},
		{Option{Type: Str, Default: "d"}, `""`, "d"},
		{Option{Type: Str, Default: "d"}, `null`, "d"},
		{Option{Type: Str, Choices: choices}, `false`, "no"},
		{Option{Type: Path}, `"~/a"`, "~/a"},

		{Option{Type: Int}, `6`, 6},
		{Option{Type: Int}, `"6"`, 6},
		{Option{Type: Int}, `" 6 "`, 6},
		{Option{Type: Int}, `6.0`, 6},
		{Option{Type: Int}, `"-1"`, -1},
		{Option{Type: Int}, `1e3`, 1000},
		{Option{Type: Int, Default: 3}, `""`, 3},

		{Option{Type: Bool}, `true`, true},
		{Option{Type: Bool}, `"yes"`, true},
		{Option{Type: Bool}, `"ON"`, true},
		{Option{Type: Bool}, `"t"`, true},
		{Option{Type: Bool}, `1`, true},
		{Option{Type: Bool}, `"0"`, false},
		{Option{Type: Bool}, `"Off"`, false},
		{Option{Type: Bool, Default: true}, `"n"`, false},
		{Option{Type: Bool, Default: true}, `null`, true},

		{Option{Type: List, Elements: Str}, `["a", 1, true]`, []string{"a", "1", "True"}},
		{Option{Type: List, Elements: Str}, `"a, b"`, []string{"a", "b"}},
		{Option{Type: List, Elements: Str}, `5`, []string{"5"}},
		{Option{Type: List, Elements: Str, Default: []string{"d"}}, `[]`, []string{}},
		{Option{Type: List, Elements: Str, Default: []string{"d"}}, `""`, []string{"d"}},

		{Option{Type: Dict}, `{"a": {"b": [1]}}`, map[string]any{"a": map[string]any{"b": []any{json.Number("1")}}}},
		{Option{Type: Dict}, `"{\"a\": 1}"`, map[string]any{"a": json.Number("1")}},
		{Option{Type: Dict}, `""`, map[string]any(nil)},
	} {
		got, err := decode(t, test.option, test.arg)
		if err != nil {
			t.Errorf("%s %s: %v", test.option.Type, test.arg, err)
		} else if d := cmp.Diff(test.want, got); d != "" {
			t.Errorf("%s %s: %s", test.option.Type, test.arg, d)
		}
	}
}

func TestWhatCannotBeCoercedIsAnError(t *testing.T) {
	for _, test := range []struct {
		option    Option
		arg, want string
	}{
		{Option{Type: Str}, `["a"]`, `option "x": must be a string, got a list: templating in ansible-core`},
		{Option{Type: Str}, `{"a": 1}`, `option "x": must be a string, got a dict`},
		{Option{Type: Str, Choices: []string{"a", "b"}}, `"c"`, `option "x": must be one of a, b, got "c"`},
		{Option{Type: Str, Choices: []string{"a", "b"}}, `true`, `option "x": must be one of a, b, got the boolean true`},
		{Option{Type: Int}, `"six"`, `option "x": must be a whole number, got "six"`},
		{Option{Type: Int}, `1.5`, `option "x": must be a whole number, got "1.5"`},
		{Option{Type: Int}, `true`, `option "x": must be a whole number, got a boolean`},
		{Option{Type: Int}, `99999999999`, `option "x": is out of range: 99999999999`},
		{Option{Type: Int}, `"NaN"`, `option "x": must be a whole number, got "NaN"`},
		{Option{Type: Int}, `"Inf"`, `option "x": is out of range: Inf`},
		{Option{Type: Bool}, `2`, `option "x": must be a boolean, got "2"`},
		{Option{Type: Bool}, `[]`, `option "x": must be a boolean, got a list`},
		{Option{Type: List, Elements: Str}, `{"a": 1}`, `option "x": must be a list, got a dict`},
		{Option{Type: List, Elements: Str}, `["a", ["b"]]`, `option "x": item 2 must be a string, got a list`},
		{Option{Type: List, Elements: Str, Choices: []string{"a"}}, `["a", "b"]`, `option "x": item 2 must be one of a, got "b"`},
		{Option{Type: Dict}, `["a"]`, `option "x": must be a dict, got a list`},
		{Option{Type: Dict}, `"a=b"`, `option "x": must be a dict, got a string`},
	} {
		got, err := decode(t, test.option, test.arg)
		if err == nil || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("%s %s: got %v, %v; want %s", test.option.Type, test.arg, got, err, test.want)
		}
	}
}

func TestUnknownOptionsAreAllNamed(t *testing.T) {
	s := Schema{{Name: "working_directory", Type: Str}, {Name: "user", Type: Str}, {Name: "name", Type: Str}}
	r, err := read(`{"workingdirectory": 1, "Users": 1, "directory": 1, "sidekiq_name": 1, "quux_frobnicate": 1}`)
	if err != nil {
		t.Fatal(err)
	}
	var problems Problems
	s.Decode(r, &problems)
	want := []string{
		`option "Users": unknown; did you mean "user"?`,
		`option "directory": unknown; did you mean "working_directory"?`,
		`option "quux_frobnicate": unknown`,
		`option "sidekiq_name": unknown; did you mean "name"?`,
		`option "workingdirectory": unknown; did you mean "working_directory"?`,
	}
	var got *ArgumentError
	if !errors.As(problems.Err(), &got) {
		t.Fatal("no error")
	}
	if d := cmp.Diff(want, got.Problems); d != "" {
		t.Error(d)
	}
	r.IgnoreUnknown = true
	problems = Problems{}
	if s.Decode(r, &problems); problems.Err() != nil {
		t.Errorf("ignored, but %v", problems.Err())
	}
}
