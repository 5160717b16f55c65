// SPDX-License-Identifier: GPL-3.0-or-later

package converge

import (
	"context"
)

// Observe looks up what the host has for each row of want.
func Observe(ctx context.Context, h Host, want State) (State, error) {
	var have State
	for _, w := range want.Files {
		f, err := h.File(ctx, w.Path)
		if err != nil {
			return State{}, err
		}
		f.Kind, f.Secret, f.OwnDirectory = w.Kind, w.Secret, w.OwnDirectory
		have.Files = append(have.Files, f)
	}
	for _, w := range want.Units {
		u, err := h.Unit(ctx, w.Name)
		if err != nil {
			return State{}, err
		}
		have.Units = append(have.Units, u)
	}
	return have, nil
}
