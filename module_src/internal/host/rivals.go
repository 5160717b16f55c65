// SPDX-License-Identifier: GPL-3.0-or-later

package host

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/sidekiq"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/systemd"
)

// Bounds of the look at other units. An administrator's directory holds a few
// files; the rest of its entries are links. The user may have as many as he likes.
const (
	maxOthers  = 100     // unit files of one directory that are read
	maxEntries = 5000    // entries of one directory that are looked at
	maxTheirs  = 1 << 20 // bytes of the user's own unit files, all together
)

// Directories of units that are neither the distribution's nor one user's:
// systemd.unit(5), "Unit File Load Path".
const (
	localUnits      = "/usr/local/lib/systemd/system"
	everyUsersUnits = "/etc/systemd/user"
)

// otherUnits are the service units that people or their tools have added to the
// distribution's: the administrator's units, units among the distribution's
// that are named for Sidekiq, and the units of the user who runs the
// application. They are for a warning only, so what cannot be read is left out.
func otherUnits(user, home string, who Identity) (o others) {
	for _, path := range append(append(o.serviceFiles(systemd.EtcUnits, ""), o.serviceFiles(localUnits, "")...), o.serviceFiles(systemd.LibUnits, "sidekiq")...) {
		content, ok, err := regular(path)
		o.add(sidekiq.OtherUnit{Path: path, Content: content, UID: owner(path)}, ok, err)
	}
	for _, path := range o.serviceFiles(everyUsersUnits, "") {
		content, ok, err := regular(path)
		o.add(sidekiq.OtherUnit{Path: path, User: user, Content: content, Idle: idle(who)}, ok, err)
	}
	if !filepath.IsAbs(home) {
		return o
	}
	var paths []string
	err := as(who, func() error {
		for _, dir := range []string{".config/systemd/user", ".local/share/systemd/user"} {
			paths = append(paths, o.serviceFiles(filepath.Join(home, dir), "")...)
		}
		return nil
	})
	o.add(sidekiq.OtherUnit{}, false, err)
	room := maxTheirs
	for _, path := range paths {
		content, err := readAs(who, path)
		if room -= len(content); room < 0 {
			o.unseen = append(o.unseen, fmt.Sprintf("the unit files of %s are more than %d bytes, and not all were looked at", user, maxTheirs))
			break
		}
		ok, err := seen(path, err)
		o.add(sidekiq.OtherUnit{Path: path, User: user, Content: string(content), Idle: idle(who)}, ok, err)
	}
	return o
}

// owner is whose file it is, or root where that cannot be told.
func owner(path string) int {
	var s unix.Stat_t
	if unix.Lstat(path, &s) != nil {
		return 0
	}
	return int(s.Uid)
}

// idle reports whether a user's own manager does not run, so that there is none
// to be told anything.
func idle(who Identity) bool {
	ok, err := there(fmt.Sprintf("/run/user/%d/systemd/private", who.UID))
	return !ok && err == nil
}

// others are unit files, and what could not be looked at.
type others struct {
	units  []sidekiq.OtherUnit
	unseen []string
}

func (o *others) add(u sidekiq.OtherUnit, ok bool, err error) {
	if ok {
		o.units = append(o.units, u)
	}
	if err != nil {
		o.unseen = append(o.unseen, err.Error())
	}
}

// entriesOf are the first entries of a directory.
func entriesOf(dir string) ([]os.DirEntry, error) {
	f, err := os.OpenFile(dir, os.O_RDONLY|unix.O_NONBLOCK|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	entries, err := f.ReadDir(maxEntries)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	sort.Slice(entries, func(i, j int) bool { return entries[i].Name() < entries[j].Name() })
	return entries, err
}

// serviceFiles are the regular files in dir that are service units and have
// part in their names.
func (o *others) serviceFiles(dir, part string) (paths []string) {
	entries, err := entriesOf(dir)
	_, err = seen(dir, err)
	o.add(sidekiq.OtherUnit{}, false, err)
	for _, e := range entries {
		if e.Type().IsRegular() && strings.HasSuffix(e.Name(), ".service") && strings.Contains(e.Name(), part) && len(paths) < maxOthers {
			paths = append(paths, filepath.Join(dir, e.Name()))
		}
	}
	return paths
}
