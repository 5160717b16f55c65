// SPDX-License-Identifier: GPL-3.0-or-later

package host

import (
	"testing"
)

func TestFindRowTakesTheRowOfTheWholeName(t *testing.T) {
	const passwd = "root:x:0:0:root:/root:/bin/bash\n+nis::::::\ndeploy2:x:1001:1001::/home/deploy2:/bin/sh\ndeploy:x:1000:1000::/home/deploy:/bin/sh"
	if row := findRow(passwd, 0, "deploy"); row == nil || row[2] != "1000" {
		t.Errorf("the row of deploy is %q", row)
	}
	for _, name := range []string{"dep", "Deploy", "", "x"} {
		if row := findRow(passwd, 0, name); row != nil {
			t.Errorf("%q has the row %q, want none", name, row)
		}
	}
}
