// SPDX-License-Identifier: GPL-3.0-or-later

package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/coreos/go-systemd/v22/dbus"
	"golang.org/x/sys/unix"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/sidekiq"
)

// Facts answers a service's questions about this host. Nothing is run for it
// but getent, and that only for users and groups that are in no file.
func (h *Host) Facts(ctx context.Context, q sidekiq.Questions) (sidekiq.Facts, error) {
	f := sidekiq.Facts{
		Systemctl:   find(systemctlPaths[:]),
		Sudo:        findSudo(),
		SELinux:     enforcing(),
		Packaged:    packaged(q.Paths),
		Overriding:  overriding(q.Overriding),
		Overridden:  writtenByUs(q.Overridden),
		ReadOnly:    refused(q.Paths, unix.EROFS),
		NoDirectory: refused(q.Paths, unix.ENOENT),
	}
	if f.Systemctl == "" {
		return f, errors.New("cannot find systemctl in /usr/bin or /bin, so there is nothing that sudo could allow")
	}
	var err error
	if f.Systemd, err = h.systemdVersion(ctx); err != nil {
		return f, err
	}
	if f.Users, err = h.users(ctx, q.Users); err != nil {
		return f, err
	}
	if f.Groups, err = h.groups(ctx, q.Groups); err != nil {
		return f, err
	}
	if f.Units, err = h.installed(ctx, q.Units); err != nil {
		return f, err
	}
	if f.OurTemplate, f.Instances, err = h.instances(ctx, q.Template); err != nil {
		return f, err
	}
	h.application(&f, q)
	f.RootFiles = rootFiles(q.RootFiles)
	return f, nil
}

// enforcing reports whether SELinux is there and refuses what its policy does
// not allow: selinuxfs.
func enforcing() bool {
	mode, err := os.ReadFile("/sys/fs/selinux/enforce")
	return err == nil && strings.TrimSpace(string(mode)) == "1"
}

// overriding are those of the paths at which there is anything.
func overriding(paths []string) []sidekiq.OverridingFile {
	var found []sidekiq.OverridingFile
	for _, path := range paths {
		if _, err := os.Lstat(path); err == nil {
			link, _ := os.Readlink(path) // fails for what is no link
			found = append(found, sidekiq.OverridingFile{Path: path, Link: link})
		}
	}
	return found
}

// writtenByUs are those of the unit files that this collection wrote.
func writtenByUs(paths []string) []string {
	return slices.DeleteFunc(slices.Clone(paths), func(path string) bool {
		content, err := os.ReadFile(path)
		if err != nil {
			return true
		}
		_, origin := sidekiq.OriginOf(string(content))
		return origin != sidekiq.Ours
	})
}

// refused are those of the paths in whose directory nothing can be written, for
// this reason. Root may write anywhere else.
func refused(paths []string, reason error) []string {
	return slices.DeleteFunc(slices.Clone(paths), func(path string) bool {
		return !errors.Is(unix.Access(filepath.Dir(path), unix.W_OK), reason)
	})
}

