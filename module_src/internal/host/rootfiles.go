// SPDX-License-Identifier: GPL-3.0-or-later

package host

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

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
	if f.Replaceable, err = replaceable(path); err != nil || f.Replaceable != "" {
		return f, err
	}
	target, err := filepath.EvalSymlinks(path)
	if ok, err := seen(path, err); !ok {
		return f, err
	}
	info, err := os.Stat(target)
	if ok, err := seen(target, err); !ok {
		return f, err
	}
	f.Directory = info.IsDir()
	if f.Writable, err = writable(target); err != nil {
		return f, err
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

// occupied says which of the directories are root's and hold something. What
// systemd made for a service is its user's.
func occupied(dirs []string) (map[string]string, error) {
	owners := map[string]string{}
	for _, dir := range dirs {
		info, err := os.Stat(dir)
		if ok, err := seen(dir, err); err != nil {
			return nil, err
		} else if !ok {
			continue
		}
		if info.Sys().(*syscall.Stat_t).Uid != 0 {
			continue
		}
		if !info.IsDir() {
			owners[dir] = "it is a file of root's"
			continue
		}
		entries, err := entriesIn(dir)
		if err != nil {
			return nil, err
		}
		if len(entries) > 0 {
			owners[dir] = "it is root's and not empty"
		}
	}
	return owners, nil
}
