// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/ansible"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge"
)

func parseInfo(t *testing.T, options string) (Service, error) {
	t.Helper()
	r, err := ansible.ReadRequest("-", strings.NewReader(options))
	if err != nil {
		t.Fatal(err)
	}
	return ParseInfo(r)
}

func TestInfoNeedsNoOption(t *testing.T) {
	s, err := parseInfo(t, `{}`)
	if err != nil {
		t.Fatal(err)
	}
	if s.Unit() != "sidekiq.service" || s.Dir != "" || s.User != "" || s.SudoersFile != "/etc/sudoers.d/sidekiq-restart-users" {
		t.Errorf("got %+v", s)
	}
}

func TestInfoChecksItsOptions(t *testing.T) {
	_, err := parseInfo(t, `{"name": "a/b", "user": "root", "unit_dir": "x", "state": "started"}`)
	if err == nil {
		t.Fatal("no error")
	}
	for _, option := range []string{"name", "user", "unit_dir", "state"} {
		if !strings.Contains(err.Error(), `option "`+option+`": `) {
			t.Errorf("nothing about %s: %v", option, err)
		}
	}
}

func TestUnitFilesAreLookedForWhereSystemdDoes(t *testing.T) {
	for dir, want := range map[string][]string{
		"/lib/systemd/system":     {"/etc/systemd/system/sidekiq.service", "/lib/systemd/system/sidekiq.service"},
		"/usr/lib/systemd/system": {"/etc/systemd/system/sidekiq.service", "/usr/lib/systemd/system/sidekiq.service"},
		"/etc/systemd/system":     {"/etc/systemd/system/sidekiq.service", "/lib/systemd/system/sidekiq.service"},
	} {
		s := Service{Name: "sidekiq", UnitDir: dir}
		paths := s.UnitPaths(s.Unit())
		first, second := slices.Index(paths, want[0]), slices.Index(paths, want[1])
		if first < 0 || second <= first {
			t.Errorf("unit_dir %s: want %v in this order, got %v", dir, want, paths)
		}
		if slices.Contains(paths, "/lib/systemd/system/sidekiq.service") && slices.Contains(paths, "/usr/lib/systemd/system/sidekiq.service") {
			t.Errorf("unit_dir %s: the same directory twice: %v", dir, paths)
		}
	}
}

// TestStartedReadsWhatTheUmbrellaWrites reads the unit files of a service with
// three processes, and of others.
func TestStartedReadsWhatTheUmbrellaWrites(t *testing.T) {
	for options, names := range map[string][]string{
		`{"project_name": "p", "processes": 3}`:                      {"1", "2", "3"},
		`{"project_name": "p"}`:                                      nil,
		`{"project_name": "p", "name": "sidekiq-b", "processes": 2}`: {"1", "2"},
	} {
		s, err := parse(options)
		if err != nil {
			t.Fatal(err)
		}
		state, _ := want(t, options, debian12())
		f, _ := state.File(s.UnitPath())
		if got := s.Started(f.Content); !slices.Equal(got, names) {
			t.Errorf("%s: got %v, want %v, of\n%s", options, got, names, f.Content)
		}
	}
}

func TestRestartReasons(t *testing.T) {
	const old, now = "/opt/p/releases/1", "/opt/p/releases/2"
	running := func(change func(*UnitReport)) UnitReport {
		p := UnitReport{Release: now}
		p.Process.MainPID, p.Activity = 7, converge.Up
		change(&p)
		return p
	}
	found := Report{Dir: "/opt/p/current", Release: now}
	for name, c := range map[string]struct {
		process UnitReport
		want    []string
	}{
		"as deployed":        {running(func(*UnitReport) {}), nil},
		"not running":        {UnitReport{Release: old}, nil},
		"another release":    {running(func(p *UnitReport) { p.Release = old }), []string{"it runs in " + old + ", and /opt/p/current is " + now + " now"}},
		"not known in which": {running(func(p *UnitReport) { p.Release = "" }), nil},
		"older than a file":  {running(func(p *UnitReport) { p.Stale = []string{"/a", "/b"} }), []string{"it is older than /a, /b"}},
		"quiet for long":     {running(func(p *UnitReport) { p.Activity = converge.Quiet }), []string{"it has been quiet for long and takes no jobs"}},
		"quiet just now":     {running(func(p *UnitReport) { p.Activity = converge.Quieting }), nil},
	} {
		if d := cmp.Diff(c.want, found.RestartReasons(&c.process)); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
	undeployed := Report{Dir: "/opt/p/current"}
	other := running(func(p *UnitReport) { p.Release = old })
	if got := undeployed.RestartReasons(&other); got != nil {
		t.Errorf("nothing deployed: %v", got)
	}
}
