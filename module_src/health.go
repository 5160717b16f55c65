// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/host"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/sidekiq"
)

const healthUsage = "usage: sidekiq-health NAME [--prometheus], with the name of a service, such as sidekiq"

// healthTime bounds a look at a service's health. Monitoring systems give a
// check ten seconds, and one that is ended by them tells nothing.
const healthTime = 8 * time.Second

// said is what the command prints, and its exit status.
type said struct {
	text   string
	status int
}

// health is the program as the command of [sidekiq.HealthPath]. It prints one
// line, or the metrics, and returns the exit status of a monitoring plugin. A
// file server that does not answer keeps whoever asks it for hours, so that is
// left to a goroutine, which ends with the program.
func (p program) health(args []string, stdout io.Writer) int {
	ctx, stop := p.interruptible()
	defer stop()
	ctx, cancel := context.WithTimeoutCause(ctx, healthTime, fmt.Errorf("this has taken longer than %s", healthTime))
	defer cancel()
	found := make(chan said, 1)
	go func() { found <- p.healthOf(ctx, args) }()
	var s said
	select {
	case s = <-found:
	case <-ctx.Done():
		s = unknown(context.Cause(ctx))
	}
	fmt.Fprint(stdout, s.text)
	return s.status
}

func (p program) healthOf(ctx context.Context, args []string) (s said) {
	defer func() {
		if r := recover(); r != nil {
			s = unknown(fmt.Errorf("this is a bug in sidekiq-health, please report it: %v", r))
		}
	}()
	names := slices.DeleteFunc(slices.Clone(args), func(a string) bool { return a == "--prometheus" })
	if len(names) != 1 || names[0] == "" {
		return unknown(errors.New(healthUsage))
	}
	service, err := sidekiq.HealthService(names[0])
	if err != nil {
		return unknown(fmt.Errorf("%w; %s", err, healthUsage))
	}
	found, err := p.look(ctx, service)
	if err != nil {
		return unknown(err)
	}
	if len(names) < len(args) && len(found.Processes) > 0 {
		return said{found.Prometheus(service.Name), 0} // how the service is stands in the metrics
	}
	health, text := found.Health(service.Unit())
	return said{health.Line(text) + "\n", int(health)}
}

func (p program) look(ctx context.Context, s sidekiq.Service) (sidekiq.Report, error) {
	h, err := p.open(ctx, host.Options{UnitDir: s.UnitDir, Check: true, Anybody: true})
	if err != nil {
		return sidekiq.Report{}, interruption(ctx, err)
	}
	defer h.Close()
	found, err := h.Health(ctx, s)
	return found, interruption(ctx, err)
}

// unknown says why nothing can be told of a service.
func unknown(err error) said {
	return said{sidekiq.HealthUnknown.Line(err.Error()) + "\n", int(sidekiq.HealthUnknown)}
}
