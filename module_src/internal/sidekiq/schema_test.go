// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/ansible"
)

// The options are written down in four places. DOCUMENTATION is the schema;
// each test below names the place that lacks something.
const (
	root         = "../../.."
	modulePath   = "plugins/modules/sidekiq_service.py"
	specsPath    = "roles/sidekiq/meta/argument_specs.yml"
	tasksPath    = "roles/sidekiq/tasks/main.yml"
	defaultsPath = "roles/sidekiq/defaults/main.yml"
)

func readRepo(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func decodeYAML(t *testing.T, text string, into any) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(text), into); err != nil {
		t.Fatal(err)
	}
}

// moduleString is the YAML of DOCUMENTATION, EXAMPLES or RETURN.
func moduleString(t *testing.T, name string) string {
	t.Helper()
	_, rest, found := strings.Cut(readRepo(t, modulePath), "\n"+name+` = r"""`)
	text, _, closed := strings.Cut(rest, `"""`)
	if !found || !closed {
		t.Fatalf("%s has no %s", modulePath, name)
	}
	return text
}

// documented is an option as DOCUMENTATION and argument_specs have it.
type documented struct {
	Type     string
	Elements string
	Choices  []string
	Default  any
	Required bool
}

func documentedOptions(t *testing.T) map[string]documented {
	t.Helper()
	var doc struct{ Options map[string]documented }
	decodeYAML(t, moduleString(t, "DOCUMENTATION"), &doc)
	return doc.Options
}

func TestDocumentationSaysTheSameAsTheProgram(t *testing.T) {
	docs := documentedOptions(t)
	for _, o := range Options() {
		d, ok := docs[o.Name]
		if !ok {
			t.Errorf("DOCUMENTATION in %s lacks the option %s", modulePath, o.Name)
			continue
		}
		delete(docs, o.Name)
		compareOption(t, modulePath, o.Name, o, d)
		if got, want := fmt.Sprint(plainDefault(d.Default)), fmt.Sprint(plainDefault(o.Default)); got != want {
			t.Errorf("%s: %s has the default %s, the program %s", modulePath, o.Name, got, want)
		}
		if d.Required {
			t.Errorf("%s: %s is required, which the program decides", modulePath, o.Name)
		}
	}
	for name := range docs {
		t.Errorf("the program lacks the option %s of %s: see Options", name, modulePath)
	}
}

func compareOption(t *testing.T, place, name string, o ansible.Option, d documented) {
	t.Helper()
	if d.Type != string(o.Type) || d.Elements != string(o.Elements) {
		t.Errorf("%s: %s has the type %s %s, the program %s %s", place, name, d.Type, d.Elements, o.Type, o.Elements)
	}
	if !slices.Equal(d.Choices, o.Choices) {
		t.Errorf("%s: %s has the choices %v, the program %v", place, name, d.Choices, o.Choices)
	}
}

// plainDefault makes no difference between no default and an empty list.
func plainDefault(v any) any {
	if r := reflect.ValueOf(v); r.IsValid() && r.Kind() == reflect.Slice && r.Len() == 0 {
		return nil
	}
	return v
}

func TestRolePassesEachOption(t *testing.T) {
	var tasks []map[string]any
	decodeYAML(t, readRepo(t, tasksPath), &tasks)
	args, ok := tasks[len(tasks)-1]["curationexperts.sidekiq.sidekiq_service"].(map[string]any)
	if !ok {
		t.Fatalf("the last task of %s does not call the module", tasksPath)
	}
	for _, o := range Options() {
		want := "{{ sidekiq_" + o.Name + " | default(omit) }}"
		if o.Name == "project_name" {
			want = "{{ sidekiq_project_name | default(project_name) | default(omit) }}"
		}
		if args[o.Name] != want {
			t.Errorf("%s: %s is %v, want %s", tasksPath, o.Name, args[o.Name], want)
		}
		delete(args, o.Name)
	}
	for name := range args {
		t.Errorf("%s passes %s, which is no option", tasksPath, name)
	}
}

