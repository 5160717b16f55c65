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
		{Option{Type: Int, Default: 3}, `null`, 3},

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
		{Option{Type: List, Elements: Str}, `"[\"critical\", \"default\"]"`, []string{"critical", "default"}},
		{Option{Type: List, Elements: Str}, `" ['critical', 'default,5']"`, []string{"critical", "default,5"}},
		{Option{Type: List, Elements: Str}, `"[critical, 5, True, 1.10]"`, []string{"critical", "5", "True", "1.10"}},
		{Option{Type: List, Elements: Str}, `"[]"`, []string{}},
		{Option{Type: List, Elements: Str}, `"('critical', 'default,5')"`, []string{"critical", "default,5"}},
		{Option{Type: List, Elements: Str}, `"('critical',)"`, []string{"critical"}},
		{Option{Type: Dict}, `"{'A': 'b', 'N': 1}"`, map[string]any{"A": "b", "N": json.Number("1")}},
		{Option{Type: Dict}, `"{}"`, map[string]any{}},
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
		{Option{Type: Int}, `""`, `option "x": must be a whole number, got ""`},
		{Option{Type: Bool, Default: true}, `""`, `option "x": must be a boolean, got ""`},
		{Option{Type: List, Elements: Str}, `"['a', 'b'"`, `option "x": looks like a list or a dict but cannot be read as one`},
		{Option{Type: List, Elements: Str}, `"[a]b"`, `option "x": looks like a list or a dict but cannot be read as one`},
		{Option{Type: List, Elements: Str}, `"('a', 'b'"`, `option "x": looks like a list or a dict but cannot be read as one`},
		{Option{Type: List, Elements: Str}, `"(a)b"`, `option "x": looks like a list or a dict but cannot be read as one`},
		{Option{Type: List, Elements: Str}, `"['a\\b']"`, `option "x": holds a backslash in single quotes`},
		{Option{Type: List, Elements: Str}, `"[[critical, 2], default]"`, `option "x": item 1 must be a string, got a list`},
		{Option{Type: Dict}, `"{'a': }}"`, `option "x": looks like a list or a dict but cannot be read as one`},
		{Option{Type: Dict}, `"{a: 1, a: 2}"`, `option "x": a key is given twice`},
		{Option{Type: Dict}, `"{[a]: 1}"`, `option "x": looks like a list or a dict but cannot be read as one`},
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

// nested is a schema with suboptions: a list of dicts, a dict, and one of each
// kind that a message could reveal.
func nested() Schema {
	return Schema{
		{Name: "instances", Type: List, Elements: Dict, Excludes: []string{"processes"}, Options: Schema{
			{Name: "name", Type: Str, Required: true},
			{Name: "queues", Type: List, Elements: Str, Default: []string{"default"}},
			{Name: "concurrency", Type: Int, Least: 1, Most: 1000},
		}},
		{Name: "processes", Type: Int, Default: 1, Least: 1, Most: 100},
		{Name: "rotate", Type: Dict, Options: Schema{
			{Name: "keep", Type: Int, Default: 4, Least: 1, Most: 99, Unit: "files"},
			{Name: "daily", Type: Bool, Excludes: []string{"weekly"}},
			{Name: "weekly", Type: Bool},
		}},
		{Name: "secret_env", Type: Dict, NoLog: true},
		{Name: "secrets", Type: Dict, NoLog: true, Options: Schema{
			{Name: "pin", Type: Int, Least: 1000, Most: 9999},
			{Name: "kind", Type: Str, Choices: []string{"a", "b"}},
			{Name: "on", Type: Bool},
			{Name: "kinds", Type: List, Elements: Str, Choices: []string{"a"}},
		}},
	}
}

func decodeNested(t *testing.T, args string) (Values, []string) {
	t.Helper()
	r, err := read(args)
	if err != nil {
		t.Fatal(err)
	}
	var problems Problems
	v := nested().Decode(r, &problems)
	var found *ArgumentError
	if errors.As(problems.Err(), &found) {
		return v, found.Problems
	}
	return v, nil
}

