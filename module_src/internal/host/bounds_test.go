// SPDX-License-Identifier: GPL-3.0-or-later

package host

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// These are about what the deploy user may put where the program looks.

func TestACommandLineThatCannotBeReadIsNotWaitedForLong(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(dir, "cmdline"), 0o600); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if _, title := cmdline(dir, cmdlineTime); title != "" || time.Since(began) > time.Second {
		t.Errorf("%q after %s", title, time.Since(began))
	}
}

func TestManyCommandLinesThatCannotBeReadAreNotWaitedForLong(t *testing.T) {
	proc, here := t.TempDir(), t.TempDir()
	for pid := range 200 {
		dir := filepath.Join(proc, fmt.Sprint(pid+1))
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Mkfifo(filepath.Join(dir, "cmdline"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(here, filepath.Join(dir, "cwd")); err != nil {
			t.Fatal(err)
		}
	}
	began := time.Now()
	census(proc, tree{here})
	if took := time.Since(began); took > censusTime+time.Second {
		t.Errorf("took %s", took)
	}
}

func TestUnitsOfTheUsersOwnAreReadUpToABound(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root takes on another identity")
	}
	home := t.TempDir()
	dir := filepath.Join(home, ".config", "systemd", "user")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for n := range 30 {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("u%02d.service", n)), []byte(strings.Repeat("X=a\\\n", 40000)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	held := 0
	found := otherUnits("deploy", home, Identity{})
	for _, u := range found.units {
		if strings.HasPrefix(u.Path, dir) {
			held += len(u.Content)
		}
	}
	if held == 0 || held > maxTheirs || !strings.Contains(strings.Join(found.unseen, ""), "not all were looked at") {
		t.Errorf("%d bytes, %q", held, found.unseen)
	}
}

func TestDirectoriesAreReadUpToABound(t *testing.T) {
	dir := t.TempDir()
	for n := range maxEntries + 100 {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(n)), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if entries, err := entriesOf(dir); len(entries) != maxEntries || err != nil {
		t.Errorf("%d entries, %v", len(entries), err)
	}
	if entries, err := entriesOf(t.TempDir()); len(entries) != 0 || err != nil {
		t.Errorf("an empty one: %d entries, %v", len(entries), err)
	}
}
