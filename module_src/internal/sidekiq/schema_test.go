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
	infoPath     = "plugins/modules/sidekiq_service_info.py"
	specsPath    = "roles/sidekiq/meta/argument_specs.yml"
	tasksPath    = "roles/sidekiq/tasks/main.yml"
	verifyPath   = "roles/sidekiq/tasks/verify.yml"
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

// moduleString is the YAML of a module's DOCUMENTATION, EXAMPLES or RETURN.
func moduleString(t *testing.T, path, name string) string {
	t.Helper()
	_, rest, found := strings.Cut(readRepo(t, path), "\n"+name+` = r"""`)
	text, _, closed := strings.Cut(rest, `"""`)
	if !found || !closed {
		t.Fatalf("%s has no %s", path, name)
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

func documentedOptions(t *testing.T, path string) map[string]documented {
	t.Helper()
	var doc struct{ Options map[string]documented }
	decodeYAML(t, moduleString(t, path, "DOCUMENTATION"), &doc)
	return doc.Options
}

func TestDocumentationSaysTheSameAsTheProgram(t *testing.T) {
	for path, options := range map[string]ansible.Schema{modulePath: Options(), infoPath: InfoOptions()} {
		docs := documentedOptions(t, path)
		for _, o := range options {
			d, ok := docs[o.Name]
			if !ok {
				t.Errorf("DOCUMENTATION in %s lacks the option %s", path, o.Name)
				continue
			}
			delete(docs, o.Name)
			compareOption(t, path, o.Name, o, d)
			if got, want := fmt.Sprint(plainDefault(d.Default)), fmt.Sprint(plainDefault(o.Default)); got != want {
				t.Errorf("%s: %s has the default %s, the program %s", path, o.Name, got, want)
			}
			if d.Required {
				t.Errorf("%s: %s is required, which the program decides", path, o.Name)
			}
		}
		for name := range docs {
			t.Errorf("the program lacks the option %s of %s", name, path)
		}
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

// roleOptions are the variables of a task file of the role, as argument_specs
// declares them.
func roleOptions(t *testing.T, file string) map[string]documented {
	t.Helper()
	var specs struct {
		Files map[string]struct{ Options map[string]documented } `yaml:"argument_specs"`
	}
	decodeYAML(t, readRepo(t, specsPath), &specs)
	return specs.Files[file].Options
}

func TestRoleVerifyPassesEachOptionOfInfo(t *testing.T) {
	var tasks []struct{ Block []map[string]any }
	decodeYAML(t, readRepo(t, verifyPath), &tasks)
	args, ok := tasks[0].Block[0]["curationexperts.sidekiq.sidekiq_service_info"].(map[string]any)
	if !ok {
		t.Fatalf("the first task of %s does not call the module", verifyPath)
	}
	for _, o := range InfoOptions() {
		text, _ := args[o.Name].(string)
		if !strings.Contains(text, "sidekiq_"+o.Name) {
			t.Errorf("%s: %s is %q", verifyPath, o.Name, text)
		}
		delete(args, o.Name)
	}
	for name := range args {
		t.Errorf("%s passes %s, which is no option", verifyPath, name)
	}
}

// TestRoleDeclaresTheSameForVerify has no variable mean two things.
func TestRoleDeclaresTheSameForVerify(t *testing.T) {
	main, verify := roleOptions(t, "main"), roleOptions(t, "verify")
	text := readRepo(t, verifyPath)
	for name, d := range verify {
		if !reflect.DeepEqual(d, main[name]) {
			t.Errorf("%s: %s is %+v for verify and %+v for main", specsPath, name, d, main[name])
		}
		if !strings.Contains(text, name+" |") && !strings.Contains(text, "("+name+")") {
			t.Errorf("%s declares %s, of which %s makes no use", specsPath, name, verifyPath)
		}
	}
	for _, o := range InfoOptions() {
		if _, ok := verify["sidekiq_"+o.Name]; !ok {
			t.Errorf("%s lacks sidekiq_%s for verify", specsPath, o.Name)
		}
	}
}

func TestRoleDeclaresEachOption(t *testing.T) {
	options := roleOptions(t, "main")
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
	parsers := map[string]func(string) error{
		"sidekiq_service":      func(args string) error { _, err := parse(args); return err },
		"sidekiq_service_info": func(args string) error { _, err := parseInfo(t, args); return err },
	}
	for _, path := range []string{modulePath, infoPath} {
		var tasks []map[string]any
		decodeYAML(t, moduleString(t, path, "EXAMPLES"), &tasks)
		for _, task := range tasks {
			for module, parse := range parsers {
				args, ok := task["curationexperts.sidekiq."+module]
				if !ok {
					continue
				}
				given := map[string]any{}
				if args != nil {
					given = args.(map[string]any)
				}
				if err := parse(quoteJSON(given)); err != nil {
					t.Errorf("%s: the example %q: %v", path, task["name"], err)
				}
			}
		}
	}
}

// TestReturnIsWhatTheProgramPrints compares RETURN with the JSON names of the
// result. changed, failed and msg are Ansible's own.
func TestReturnIsWhatTheProgramPrints(t *testing.T) {
	returned := returnOf(t, modulePath)
	compareReturn(t, modulePath, returned, reflect.TypeFor[ansible.Result]())
	after := membersOf(t, membersOf(t, returned, "service"), "after")
	compareReturn(t, modulePath+", service", after, reflect.TypeFor[ansible.ServiceState]())

	returned = returnOf(t, infoPath)
	compareReturn(t, infoPath, returned, reflect.TypeFor[ansible.Info]())
	compareReturn(t, infoPath+", processes", membersOf(t, returned, "processes"), reflect.TypeFor[ansible.Process]())
	compareReturn(t, infoPath+", redis", membersOf(t, returned, "redis"), reflect.TypeFor[ansible.Redis]())
	compareReturn(t, infoPath+", sudo", membersOf(t, returned, "sudo"), reflect.TypeFor[ansible.Sudo]())
}

func returnOf(t *testing.T, path string) map[string]any {
	t.Helper()
	var documented map[string]any
	decodeYAML(t, moduleString(t, path, "RETURN"), &documented)
	return documented
}

// membersOf is what RETURN says that one of its values contains.
func membersOf(t *testing.T, returned map[string]any, name string) map[string]any {
	t.Helper()
	value, _ := returned[name].(map[string]any)
	members, ok := value["contains"].(map[string]any)
	if !ok {
		t.Fatalf("RETURN does not say what %s contains", name)
	}
	return members
}

func compareReturn(t *testing.T, place string, documented map[string]any, printed reflect.Type) {
	t.Helper()
	if got, want := slices.Sorted(maps.Keys(documented)), jsonNames(printed, "changed", "failed", "msg"); !slices.Equal(got, want) {
		t.Errorf("RETURN in %s has\n%v, the program prints\n%v", place, got, want)
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
