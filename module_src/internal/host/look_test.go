// SPDX-License-Identifier: GPL-3.0-or-later

package host

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/sidekiq"
)

// looks are all looks at a path that decide something.
func looks() map[string]func(path string) error {
	self := Identity{UID: os.Getuid(), GID: os.Getgid()}
	bundles := func(path string) []sidekiq.Bundle { return []sidekiq.Bundle{{Gemfile: path, Lock: path + ".lock"}} }
	return map[string]func(string) error{
		"find":        func(path string) error { _, err := find([]string{path}); return err },
		"overriding":  func(path string) error { _, err := overriding([]string{path}); return err },
		"written":     func(path string) error { _, err := those([]string{path}, written); return err },
		"unwritable":  func(path string) error { _, _, err := unwritable([]string{path + "/x"}); return err },
		"packaged":    func(path string) error { _, err := packaged(context.Background(), []string{path}); return err },
		"writable":    func(path string) error { _, err := writable(path); return err },
		"occupied":    func(path string) error { _, err := occupied([]string{path}); return err },
		"public":      func(path string) error { _, err := public(path); return err },
		"resolved":    func(path string) error { _, err := resolved(path); return err },
		"instances":   func(path string) error { _, err := namesIn(path, "sidekiq@"); return err },
		"file":        func(path string) error { _, err := (&Host{}).File(context.Background(), path+"/x"); return err },
		"those there": func(path string) error { _, err := those([]string{path}, there); return err },
		"stale": func(path string) error {
			_, err := stale(converge.Unit{}, []string{path}, time.Now(), false)
			return err
		},
		"as somebody":   func(path string) error { _, _, err := statAs(self, path); return err },
		"the text":      func(path string) error { _, err := textOf(self, path); return err },
		"the lock file": func(path string) error { _, err := lockOf(self, bundles(path)); return err },
		"the application": func(path string) error {
			return (&Host{}).application(context.Background(), &sidekiq.Facts{}, sidekiq.Questions{Dir: path})
		},
	}
}

func TestOnlyWhatIsNotThereIsTakenForAbsent(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root takes on an identity, be it his own")
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, look := range looks() {
		if err := look(filepath.Join(dir, "absent")); err != nil {
			t.Errorf("%s: what is absent is an error: %v", name, err)
		}
		bad := filepath.Join(file, "below")
		err := look(bad)
		if !errors.Is(err, unix.ENOTDIR) || !strings.Contains(err.Error(), bad) {
			t.Errorf("%s: got %v, want the path and the error", name, err)
		}
	}
}

func TestWhatOnlyWarnsNamesWhatItCouldNotLookAt(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root takes on an identity, be it his own")
	}
	file := filepath.Join(t.TempDir(), "home")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	o := otherUnits("deploy", file, Identity{UID: os.Getuid(), GID: os.Getgid()})
	if said := strings.Join(o.unseen, "; "); !strings.Contains(said, file+"/.config/systemd/user: not a directory") {
		t.Errorf("got %q", said)
	}
}

func TestADirectoryThatRootMayNotEnterIsLookedAtAsItsUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can take on another user's rights")
	}
	const uid = 12345
	dir, err := os.MkdirTemp("/tmp", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	current := filepath.Join(dir, "current")
	if err := errors.Join(os.Mkdir(current, 0o755), os.Chown(dir, uid, uid)); err != nil {
		t.Fatal(err)
	}
	if _, ok, err := statAs(Identity{UID: uid, GID: uid}, current); !ok || err != nil {
		t.Errorf("its user sees %v, %v", ok, err)
	}
	if _, _, err := statAs(Identity{UID: uid + 1, GID: uid + 1}, current); !errors.Is(err, unix.EACCES) || !strings.Contains(err.Error(), "as uid 12346") {
		t.Errorf("another sees %v", err)
	}
}

func TestACommandThatIsTooLargeForOursIsSomebodyElses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "sidekiq-health")
	if err := errors.Join(os.WriteFile(file, nil, 0o755), os.Truncate(file, maxProgram+1)); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if ours, err := isHealth(file, info); ours || err != nil {
		t.Errorf("got %t, %v", ours, err)
	}
}

// TestTheApplicationIsLookedAtAsItsUserFirst: what root looks for in it has no
// limit, and where root is nobody, on a file server, it may not look.
func TestTheApplicationIsLookedAtAsItsUserFirst(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root takes on another identity")
	}
	dir, err := os.MkdirTemp("/tmp", "") // where everybody may go
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	app, current := filepath.Join(dir, "releases", "1"), filepath.Join(dir, "current")
	if err := errors.Join(os.MkdirAll(app, 0o755), os.Symlink(app, current), os.Chmod(dir, 0o755)); err != nil {
		t.Fatal(err)
	}
	look := func() (sidekiq.Facts, error) {
		f := sidekiq.Facts{Users: map[string]sidekiq.User{"nobody": {UID: 65534, GID: 65534}}}
		err := (&Host{}).application(context.Background(), &f, sidekiq.Questions{Dir: current, Reader: "nobody", Release: true})
		return f, err
	}
	if f, err := look(); f.Release != app || !f.Deployed || err != nil {
		t.Errorf("the release is %q, %v, want %s", f.Release, err, app)
	}
	works := exec.Command("/bin/sleep", "60")
	works.Args[0], works.Dir = "sidekiq 7.3.2 x [0 of 5 busy]", app
	if err := works.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = works.Process.Kill(); _ = works.Wait() })
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if f, err := look(); len(f.Running) > 0 || !errors.Is(err, fs.ErrPermission) {
		t.Errorf("root has found %v where its user may not look, %v", f.Running, err)
	}
	if _, err := resolvedAs(Identity{UID: 65534, GID: 65534}, current); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("the release is looked for as root: %v", err)
	}
}
