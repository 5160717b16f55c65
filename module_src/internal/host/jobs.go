// SPDX-License-Identifier: GPL-3.0-or-later

package host

import (
	"context"
	"fmt"
	"slices"

	"github.com/coreos/go-systemd/v22/dbus"
)

// Cancel takes back the job of a unit, and tells which jobs it was waiting for.
// A start that has begun goes on without its job.
func (h *Host) Cancel(ctx context.Context, unit string) (before []string, err error) {
	jobs, err := h.jobs(ctx)
	if err != nil {
		return nil, err
	}
	own, ok := jobs[unit]
	if !ok {
		return nil, nil
	}
	if before, err = ahead(unit, jobs, func(unit string) ([]string, error) {
		p, err := h.properties(ctx, unit)
		return p.texts("After"), err
	}); err != nil {
		return nil, err
	}
	err = h.tell(ctx, func(ctx context.Context, c connection) error {
		job := c.raw.Object("org.freedesktop.systemd1", own.JobPath)
		return job.CallWithContext(ctx, "org.freedesktop.systemd1.Job.Cancel", 0).Err
	})
	if err != nil && !isDBus(err, "org.freedesktop.DBus.Error.UnknownObject") { // it has ended since
		return before, fmt.Errorf("cannot cancel the job of %s: %w", unit, err)
	}
	return before, nil
}

// jobs are the jobs that are queued or running, by their unit.
func (h *Host) jobs(ctx context.Context) (map[string]dbus.JobStatus, error) {
	var list []dbus.JobStatus
	err := h.ask(ctx, func(ctx context.Context, c connection) (err error) {
		list, err = c.ListJobsContext(ctx)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("cannot ask systemd about its jobs: %w", err)
	}
	jobs := map[string]dbus.JobStatus{}
	for _, j := range list {
		jobs[j.Unit] = j
	}
	return jobs, nil
}

// ahead are the units whose running jobs a unit's waiting job waits for, itself
// or by way of other waiting jobs: what the manager starts a unit after.
func ahead(unit string, jobs map[string]dbus.JobStatus, after func(string) ([]string, error)) (running []string, err error) {
	seen := []string{unit}
	for next := []string{unit}; len(next) > 0; next = next[1:] {
		if jobs[next[0]].Status != "waiting" {
			continue
		}
		others, err := after(next[0])
		if err != nil {
			return nil, err
		}
		for _, other := range others {
			job, ok := jobs[other]
			if !ok || slices.Contains(seen, other) {
				continue
			}
			seen = append(seen, other)
			next = append(next, other)
			if job.Status == "running" {
				running = append(running, other)
			}
		}
	}
	slices.Sort(running)
	return running, nil
}
