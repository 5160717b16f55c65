// SPDX-License-Identifier: GPL-3.0-or-later

package systemd

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// Directories of unit files: systemd.unit(5), "Unit File Load Path".
const (
	EtcUnits = "/etc/systemd/system" // the administrator's; links in it enable units persistently
	RunUnits = "/run/systemd/system" // gone after a reboot
	LibUnits = "/lib/systemd/system" // the distribution's
)

// LoadPath are the directories that the manager of the host loads unit files
// from. The first that has a file of a unit's name wins.
func LoadPath() []string { return loadPath[:] }

var loadPath = [...]string{
	"/etc/systemd/system.control", "/run/systemd/system.control", "/run/systemd/transient", "/run/systemd/generator.early",
	EtcUnits, "/etc/systemd/system.attached", RunUnits, "/run/systemd/system.attached",
	"/run/systemd/generator", "/usr/local/lib/systemd/system", LibUnits, "/run/systemd/generator.late",
}

// Precedence is the place of a directory in the load path, in either spelling
// of a host whose /lib is a link to /usr/lib. A directory that is not in it
// comes last.
func Precedence(dir string) int {
	if dir == "/usr"+LibUnits {
		dir = LibUnits
	}
	if i := slices.Index(LoadPath(), dir); i >= 0 {
		return i
	}
	return len(LoadPath())
}

// SamePath compares the paths of two unit files on hosts where /lib may be a
// link to /usr/lib.
func SamePath(a, b string) bool {
	return strings.TrimPrefix(a, "/usr") == strings.TrimPrefix(b, "/usr")
}

// InstallLinks are the links that enable a unit by its [Install] section, as
// paths: systemd.unit(5), "[Install] Section Options".
func (f File) InstallLinks(unit string) []string {
	var links []string
	for _, kind := range []struct{ name, suffix string }{{"WantedBy", ".wants"}, {"RequiredBy", ".requires"}, {"UpheldBy", ".upholds"}} {
		for _, by := range f.List("Install", kind.name) {
			links = append(links, path.Join(EtcUnits, by+kind.suffix, unit))
		}
	}
	for _, alias := range f.List("Install", "Alias") {
		links = append(links, path.Join(EtcUnits, alias))
	}
	slices.Sort(links)
	return slices.Compact(links)
}

// unitTypes are the suffixes of units that can be waited for or wanted.
var unitTypes = [...]string{
	".service", ".socket", ".target", ".mount", ".automount", ".path", ".timer", ".device", ".swap", ".slice", ".scope",
}

// UnitType is the type of unit that a name ends in, such as ".timer", or "".
func UnitType(name string) string {
	for _, t := range unitTypes {
		if strings.HasSuffix(name, t) {
			return t
		}
	}
	return ""
}

// nameCharacters are those of a unit's name.
const nameCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:_.@-"

// maxUnitName is how long the name of a unit may be, without .service. It is less
// than systemd's own bound, since with .requires after it the name is also that
// of a directory.
const maxUnitName = 200

// UnitName completes the name of a unit as systemctl does: cron is
// cron.service. A full name stays what it is.
func UnitName(name string) (string, error) {
	stem, _, _ := strings.Cut(name, ".")
	if name == "" || strings.Trim(name, nameCharacters) != "" || strings.Contains(".-@", name[:1]) || strings.HasSuffix(stem, "@") ||
		len(strings.TrimSuffix(name, ".service")) > maxUnitName {
		return "", fmt.Errorf("must be the name of a unit, got %q", name)
	}
	if t := UnitType(name); t != "" && name != t {
		return name, nil
	}
	return name + ".service", nil
}
