// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"cmp"
	"time"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge"
)

// redisUnits are the names that distributions give to the unit of Redis and of
// Valkey, the more likely one first. On Debian redis.service is an alias of
// redis-server.service.
func redisUnits() []string {
	return []string{"redis-server.service", "redis.service", "valkey-server.service", "valkey.service"}
}

// redisOrder says which units the service is ordered after, and which are
// started with it. What is installed may not be in use; only what is enabled is
// worth starting. Where there are several, nothing tells which one the
// application uses.
func (w *wanting) redisOrder() (after, wants []string) {
	switch w.RedisUnit {
	case "none":
		return nil, nil
	case "auto":
		for _, name := range redisUnits() {
			r, ok := w.facts.Units[name]
			if !ok {
				continue
			}
			after = appendNew(after, w.redisName(name))
			if r.Enabled {
				wants = appendNew(wants, w.redisName(name))
			}
		}
		return after, wants
	}
	name := w.redisName(w.RedisUnit)
	return []string{name}, []string{name}
}

// redisName is the unit's own name where name is an alias. systemd refuses to
// enable a unit by an alias, which itself may be there only while the unit is
// enabled.
func (w *wanting) redisName(name string) string { return cmp.Or(w.facts.Units[name].Name, name) }

// redis is the row of a Redis unit that the user has named: it starts at boot
// and is up. It comes before the service's own row.
func (w *wanting) redis() []converge.Unit {
	if w.RedisUnit == "auto" || w.RedisUnit == "none" {
		return nil
	}
	if _, ok := w.facts.Units[w.RedisUnit]; !ok {
		w.miss("redis_unit", "there is no unit %q on the host, or it is masked; set none for a Redis elsewhere", w.RedisUnit)
	}
	return []converge.Unit{{
		Name:     w.redisName(w.RedisUnit),
		Enabled:  converge.On,
		Activity: converge.Up,
		Proof:    converge.Proof{Timeout: 30 * time.Second, Window: 2 * time.Second},
	}}
}
