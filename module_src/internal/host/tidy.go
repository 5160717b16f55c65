// SPDX-License-Identifier: GPL-3.0-or-later

package host

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// tidy removes what killed runs have left behind: files beside the given paths
// that were never renamed to them, and copies that were made to be judged. Only
// the holder of the lock may call it, since such a file is certain to be dead
// only while no other run is at work.
//
// systemd and sudo ignore such files, so a file that cannot be removed does no
// harm, and nothing is said about it.
func tidy(paths []string) {
	for _, p := range paths {
		dir, name := filepath.Split(p)
		removeFrom(dir, func(e os.DirEntry) bool { return e.Type().IsRegular() && temporaryFor(name, e.Name()) })
	}
	removeFrom(RunDir, abandoned)
}

// temporaryFor reports whether temporary is a name that Put gives to a file
// before it renames the file to name: the name with a dot before and a number
// after it.
func temporaryFor(name, temporary string) bool {
	number, ok := strings.CutPrefix(temporary, "."+name)
	return ok && number != "" && strings.Trim(number, "0123456789") == ""
}

func removeFrom(dir string, dead func(os.DirEntry) bool) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		if dead(e) {
			_ = os.RemoveAll(filepath.Join(dir, e.Name()))
		}
	}
}

// verifyPrefix begins the name of a directory of copies, which ends in the id
// of the process that made it. Runs in check mode hold no lock, so there may be
// several such directories.
const verifyPrefix = "verify-"

// abandoned reports whether an entry of RunDir is the directory of copies of a
// process that no longer exists.
func abandoned(e os.DirEntry) bool {
	id, ok := strings.CutPrefix(e.Name(), verifyPrefix)
	if !ok {
		return false
	}
	pid, err := strconv.Atoi(id)
	return err == nil && errors.Is(unix.Kill(pid, 0), unix.ESRCH)
}
