// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/ansible"
)

// declared is an option or a suboption by its path, "queues" or
// "instances[].queues".
type declared struct {
	ansible.Option
	path string
}

// all are the options of a schema, including their suboptions.
func all(schema ansible.Schema, within string) []declared {
	var list []declared
	for _, o := range schema {
		d := declared{o, within + o.Name}
		list = append(append(list, d), all(o.Options, d.inside())...)
	}
	return list
}

// inside is how the paths of an option's suboptions start.
func (d declared) inside() string {
	if d.Type == ansible.List {
		return d.path + "[]."
	}
	return d.path + "."
}

// takesText reports whether an option takes more than a number, yes or no, or
// one of a few words.
func (d declared) takesText() bool {
	return d.Type != ansible.Bool && d.Type != ansible.Int && d.Choices == nil && d.Options == nil
}

// only are options of which the one at a path has a value. Others that are
// required beside it are "a".
func only(schema ansible.Schema, path string, value any) map[string]any {
	name, rest, nested := strings.Cut(path, ".")
	name = strings.TrimSuffix(name, "[]")
	options := map[string]any{}
	for _, o := range schema {
		switch {
		case o.Required:
			options[o.Name] = "a"
		case o.Name != name || !nested:
			continue
		case o.Type == ansible.List:
			value = []any{only(o.Options, rest, value)}
		default:
			value = only(o.Options, rest, value)
		}
	}
	options[name] = value
	return options
}

// fewer is a task without one of its options, or without one of an option's
// suboptions.
type fewer struct {
	path    string
	options map[string]any
}

// taken are the tasks that remain when one of a task's options is taken out.
// Required options stay.
func taken(schema ansible.Schema, options map[string]any, within string) []fewer {
	var list []fewer
	for _, o := range schema {
		value, given := options[o.Name]
		if !given {
			continue
		}
		d := declared{o, within + o.Name}
		if !o.Required {
			list = append(list, fewer{d.path, without(options, o.Name)})
		}
		list = append(list, takenInside(d, options, value)...)
	}
	return list
}

func takenInside(d declared, options map[string]any, value any) []fewer {
	var list []fewer
	put := func(path string, value any) {
		less := maps.Clone(options)
		less[d.Name] = value
		list = append(list, fewer{path, less})
	}
	switch value := value.(type) {
	case map[string]any:
		for _, f := range taken(d.Options, value, d.inside()) {
			put(f.path, f.options)
		}
	case []any:
		for i, item := range value {
			dict, _ := item.(map[string]any)
			for _, f := range taken(d.Options, dict, d.inside()) {
				items := slices.Clone(value)
				items[i] = f.options
				put(f.path, items)
			}
		}
	}
	return list
}

// TestSuboptionsCountAsOptions shows that the tests of options_test.go cover
// suboptions.
func TestSuboptionsCountAsOptions(t *testing.T) {
	schema := ansible.Schema{
		{Name: "user", Type: ansible.Str},
		{Name: "instances", Type: ansible.List, Elements: ansible.Dict, Options: ansible.Schema{
			{Name: "name", Type: ansible.Str, Required: true}, {Name: "queues", Type: ansible.List, Elements: ansible.Str},
		}},
		{Name: "rotate", Type: ansible.Dict, Options: ansible.Schema{{Name: "keep", Type: ansible.Int}}},
	}
	var paths, less []string
	for _, d := range all(schema, "") {
		paths = append(paths, d.path)
	}
	example := task(t, `{"user": "u", "instances": [{"name": "a", "queues": ["q"]}, {"name": "b", "queues": ["r"]}], "rotate": {"keep": 3}}`)
	for _, f := range taken(schema, example, "") {
		less = append(less, f.path+" "+quoteJSON(f.options))
	}
	if d := cmp.Diff([]string{"user", "instances", "instances[].name", "instances[].queues", "rotate", "rotate.keep"}, paths); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{
		`user {"instances":[{"name":"a","queues":["q"]},{"name":"b","queues":["r"]}],"rotate":{"keep":3}}`,
		`instances {"rotate":{"keep":3},"user":"u"}`,
		`instances[].queues {"instances":[{"name":"a"},{"name":"b","queues":["r"]}],"rotate":{"keep":3},"user":"u"}`,
		`instances[].queues {"instances":[{"name":"a","queues":["q"]},{"name":"b"}],"rotate":{"keep":3},"user":"u"}`,
		`rotate {"instances":[{"name":"a","queues":["q"]},{"name":"b","queues":["r"]}],"user":"u"}`,
		`rotate.keep {"instances":[{"name":"a","queues":["q"]},{"name":"b","queues":["r"]}],"rotate":{},"user":"u"}`,
	}, less); d != "" {
		t.Error(d)
	}
	for path, want := range map[string]string{
		"user": `{"user":5}`, "instances[].queues": `{"instances":[{"name":"a","queues":5}]}`, "rotate.keep": `{"rotate":{"keep":5}}`,
	} {
		if got := quoteJSON(only(schema, path, 5)); got != want {
			t.Errorf("%s: %s", path, got)
		}
	}
}
