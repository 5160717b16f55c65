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

func TestAFileThatSudoReadsNothingOf(t *testing.T) {
	dir := rootsOwn(t)
	for name, content := range map[string]string{"more": "@includedir " + dir + "/b\n", "b/deep": "#include " + dir + "/c/mine\n", "b/not.read": "@includedir " + dir + "/d\n"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o440); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(dir+"/b", dir+"/link"); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		policy, file string
		unread       bool
	}{
		{"@includedir " + dir + "/a\n", dir + "/a/mine", false},
		{"#includedir\t" + dir + "/a/ \n", dir + "/a/mine", false},
		{"#include " + dir + "/a/mine\n", dir + "/a/mine", false},
		{"@include " + dir + "/more\n", dir + "/b/mine", false},
		{"@include " + dir + "/more\n", dir + "/c/mine", false},
		{"@includedir " + dir + "/link\n", dir + "/b/mine", false},
		{"@include /etc/sudoers.%h\n", dir + "/a/mine", false},
		{"@includedir relative\n", dir + "/a/mine", false},
		{"@includedir " + dir + "/a\\ b\n", dir + "/a/mine", false},
		{"@includedir \"" + dir + "/a\"\n", dir + "/a/mine", false},
		{"", dir + "/a/mine", true},
		{"# @includedir " + dir + "/a\n", dir + "/a/mine", true},
		{"# includedir " + dir + "/a\n", dir + "/a/mine", true},
		{"@include " + dir + "/more\n", dir + "/d/mine", true},
		{"@include " + dir + "/none\n@include " + dir + "/policy\n", dir + "/a/mine", true},
		{"", "", false},
	} {
		if err := os.WriteFile(dir+"/policy", []byte(test.policy), 0o440); err != nil {
			t.Fatal(err)
		}
		if unread, err := unreadSudoers(dir+"/policy", test.file); err != nil || unread != test.unread {
			t.Errorf("%q of %s: got %v, %v", test.policy, test.file, unread, err)
		}
	}
	if unread, err := unreadSudoers(dir+"/nowhere", dir+"/a/mine"); err != nil || unread {
		t.Errorf("without a policy: got %v, %v", unread, err)
	}
}
