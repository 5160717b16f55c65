// SPDX-License-Identifier: GPL-3.0-or-later

package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/sidekiq"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/systemd"
)

// Facts answers a service's questions about this host. The only programs that it
// runs are getent, for users and groups that are in no file, rpm, for a file that
// is there and not ours, and sudo-rs.
func (h *Host) Facts(ctx context.Context, q sidekiq.Questions) (sidekiq.Facts, error) {
	var f sidekiq.Facts
	for _, look := range []func(*Host, context.Context, *sidekiq.Facts, sidekiq.Questions) error{
		(*Host).tools, (*Host).inTheWay, (*Host).names, (*Host).units,
		(*Host).application, // which finds out whether there is an answer from where it lies
		(*Host).beside,
	} {
		if err := look(h, ctx, &f, q); err != nil {
			return f, err
		}
	}
	return f, nil
}

// tools finds out what the host works with.
func (h *Host) tools(ctx context.Context, f *sidekiq.Facts, q sidekiq.Questions) (err error) {
	if f.Systemctl, err = findSystemctl(); err != nil {
		return err
	}
	if f.Sudo, err = findSudo(); err != nil {
		return err
	}
	if f.Sudo.NoExec, err = noExec(ctx, f.Sudo, q.Grants); err != nil {
		return err
	}
	if f.SELinux, err = enforcing(); err != nil {
		return err
	}
	f.Systemd, err = h.systemdVersion(ctx)
	return err
}

// inTheWay finds out what is where files are to be written, and what counts more.
func (h *Host) inTheWay(ctx context.Context, f *sidekiq.Facts, q sidekiq.Questions) (err error) {
	fixed, _, err := unwritable([]string{systemd.EtcUnits + "/links"})
	if err != nil {
		return err
	}
	f.FixedLinks = fixed != nil
	if f.ReadOnly, f.NoDirectory, err = unwritable(q.Paths); err != nil {
		return err
	}
	if f.Packaged, err = packaged(ctx, q.Paths); err != nil {
		return err
	}
	if f.Written, err = those(q.Paths, written); err != nil {
		return err
	}
	if f.Overriding, err = overriding(q.Overriding); err != nil {
		return err
	}
	if f.Overridden, err = filesAt(q.Overridden); err != nil {
		return err
	}
	if f.DropIns, err = dropInsIn(q.DropIns); err != nil {
		return err
	}
	if q.Grants && !f.Sudo.RS { // which has a policy of its own
		if f.Unread, err = unreadSudoers(sudoersPolicy, q.SudoersFile); err != nil {
			return err
		}
	}
	f.Sudoers, err = otherSudoers(sudoersPolicy, q.SudoersFile)
	return err
}

// names looks users and groups up.
func (h *Host) names(ctx context.Context, f *sidekiq.Facts, q sidekiq.Questions) (err error) {
	if f.Users, err = h.users(ctx, q.Users); err != nil {
		return err
	}
	if f.Groups, err = h.groups(ctx, q.Groups); err != nil {
		return err
	}
	if f.CaseUsers, err = onlyCase(ctx, "passwd", q.Users); err != nil {
		return err
	}
	f.CaseGroups, err = onlyCase(ctx, "group", q.Groups)
	return err
}

// units asks systemd for what there is.
func (h *Host) units(ctx context.Context, f *sidekiq.Facts, q sidekiq.Questions) (err error) {
	if f.Units, err = h.installed(ctx, q.Units); err != nil {
		return err
	}
	f.OurTemplate, f.Instances, err = h.instances(ctx, q.Template)
	return err
}

// beside looks at files that the service has to do with.
func (h *Host) beside(_ context.Context, f *sidekiq.Facts, q sidekiq.Questions) (err error) {
	if f.RootFiles, err = rootFiles(q.RootFiles); err != nil {
		return err
	}
	if f.Occupied, err = occupied(q.OwnDirectories); err != nil {
		return err
	}
	if f.Logrotate, err = logrotate(q.Rotated); err != nil {
		return err
	}
	if f.Health, err = healthPlace(q.Others); err != nil {
		return err
	}
	f.Backups, err = kept(q.Backups)
	return err
}

func findSystemctl() (string, error) {
	path, err := find(systemctlPaths[:])
	if err == nil && path == "" {
		err = errors.New("cannot find systemctl in /usr/bin or /bin, so there is nothing that sudo could allow")
	}
	return path, err
}

// enforcing reports whether SELinux is there and refuses what its policy does
// not allow: selinuxfs.
func enforcing() (bool, error) {
	const path = "/sys/fs/selinux/enforce"
	mode, err := os.ReadFile(path)
	_, err = seen(path, err)
	return strings.TrimSpace(string(mode)) == "1", err
}

// kept are the names in a directory of copies; "" has none.
func kept(dir string) (names []string, err error) {
	if dir == "" {
		return nil, nil
	}
	entries, err := entriesIn(dir)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, err
}