// systemdVersion is the leading number of the manager's version, "252" of
// "252.39-1~deb12u1".
func (h *Host) systemdVersion(ctx context.Context) (int, error) {
	var quoted string
	err := h.ask(ctx, func(c *dbus.Conn) (err error) {
		quoted, err = c.GetManagerProperty("Version")
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("cannot ask systemd for its version: %w", err)
	}
	text := strings.TrimPrefix(strings.Trim(quoted, `"`), "systemd ")
	digits := text[:len(text)-len(strings.TrimLeft(text, "0123456789"))]
	version, err := strconv.Atoi(digits)
	if err != nil {
		return 0, fmt.Errorf("cannot read systemd's version %q", text)
	}
	return version, nil
}

// findSudo finds sudo and tells the two implementations apart by where the
// links of the distribution lead, without running either. sudo-rs has a visudo
// of its own beside it, which is the one that knows what it takes.
func findSudo() sidekiq.Sudo {
	path := find(sudoPaths[:])
	if path == "" {
		return sidekiq.Sudo{}
	}
	target, visudos := resolved(path), visudoPaths[:]
	rs := strings.Contains(target, "sudo-rs") || strings.Contains(target, "/cargo/")
	if rs {
		visudos = append([]string{filepath.Dir(target) + "/visudo", filepath.Dir(target) + "/visudo-rs"}, visudos...)
	}
	return sidekiq.Sudo{Present: true, RS: rs, Visudo: find(visudos)}
}

func (h *Host) users(ctx context.Context, names []string) (map[string]sidekiq.User, error) {
	users := map[string]sidekiq.User{}
	for _, name := range names {
		a, found, err := lookupUser(ctx, name)
		if err != nil {
			return nil, err
		}
		if !found {
			continue
		}
		u := sidekiq.User{UID: a.uid, GID: a.gid, Home: a.home}
		g, found, err := lookupGroupID(ctx, a.gid)
		if err != nil {
			return nil, err
		}
		if found {
			u.Group = g.name
		}
		users[name] = u
	}
	return users, nil
}

func (h *Host) groups(ctx context.Context, names []string) (map[string]sidekiq.Group, error) {
	groups := map[string]sidekiq.Group{}
	for _, name := range names {
		g, found, err := lookupGroup(ctx, name)
		if err != nil {
			return nil, err
		}
		if found {
			groups[name] = sidekiq.Group{GID: g.gid}
		}
	}
	return groups, nil
}

func (h *Host) installed(ctx context.Context, names []string) (map[string]sidekiq.Installed, error) {
	units := map[string]sidekiq.Installed{}
	for _, name := range names {
		// Those of the unit alone: reading a service's own properties, which
		// count its processes and memory, takes systemd ten times as long.
		var p properties
		err := h.ask(ctx, func(c *dbus.Conn) (err error) {
			p, err = c.GetUnitPropertiesContext(ctx, name)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("cannot ask systemd about %s: %w", name, err)
		}
		if p.text("LoadState") != "loaded" {
			continue
		}
		units[name] = sidekiq.Installed{Enabled: strings.HasPrefix(p.text("UnitFileState"), "enabled")}
	}
	return units, nil
}

// rootFiles says who can read and replace files that systemd reads as root.
func rootFiles(paths []string) map[string]sidekiq.RootFile {
	files := map[string]sidekiq.RootFile{}
	for _, path := range paths {
		var f sidekiq.RootFile
		if err := trusted(existing(filepath.Dir(path))); err != nil {
			f.Replaceable = err.Error()
		} else if target, err := filepath.EvalSymlinks(path); err == nil {
			if err := trusted(filepath.Dir(target)); err != nil {
				f.Replaceable = err.Error()
			}
			f.Public = public(target)
		}
		files[path] = f
	}
	return files
}

// public reports whether every user can reach a file and read it.
func public(path string) bool {
	need := fs.FileMode(0o004)
	for {
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm()&need == 0 {
			return false
		}
		if path == "/" {
			return true
		}
		path, need = filepath.Dir(path), 0o001
	}
}

// existing is dir, or the nearest directory above it that is there.
func existing(dir string) string {
	for {
		if _, err := os.Lstat(dir); err == nil || dir == "/" {
			return dir
		}
		dir = filepath.Dir(dir)
	}
}

// application looks at the deployed application with its own user's rights.
func (h *Host) application(f *sidekiq.Facts, q sidekiq.Questions) {
	if q.Dir == "" {
		return
	}
	info, err := os.Stat(q.Dir)
	f.Deployed = err == nil && info.IsDir()
	reader, known := f.Users[q.Reader]
	who := Identity{UID: reader.UID, GID: reader.GID, Groups: groupsOf(q.Reader)}
	if known {
		f.OtherUnits = otherUnits(q.Reader, reader.Home, who)
		if q.Log != "" {
			h.follow(q.Log, who)
		}
	}
	if !f.Deployed || !known {
		return
	}
	f.Lock = lockOf(who, q.Bundles)
	for _, path := range q.Configs {
		if t := textOf(who, path); t.Found {
			f.Configs = append(f.Configs, t)
		}
	}
	f.Missing = missing(q.Programs)
}

// lockOf reads the lock file of the first of the bundles that there is, or of
// the last.
func lockOf(who Identity, bundles []sidekiq.Bundle) sidekiq.Text {
	for i, b := range bundles {
		there := as(who, func() error { _, err := os.Stat(b.Gemfile); return err })
		if i == len(bundles)-1 || !errors.Is(there, fs.ErrNotExist) {
			return textOf(who, b.Lock)
		}
	}
	return sidekiq.Text{}
}

// missing are those of the paths at which there is nothing.
func missing(paths []string) []string {
	return slices.DeleteFunc(slices.Clone(paths), func(path string) bool {
		_, err := os.Stat(path)
		return !errors.Is(err, fs.ErrNotExist)
	})
}

// textOf reads a file of the application. That it cannot be read is a fact
// like any other.
func textOf(who Identity, path string) sidekiq.Text {
	if path == "" {
		return sidekiq.Text{}
	}
	content, err := readAs(who, path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return sidekiq.Text{}
	case err != nil:
		return sidekiq.Text{Path: path, Found: true, Problem: withoutPath(err).Error()}
	}
	return sidekiq.Text{Path: path, Content: string(content), Found: true}
}

// dpkgInfo holds one list of files for each installed package: dpkg(1).
const dpkgInfo = "/var/lib/dpkg/info"

// packaged finds which packages own the files at paths. Our own files belong
// to none, and that spares reading dpkg's lists in every run but the first.
func packaged(paths []string) map[string]string {
	owners := map[string]string{}
	for _, path := range paths {
		content, err := readRegular(path)
		if err != nil {
			continue
		}
		if _, origin := sidekiq.OriginOf(string(content)); origin == sidekiq.Ours {
			continue
		}
		if name := dpkgPackage(path); name != "" {
			owners[path] = name
		}
	}
	return owners
}

// dpkgPackage looks for the package that lists a path, in both spellings of a
// host whose /lib is a link to /usr/lib.
func dpkgPackage(path string) string {
	lists, err := filepath.Glob(dpkgInfo + "/*.list")
	if err != nil {
		return ""
	}
	spellings := []string{path, strings.TrimPrefix(path, "/usr"), "/usr" + strings.TrimPrefix(path, "/usr")}
	for _, list := range lists {
		content, err := os.ReadFile(list)
		if err != nil {
			continue
		}
		for _, s := range spellings {
			if strings.Contains(string(content), "\n"+s+"\n") {
				name, _, _ := strings.Cut(strings.TrimSuffix(filepath.Base(list), ".list"), ":")
				return name
			}
		}
	}
	return ""
}
