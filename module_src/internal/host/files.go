// SPDX-License-Identifier: GPL-3.0-or-later

package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/google/renameio/v2"
	"golang.org/x/sys/unix"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/shell"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/sidekiq"
)

// maxFile is how much is read of any one file, in bytes. Unit and sudoers files
// have some hundred bytes; what is larger is not one of ours.
const maxFile = 1 << 20

// File looks at the file at path without following a link at its end. It is an
// error if anybody but root could have put the file there: it could then change
// at any moment, and what is read could be a file of root's.
func (h *Host) File(_ context.Context, path string) (converge.File, error) {
	f := converge.File{Path: path}
	dir := filepath.Dir(path)
	if ok, err := there(dir); !ok {
		return f, err
	}
	if err := trusted(dir); err != nil {
		return f, fmt.Errorf("cannot use %s: %w", path, err)
	}
	info, err := os.Lstat(path)
	if ok, err := seen(path, err); !ok {
		return f, err
	}
	f.Exists, f.ModTime, f.Mode = true, info.ModTime(), info.Mode().Perm()
	stat := info.Sys().(*syscall.Stat_t)
	f.UID, f.GID = int(stat.Uid), int(stat.Gid)
	if !info.Mode().IsRegular() {
		f.Irregular = describe(path, info)
		return f, nil
	}
	if path == sidekiq.HealthPath {
		f.Content, err = readProgram(path)
	} else {
		f.Content, err = readText(path)
	}
	if err != nil {
		return f, fmt.Errorf("cannot read %s: %w", path, withoutPath(err))
	}
	if f.Label, err = attribute(path, labelAttribute); err != nil {
		return f, err
	}
	f.ACL, err = attribute(path, aclAttribute)
	return f, err
}

// describe says what a file is that is not a regular one.
func describe(path string, info fs.FileInfo) string {
	switch {
	case info.IsDir():
		return "a directory"
	case info.Mode()&fs.ModeSymlink != 0:
		target, err := os.Readlink(path)
		if err != nil {
			return "a symbolic link"
		}
		return "a symbolic link to " + target
	}
	return "neither a file nor a directory"
}

// readRegular reads a regular file of at most maxFile bytes. It does not hang
// if something else has taken the file's place.
func readRegular(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readBounded(f)
}

func readText(path string) (string, error) {
	content, err := readRegular(path)
	return string(content), err
}

var errIrregular = errors.New("not a regular file")

// readBounded reads an open file after making sure that it is a regular one.
func readBounded(f *os.File) ([]byte, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errIrregular
	}
	content, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(content) > maxFile {
		return nil, fmt.Errorf("larger than %d bytes", maxFile)
	}
	return content, nil
}

// Put installs or removes one file: it writes a temporary file in the same
// directory, sets mode, owner and time, syncs the file, renames it, and syncs
// the directory. A reader sees the old file or the new one and nothing in
// between.
func (h *Host) Put(_ context.Context, f converge.File) error {
	dir := filepath.Dir(f.Path)
	if f.OwnDirectory {
		if gone, err := ownDirectory(dir, f.Exists); gone || err != nil {
			return err
		}
	}
	if err := trusted(dir); err != nil {
		return err
	}
	info, err := os.Lstat(f.Path)
	ok, err := seen(f.Path, err)
	if err != nil {
		return err
	}
	if ok && !info.Mode().IsRegular() {
		return fmt.Errorf("cannot replace %s: it is %s", f.Path, describe(f.Path, info))
	}
	act := install
	if !f.Exists {
		act = remove
	}
	if err := act(f); err != nil {
		return err
	}
	if f.OwnDirectory && !f.Exists && os.Remove(dir) == nil { // it fails where the directory holds something else
		dir = filepath.Dir(dir)
	}
	return syncDir(dir)
}

// ownDirectory makes the directory of a file that is to be written. Where there
// is none, and the file is to go, the file is gone.
func ownDirectory(dir string, wanted bool) (gone bool, err error) {
	if ok, err := there(dir); ok || err != nil {
		return false, err
	}
	if !wanted {
		return true, nil
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return false, fmt.Errorf("cannot make the directory %s: %w", filepath.Dir(dir), withoutPath(err))
	}
	if err := trusted(filepath.Dir(dir)); err != nil {
		return false, err
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return false, fmt.Errorf("cannot make the directory %s: %w", dir, withoutPath(err))
	}
	return false, syncDir(filepath.Dir(dir))
}

func remove(f converge.File) error {
	if err := os.Remove(f.Path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot remove %s: %w%s", f.Path, withoutPath(err), ifImmutable(f.Path, err))
	}
	return nil
}

func install(f converge.File) error {
	// Since it is given the target's own directory, renameio puts the temporary
	// file there and does not try $TMPDIR first. The name starts with a dot and
	// ends in digits. So systemd does not take the file for a unit, nor sudo
	// for a sudoers file, since sudo skips names with a dot.
	p, err := renameio.NewPendingFile(f.Path, renameio.WithTempDir(filepath.Dir(f.Path)), renameio.WithStaticPermissions(0o600))
	if err == nil {
		defer func() { _ = p.Cleanup() }()
		err = fill(p, f)
	}
	if err == nil {
		err = p.CloseAtomicallyReplace()
	}
	if err != nil {
		return fmt.Errorf("cannot write %s: %w%s", f.Path, withoutPath(err), ifImmutable(f.Path, err))
	}
	return nil
}

// ifImmutable says what may have refused root a change that its rights allow:
// chattr(1), for a file or its directory.
func ifImmutable(path string, err error) string {
	if !errors.Is(err, unix.EPERM) {
		return ""
	}
	return fmt.Sprintf("; where lsattr -d %s %s shows an i or an a, chattr -i or -a allows it", shell.Word(filepath.Dir(path)), shell.Word(path))
}

// fill gives a pending file its content, owner, mode and time. The mode comes
// after the owner, since others must not be able to read the file before it has
// the right owner.
func fill(p *renameio.PendingFile, f converge.File) error {
	write := func() error { _, err := io.WriteString(p, f.Content); return err }
	if f.Kind == converge.ProgramFile && f.Content == sidekiq.ThisProgram {
		write = func() error { return copyThisProgram(p) }
	}
	if err := write(); err != nil {
		return err
	}
	if err := p.Chown(f.UID, f.GID); err != nil {
		return err
	}
	if err := p.Chmod(f.Mode); err != nil {
		return err
	}
	if err := setAttributes(int(p.Fd()), f); err != nil {
		return err
	}
	if f.ModTime.IsZero() {
		return nil
	}
	return os.Chtimes(p.Name(), time.Time{}, f.ModTime)
}

// syncDir makes a rename or removal in dir survive a power cut. Some file
// systems cannot sync a directory (EINVAL); there, nothing better can be done.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("cannot open %s: %w", dir, withoutPath(err))
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, unix.EINVAL) {
		return fmt.Errorf("cannot sync %s: %w", dir, withoutPath(err))
	}
	return nil
}

// withoutPath takes the path out of an error whose message names the path
// anyway.
func withoutPath(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	var l *os.LinkError
	if errors.As(err, &l) {
		return l.Err
	}
	return err
}
