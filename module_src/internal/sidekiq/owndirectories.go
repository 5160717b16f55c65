// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"errors"
	"path"
	"strings"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/systemd"
)

// ownDirectories are the directives by which systemd makes a directory for the
// service's user, and where: systemd.exec(5), RuntimeDirectory=. One that is
// there already is given to that user, with all that is in it.
func ownDirectories() map[string]string {
	return map[string]string{
		"RuntimeDirectory": "/run", "StateDirectory": "/var/lib", "CacheDirectory": "/var/cache", "LogsDirectory": "/var/log",
	}
}

func isOwnDirectory(name string) bool { return ownDirectories()[name] != "" }

// ownDirectory checks the names in a value of such a directive.
func ownDirectory(name, value string) error {
	if !isOwnDirectory(name) {
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
			if d.Section != "Service" || !isOwnDirectory(d.Name) {
				continue
			}
			for _, v := range d.Values {
				words, _ := systemd.Words(v) // what cannot be read was refused
				for _, w := range words {
					name, _, _ := strings.Cut(plain(w, own.Unit()), ":")
					dirs = appendNew(dirs, path.Join(ownDirectories()[d.Name], name))
				}
			}
		}
	}
	return dirs
}

// checkOwnDirectories refuses directories that are another's already.
func (w *wanting) checkOwnDirectories() {
	for _, dir := range w.ownDirectories() {
		if why := w.facts.Occupied[dir]; why != "" {
			w.fail("directives", "systemd would give %s to %s, with all that is in it, and %s; choose another name, "+
				"or, if the directory is the service's, give it to that user first: chown -R", dir, w.User, why)
		}
	}
}
