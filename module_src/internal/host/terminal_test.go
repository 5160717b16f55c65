// SPDX-License-Identifier: GPL-3.0-or-later

package host

import (
	"context"
	"testing"
)

func TestAProgramGetsATerminalWhereItIsToHaveOne(t *testing.T) {
	for _, tty := range []bool{false, true} {
		out, err := program{path: "/bin/sh", args: []string{"-c", "exec 3</dev/tty && echo it has one"}, tty: tty}.run(context.Background())
		if has := out.stdout == "it has one\n"; err != nil || has != tty {
			t.Errorf("%t: %+v, %v", tty, out, err)
		}
	}
}
