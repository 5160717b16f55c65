// SPDX-License-Identifier: GPL-3.0-or-later

package host

import (
	"os"
	"path/filepath"
	"testing"
)

func TestSudoersFilesAreFoundWhereSudoReadsThem(t *testing.T) {
	dir := rootsOwn(t)
	const ours = "# Written by curationexperts.sidekiq for p; changes here are overwritten.\n"
	for name, content := range map[string]string{
		"a/mine": ours, "a/other": ours, "b/moved": ours, "b/foreign": "# x\n", "b/not.read": ours, "b/nor~": ours, "c/elsewhere": ours,
		"policy": "@includedir " + dir + "/a\n#includedir " + dir + "/b/\n#includedir relative\n# @includedir " + dir + "/c\n",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o440); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(dir+"/c/elsewhere", dir+"/a/link"); err != nil {
		t.Fatal(err)
	}
	got, err := otherSudoers(dir+"/policy", dir+"/a/mine")
	if err != nil || len(got) != 3 || got[0].Path != dir+"/a/other" || got[1].Path != dir+"/b/foreign" || got[2].Path != dir+"/b/moved" {
		t.Errorf("got %v, %v", got, err)
	}
}

// Where no sudoers file is asked about, as for a service that is acted on by its
// name, the directory that the program happens to be in is none of sudo's.
func TestNoSudoersFilesAreLookedForWhereNothingIsAsked(t *testing.T) {
	dir := rootsOwn(t)
	if err := os.WriteFile(dir+"/program", make([]byte, maxFile+1), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	if got, err := otherSudoers(sudoersPolicy, ""); err != nil || got != nil {
		t.Errorf("got %v, %v", got, err)
	}
	if ours, found, err := (&Host{}).instances(t.Context(), ""); ours || found != nil || err != nil {
		t.Errorf("got %v %v %v", ours, found, err)
	}
}
