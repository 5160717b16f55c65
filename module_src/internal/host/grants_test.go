// SPDX-License-Identifier: GPL-3.0-or-later

package host

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/sudo"
)

func TestGrantsAreProvenForEachUserAndGroup(t *testing.T) {
	by := byWho([]sudo.Grant{
		{User: "deploy", Args: []string{"/bin/systemctl", "start", "x"}},
		{Group: "deploy", Args: []string{"/bin/systemctl", "stop", "x"}},
		{User: "deploy", Args: []string{"/bin/systemctl", "stop", "x"}},
	})
	if len(by) != 2 || len(by["deploy"]) != 2 || len(by["%deploy"]) != 1 {
		t.Errorf("got %+v", by)
	}
}

func TestAGroupIsProvenByOneOfItsMembers(t *testing.T) {
	ctx := context.Background()
	for who, want := range map[string]string{"root": "root", "%root": "root", "no-such-user": "", "%no-such-group": ""} {
		if got, found, err := member(ctx, who); err != nil || got.name != want || found != (want != "") {
			t.Errorf("%s: got %+v, %v, %v", who, got, found, err)
		}
	}
}

func TestTwoPathsThatLeadToOneFileAreTheSame(t *testing.T) {
	dir := t.TempDir()
	file, link := filepath.Join(dir, "file"), filepath.Join(dir, "link")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	if !sameFile(file, link) || sameFile(file, dir) || sameFile(link, filepath.Join(dir, "absent")) {
		t.Error("they are not told apart")
	}
}
