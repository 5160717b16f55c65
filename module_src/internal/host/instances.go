// SPDX-License-Identifier: GPL-3.0-or-later

package host

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/coreos/go-systemd/v22/dbus"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/sidekiq"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/systemd"
)

// instances finds out whether the template at path is ours, and which instances
// of its name there are: those that have a unit file beside it, those that the
// manager has started or is to start, and those that are enabled. What nobody
// could start any more is left out.
func (h *Host) instances(ctx context.Context, template string) (ours bool, found []sidekiq.FoundInstance, err error) {
	if template == "" { // nothing is asked
		return false, nil, nil
	}
	if ours, err = written(template); err != nil {
		return false, nil, err
	}
	stem := strings.TrimSuffix(filepath.Base(template), ".service")
	files, err := namesIn(filepath.Dir(template), stem)
	if err != nil {
		return ours, nil, err
	}
	enabled, err := enabledInstances(stem)
	if err != nil {
		return ours, nil, err
	}
	running, err := h.loaded(ctx, stem)
	if err != nil {
		return ours, nil, fmt.Errorf("cannot list the instances of %s: %w", stem, err)
	}
	names := slices.Concat(files, enabled, running)
	slices.Sort(names)
	for _, unit := range slices.Compact(names) {
		i := sidekiq.FoundInstance{Name: strings.TrimSuffix(strings.TrimPrefix(unit, stem), ".service")}
		if i.Ours, err = h.madeByUs(ctx, unit, filepath.Dir(template)); err != nil {
			return ours, nil, err
		}
		found = append(found, i)
	}
	return ours, found, nil
}

// namesIn are the entries of a directory that are instances.
func namesIn(dir, stem string) (units []string, err error) {
	entries, err := entriesIn(dir)
	for _, e := range entries {
		if isInstance(e.Name(), stem) {
			units = append(units, e.Name())
		}
	}
	return units, err
}

func isInstance(unit, stem string) bool {
	name, ok := strings.CutPrefix(unit, stem)
	name, isService := strings.CutSuffix(name, ".service")
	return ok && isService && name != ""
}

// enabledInstances are the instances for which there are links in directories
// such as multi-user.target.wants.
func enabledInstances(stem string) (units []string, err error) {
	for _, dir := range []string{systemd.EtcUnits, systemd.RunUnits} {
		entries, err := entriesIn(dir)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			if !e.IsDir() || !slices.Contains(dependencyDirs(), filepath.Ext(e.Name())) {
				continue
			}
			names, err := namesIn(filepath.Join(dir, e.Name()), stem)
			if err != nil {
				return nil, err
			}
			units = append(units, names...)
		}
	}
	return units, nil
}

// loaded are the instances that the manager has in memory and that are more
// than a name there: one that somebody has only asked about, or that has ended,
// and that has no file of its own, is nothing but a name.
func (h *Host) loaded(ctx context.Context, stem string) (names []string, err error) {
	var units []dbus.UnitStatus
	err = h.ask(ctx, func(ctx context.Context, c connection) (err error) {
		units, err = c.ListUnitsByPatternsContext(ctx, nil, []string{stem + "*.service"})
		if notKnown(err) { // before 230
			units, err = c.ListUnitsContext(ctx)
		}
		return err
	})
	for _, u := range units {
		if isInstance(u.Name, stem) && (u.ActiveState != "inactive" && u.ActiveState != "failed" || u.JobId != 0) {
			names = append(names, u.Name)
		}
	}
	return names, err
}

// madeByUs reports whether the manager makes the unit from a file that this
// collection wrote, or would, or whether no file is left that it could be made
// from. A file of the unit's own name in dir decides, since the manager may not
// have read it yet.
func (h *Host) madeByUs(ctx context.Context, unit, dir string) (bool, error) {
	file := filepath.Join(dir, unit)
	_, own, err := regular(file)
	if err != nil {
		return false, err
	}
	if !own {
		p, err := h.properties(ctx, unit)
		if err != nil {
			return false, err
		}
		if file = p.text("FragmentPath"); file == "" {
			return true, nil
		}
		if _, there, err := regular(file); err != nil || !there {
			return err == nil, err // it is gone, and the manager has not noticed yet
		}
	}
	return written(file)
}
