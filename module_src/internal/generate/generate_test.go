// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"
)

const root = "../../.."

var update = flag.Bool("update", false, "write the golden files anew")

// TestGeneratedFilesAreCurrent fails where the documentation of a module has
// changed, or a file that follows from it was edited by hand.
func TestGeneratedFilesAreCurrent(t *testing.T) {
	files, err := generated(root)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range files {
		got, err := os.ReadFile(filepath.Join(root, path))
		if err != nil {
			t.Error(err)
		} else if d := cmp.Diff(want, string(got)); d != "" {
			t.Errorf("%s is not what the documentation in plugins/modules says; run make generate (-generated +file):\n%s", path, d)
		}
	}
}

func example(t *testing.T) module {
	t.Helper()
	m, err := readModule("testdata", "module.py")
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestSuboptionsSecretsAndResults is for reading in the golden file.
func TestSuboptionsSecretsAndResults(t *testing.T) {
	m := example(t)
	schema, err := goOptions(m, module{}, module{})
	if err != nil {
		t.Fatal(err)
	}
	results, err := goResults(m, module{}, module{})
	if err != nil {
		t.Fatal(err)
	}
	got := schema + "\n" + results + "\n" + specs(variables(m.options), "") + "\n" + arguments(m.options) + "\n" + table(variables(m.options))
	const file = "testdata/generated.txt"
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s (-want +got):\n%s", file, d)
	}
}

// TestYAMLSaysWhatTheDocumentationSays reads back YAML that is not written by
// an encoder.
func TestYAMLSaysWhatTheDocumentationSays(t *testing.T) {
	service, err := readModule(root, servicePath)
	if err != nil {
		t.Fatal(err)
	}
	for _, options := range [][]option{service.options, example(t).options} {
		var read struct {
			Options map[string]struct {
				Description []string
				Type        string
				Choices     []string
				Default     any
			}
		}
		if err := yaml.Unmarshal([]byte(specs(options, "  ")), &read); err != nil {
			t.Fatal(err)
		}
		for _, o := range options {
			got := read.Options[o.name]
			want := mapped(described(o), func(s string) string { return strings.Join(strings.Fields(s), " ") })
			if d := cmp.Diff(want, got.Description) + cmp.Diff(o.choices, got.Choices); d != "" || got.Type != o.kind {
				t.Errorf("%s: %s", o.name, d)
			}
			if got.Default != nil {
				t.Errorf("%s: the default is declared, and so null would be refused", o.name)
			}
		}
	}
}

// TestWhatCannotBeGeneratedIsNamed changes one line of the example each time.
func TestWhatCannotBeGeneratedIsNamed(t *testing.T) {
	text, err := os.ReadFile("testdata/module.py")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ old, new, want string }{
		{"How many. From 1 to 100.", "How many.", "option processes: an int, and nothing else, has its bounds"},
		{"    default: 1\n", "    default: 0\n", "option processes: the default 0 is not within the bounds"},
		{"    default: 1\n", "    default: one\n", "option processes: the default: "},
		{"    default: 1\n", "    defualt: 1\n", `option processes: the key "defualt" says nothing`},
		{"Others.", "Others. From 1 to 3.", "option known_services: an int, and nothing else"},
		{"elements: path", "elements: int", `option known_services: elements "int" are none`},
		{"    type: dict\n    sub", "    type: str\n    sub", "option log_rotate: suboptions are for a dict"},
		{"elements: dict\n    suboptions", "elements: dict\n    options", `option instances: the key "options" says nothing`},
		{"O(processes) and", "O(proceses) and", "option instances is mutually exclusive with proceses, which is no option"},
		{"O(instances[].exec_start).\n", "O(exec_begin).\n", "option instances: option instances[].queues is mutually exclusive with exec_begin"},
		{`"no"]`, "no]", "option instances: option instances[].queues: no must be in quotes"},
		{"        type: str\n        required", "        type: float\n        required", `option instances: option instances[].name: the type "float"`},
		{"  returned: always\n", "", "result unit: there is no returned"},
		{"  sample: 1\n", "  sample: one\n", "result main_pid: the sample one is no int"},
		{"returned: in diff mode", "returned: always, or null", "result changes: null is for"},
		{"  elements: dict\n  contains: &change", "  elements: int\n  contains: &change", `result changes: elements "int" are none`},
		{"DOCUMENTATION", "DOCUMENT", "there is no DOCUMENTATION"},
	} {
		if !strings.Contains(string(text), test.old) {
			t.Errorf("%q is not in the example", test.old)
		}
		_, err := parseModule(strings.Replace(string(text), test.old, test.new, 1))
		if err == nil || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("%q: got %v, want %s", test.new, err, test.want)
		}
	}
}

func TestDictsOfOneNameHaveTheSameMembers(t *testing.T) {
	m := example(t)
	m.results = append(m.results, result{name: "again", kind: "dict", dict: "change", always: true, contains: m.results[0:1]})
	if _, err := goResults(m, module{}, module{}); err == nil || !strings.Contains(err.Error(), "result again: another change has other members") {
		t.Errorf("got %v", err)
	}
}

func TestBlockIsReplacedAndTheRestLeft(t *testing.T) {
	const text = "a\n# BEGIN options (x)\nold\n  # END options\nb\n"
	got, err := replaced(text, "options", "new\n")
	if want := "a\n# BEGIN options (x)\nnew\n  # END options\nb\n"; err != nil || got != want {
		t.Errorf("got %q, %v", got, err)
	}
	for _, broken := range []string{"", "# BEGIN options (x)\n", "# END options\n# BEGIN options (x)\n"} {
		if _, err := replaced(broken, "options", ""); err == nil {
			t.Errorf("%q: no error", broken)
		}
	}
}

// TestFoldedLinesAreNotTooLong checks yamllint's rule.
func TestFoldedLinesAreNotTooLong(t *testing.T) {
	text := specs(variables(example(t).options), "    ")
	if long := regexp.MustCompile(`(?m)^.{141,}$`).FindString(text); long != "" {
		t.Errorf("too long: %s", long)
	}
	if strings.Contains(text, "folded over at least two lines, however wide") {
		t.Errorf("not folded:\n%s", text)
	}
}

// TestWhatIsValidatedLosesNoKey shows that only texts are left out of what
// ansible-core validates by, and that a key which is new is no text by mistake.
func TestWhatIsValidatedLosesNoKey(t *testing.T) {
	const specs = `argument_specs:
  main:
    short_description: Short
    description: [Long]
    options:
      rows:
        description: [Some <rows>.]
        type: list
        elements: dict
        version_added: 1.1.0
        options:
          kind: {description: A kind., type: str, choices: [a, b], required: true, no_log: true}
`
	const want = `{"main":{"short_description":"Short","options":{"rows":{"type":"list","elements":"dict",` +
		`"options":{"kind":{"type":"str","choices":["a","b"],"required":true,"no_log":true}}}}}}`
	text, err := validated(specs)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Specs json.RawMessage `json:"argument_specs"`
	}
	var b bytes.Buffer
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatal(err)
	}
	if err := json.Compact(&b, got.Specs); err != nil || b.String() != want {
		t.Errorf("validated: %v, got\n%s\nwant\n%s", err, b.String(), want)
	}
	if _, err := validated(strings.Replace(specs, "version_added", "default", 1)); err == nil || !strings.Contains(err.Error(), "default") {
		t.Errorf("an unknown key: %v", err)
	}
}
