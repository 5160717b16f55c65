// SPDX-License-Identifier: GPL-3.0-or-later

package fakehost

import (
	"context"
	"slices"
	"time"
)

// timer is something that will happen, unless its unit has another process by
// then.
type timer struct {
	at   time.Time
	unit *unit // nil for what happens anyway
	life int   // the unit's at the time
	do   func()
}

// Now is the virtual time.
func (h *Host) Now() time.Time { return h.now }

// Sleep lets virtual time pass, and what happens meanwhile happen.
func (h *Host) Sleep(ctx context.Context, d time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	h.Pass(d)
	return ctx.Err()
}

// Pass lets time pass.
func (h *Host) Pass(d time.Duration) {
	until := h.now.Add(d)
	for {
		i := h.next()
		if i < 0 || h.timers[i].at.After(until) {
			break
		}
		h.fire(i)
	}
	h.now = until
}

// After makes something happen after a while, such as a restart by somebody
// else.
func (h *Host) After(d time.Duration, do func()) {
	h.timers = append(h.timers, timer{at: h.now.Add(d), do: do})
}

// later is After, for as long as the unit has the process that it has now.
func (h *Host) later(u *unit, d time.Duration, do func()) {
	h.timers = append(h.timers, timer{at: h.now.Add(d), unit: u, life: u.life, do: do})
}

// next is the index of the timer that comes next, or -1 where there is none. Of
// several for the same time, the one that was set first comes first.
func (h *Host) next() int {
	h.timers = slices.DeleteFunc(h.timers, func(t timer) bool { return t.unit != nil && t.life != t.unit.life })
	next := -1
	for i, t := range h.timers {
		if next < 0 || t.at.Before(h.timers[next].at) {
			next = i
		}
	}
	return next
}

func (h *Host) fire(i int) {
	t := h.timers[i]
	h.timers = slices.Delete(h.timers, i, i+1)
	if t.at.After(h.now) {
		h.now = t.at
	}
	t.do()
}
