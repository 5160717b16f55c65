// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"path"
	"strings"
)

// rootFile is a file that systemd reads as root and whose content it hands to
// the service. Whoever can put a link in its place can read root's files.
type rootFile struct {
	option, path string
}

func (s Service) rootFiles() []rootFile {
	var files []rootFile
	for _, f := range s.EnvFiles {
		files = append(files, rootFile{"env_files", path.Clean(strings.TrimPrefix(f, "-"))})
	}
	for _, d := range s.Directives {
		if d.Section != "Service" || d.Name != "LoadCredential" && d.Name != "LoadCredentialEncrypted" {
			continue
		}
		for _, v := range d.Values {
			if _, file, ok := strings.Cut(v, ":"); ok && path.IsAbs(file) {
				files = append(files, rootFile{"directives", path.Clean(file)})
			}
		}
	}
	return files
}

// checkRootFiles refuses files that somebody else could replace, and warns of
// those that everybody can read.
func (w *wanting) checkRootFiles() {
	for _, f := range w.rootFiles() {
		fact := w.facts.RootFiles[f.path]
		switch {
		case fact.Replaceable != "":
			w.fail(f.option, "systemd reads %s as root and gives it to the service, and %s; a link in its place would show the service's user "+
				"what only root may read; keep it in a directory of root's, such as /etc/%s", f.path, fact.Replaceable, w.Name)
		case fact.Public:
			w.warn("every user of the host can read %s (%s); if it holds secrets: chmod o= %s", f.path, f.option, f.path)
		}
	}
}

// supplementary are the groups that directives add to the service's own group.
func (s Service) supplementary() []string {
	var groups []string
	for _, d := range s.Directives {
		if d.Section == "Service" && d.Name == "SupplementaryGroups" {
			for _, v := range d.Values {
				groups = append(groups, strings.Fields(v)...)
			}
		}
	}
	return groups
}
