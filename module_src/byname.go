// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"fmt"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/sidekiq"
)

// lookByName is look for a task that acts on a service by its name: what the
// service is, its own unit files say.
func (r *progress) lookByName(ctx context.Context, h machine) error {
	r.facts = &sidekiq.Facts{}
	found, err := r.readByName(ctx, h)
	if err != nil || !found {
		return err
	}
	r.service = r.byName.Service
	facts, err := h.Facts(ctx, r.byName.Questions())
	if err != nil {
		return err
	}
	r.facts = &facts
	var warnings []string
	var unmet error
	r.want, warnings, unmet = r.byName.Want(facts)
	r.warn(warnings)
	if r.have, err = converge.Observe(ctx, h, r.want); err != nil {
		return err
	}
	r.plan = converge.Diff(r.want, r.have)
	r.warn(r.plan.Warnings)
	if len(r.plan.Proofs) > 0 { // what runs already needs nothing
		if err := r.allowUnmet(unmet); err != nil {
			return err
		}
	}
	if err := r.service.CheckLaunchers(r.plan, r.want, r.have); err != nil {
		return err
	}
	return r.service.CheckWritable(r.plan, facts)
}

// readByName reads the service's unit files. A service that is not there is an
// error, and in check mode a warning, since an earlier task of the play may be
// going to set it up.
func (r *progress) readByName(ctx context.Context, h machine) (found bool, err error) {
	unit, err := h.Unit(ctx, r.service.Unit())
	if err != nil {
		return false, err
	}
	if unit.Fragment == "" && unit.LoadState != "masked" {
		missing := r.byName.Missing()
		if !r.request.Check {
			return false, missing
		}
		r.warnings = append(r.warnings, fmt.Sprintf("could not look: %v", missing))
		return false, nil
	}
	file, err := h.File(ctx, unit.Fragment)
	if err != nil {
		return false, err
	}
	instances, err := r.byName.Read(unit, file.Content)
	if err != nil {
		return false, err
	}
	for _, name := range instances {
		file, err := h.File(ctx, r.byName.InstancePath(name))
		if err != nil {
			return false, err
		}
		r.byName.ReadInstance(name, file.Content)
	}
	return true, nil
}
