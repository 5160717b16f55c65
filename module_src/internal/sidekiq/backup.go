// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"path"
	"time"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge"
)

// backups is where replaced files are kept; only root can look there, since
// they hold the values of variables.
const backups = "/var/lib/curationexperts.sidekiq/backup"

// BackupDir is where the files of this service are kept, each time in a
// directory of its own.
func (s *Service) BackupDir() string { return path.Join(backups, s.Name) }

// KeepReplaced has the wanted state hold a copy of each file that the plan
// changes or removes. The copies come first, so that they are there before the
// first change. dir is where they are, or "" where there is nothing to keep.
func (s *Service) KeepReplaced(want converge.State, plan converge.Plan, now time.Time) (more converge.State, dir string) {
	if !s.Backup {
		return want, ""
	}
	at := path.Join(s.BackupDir(), now.UTC().Format("20060102T150405Z"))
	var copies []converge.File
	var names []string
	for _, step := range plan.FileSteps() {
		was := step.Was
		if !was.Exists || was.Secret || was.Kind == converge.ProgramFile || was.Content == step.Want.Content && step.Want.Exists {
			continue
		}
		names = append(names, copyName(names, was.Path))
		copies = append(copies, converge.File{
			Path: path.Join(at, names[len(names)-1]), Kind: converge.PlainFile, Exists: true, Content: was.Content, Mode: 0o600,
			Secret: true, OwnDirectory: true,
		})
	}
	if copies == nil {
		return want, ""
	}
	want.Files = append(copies, want.Files...)
	return want, at
}

// copyName is what the copy of a file is called: as the file itself, or, beside
// another of that name, with the name of its directory before it.
func copyName(others []string, file string) string {
	name := path.Base(file)
	if contains(others, name) {
		return path.Base(path.Dir(file)) + "-" + name
	}
	return name
}
