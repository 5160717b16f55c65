// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"strings"
	"testing"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/ansible"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/oracle"
)

// parse reads a task's options from JSON, as the program does.
func parse(options string) (Service, error) {
	r, err := ansible.ReadRequest("-", strings.NewReader(options))
	if err != nil {
		return Service{}, err
	}
	return Parse(r)
}

func mustParse(t *testing.T, options string) *Service {
	t.Helper()
	s, err := parse(options)
	if err != nil {
		t.Fatal(err)
	}
	return &s
}

// debian12 is a host on which the application is deployed, as it is on most.
func debian12() Facts {
	return Facts{
		Systemd:   252,
		Systemctl: "/usr/bin/systemctl",
		Sudo:      Sudo{Present: true, Visudo: "/usr/sbin/visudo"},
		Users: map[string]User{
			"deploy": {UID: 1000, GID: 1000, Group: "deploy"},
			"bess":   {UID: 1001, GID: 1001, Group: "bess"},

			"DEPLOY":         {UID: 1002, GID: 1002},
			"joe@ad.example": {UID: 20001, GID: 20001, Group: "domain users"},
		},
		Groups: map[string]Group{"deploy": {1000}, "operators": {2000}, "domain users": {2001}},
		Units: map[string]Installed{
			"redis-server.service": {Enabled: true}, "redis.service": {Name: "redis-server.service", Enabled: true}, "redis-server@jobs.service": {},
		},
		Deployed: true,
		Lock:     Text{Found: true, Content: "GEM\n  specs:\n    sidekiq (6.4.1)\n      rack (~> 2.0)\n"},
		Configs:  []Text{{Path: "/opt/p/current/config/sidekiq.yml", Found: true, Content: ":concurrency: 5\n:queues:\n  - default\n"}},
	}
}

// on is debian12 with another version of systemd.
func on(systemd int) Facts {
	f := debian12()
	f.Systemd = systemd
	return f
}

// unitOf is the text of the unit that a host should have.
func unitOf(t *testing.T, options string, f Facts) string {
	t.Helper()
	return fileOf(t, options, f, 0)
}

func sudoersOf(t *testing.T, options string, f Facts) string {
	t.Helper()
	return fileOf(t, options, f, 1)
}

func fileOf(t *testing.T, options string, f Facts, i int) string {
	t.Helper()
	want, _, err := mustParse(t, options).Want(f)
	if err != nil {
		t.Fatal(err)
	}
	return want.Files[i].Content
}

// directive is the one value of a directive in a unit's text.
func directive(t *testing.T, unit, section, name string) string {
	t.Helper()
	entries, err := oracle.ParseUnit(unit)
	if err != nil {
		t.Fatal(err)
	}
	var values []string
	for _, e := range entries {
		if e.Section == section && e.Name == name {
			values = append(values, e.Value)
		}
	}
	return strings.Join(values, "|")
}
