// SPDX-License-Identifier: GPL-3.0-or-later

package host

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/coreos/go-systemd/v22/dbus"
)

// instances finds out whether the template at path is ours and, if so, which
// of its instances the manager knows, in whatever state.
func (h *Host) instances(ctx context.Context, path string) (ours bool, numbers []int, err error) {
	ours, err = written(path)
	if err != nil || !ours {
		return false, nil, err
	}
	stem := strings.TrimSuffix(filepath.Base(path), ".service")
	var units []dbus.UnitStatus
	err = h.ask(ctx, func(ctx context.Context, c *dbus.Conn) (err error) {
		units, err = c.ListUnitsByPatternsContext(ctx, nil, []string{stem + "*.service"})
		return err
	})
	if err != nil {
		return true, nil, fmt.Errorf("cannot list the instances of %s: %w", path, err)
	}
	for _, u := range units {
		number := strings.TrimSuffix(strings.TrimPrefix(u.Name, stem), ".service")
		if n, err := strconv.Atoi(number); err == nil {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	return true, numbers, nil
}
