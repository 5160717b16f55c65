// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"errors"
	"time"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/ansible"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/host"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/results"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/sidekiq"
)

// dyingTime is a moment in which a Sidekiq that has come up could die.
const dyingTime = 3 * time.Second

// verify is a run of the module sidekiq_service_verify: it has the deploy user
// restart the service, and looks whether it comes up.
func (p program) verify(ctx context.Context, req ansible.Request, begin func() error) results.Verification {
	v, err := sidekiq.ParseVerify(req)
	out := results.Verification{}
	switch {
	case err != nil:
	case req.Check:
		out.Msg = v.NotTried()
	default:
		out, err = p.restartBySudo(ctx, v, begin)
	}
	if err != nil {
		out.Failed, out.Msg = true, interruption(ctx, err).Error()
	}
	if out.Processes == nil {
		out.Processes = []results.Restarted{}
	}
	return out
}

func (p program) restartBySudo(ctx context.Context, v *sidekiq.Verification, begin func() error) (out results.Verification, err error) {
	h, err := p.open(ctx, host.Options{UnitDir: v.UnitDir})
	if err != nil {
		return out, err
	}
	defer h.Close()
	release, err := h.Lock(ctx)
	if err != nil {
		return out, err
	}
	defer release()
	var r sidekiq.Attempt
	if r.Before, err = h.Inspect(ctx, v.Service); err != nil {
		return out, err
	}
	if why := v.Obstacle(&r.Before); why != "" {
		return results.Verification{Failed: true, Msg: why}, nil
	}
	if v.Read(&r.Before); v.Dir != "" {
		if r.Before.Facts, err = h.Facts(ctx, v.Questions()); err != nil { // which also marks where log files end
			return out, err
		}
	}
	if err := begin(); err != nil {
		return out, err
	}
	began := h.Now()
	done, said, err := h.RestartBySudo(ctx, r.Before.User, v.Name, v.Limit(&r.Before))
	if err != nil {
		return results.Verification{Changed: true}, err
	}
	if !done {
		if why := v.Refusal(&r.Before, said); why != "" {
			return results.Verification{Failed: true, Msg: why}, nil
		}
		r.Said = said
	}
	out.Changed = done
	out.Warnings, err = watch(ctx, h, v, began, &r)
	if err != nil {
		return out, err
	}
	out.Processes = restarted(&r)
	for _, p := range out.Processes {
		out.Changed = out.Changed || p.MainPID != p.Before
	}
	mask := r.Before.Mask(v.Service, r.Before.Reading())
	mask.Traces(r.Left)
	for i, line := range r.Left.Log {
		r.Left.Log[i] = mask.Text(line) // before blanks in it are lost
	}
	up, text := v.Judge(&r)
	out.Failed, out.Msg = !up, mask.Text(text)
	return out, nil
}

// watch waits until all units of the service have been shown to be up, or one
// not to be, and looks at them once more.
func watch(ctx context.Context, h machine, v *sidekiq.Verification, began time.Time, r *sidekiq.Attempt) (warnings []string, err error) {
	if r.Said == "" {
		want, _, _ := v.Want(r.Before.Facts)
		started := h.Now() // what had to be stopped first has had a time of its own
		for _, u := range want.Units {
			warning, err := converge.Prove(ctx, h, u, started)
			if warning != "" {
				warnings = append(warnings, warning)
			}
			if err != nil && !errors.As(err, &r.Dead) {
				return warnings, err
			}
			if err != nil {
				break
			}
		}
	}
	if r.Said == "" && r.Dead == nil {
		if err := h.Sleep(ctx, dyingTime); err != nil {
			return warnings, err
		}
	}
	if r.After, err = h.Inspect(ctx, v.Service); err != nil {
		return warnings, err
	}
	if unit := r.Down(); unit != "" {
		r.Left = h.Traces(ctx, unit, converge.Process{}, began)
	}
	return warnings, nil
}

// restarted are the processes of the service before and after.
func restarted(r *sidekiq.Attempt) []results.Restarted {
	var list []results.Restarted
	for i := range r.After.Processes {
		p := &r.After.Processes[i]
		one := results.Restarted{Unit: p.Name, MainPID: p.Process.MainPID}
		for n := range r.Before.Processes {
			if was := &r.Before.Processes[n]; was.Name == p.Name {
				one.Before = was.Process.MainPID
			}
		}
		list = append(list, one)
	}
	return list
}
