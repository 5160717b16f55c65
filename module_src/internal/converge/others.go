// SPDX-License-Identifier: GPL-3.0-or-later

package converge

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/systemd"
)

// other is a unit that the plan does nothing with, as it was before. The manager
// may start or stop it together with one of the plan's.
type other struct {
	name string
	via  string // the one that a unit file of the plan names
	ends bool   // it may be stopped with those, and not only started
	was  Process
}

// maxOthers bounds how many units are looked at; a target may stand for many.
const maxOthers = 200

// lookAtOthers is called before the plan is begun. It follows what the manager
// follows: what starts with a unit that does not run, and what stops with one
// that does.
func (p *Plan) lookAtOthers(ctx context.Context, h Host) (others []other, failed *Failure) {
	for _, name := range p.others {
		others = append(others, other{name: name, via: name, ends: true})
	}
	for i := 0; i < len(others) && i < maxOthers; i++ {
		was, err := h.Process(ctx, others[i].name)
		if err != nil {
			return nil, &Failure{Step: "begin", Err: err}
		}
		others[i].was = was
		var with []string
		switch {
		case !was.wanted():
			with = slices.Concat(was.Needs, was.StartsWith)
		case others[i].ends:
			with = was.StopsWith
		}
		for _, name := range with {
			_, own := p.was.Unit(name)
			if !own && !slices.ContainsFunc(others, func(o other) bool { return o.name == name }) {
				others = append(others, other{name: name, via: others[i].via, ends: was.wanted()})
			}
		}
	}
	return others[:min(len(others), maxOthers)], nil
}

// forgetFailures has the manager forget, when all is as it was, that units have
// failed meanwhile. Where it cannot, the last look tells.
func (p *Plan) forgetFailures(ctx context.Context, h Host, others []other) {
	for _, u := range p.was.Units {
		others = append(others, other{name: u.Name, was: u.Process})
	}
	for _, o := range others {
		if now, err := h.Process(ctx, o.name); err == nil && o.was.failedSince(&now) {
			_ = h.Run(ctx, o.name, Forget, nil)
		}
	}
}

// failedSince reports whether a unit that was not running has failed since.
func (p *Process) failedSince(now *Process) bool {
	return p.ActiveState == "inactive" && now.ActiveState == "failed"
}

// restoreOthers starts again what the manager has stopped with the plan's units,
// and stops what it has started; but what a unit of before starts, too, runs on,
// and is told of.
func (p *Plan) restoreOthers(ctx context.Context, h Host, others []other, f *Failure) {
	for _, o := range others {
		now, err := h.Process(ctx, o.name)
		switch {
		case err != nil:
			f.Left = append(f.Left, fmt.Sprintf("could not look: %v", err))
		case o.was.wanted() == now.wanted():
		case o.was.wanted():
			o.restore(ctx, h, Start, now, f)
		case p.was.starts(o.via):
			f.Notes = append(f.Notes, fmt.Sprintf("%s was not running and is, since what is there again starts it, too.", o.name))
		default:
			o.restore(ctx, h, Stop, now, f)
		}
	}
}

func (o other) restore(ctx context.Context, h Host, v Verb, now Process, f *Failure) {
	step := RunUnit{Unit: o.name, Verb: v}
	_, err := step.run(ctx, h, now)
	if now, lookErr := h.Process(ctx, o.name); lookErr != nil || now.wanted() != o.was.wanted() {
		f.Left = append(f.Left, fmt.Sprintf("cannot %s again: %v", step, errors.Join(err, lookErr, errNotAsBefore)))
	}
}

var errNotAsBefore = errors.New("it is not as it was")

// wanted reports whether the unit is up, or somebody wants it to be.
func (p *Process) wanted() bool {
	switch p.ActiveState {
	case "active", "activating", "reloading", "refreshing":
		return true
	}
	return p.JobPending
}

// starts reports whether one of the unit files starts another unit with its own.
func (s State) starts(unit string) bool {
	for _, f := range s.Files {
		if f.Kind != UnitFile {
			continue
		}
		for l := systemd.Lines(f.Content); l.Next(); {
			if slices.Contains([]string{"Wants", "Requires", "BindsTo", "Upholds"}, l.Name) && slices.Contains(strings.Fields(l.Value), unit) {
				return true
			}
		}
	}
	return false
}
