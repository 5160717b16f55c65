// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"slices"
	"strings"
	"testing"
)

func TestTheServiceIsOrderedAfterEveryRedisAndValkeyOfTheHost(t *testing.T) {
	for name, c := range map[string]struct {
		units        map[string]Installed
		after, wants string
	}{
		"nothing":              {nil, "", ""},
		"Debian's":             {map[string]Installed{"redis-server.service": {Enabled: true}, "redis.service": {Name: "redis-server.service", Enabled: true}}, "redis-server.service", "redis-server.service"},
		"EL 9":                 {map[string]Installed{"redis.service": {Name: "redis.service", Enabled: true}}, "redis.service", "redis.service"},
		"EL 10":                {map[string]Installed{"valkey.service": {Enabled: true}}, "valkey.service", "valkey.service"},
		"Debian 13":            {map[string]Installed{"valkey-server.service": {Enabled: true}}, "valkey-server.service", "valkey-server.service"},
		"installed":            {map[string]Installed{"valkey-server.service": {}}, "valkey-server.service", ""},
		"one of two is in use": {map[string]Installed{"redis-server.service": {}, "valkey-server.service": {Enabled: true}}, "redis-server.service valkey-server.service", "valkey-server.service"},
		"both are":             {map[string]Installed{"redis-server.service": {Enabled: true}, "valkey-server.service": {Enabled: true}}, "redis-server.service valkey-server.service", "redis-server.service valkey-server.service"},
	} {
		f := debian12()
		f.Units = c.units
		const task = `{"project_name": "p"}`
		if after, want := directive(t, unitOf(t, task, f), "Unit", "After"), strings.TrimSpace("network.target "+c.after); after != want {
			t.Errorf("%s: After=%s, want %s", name, after, want)
		}
		if wants := directive(t, unitOf(t, task, f), "Unit", "Wants"); wants != c.wants {
			t.Errorf("%s: Wants=%s, want %s", name, wants, c.wants)
		}
	}
	asked := mustParse(t, `{"project_name": "p"}`).Questions().Units
	for _, name := range []string{"redis-server.service", "redis.service", "valkey-server.service", "valkey.service"} {
		if !slices.Contains(asked, name) {
			t.Errorf("%s is not asked about", name)
		}
	}
}

func TestAnAliasOfRedisIsTakenForItsUnit(t *testing.T) {
	f := debian12()
	f.Units["redis.service"] = Installed{Name: "redis-server.service", Enabled: true}
	const task = `{"project_name": "p", "redis_unit": "redis"}`
	got, _ := want(t, task, f)
	if name := got.Units[0].Name; name != "redis-server.service" {
		t.Errorf("the unit is %s", name)
	}
	if after := directive(t, unitOf(t, task, f), "Unit", "After"); after != "network.target redis-server.service" {
		t.Errorf("After=%s", after)
	}
}

func TestASystemdThatIsTooOldIsRefused(t *testing.T) {
	for version, refused := range map[int]bool{219: true, 228: true, 229: false} {
		_, _, err := mustParse(t, `{"project_name": "p"}`).Want(on(version))
		if (err != nil) != refused || refused && !strings.Contains(err.Error(), "and 229 is the oldest") {
			t.Errorf("%d: %v", version, err)
		}
	}
}