func TestSuboptionsAreCoercedAndHaveDefaults(t *testing.T) {
	v, problems := decodeNested(t, `{"instances": [{"name": 1, "concurrency": "5"}, {"name": "b", "queues": "x,y"}], "rotate": {"daily": "yes"}}`)
	if problems != nil {
		t.Fatal(problems)
	}
	a, b, rotate := v.Items("instances")[0], v.Items("instances")[1], v.Members("rotate")
	if a.String("name") != "1" || a.Int("concurrency") != 5 || a.Given("queues") || a.Strings("queues")[0] != "default" {
		t.Errorf("got %+v", a)
	}
	if d := cmp.Diff([]string{"x", "y"}, b.Strings("queues")); d != "" || b.Given("concurrency") {
		t.Errorf("got %+v", b)
	}
	if !rotate.Bool("daily") || rotate.Int("keep") != 4 {
		t.Errorf("got %+v", rotate)
	}
	none, _ := decodeNested(t, `{}`)
	if none.Items("instances") != nil || none.Members("rotate").Int("keep") != 4 || none.Given("rotate") {
		t.Errorf("not given: %+v", none)
	}
}

func TestWhatIsWrongWithSuboptionsNamesTheirPlace(t *testing.T) {
	for args, want := range map[string]string{
		`{"instances": [{"name": "a"}, {"nmae": "b"}]}`:                `option "instances": item 2: option "nmae": unknown; did you mean "name"?|option "instances": item 2: option "name": required`,
		`{"instances": [{"name": "a", "queues": [["x"]]}]}`:            `option "instances": item 1: option "queues": item 1 must be a string, got a list: templating`,
		`{"instances": [{"name": "a", "concurrency": 0}]}`:             `option "instances": item 1: option "concurrency": must be from 1 to 1000, got 0`,
		`{"instances": [{"name": "a"}, "b"]}`:                          `option "instances": item 2 must be a dict, got a string`,
		`{"instances": {"name": "a"}}`:                                 `option "instances": must be a list of dicts, got a dict`,
		`{"instances": "a"}`:                                           `option "instances": must be a list of dicts, got a string`,
		`{"rotate": {"keep": 100}}`:                                    `option "rotate": option "keep": must be from 1 to 99 files, got 100`,
		`{"rotate": ["x"]}`:                                            `option "rotate": must be a dict, got a list`,
		`{"rotate": {"daily": true, "weekly": true}}`:                  `option "rotate": option "daily": cannot be given with the option "weekly"`,
		`{"instances": [{"name": "a"}], "processes": 2, "x_y_z_w": 1}`: `option "instances": cannot be given with the option "processes"|option "x_y_z_w": unknown`,
	} {
		_, problems := decodeNested(t, args)
		if got := strings.Join(problems, "|"); !strings.HasPrefix(got, want) {
			t.Errorf("%s: got\n\t%s, want\n\t%s", args, got, want)
		}
	}
	if _, problems := decodeNested(t, `{"rotate": {"daily": true, "weekly": false}}`); problems != nil {
		t.Errorf("an option that is false excludes another: %q", problems)
	}
}

func TestSecretsAreInNoMessage(t *testing.T) {
	for _, args := range []string{
		`{"secret_env": "A=hunter2"}`, `{"secret_env": ["hunter2"]}`,
		`{"secrets": {"pin": "hunter2"}}`, `{"secrets": {"kind": "hunter2"}}`, `{"secrets": {"on": "hunter2"}}`,
		`{"secrets": {"kinds": ["a", "hunter2"]}}`, `{"secrets": ["hunter2"]}`,
	} {
		_, problems := decodeNested(t, args)
		if got := strings.Join(problems, "|"); got == "" || strings.Contains(got, "hunter2") {
			t.Errorf("%s: got %q", args, got)
		}
	}
	for _, args := range []string{`{"secrets": {"pin": 77777}}`, `{"secrets": {"pin": 7777777777777}}`} {
		_, problems := decodeNested(t, args)
		if got := strings.Join(problems, "|"); got == "" || strings.Contains(got, "777") {
			t.Errorf("%s: got %q", args, got)
		}
	}
}

func TestBoundsAreInclusive(t *testing.T) {
	for arg, want := range map[string]string{
		`0`: `option "x": must be from 1 to 9 seconds, got 0`, `10`: `option "x": must be from 1 to 9 seconds, got 10`, `1`: "", `9`: "", `null`: "",
	} {
		got := ""
		if _, err := decode(t, Option{Type: Int, Least: 1, Most: 9, Unit: "seconds"}, arg); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: got %q, want %q", arg, got, want)
		}
	}
}
