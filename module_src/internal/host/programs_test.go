// SPDX-License-Identifier: GPL-3.0-or-later

package host

import (
	"context"
	"errors"
	"testing"
)

func TestAProgramThatIsInterruptedSaysSo(t *testing.T) {
	signal := errors.New("interrupted by a signal")
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(signal)
	if _, err := (program{path: "/bin/sleep", args: []string{"60"}}).run(ctx); !errors.Is(err, signal) {
		t.Errorf("got %v", err)
	}
}
