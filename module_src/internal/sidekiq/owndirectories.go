// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"errors"
	"path"
	"strings"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/systemd"
)

// ownDirectoriesIn is where systemd makes directories for the service's user by
// a directive, or "": systemd.exec(5), RuntimeDirectory=. One that is there
// already is given to that user, with all that is in it.
func ownDirectoriesIn(directive string) string {
	switch directive {
	case "RuntimeDirectory":
		return "/run"
	case "StateDirectory":
		return "/var/lib"
	case "CacheDirectory":
		return "/var/cache"
	case "LogsDirectory":
		return "/var/log"
	}
	return ""
}

// ownDirectory checks the names in a value of such a directive.
func ownDirectory(name, value string) error {
	if ownDirectoriesIn(name) == "" {
		return nil
	}
	if strings.Contains(value, `\`) {
		return errEscapes
	}
	if !oneMeaning(value) {
		return errors.New("the name of a directory that root gives away must not hold specifiers but %%, %i and %n")
	}
	_, err := systemd.Words(value)
	return err
}

// ownDirectories are the directories that systemd gives to the service's user.
func (s *Service) ownDirectories() []string {
	var dirs []string
	for _, own := range s.owns() {
		for _, d := range own.Directives {
			in := ownDirectoriesIn(d.Name)
			if d.Section != "Service" || in == "" {
				continue
			}
			for _, v := range d.Values {
				words, _ := systemd.Words(v) // what cannot be read was refused
				for _, w := range words {
					// Behind the colon is a link that is made to the directory, or
					// nothing, and behind the next one a flag.
					for i, name := range strings.SplitN(plain(w, own.Unit()), ":", 3) {
						if i == 2 || i == 1 && name == "" {
							break
						}
						dirs = appendNew(dirs, path.Join(in, name))
					}
				}
			}
		}
	}
	return dirs
}

// obeyed reports whether programs of root's do what files in a directory say,
// also where it is still to be made: drop-ins of other units, rules of udev and
// of polkit, hooks. So they do in that in which systemd makes such directories.
func obeyed(dir string) bool {
	_, name, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(dir, "/var"), "/"), "/") // below /run or /var/lib
	first, _, _ := strings.Cut(name, "/")
	return first == "" || strings.Contains(dir+"/", ".d/") ||
		contains(strings.Fields(`systemd udev sudo polkit-1 dbus dbus-1 credstore credstore.encrypted extensions confexts portables
		machines initramfs initramfs-tools NetworkManager cloud apt dpkg dkms pam ucf AccountsService curationexperts.sidekiq`), first)
}

// checkOwnDirectories refuses directories that are another's already, or from
// which root takes orders.
func (w *wanting) checkOwnDirectories() {
	for _, dir := range w.ownDirectories() {
		if obeyed(dir) {
			w.fail("directives", "systemd would give %s to %s, and root's programs do what files there say; choose another name, such as %s",
				dir, w.User, w.Name)
			continue
		}
		if why := w.facts.Occupied[dir]; why != "" {
			w.fail("directives", "systemd would give %s to %s, with all that is in it, and %s; choose another name, "+
				"or, if the directory is the service's, give it to that user first: chown -R", dir, w.User, why)
		}
	}
}
