// SPDX-License-Identifier: GPL-3.0-or-later

package host

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/sidekiq"
)

// packaged finds the packages to which the files at paths belong. Our own files
// belong to none; not asking about them saves reading dpkg's lists in every run
// but the first.
func packaged(ctx context.Context, paths []string) (map[string]string, error) {
	owners := map[string]string{}
	for _, path := range paths {
		content, ok, err := regular(path)
		if err != nil {
			return nil, err
		}
		if _, origin := sidekiq.OriginOf(content); !ok || origin == sidekiq.Ours {
			continue
		}
		name, err := dpkgPackage(path)
		if err == nil && name == "" {
			name, err = rpmPackage(ctx, path)
		}
		if err != nil {
			return nil, err
		}
		if name != "" {
			owners[path] = name
		}
	}
	return owners, nil
}

// dpkgInfo holds one list of files for each installed package: dpkg(1).
const dpkgInfo = "/var/lib/dpkg/info"

// dpkgPackage looks for the package that lists a path, in both spellings of a
// host whose /lib is a link to /usr/lib.
func dpkgPackage(path string) (string, error) {
	entries, err := entriesIn(dpkgInfo)
	if err != nil {
		return "", err
	}
	spellings := []string{path, strings.TrimPrefix(path, "/usr"), "/usr" + strings.TrimPrefix(path, "/usr")}
	for _, e := range entries {
		name, isList := strings.CutSuffix(e.Name(), ".list")
		if !isList {
			continue
		}
		list := filepath.Join(dpkgInfo, e.Name())
		content, err := os.ReadFile(list)
		if _, err := seen(list, err); err != nil {
			return "", err
		}
		for _, s := range spellings {
			if strings.Contains(string(content), "\n"+s+"\n") {
				name, _, _ = strings.Cut(name, ":")
				return name, nil
			}
		}
	}
	return "", nil
}

// rpmDatabases are the files in which rpm keeps what is installed, in the forms
// and places that distributions have had.
func rpmDatabases() (files []string) {
	for _, dir := range []string{"/var/lib/rpm/", "/usr/lib/sysimage/rpm/"} {
		files = append(files, dir+"rpmdb.sqlite", dir+"Packages.db", dir+"Packages")
	}
	return files
}

// rpmPackage asks rpm which package a file belongs to. Without a database rpm
// would make one in root's home, so it is not asked then.
func rpmPackage(ctx context.Context, path string) (string, error) {
	rpm, err := find(rpmPaths[:])
	if err != nil || rpm == "" {
		return "", err
	}
	databases, err := those(rpmDatabases(), there)
	if err != nil || len(databases) == 0 {
		return "", err
	}
	out, err := program{path: rpm, args: []string{"-qf", "--qf", "%{NAME}\n", path}}.judge(ctx)
	switch {
	case err != nil:
		return "", err
	case out.status == 0:
		name, _, _ := strings.Cut(out.stdout, "\n")
		return name, nil
	case strings.Contains(out.all(), "is not owned by any package"):
		return "", nil
	}
	return "", fmt.Errorf("cannot ask rpm which package %s belongs to: %s", path, clip(out.all(), maxWord))
}
