// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"os"
	"path/filepath"
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
	verifyPath   = "plugins/modules/sidekiq_service_verify.py"
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
		"sidekiq_service_info":   func(args string) error { _, err := parseInfo(t, args); return err },
		"sidekiq_service_verify": func(args string) error { _, err := parseVerify(t, args); return err },
	}
	for _, path := range []string{modulePath, infoPath, verifyPath} {
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

// TestOptionsOfAllModulesAreTheSame makes an exception for defaults that the
// other modules take from the service itself.
func TestOptionsOfAllModulesAreTheSame(t *testing.T) {
	for path, options := range map[string]ansible.Schema{infoPath: InfoOptions(), verifyPath: VerifyOptions()} {
		for _, got := range options {
			i := slices.IndexFunc(Options(), func(o ansible.Option) bool { return o.Name == got.Name })
			if i < 0 {
				t.Errorf("%s declares %s, which %s does not", path, got.Name, modulePath)
				continue
			}
			o := Options()[i]
			if o.Name == "user" || o.Name == "start_timeout" {
				o.Default = nil
			}
			if d := cmp.Diff(o, got); d != "" {
				t.Errorf("%s declares %s otherwise than %s does:\n%s", path, got.Name, modulePath, d)
			}
		}
	}
}
