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
	was  Process
}

// lookAtOthers is called before the plan is begun.
func (p Plan) lookAtOthers(ctx context.Context, h Host) (others []other, failed *Failure) {
	for _, name := range p.others {
		was, err := h.Process(ctx, name)
		if err != nil {
			return nil, &Failure{Step: "begin", Err: err}
		}
		others = append(others, other{name, was})
	}
	return others, nil
}

// restoreOthers starts again what the manager has stopped with the plan's units,
// and stops what it has started; but what a unit of before starts, too, runs on,
// and is told of.
func (p Plan) restoreOthers(ctx context.Context, h Host, others []other, f *Failure) {
	for _, o := range others {
		now, err := h.Process(ctx, o.name)
		switch {
		case err != nil:
			f.Left = append(f.Left, fmt.Sprintf("could not look: %v", err))
		case o.was.wanted() == now.wanted():
		case o.was.wanted():
			o.restore(ctx, h, Start, now, f)
		case p.was.starts(o.name):
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
func (p Process) wanted() bool {
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
		for l := range systemd.Lines(f.Content) {
			if slices.Contains([]string{"Wants", "Requires", "BindsTo", "Upholds"}, l.Name) && slices.Contains(strings.Fields(l.Value), unit) {
				return true
			}
		}
	}
	return false
}
