// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"time"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge"
)

// redisUnits are the names that distributions give to Redis's unit, the more
// likely one first. On Debian the second is an alias of the first.
func redisUnits() []string { return []string{"redis-server.service", "redis.service"} }

// redisOrder says which unit the service is ordered after, and which is started
// with it. A Redis that is installed may not be the one in use; only one that
// is enabled is worth starting.
func (w *wanting) redisOrder() (after, wants []string) {
	switch w.RedisUnit {
	case "none":
		return nil, nil
	case "auto":
		for _, name := range redisUnits() {
			r, ok := w.facts.Units[name]
			switch {
			case ok && r.Enabled:
				return []string{name}, []string{name}
			case ok:
				return []string{name}, nil
			}
		}
		return nil, nil
	}
	return []string{w.RedisUnit}, []string{w.RedisUnit}
}

// redis is the row of a Redis unit that the user has named: it starts at boot
// and is up. It comes before the service's own row.
func (w *wanting) redis() []converge.Unit {
	if w.RedisUnit == "auto" || w.RedisUnit == "none" {
		return nil
	}
	if _, ok := w.facts.Units[w.RedisUnit]; !ok {
		w.miss("redis_unit", "there is no unit %q on the host; set none for a Redis elsewhere", w.RedisUnit)
	}
	return []converge.Unit{{
		Name:     w.RedisUnit,
		Enabled:  converge.On,
		Activity: converge.Up,
		Proof:    converge.Proof{Timeout: 30 * time.Second, Window: 2 * time.Second},
	}}
}
