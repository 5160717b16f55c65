// SPDX-License-Identifier: GPL-3.0-or-later

package host

import (
	"context"
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

func TestRootIsFoundInTheFilesAndNobodyElseIsMadeUp(t *testing.T) {
	ctx := context.Background()
	if a, found, err := lookupUser(ctx, "root"); !found || err != nil || a.uid != 0 || a.home != "/root" {
		t.Errorf("got %+v, %v, %v", a, found, err)
	}
	if g, found, err := lookupGroupID(ctx, 0); !found || err != nil || g.name != "root" {
		t.Errorf("got %+v, %v, %v", g, found, err)
	}
	if name, err := primaryMember(0); name != "root" || err != nil {
		t.Errorf("got %q, %v", name, err)
	}
	if _, found, err := lookupUser(ctx, "no-such-user"); found || err != nil {
		t.Errorf("found %v, %v", found, err)
	}
	if _, found, err := lookupGroup(ctx, "no-such-group"); found || err != nil {
		t.Errorf("found %v, %v", found, err)
	}
	if gids, err := groupsOf("no-such-user"); len(gids) > 0 || err != nil {
		t.Errorf("got %v, %v", gids, err)
	}
	if c, err := (account{name: "no-such-user", uid: 7, gid: 8}).credential(); err != nil || c.Uid != 7 || c.Gid != 8 || len(c.Groups) > 0 {
		t.Errorf("got %+v, %v", c, err)
	}
}

func TestNamesThatDifferOnlyInCaseAreFound(t *testing.T) {
	got, err := onlyCase(context.Background(), "passwd", []string{"ROOT", "root", "Daemon", "nobody-of-that-name"})
	if err != nil || len(got) != 2 || got["ROOT"] != "root" || got["Daemon"] != "daemon" {
		t.Errorf("got %v, %v", got, err)
	}
}
