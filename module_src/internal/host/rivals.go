// SPDX-License-Identifier: GPL-3.0-or-later

package host

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/sidekiq"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/systemd"
)

// maxOthers bounds how many unit files of one directory are read. An
// administrator's directory has a few; the rest of it are links.
const maxOthers = 100

// otherUnits are the service units that people or their tools have put beside
// the distribution's: those of the administrator, those among the
// distribution's that are named for Sidekiq, and those of the user who runs
// the application. What cannot be read is left out: this is for a warning.
func otherUnits(user, home string, who Identity) []sidekiq.OtherUnit {
	var units []sidekiq.OtherUnit
	for _, path := range append(serviceFiles(systemd.EtcUnits, ""), serviceFiles(systemd.LibUnits, "sidekiq")...) {
		if content, err := readRegular(path); err == nil {
			units = append(units, sidekiq.OtherUnit{Path: path, Content: string(content)})
		}
	}
	if !filepath.IsAbs(home) {
		return units
	}
	var paths []string
	_ = as(who, func() error { paths = serviceFiles(filepath.Join(home, ".config/systemd/user"), ""); return nil })
	for _, path := range paths {
		if content, err := readAs(who, path); err == nil {
			units = append(units, sidekiq.OtherUnit{Path: path, User: user, Content: string(content)})
		}
	}
	return units
}

// serviceFiles are the regular files in dir that are service units and have
// part in their names.
func serviceFiles(dir, part string) []string {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	var paths []string
	for _, e := range entries {
		if e.Type().IsRegular() && strings.HasSuffix(e.Name(), ".service") && strings.Contains(e.Name(), part) && len(paths) < maxOthers {
			paths = append(paths, filepath.Join(dir, e.Name()))
		}
	}
	return paths
}
