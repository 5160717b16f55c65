// SPDX-License-Identifier: GPL-3.0-or-later

package host

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestAFileIsReadWithItsReadersRights has to run as root, since nobody else can
// take on another identity.
func TestAFileIsReadWithItsReadersRights(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can take on another user's rights")
	}
	dir, err := os.MkdirTemp("/tmp", "") // where everybody may go
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "file")
	if err := os.WriteFile(path, []byte("text"), 0o640); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		who      Identity
		uid, gid int // of the file
		may      bool
	}{
		{Identity{UID: 4711, GID: 4712}, 4711, 0, true},
		{Identity{UID: 4711, GID: 4712}, 0, 4712, true},
		{Identity{UID: 4711, GID: 4712, Groups: []int{4713, 4714}}, 0, 4714, true},
		{Identity{UID: 4711, GID: 4712, Groups: []int{4713}}, 0, 4714, false},
		{Identity{UID: 4711, GID: 4712}, 0, 0, false},
	} {
		if err := os.Chown(path, c.uid, c.gid); err != nil {
			t.Fatal(err)
		}
		content, err := readAs(c.who, path)
		if may := string(content) == "text" && err == nil; may != c.may || !may && !errors.Is(err, fs.ErrPermission) {
			t.Errorf("%+v reads a file of %d:%d: %q, %v", c.who, c.uid, c.gid, content, err)
		}
	}
	if uid, _ := unix.SetfsuidRetUid(-1); uid != 0 {
		t.Errorf("the test itself goes on as uid %d", uid)
	}
}

func TestWhatIsNoPlainFileIsRefusedAtOnce(t *testing.T) {
	dir := t.TempDir()
	fifo, link := filepath.Join(dir, "fifo"), filepath.Join(dir, "link")
	if err := unix.Mkfifo(fifo, 0o644); err != nil {
		t.Fatal(err)
	}
	open, err := os.CreateTemp(dir, "")
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	if err := os.Symlink("/proc/self/fd/"+strconv.Itoa(int(open.Fd())), link); err != nil {
		t.Fatal(err)
	}
	paths := []string{fifo, link, "/dev/null", dir}
	if _, err := unix.Openat2(unix.AT_FDCWD, dir, &unix.OpenHow{Resolve: unix.RESOLVE_NO_MAGICLINKS}); err != nil {
		t.Logf("openat2: %v; before Linux 5.6 and under qemu-user, links to our own open files are not told apart", err)
		paths = slices.Delete(paths, 1, 2)
	}
	start := time.Now()
	for _, path := range paths {
		if content, err := readUntrusted(path); err == nil {
			t.Errorf("%s: read %q", path, content)
		}
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("it took %s", took)
	}
}
