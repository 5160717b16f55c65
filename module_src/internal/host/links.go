// SPDX-License-Identifier: GPL-3.0-or-later

package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	"github.com/google/renameio/v2"
	"golang.org/x/sys/unix"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/systemd"
)

// persistent reports whether a link enables its unit beyond this boot.
func persistent(l converge.Link) bool { return strings.HasPrefix(l.Path, systemd.EtcUnits+"/") }

// links are the symbolic links that enable a unit, sorted by path: those of
// its name in .wants, .requires and .upholds directories, and aliases of it.
func (h *Host) links(unit string) ([]converge.Link, error) {
	links := []converge.Link{}
	for _, dir := range []string{systemd.EtcUnits, systemd.RunUnits} {
		entries, err := entriesIn(dir)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			l, ok, err := h.linkTo(unit, dir, e)
			if err != nil {
				return nil, err
			}
			if ok {
				links = append(links, l)
			}
		}
	}
	sort.Slice(links, func(i, j int) bool { return links[i].Compare(links[j]) < 0 })
	return links, nil
}

// dependencyDirs are how the directories end in which links enable units.
func dependencyDirs() []string { return []string{".wants", ".requires", ".upholds"} }

// linkTo returns the link by which an entry of a unit directory enables the
// unit, if there is one.
func (h *Host) linkTo(unit, dir string, e fs.DirEntry) (link converge.Link, ok bool, err error) {
	path := filepath.Join(dir, e.Name())
	switch {
	case e.IsDir() && slices.Contains(dependencyDirs(), filepath.Ext(e.Name())):
		path = filepath.Join(path, unit)
	case e.Type()&fs.ModeSymlink == 0 || e.Name() == unit:
		// A link of the unit's own name is a mask or a linked unit file: it
		// says where the unit is, not when it starts.
		return converge.Link{}, false, nil
	}
	target, err := os.Readlink(path)
	if errors.Is(err, unix.EINVAL) {
		return converge.Link{}, false, nil // it is no link
	}
	file := filepath.Base(target)
	if ok, err := seen(path, err); !ok || file != unit && file != templateOf(unit) {
		return converge.Link{}, false, err
	}
	target, err = h.spelled(path, target, file)
	return converge.Link{Path: path, Target: target}, true, err
}

// templateOf is the file that an instance is made from where it has none of its
// own: systemd.unit(5). For other units it is "".
func templateOf(unit string) string {
	stem, rest, ok := strings.Cut(unit, "@")
	if !ok {
		return ""
	}
	return stem + "@" + filepath.Ext(rest)
}

// spelled gives the target of a link in the spelling of Options.UnitDir, where
// the target is the unit file in that directory. systemd writes /lib or
// /usr/lib, depending on its version.
func (h *Host) spelled(link, target, unit string) (string, error) {
	if !filepath.IsAbs(target) {
		target = filepath.Join(filepath.Dir(link), target)
	}
	dir, err := resolved(filepath.Dir(target))
	if err != nil {
		return "", err
	}
	ours, err := resolved(h.UnitDir)
	if dir != ours || err != nil {
		return target, err
	}
	return filepath.Join(h.UnitDir, unit), nil
}

// Enable makes systemd enable or disable the unit. Where links are given, it
// then makes sure that exactly these exist: a rollback may have to restore
// links that the unit's [Install] section does not ask for.
func (h *Host) Enable(ctx context.Context, u converge.Unit) error {
	have, err := h.links(u.Name)
	if err != nil {
		return err
	}
	if u.Enabled == converge.Off || surplus(have, u.Links) {
		if err := h.disable(ctx, u.Name, have); err != nil {
			return err
		}
	}
	if u.Enabled == converge.On {
		err := h.tell(ctx, func(ctx context.Context, c connection) error {
			_, _, err := c.EnableUnitFilesContext(ctx, []string{u.Name}, false, true)
			return err
		})
		if err != nil {
			return fmt.Errorf("cannot enable %s: %w", u.Name, err)
		}
	}
	if u.Links == nil {
		return nil
	}
	return h.setLinks(u)
}

// surplus reports whether there are links that are not wanted.
func surplus(have, want []converge.Link) bool {
	return want != nil && slices.ContainsFunc(have, func(l converge.Link) bool { return !slices.Contains(want, l) })
}

func (h *Host) disable(ctx context.Context, unit string, have []converge.Link) error {
	if err := h.disableIn(ctx, unit, false); err != nil {
		return fmt.Errorf("cannot disable %s: %w", unit, err)
	}
	if !slices.ContainsFunc(have, func(l converge.Link) bool { return !persistent(l) }) {
		return nil
	}
	if err := h.disableIn(ctx, unit, true); err != nil {
		return fmt.Errorf("cannot disable %s for this boot: %w", unit, err)
	}
	return nil
}

// disableIn does nothing for a unit whose file is gone: systemd no longer cares
// about links that such a unit has left behind.
func (h *Host) disableIn(ctx context.Context, unit string, runtime bool) error {
	err := h.tell(ctx, func(ctx context.Context, c connection) error {
		_, err := c.DisableUnitFilesContext(ctx, []string{unit}, runtime)
		return err
	})
	if isDBus(err, "org.freedesktop.systemd1.NoSuchUnit") {
		return nil
	}
	return err
}

// setLinks removes and makes links until they are exactly those of u.
func (h *Host) setLinks(u converge.Unit) error {
	have, err := h.links(u.Name)
	if err != nil {
		return err
	}
	for _, l := range have {
		if slices.Contains(u.Links, l) {
			continue
		}
		if err := os.Remove(l.Path); err != nil {
			return fmt.Errorf("cannot remove the link %s: %w", l.Path, withoutPath(err))
		}
	}
	for _, l := range u.Links {
		if slices.Contains(have, l) {
			continue
		}
		if err := os.MkdirAll(filepath.Dir(l.Path), 0o755); err != nil {
			return fmt.Errorf("cannot make the directory of the link %s: %w", l.Path, withoutPath(err))
		}
		if err := renameio.Symlink(l.Target, l.Path); err != nil {
			return fmt.Errorf("cannot make the link %s: %w", l.Path, withoutPath(err))
		}
	}
	return nil
}
