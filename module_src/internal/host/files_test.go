// SPDX-License-Identifier: GPL-3.0-or-later

package host

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge"
)

// rootsOwn is a directory that nobody but root can write in, on the way to it,
// too, which /tmp is not.
func rootsOwn(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root has such a directory")
	}
	dir, err := os.MkdirTemp("/var/lib", "sidekiq-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func TestAFileIsPutAsItIsToBeAndRemoved(t *testing.T) {
	dir := rootsOwn(t)
	h := &Host{}
	at := time.Date(2024, 1, 2, 3, 4, 5, 6000, time.UTC)
	if runtime.GOARCH == "s390x" { // whose stat under qemu-user tells whole seconds
		at = at.Truncate(time.Second)
	}
	want := converge.File{Path: filepath.Join(dir, "x.service"), Exists: true, Content: "# new\n", Mode: 0o440, UID: 7, GID: 8, ModTime: at}
	for _, content := range []string{"# new\n", "# newer\n"} {
		want.Content = content
		if err := h.Put(context.Background(), want); err != nil {
			t.Fatal(err)
		}
		got, err := h.File(context.Background(), want.Path)
		if err != nil || !got.Same(want) || !got.ModTime.Equal(at) {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
	}
	gone := converge.File{Path: want.Path}
	for range 2 { // what is not there is as wanted
		if err := h.Put(context.Background(), gone); err != nil {
			t.Error(err)
		}
	}
	if got, err := h.File(context.Background(), want.Path); err != nil || got.Exists {
		t.Errorf("got %+v, %v", got, err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestADirectoryOfFilesOfOursIsMadeForRootAndGoesWithTheLast(t *testing.T) {
	dir := filepath.Join(rootsOwn(t), "own")
	h := &Host{}
	file := func(name string, exists bool) converge.File {
		return converge.File{Path: filepath.Join(dir, name), Exists: exists, Content: "A=1\n", Mode: 0o600, OwnDirectory: true}
	}
	for _, step := range []struct {
		file converge.File
		left string
	}{
		{file("a", false), "none"},
		{file("a", true), "a"},
		{file("b", true), "a b"},
		{file("a", false), "b"},
		{file("b", false), "none"},
	} {
		if err := h.Put(context.Background(), step.file); err != nil {
			t.Fatal(err)
		}
		left := "none"
		if info, err := os.Stat(dir); err == nil {
			left = names(t, dir)
			if info.Mode().Perm() != 0o700 {
				t.Errorf("its mode is %v", info.Mode())
			}
		}
		if left != step.left {
			t.Errorf("after %s: %s is left, want %s", step.file.Path, left, step.left)
		}
	}
}

func TestNothingIsPutOverWhatIsNoRegularFile(t *testing.T) {
	dir := rootsOwn(t)
	h := &Host{}
	link, directory := filepath.Join(dir, "link"), filepath.Join(dir, "directory")
	if err := os.Symlink("/etc/passwd", link); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(directory, 0o755); err != nil {
		t.Fatal(err)
	}
	for path, what := range map[string]string{link: "a symbolic link to /etc/passwd", directory: "a directory"} {
		if got, err := h.File(context.Background(), path); err != nil || got.Irregular != what || got.Content != "" {
			t.Errorf("%s: got %+v, %v", path, got, err)
		}
		for _, f := range []converge.File{{Path: path, Exists: true}, {Path: path}} {
			if err := h.Put(context.Background(), f); err == nil || !strings.Contains(err.Error(), "it is "+what) {
				t.Errorf("%s: got %v", path, err)
			}
		}
	}
}

func TestADirectoryThatOthersCanWriteInIsNotUsed(t *testing.T) {
	dir := rootsOwn(t)
	h := &Host{}
	f := converge.File{Path: filepath.Join(dir, "below", "x.service"), Exists: true, Mode: 0o644}
	below := filepath.Dir(f.Path)
	for mode, owner := range map[fs.FileMode]int{0o775: 0, 0o757: 0, 0o755: 7} {
		_ = os.RemoveAll(below)
		if err := os.Mkdir(below, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(below, owner, 0); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(below, mode); err != nil {
			t.Fatal(err)
		}
		if err := h.Put(context.Background(), f); err == nil || !strings.Contains(err.Error(), below) {
			t.Errorf("mode %o, owner %d: %v", mode, owner, err)
		}
		if _, err := h.File(context.Background(), f.Path); err == nil || !strings.Contains(err.Error(), "cannot use "+f.Path) {
			t.Errorf("mode %o, owner %d: %v", mode, owner, err)
		}
	}
}

func TestWhoCanReadAndReplaceAFileOfRoots(t *testing.T) {
	dir := rootsOwn(t)
	secret, open := filepath.Join(dir, "secret"), filepath.Join(dir, "open")
	for path, mode := range map[string]fs.FileMode{secret: 0o600, open: 0o644} {
		if err := os.WriteFile(path, nil, mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	files, err := rootFiles([]string{secret, open, "/tmp/x", filepath.Join(dir, "absent")})
	if err != nil {
		t.Fatal(err)
	}
	if files[secret].Public || !files[open].Public || files[secret].Replaceable != "" || files["/tmp/x"].Replaceable == "" {
		t.Errorf("got %+v", files)
	}
}

// TestEveryLinkOnTheWayIsJudged leads to a directory of root's by way of a link
// that lies in somebody else's directory.
func TestEveryLinkOnTheWayIsJudged(t *testing.T) {
	dir := rootsOwn(t)
	theirs := filepath.Join(dir, "theirs")
	for _, d := range []string{theirs, filepath.Join(dir, "roots")} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for link, target := range map[string]string{
		"straight": "roots", "theirs/on": "../roots", "roundabout": "theirs/on", "nowhere": "roots/not/there", "loop": "loop",
	} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chown(theirs, 7, 7); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"straight": "", "roundabout": theirs, "theirs": theirs} {
		err := trusted(filepath.Join(dir, name))
		if got, _ := replaceable(filepath.Join(dir, name, "x")); (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%s: a file below it: got %q", name, got)
		}
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if got, err := replaceable(filepath.Join(dir, "nowhere/x")); got != "" || err != nil {
		t.Errorf("what does not exist is root's to make: %q, %v", got, err)
	}
	const login = "/run/user/4294967294"
	if got, err := replaceable(login + "/x"); !strings.Contains(got, login) || err != nil {
		t.Errorf("a directory that is made for a user who logs in: %q, %v", got, err)
	}
	if _, err := replaceable(filepath.Join(dir, "loop")); err == nil {
		t.Error("a loop has no end")
	}
}

func TestADirectoryOfRootsWithSomethingInItIsOccupied(t *testing.T) {
	dir := rootsOwn(t)
	full, empty, theirs := filepath.Join(dir, "full"), filepath.Join(dir, "empty"), filepath.Join(dir, "theirs")
	for _, d := range []string{full + "/x", empty, theirs + "/x"} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chown(theirs, 7, 7); err != nil {
		t.Fatal(err)
	}
	got, err := occupied([]string{full, empty, theirs, filepath.Join(dir, "absent")})
	if err != nil || len(got) != 1 || got[full] == "" {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestAFileThatNobodyMayChangeIsNamedWithTheToolThatShowsWhy(t *testing.T) {
	path := filepath.Join(rootsOwn(t), "x.service")
	h := &Host{}
	f := converge.File{Path: path, Exists: true, Mode: 0o644}
	if err := h.Put(context.Background(), f); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	const immutable = 0x10 // FS_IMMUTABLE_FL of linux/fs.h
	if err := unix.IoctlSetPointerInt(int(file.Fd()), unix.FS_IOC_SETFLAGS, immutable); err != nil {
		t.Skipf("no file can be made immutable here: %v", err)
	}
	defer func() { _ = unix.IoctlSetPointerInt(int(file.Fd()), unix.FS_IOC_SETFLAGS, 0) }()
	for _, f := range []converge.File{f, {Path: path}} {
		if err := h.Put(context.Background(), f); err == nil || !strings.Contains(err.Error(), "operation not permitted; where lsattr -d "+filepath.Dir(path)+" "+path+" shows") {
			t.Errorf("got %v", err)
		}
	}
}
