// SPDX-License-Identifier: GPL-3.0-or-later

package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// seen reports whether there is anything at path, given the error of a look at
// it. Only ENOENT says that there is nothing: it would do harm if a plan took a
// bad disk, or a file server that is away, for a host without the application.
// Any other error ends the run before its first step.
func seen(path string, err error) (bool, error) {
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	}
	return false, fmt.Errorf("cannot look at %s: %w", path, withoutPath(err))
}

// there reports whether there is anything at path, even a link that leads
// nowhere.
func there(path string) (bool, error) {
	_, err := os.Lstat(path)
	return seen(path, err)
}

// entriesIn are the entries of a directory; one that does not exist has none.
func entriesIn(dir string) ([]fs.DirEntry, error) {
	entries, err := os.ReadDir(dir)
	_, err = seen(dir, err)
	return entries, err
}

// those are those of the paths of which that is so.
func those(paths []string, so func(path string) (bool, error)) (found []string, err error) {
	for _, path := range paths {
		ok, err := so(path)
		if err != nil {
			return nil, err
		}
		if ok {
			found = append(found, path)
		}
	}
	return found, nil
}

// regular reads a regular file. ok is false where there is nothing, or
// something that is not a file.
func regular(path string) (content string, ok bool, err error) {
	info, err := os.Lstat(path)
	if ok, err = seen(path, err); !ok || !info.Mode().IsRegular() {
		return "", false, err
	}
	text, err := readRegular(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", false, fmt.Errorf("cannot read %s: %w", path, withoutPath(err))
	}
	return string(text), err == nil, nil
}

// resolved is a directory without links on the way to it. A directory that does
// not exist stays as it is.
func resolved(dir string) (string, error) {
	target, err := filepath.EvalSymlinks(dir)
	if ok, err := seen(dir, err); !ok {
		return dir, err
	}
	return target, nil
}

// resolvedAs is the same, seen with the file-system identity of somebody else.
func resolvedAs(who Identity, dir string) (target string, err error) {
	err = as(who, func() (err error) {
		target, err = resolved(dir)
		return err
	})
	return target, err
}

// statAs looks at what a path leads to, with the file-system identity of
// somebody else. ok is false where there is nothing.
func statAs(who Identity, path string) (info fs.FileInfo, ok bool, err error) {
	err = as(who, func() (err error) {
		info, err = os.Stat(path)
		return err
	})
	ok, err = seen(path, err)
	if err != nil {
		err = fmt.Errorf("%w (as uid %d)", err, who.UID)
	}
	return info, ok, err
}

// isOther reports whether an error says that there is something that is not a
// readable file: a loop of links, a device without a driver, a socket or, as
// readBounded says without an error number, anything else.
func isOther(err error) bool {
	var number syscall.Errno
	return !errors.As(err, &number) || number == unix.ELOOP || number == unix.ENXIO || number == unix.ENODEV
}