// overriding are those of the paths at which something exists.
func overriding(paths []string) (found []sidekiq.OverridingFile, err error) {
	paths, err = those(paths, there)
	if err != nil {
		return nil, err
	}
	for _, path := range paths {
		link, err := os.Readlink(path)
		if err != nil && !errors.Is(err, unix.EINVAL) { // it is no link
			return nil, fmt.Errorf("cannot look at %s: %w", path, withoutPath(err))
		}
		file := sidekiq.OverridingFile{Path: path, Link: link}
		if file.Content, _, err = regular(path); err != nil {
			return nil, err
		}
		file.UID = owner(path)
		found = append(found, file)
	}
	return found, nil
}

// filesAt are those of the unit files that there are, also where a link leads to
// one. What is no file, such as a mask, is left out.
func filesAt(paths []string) (files []sidekiq.FileText, err error) {
	for _, path := range paths {
		content, err := readThrough(path)
		ok, err := seen(path, err)
		switch {
		case ok:
			files = append(files, sidekiq.FileText{Path: path, Content: string(content)})
		case err != nil && !isOther(err):
			return nil, err
		}
	}
	return files, nil
}

// dropInsIn are the drop-ins in the directories, but for those of which an
// earlier directory has one of the same name, which may be a link to /dev/null.
func dropInsIn(dirs []string) (files []sidekiq.FileText, err error) {
	var paths []string
	names := map[string]bool{}
	for _, dir := range dirs {
		entries, err := entriesIn(dir)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			if filepath.Ext(e.Name()) == ".conf" && !names[e.Name()] {
				names[e.Name()] = true
				paths = append(paths, filepath.Join(dir, e.Name()))
			}
		}
	}
	return filesAt(paths)
}

// written reports whether this collection wrote the file at path.
func written(path string) (bool, error) {
	content, ok, err := regular(path)
	if err != nil || !ok {
		return false, err
	}
	_, origin := sidekiq.OriginOf(content)
	return origin == sidekiq.Ours, nil
}

// unwritable are those of the paths in whose directory nothing can be written:
// it is read-only, or it is not there. Root may write anywhere else; where
// something keeps it from that, the write will say so.
func unwritable(paths []string) (readOnly, noDirectory []string, err error) {
	for _, path := range paths {
		dir := filepath.Dir(path)
		if dir == sidekiq.SecretDirectory { // which is made when it is needed
			dir = filepath.Dir(dir)
		}
		switch err := unix.Access(dir, unix.W_OK); {
		case errors.Is(err, unix.EROFS):
			readOnly = append(readOnly, path)
		case errors.Is(err, fs.ErrNotExist):
			noDirectory = append(noDirectory, path)
		case err != nil && !errors.Is(err, fs.ErrPermission):
			return nil, nil, fmt.Errorf("cannot look at %s: %w", dir, err)
		}
	}
	return readOnly, noDirectory, nil
}

// systemdVersion is the leading number of the manager's version, "252" of
// "252.39-1~deb12u1".
func (h *Host) systemdVersion(ctx context.Context) (int, error) {
	var quoted string
	err := h.ask(ctx, func(ctx context.Context, c connection) (err error) {
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
// distribution's links lead, without running either. sudo-rs comes with a
// visudo of its own, which is the one that knows what sudo-rs accepts.
func findSudo() (sidekiq.Sudo, error) {
	path, err := find(sudoPaths[:])
	if path == "" {
		return sidekiq.Sudo{}, err
	}
	target, err := resolved(path)
	if err != nil {
		return sidekiq.Sudo{}, err
	}
	visudos := visudoPaths[:]
	rs := strings.Contains(target, "sudo-rs") || strings.Contains(target, "/cargo/")
	if rs {
		visudos = append([]string{filepath.Dir(target) + "/visudo", filepath.Dir(target) + "/visudo-rs"}, visudos...)
	}
	visudo, err := find(visudos)
	return sidekiq.Sudo{Present: true, RS: rs, Visudo: visudo}, err
}

// noExec reports whether the host's sudo is a sudo-rs that knows NOEXEC, for
// which it has to be run: what was found out once may not hold any more, since
// some hosts have two versions of sudo to choose from.
func noExec(ctx context.Context, s sidekiq.Sudo, grants bool) (bool, error) {
	if !s.RS || !grants {
		return false, nil
	}
	path, err := find(sudoPaths[:])
	if err != nil {
		return false, err
	}
	out, err := program{path: path, args: []string{"--version"}}.run(ctx)
	return sidekiq.RSNoExec(out.all()), err
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
		// These are the properties of the unit only. Reading those of the
		// service as well, which count its processes and memory, takes systemd
		// ten times as long.
		var p properties
		err := h.ask(ctx, func(ctx context.Context, c connection) (err error) {
			p, err = c.GetUnitPropertiesContext(ctx, name)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("cannot ask systemd about %s: %w", name, err)
		}
		if p.text("LoadState") != "loaded" {
			continue
		}
		units[name] = sidekiq.Installed{Name: p.text("Id"), Enabled: strings.HasPrefix(p.text("UnitFileState"), "enabled")}
	}
	return units, nil
}
