// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/ansible"
)

// These are the places that are written by hand and have to agree with the
// declaration of options.
const (
	root         = "../../.."
	modulePath   = "plugins/modules/sidekiq_service.py"
	infoPath     = "plugins/modules/sidekiq_service_info.py"
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
		"sidekiq_service": func(args string) error {
			if b, err := byName(t, args); b != nil || err != nil {
				return err
			}
			_, err := parse(args)
			return err
		},
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

// TestRoleVerifyHasTheModulesDefaults compares the few defaults that the role
// has to know itself.
func TestRoleVerifyHasTheModulesDefaults(t *testing.T) {
	known := regexp.MustCompile(`sidekiq_(\w+) \| default\(('\w+'|\d+)\W`).FindAllStringSubmatch(readRepo(t, verifyPath), -1)
	for _, m := range known {
		i := slices.IndexFunc(Options(), func(o ansible.Option) bool { return o.Name == m[1] })
		if i < 0 || fmt.Sprint(Options()[i].Default) != strings.Trim(m[2], "'") {
			t.Errorf("%s has %s for sidekiq_%s, which is not the default", verifyPath, m[2], m[1])
		}
	}
	if len(known) < 2 {
		t.Errorf("found only %q", known)
	}
}

// TestOptionsOfBothModulesAreTheSame makes an exception for the user: the info
// module finds out whose service it is.
func TestOptionsOfBothModulesAreTheSame(t *testing.T) {
	for _, info := range InfoOptions() {
		i := slices.IndexFunc(Options(), func(o ansible.Option) bool { return o.Name == info.Name })
		if i < 0 {
			t.Errorf("%s declares %s, which %s does not", infoPath, info.Name, modulePath)
			continue
		}
		o := Options()[i]
		if o.Name == "user" {
			o.Default = nil
		}
		if d := cmp.Diff(o, info); d != "" {
			t.Errorf("%s declares %s otherwise than %s does:\n%s", infoPath, o.Name, modulePath, d)
		}
	}
}
