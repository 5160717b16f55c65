// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
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

// health is the program as the command of [sidekiq.HealthPath]. It prints one
// line, or the metrics, and returns the exit status of a monitoring plugin.
func (p program) health(args []string, stdout io.Writer) (status int) {
	defer func() {
		if r := recover(); r != nil {
			status = unknown(stdout, fmt.Errorf("this is a bug in sidekiq-health, please report it: %v", r))
		}
	}()
	names := slices.DeleteFunc(slices.Clone(args), func(a string) bool { return a == "--prometheus" })
	if len(names) != 1 || names[0] == "" {
		return unknown(stdout, fmt.Errorf("%s", healthUsage))
	}
	service, err := sidekiq.HealthService(names[0])
	if err != nil {
		return unknown(stdout, fmt.Errorf("%w; %s", err, healthUsage))
	}
	ctx, stop := p.interruptible()
	defer stop()
	ctx, cancel := context.WithTimeoutCause(ctx, healthTime, fmt.Errorf("this has taken longer than %s", healthTime))
	defer cancel()
	found, err := p.look(ctx, service)
	if err != nil {
		return unknown(stdout, err)
	}
	health, text := found.Health(service.Unit())
	if len(names) < len(args) && len(found.Processes) > 0 {
		fmt.Fprint(stdout, found.Prometheus(service.Name))
		return 0 // how the service is stands in the metrics
	}
	fmt.Fprintln(stdout, health.Line(text))
	return int(health)
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
func unknown(stdout io.Writer, err error) int {
	fmt.Fprintln(stdout, sidekiq.HealthUnknown.Line(err.Error()))
	return int(sidekiq.HealthUnknown)
}
