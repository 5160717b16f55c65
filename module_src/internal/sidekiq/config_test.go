// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTheConfigurationIsTheOneThatSidekiqWouldTake(t *testing.T) {
	yml, erb := Text{Path: "/opt/p/current/config/sidekiq.yml", Found: true}, Text{Path: "/opt/p/current/config/sidekiq.yml.erb", Found: true}
	for name, test := range map[string]struct {
		deployed   bool
		configs    []Text
		options    string
		want, says string
	}{
		"not deployed":    {false, nil, "", " -C config/sidekiq.yml", "is not there yet"},
		"yml":             {true, []Text{yml}, "", " -C config/sidekiq.yml", ""},
		"erb":             {true, []Text{erb}, "", " -C config/sidekiq.yml.erb", "so Sidekiq takes config/sidekiq.yml.erb"},
		"both":            {true, []Text{yml, erb}, "", " -C config/sidekiq.yml", "Sidekiq takes config/sidekiq.yml in /opt/p/current, and not config/sidekiq.yml.erb"},
		"neither":         {true, nil, "", "", "so Sidekiq runs with its defaults"},
		"one's own":       {true, []Text{{Path: "/etc/s.yml", Found: true}}, `, "config_file": "/etc/s.yml"`, " -C /etc/s.yml", ""},
		"one's own words": {true, nil, `, "exec_start": "/x"`, "/x", ""},
	} {
		f := debian12()
		f.Deployed, f.Configs = test.deployed, test.configs
		state, warnings := want(t, `{"project_name": "p"`+test.options+`}`, f)
		if got := directive(t, state.Files[0].Content, "Service", "ExecStart"); !strings.HasSuffix(got, "-e production"+test.want) && got != test.want {
			t.Errorf("%s: %s", name, got)
		}
		if said := strings.Join(warnings, "\n"); !strings.Contains(said, test.says) || (test.says == "") != (said == "") {
			t.Errorf("%s: warnings %q", name, warnings)
		}
	}
}

func TestAConfigurationThatIsNamedHasToBeThere(t *testing.T) {
	f := debian12()
	f.Configs = nil
	_, _, err := mustParse(t, `{"project_name": "p", "config_file": "config/jobs.yml"}`).Want(f)
	if err == nil || !strings.Contains(err.Error(), `option "config_file": there is no /opt/p/current/config/jobs.yml`) {
		t.Errorf("error %v", err)
	}
	if _, warnings := want(t, `{"project_name": "p", "config_file": "config/jobs.yml", "state": "stopped"}`, f); len(warnings) != 1 {
		t.Errorf("warnings %q", warnings)
	}
}

func TestGemsRbIsReadLikeAGemfile(t *testing.T) {
	for options, want := range map[string][]Bundle{
		``: {{"/opt/p/current/gems.rb", "/opt/p/current/gems.locked"}, {"/opt/p/current/Gemfile", "/opt/p/current/Gemfile.lock"}},
		`, "env": {"BUNDLE_GEMFILE": "jobs/gems.rb"}`:   {{"/opt/p/current/jobs/gems.rb", "/opt/p/current/jobs/gems.locked"}},
		`, "env": {"BUNDLE_GEMFILE": "/srv/Gemfile.x"}`: {{"/srv/Gemfile.x", "/srv/Gemfile.x.lock"}},
	} {
		if d := cmp.Diff(want, mustParse(t, `{"project_name": "p"`+options+`}`).Questions().Bundles); d != "" {
			t.Errorf("%s: %s", options, d)
		}
	}
}

func TestAProgramThatIsNotThereIsToldWithTheOneThatIs(t *testing.T) {
	f := debian12()
	f.Missing = []string{"/usr/local/bin/bundle"}
	_, _, err := mustParse(t, `{"project_name": "p"}`).Want(f)
	for _, part := range []string{`option "bundle": there is no /usr/local/bin/bundle`, "/usr/bin/bundle is there", "login_shell: true"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%q is not in %v", part, err)
		}
	}
	for _, options := range []string{`, "login_shell": true`, `, "bundle": "/usr/bin/bundle"`, `, "exec_start": "/x"`, `, "directives": {"Service": {"RootDirectory": "/srv/root"}}`} {
		want(t, `{"project_name": "p"`+options+`}`, f)
	}
	f.Deployed = false
	want(t, `{"project_name": "p"}`, f)
}
