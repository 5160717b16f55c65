// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/systemd"
)

// secretsOf are the files with secrets that a task wants, as systemd reads them.
func secretsOf(t *testing.T, task string) map[string]map[string]string {
	t.Helper()
	state, _ := want(t, task, debian12())
	files := map[string]map[string]string{}
	for _, f := range state.Files {
		if !f.Secret || !f.Exists {
			continue
		}
		if f.Mode != 0o600 || f.UID != 0 || f.GID != 0 || !f.OwnDirectory {
			t.Errorf("%s is not for root alone: %+v", f.Path, f)
		}
		if _, origin := OriginOf(f.Content); origin != Ours {
			t.Errorf("%s is not known as the collection's", f.Path)
		}
		vars, ignored := systemd.Environment(f.Content)
		if ignored != nil {
			t.Errorf("systemd ignores something in %s: %v", f.Path, ignored)
		}
		files[f.Path] = map[string]string{}
		for _, v := range vars {
			files[f.Path][v.Name] = v.Value
		}
	}
	return files
}

func TestSecretsAreInAFileForEachProcess(t *testing.T) {
	const dir = "/etc/curationexperts.sidekiq/"
	for task, want := range map[string]map[string]map[string]string{
		`{"project_name": "p"}`: {},
		`{"project_name": "p", "secret_env": {"A": "hunter2", "PIN": 1234, "GONE": null}}`: {
			dir + "sidekiq.env": {"A": "hunter2", "PIN": "1234"},
		},
		`{"project_name": "p", "name": "jobs", "secret_env": {"A": "a \"b\" \\ $HOME ` + "`id`" + ` 'c' "}}`: {
			dir + "jobs.env": {"A": "a \"b\" \\ $HOME `id` 'c' "},
		},
		`{"project_name": "p", "processes": 2, "secret_env": {"A": "hunter2"}}`: {
			dir + "sidekiq@1.env": {"A": "hunter2"}, dir + "sidekiq@2.env": {"A": "hunter2"},
		},
		`{"project_name": "p", "secret_env": {"A": "hunter2", "B": "both"}, "instances": [
			{"name": "a", "secret_env": {"A": "another", "C": "more"}}, {"name": "b", "secret_env": {"A": null}}, {"name": "c", "secret_env": null}, {"name": "d"}]}`: {
			dir + "sidekiq@a.env": {"A": "another", "B": "both", "C": "more"},
			dir + "sidekiq@b.env": {"B": "both"},
			dir + "sidekiq@d.env": {"A": "hunter2", "B": "both"},
		},
		`{"project_name": "p", "state": "absent", "secret_env": {"A": "hunter2"}}`: {},
	} {
		if d := cmp.Diff(want, secretsOf(t, task)); d != "" {
			t.Errorf("%s (-want +got):\n%s", task, d)
		}
	}
}

func TestABadSecretIsRefusedWithoutBeingTold(t *testing.T) {
	for secrets, want := range map[string]string{
		`"secret_env": {"A": "abc"}`:                                                      `option "secret_env": the value of "A" must have at least 4 characters`,
		`"secret_env": {"A": ""}`:                                                         `option "secret_env": the value of "A" must have at least 4 characters`,
		`"secret_env": {"A": "hunter2\nB=hunter2"}`:                                       `option "secret_env": the value of "A"`,
		`"secret_env": {"A": "hunter2\u0000"}`:                                            `option "secret_env": the value of "A"`,
		`"secret_env": {"A": ["hunter2"]}`:                                                `option "secret_env": the value of "A"`,
		`"secret_env": {"A B": "hunter2"}`:                                                `option "secret_env": the name of a variable`,
		`"secret_env": "hunter2"`:                                                         `option "secret_env"`,
		`"secret_env": "{API_KEY=hunter2}"`:                                               `not start with a digit, got "API_KEY…"`,
		`"secret_env": "{API_KEY:hunter2}"`:                                               `not start with a digit, got "API_KEY…"`,
		`"secret_env": "{API_KEY=hunter2, API_KEY=hunter2}"`:                              `option "secret_env": a key is given twice`,
		`"secret_env": "{[hunter2]: a}"`:                                                  `option "secret_env": looks like a list or a dict`,
		`"env": {"API_KEY=hunter2": null}`:                                                `option "env": the name of a variable`,
		`"env": {"A": "public"}, "secret_env": {"A": "hunter2"}`:                          `option "secret_env": "A" is given in env, too`,
		`"instances": [{"name": "a", "secret_env": {"A": "abc"}}]`:                        `option "secret_env": the value of "A"`,
		`"env": {"A": "1"}, "instances": [{"name": "a", "secret_env": {"A": "hunter2"}}]`: `option "secret_env": "A" is given in env, too`,
	} {
		_, err := parse(`{"project_name": "p", ` + secrets + `}`)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "abc") {
			t.Errorf("%s: got %v", secrets, err)
		}
	}
}

// FuzzSecrets makes sure that systemd reads what was given.
func FuzzSecrets(f *testing.F) {
	for _, v := range []string{"hunter2", `a"b\c$d` + "`e'f", "#;=%", " a b ", "\\", "ünï", "a\u2028b"} {
		f.Add(v)
	}
	f.Fuzz(func(t *testing.T, v string) {
		task := quoteJSON(map[string]any{"project_name": "p", "secret_env": map[string]string{"A": v, "B": "last"}})
		if _, err := parse(task); err != nil {
			return
		}
		got := secretsOf(t, task)["/etc/curationexperts.sidekiq/sidekiq.env"]
		if !maps.Equal(got, map[string]string{"A": v, "B": "last"}) {
			t.Errorf("%q is read as %q", v, slices.Sorted(maps.Values(got)))
		}
	})
}
