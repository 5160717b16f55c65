// SPDX-License-Identifier: GPL-3.0-or-later

package systemd

import (
	"strings"
	"testing"
)

// A name that is complete is read again where a unit file is read back.
func TestCompleteUnitNameStaysWhatItIs(t *testing.T) {
	for _, name := range []string{"cron", "a.timer", "x@1", strings.Repeat("5", maxUnitName)} {
		full, err := UnitName(name)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := UnitName(full); err != nil || again != full {
			t.Errorf("%s: %q, %v", full, again, err)
		}
	}
}