func TestRoleDeclaresEachOption(t *testing.T) {
	var specs struct {
		ArgumentSpecs struct {
			Main struct{ Options map[string]documented }
		} `yaml:"argument_specs"`
	}
	decodeYAML(t, readRepo(t, specsPath), &specs)
	options := specs.ArgumentSpecs.Main.Options
	for _, o := range Options() {
		name := "sidekiq_" + o.Name
		d, ok := options[name]
		if !ok {
			t.Errorf("%s lacks %s", specsPath, name)
			continue
		}
		compareOption(t, specsPath, name, o, d)
		if d.Default != nil || d.Required {
			t.Errorf("%s: %s has a default or is required, which the module decides", specsPath, name)
		}
		delete(options, name)
	}
	delete(options, "project_name") // ansible-samvera's own name for it
	for name := range options {
		t.Errorf("%s has %s, which is no option", specsPath, name)
	}
}

func TestRoleHasNoDefaultsThatTheModuleHas(t *testing.T) {
	var defaults map[string]any
	decodeYAML(t, readRepo(t, defaultsPath), &defaults)
	for name, v := range defaults {
		if !slices.ContainsFunc(Options(), func(o ansible.Option) bool { return "sidekiq_"+o.Name == name }) {
			t.Errorf("%s sets %s, which is no option", defaultsPath, name)
		}
		if s, ok := v.(string); ok && strings.Contains(s, "omit") {
			t.Errorf("%s: %s is omitted, which ansible-core 2.14 rejects", defaultsPath, name)
		}
	}
}

func TestExamplesAreAccepted(t *testing.T) {
	var tasks []map[string]any
	decodeYAML(t, moduleString(t, "EXAMPLES"), &tasks)
	for _, task := range tasks {
		args, ok := task["curationexperts.sidekiq.sidekiq_service"].(map[string]any)
		if !ok {
			continue
		}
		if _, err := parse(quoteJSON(args)); err != nil {
			t.Errorf("the example %q: %v", task["name"], err)
		}
	}
}

// TestReturnIsWhatTheProgramPrints compares RETURN with the JSON names of the
// result. changed, failed and msg are Ansible's own.
func TestReturnIsWhatTheProgramPrints(t *testing.T) {
	var documented map[string]any
	decodeYAML(t, moduleString(t, "RETURN"), &documented)
	printed := jsonNames(reflect.TypeFor[ansible.Result](), "changed", "failed", "msg")
	if got := slices.Sorted(maps.Keys(documented)); !slices.Equal(got, printed) {
		t.Errorf("RETURN in %s has\n%v, the program prints\n%v", modulePath, got, printed)
	}
	contains := documented["service"].(map[string]any)["contains"].(map[string]any)
	after := contains["after"].(map[string]any)["contains"].(map[string]any)
	if got, want := slices.Sorted(maps.Keys(after)), jsonNames(reflect.TypeFor[ansible.ServiceState]()); !slices.Equal(got, want) {
		t.Errorf("RETURN in %s has for service\n%v, the program prints\n%v", modulePath, got, want)
	}
}

func jsonNames(t reflect.Type, except ...string) []string {
	var names []string
	for f := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(f).Tag.Get("json"), ",")
		if !slices.Contains(except, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// TestGoldenUnitHasEachOption keeps the task of full.service complete.
func TestGoldenUnitHasEachOption(t *testing.T) {
	var task map[string]any
	decodeYAML(t, full, &task)
	elsewhere := []string{
		"state", "enabled", "login_shell", "exec_start", "processes", "sudo", "restart_on_change", "on_failure", "replace",
	}
	for _, o := range Options() {
		if _, ok := task[o.Name]; !ok && !slices.Contains(elsewhere, o.Name) {
			t.Errorf("the option %s is in no golden file", o.Name)
		}
	}
}
