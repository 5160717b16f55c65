// SPDX-License-Identifier: GPL-3.0-or-later

package converge_test

import (
	"context"
	"strings"
	"testing"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge"
)

// TestALabelIsKeptAndAListIsNot has a file with a label of SELinux and an access
// control list, which a change replaces, and a rollback and a removal that is
// taken back restore.
func TestALabelIsKeptAndAListIsNot(t *testing.T) {
	gone := converge.State{
		Files: []converge.File{{Path: unitAt, Kind: converge.UnitFile}},
		Units: []converge.Unit{{Name: service, Activity: converge.Down}, {Name: "other.service", Activity: converge.Up, Proof: proof}},
	}
	for name, c := range map[string]struct {
		want  converge.State
		fails bool
		list  string
	}{
		"a change":   {wanted(converge.Up, unitFile(unitText("new", "simple", "boot=1s"))), false, ""},
		"a rollback": {wanted(converge.Up, unitFile(unitText("new", "simple", "life=50ms"))), true, "list"},
		"a removal":  {gone, true, "list"},
	} {
		h := befores[1].host("simple", managers[0])
		h.Write("/lib/systemd/system/other.service", unitText("other", "simple", "life=50ms"), 0o644)
		h.Mark(unitAt, "label", "list")
		plan := look(t, h, c.want)
		if warned := strings.Contains(strings.Join(plan.Warnings, "\n"), unitAt+" has an access control list"); warned != (name != "a removal") {
			t.Errorf("%s: warnings %q", name, plan.Warnings)
		}
		_, err := plan.Apply(context.Background(), h, converge.Rollback)
		if (err != nil) != c.fails || err != nil && !failure(t, err).RolledBack {
			t.Errorf("%s: %v", name, err)
		}
		if f, _ := h.File(context.Background(), unitAt); !f.Exists || f.Label != "label" || f.ACL != c.list {
			t.Errorf("%s: %+v", name, f)
		}
	}
}
