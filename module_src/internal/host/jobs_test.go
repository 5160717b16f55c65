// SPDX-License-Identifier: GPL-3.0-or-later

package host

import (
	"errors"
	"slices"
	"testing"

	"github.com/coreos/go-systemd/v22/dbus"
)

func TestWhatAJobWaitsForIsWhatRunsAheadOfIt(t *testing.T) {
	after := map[string][]string{
		"sidekiq.service": {"basic.target", "network.target", "middle.service", "sysinit.target"},
		"middle.service":  {"slow.service", "sidekiq.service"}, // which is a circle
		"slow.service":    {"first.service"},
	}
	look := func(unit string) ([]string, error) { return after[unit], nil }
	jobs := func(states ...string) map[string]dbus.JobStatus {
		all := map[string]dbus.JobStatus{}
		for i := 0; i < len(states); i += 2 {
			all[states[i]] = dbus.JobStatus{Unit: states[i], Status: states[i+1]}
		}
		return all
	}
	for _, c := range []struct {
		jobs map[string]dbus.JobStatus
		want []string
	}{
		{jobs("sidekiq.service", "waiting", "slow.service", "running"), nil}, // which it is not started after
		{jobs("sidekiq.service", "waiting", "middle.service", "running"), []string{"middle.service"}},
		{jobs("sidekiq.service", "waiting", "middle.service", "waiting", "slow.service", "running", "first.service", "running"), []string{"slow.service"}},
		{jobs("sidekiq.service", "running", "middle.service", "running"), nil}, // it is at work itself
	} {
		if got, err := ahead("sidekiq.service", c.jobs, look); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%v: got %q, %v; want %q", c.jobs, got, err, c.want)
		}
	}
	failed := errors.New("no answer")
	if _, err := ahead("a", jobs("a", "waiting"), func(string) ([]string, error) { return nil, failed }); !errors.Is(err, failed) {
		t.Errorf("got %v", err)
	}
}
