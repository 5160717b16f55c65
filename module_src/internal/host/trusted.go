// SPDX-License-Identifier: GPL-3.0-or-later

package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// maxLinks is how many links are followed on one way, as in the kernel:
// path_resolution(7).
const maxLinks = 40

// trusted makes sure that nobody but root can change what is in dir or replace
// a directory or a link on the way to it: each directory belongs to root and is
// not writable by others, and so does each one that a link on the way leads
// through. What others can write they could replace right after it has been
// judged.
func trusted(dir string) error {
	if _, err := os.Stat(dir); err != nil {
		return fmt.Errorf("cannot reach the directory %s: %w", dir, withoutPath(err))
	}
	end, err := rootsWay(dir)
	if err != nil {
		return err
	}
	return rootsDirectory(end)
}

// rootsWay follows a path to its end and makes sure that each directory in
// which it looks up a name is root's alone. It returns the end, without links.
// It is an error of [fs.ErrNotExist] where the path ends too early, and then the
// end is what is missing.
func rootsWay(path string) (end string, err error) {
	at, rest, links := "/", path, 0
	for rest != "" {
		var name string
		name, rest, _ = strings.Cut(rest, "/")
		if name == "" || name == "." {
			continue
		}
		if name == ".." {
			at = filepath.Dir(at)
			continue
		}
		if err := rootsDirectory(at); err != nil {
			return at, err
		}
		next := filepath.Join(at, name)
		info, err := os.Lstat(next)
		if err != nil {
			return filepath.Join(next, rest), fmt.Errorf("cannot look at the directory %s: %w", next, withoutPath(err))
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			at = next
			continue
		}
		target, err := os.Readlink(next)
		if err != nil {
			return at, fmt.Errorf("cannot read the link %s: %w", next, withoutPath(err))
		}
		if links++; links > maxLinks {
			return at, fmt.Errorf("cannot reach %s: %w", path, syscall.ELOOP)
		}
		if filepath.IsAbs(target) {
			at = "/"
		}
		rest = target + "/" + rest
	}
	return at, nil
}

// notRoots says that somebody else than root could put something in the way.
type notRoots string

func (n notRoots) Error() string { return string(n) }

// rootsDirectory says who else than root could change what is in a directory.
func rootsDirectory(at string) error {
	info, err := os.Stat(at)
	if err != nil {
		return fmt.Errorf("cannot look at the directory %s: %w", at, withoutPath(err))
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is not a directory", at)
	}
	if owner := info.Sys().(*syscall.Stat_t).Uid; owner != 0 {
		return notRoots(fmt.Sprintf("the directory %s belongs to uid %d, who could replace what root has below it; it must belong to root", at, owner))
	}
	if info.Mode().Perm()&0o022 != 0 {
		return notRoots(fmt.Sprintf("the directory %s (mode %04o) is writable by others, who could replace what root has below it; chmod go-w it",
			at, info.Mode().Perm()))
	}
	return nil
}

// replaceable says who else than root could put something else at path, or "".
// Of what does not exist yet, the directories that do decide.
func replaceable(path string) (string, error) {
	end, err := rootsWay(path)
	var why notRoots
	switch {
	case errors.As(err, &why):
		return string(why), nil
	case errors.Is(err, fs.ErrNotExist):
		if strings.HasPrefix(end, runtimeDirectories) {
			return fmt.Sprintf("%s is in a directory that is made for a user who logs in, and that user's", end), nil
		}
		return "", nil
	}
	return "", err
}

// runtimeDirectories is where systemd-logind makes a directory for each user
// who logs in, and gives it to that user: pam_systemd(8).
const runtimeDirectories = "/run/user/"

// changeable reports whether a user could change or replace what is at a path,
// as far as the modes of what is on the way tell.
func changeable(path string, user account) bool {
	path = filepath.Clean(path)
	if target, err := filepath.EvalSymlinks(path); err == nil && target != path && changeable(target, user) {
		return true
	}
	missing := false // what is missing anybody may make who may write to the directory
	for ; path != "/"; path = filepath.Dir(path) {
		info, err := os.Stat(path)
		if err != nil {
			missing = true
			continue
		}
		mode, owner := info.Mode(), info.Sys().(*syscall.Stat_t)
		switch {
		case int(owner.Uid) == user.uid,
			int(owner.Gid) == user.gid && mode.Perm()&0o020 != 0,
			mode.Perm()&0o002 != 0 && (missing || mode&fs.ModeSticky == 0):
			return true
		}
		missing = false
	}
	return false
}

// writable says who else than root could write to what a path leads to, or "".
func writable(path string) (string, error) {
	info, err := os.Stat(path)
	if ok, err := seen(path, err); !ok {
		return "", err
	}
	if owner := info.Sys().(*syscall.Stat_t).Uid; owner != 0 {
		return fmt.Sprintf("%s belongs to uid %d, who could write to it; it must belong to root", path, owner), nil
	}
	if info.Mode().Perm()&0o022 != 0 {
		return fmt.Sprintf("%s (mode %04o) is writable by others; chmod go-w it", path, info.Mode().Perm()), nil
	}
	return "", nil
}
