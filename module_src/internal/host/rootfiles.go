// SPDX-License-Identifier: GPL-3.0-or-later

package host

import (
	"io/fs"
	"os"
	"path/filepath"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/sidekiq"
)

// rootFiles says who can read and replace files that systemd reads as root.
func rootFiles(paths []string) (map[string]sidekiq.RootFile, error) {
	files := map[string]sidekiq.RootFile{}
	for _, path := range paths {
		f, err := rootFile(path)
		if err != nil {
			return nil, err
		}
		files[path] = f
	}
	return files, nil
}

func rootFile(path string) (f sidekiq.RootFile, err error) {
	dir, err := existing(filepath.Dir(path))
	if err != nil {
		return f, err
	}
	if err := trusted(dir); err != nil {
		return sidekiq.RootFile{Replaceable: err.Error()}, nil
	}
	target, err := filepath.EvalSymlinks(path)
	if ok, err := seen(path, err); !ok {
		return f, err
	}
	if err := trusted(filepath.Dir(target)); err != nil {
		f.Replaceable = err.Error()
	}
	f.Public, err = public(target)
	return f, err
}

// public reports whether every user can reach a file and read it.
func public(path string) (bool, error) {
	need := fs.FileMode(0o004)
	for {
		info, err := os.Stat(path)
		if ok, err := seen(path, err); !ok {
			return false, err
		}
		if info.Mode().Perm()&need == 0 {
			return false, nil
		}
		if path == "/" {
			return true, nil
		}
		path, need = filepath.Dir(path), 0o001
	}
}
