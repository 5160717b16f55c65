// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"fmt"
	"path"
	"strings"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/shell"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/systemd"
)

// overriding are the paths at which files would take precedence over the service's
// own unit files.
func (s *Service) overriding() []string {
	return joined(systemd.LoadPath()[:systemd.Precedence(s.UnitDir)], append([]string{s.Unit()}, s.instances()...)...)
}

// overridden are the paths at which the service's own unit files hide others.
func (s *Service) overridden() []string {
	dirs := systemd.LoadPath()
	below := dirs[min(systemd.Precedence(s.UnitDir)+1, len(dirs)):]
	return joined(below, append([]string{s.Unit(), s.Template()}, s.instances()...)...)
}

// joined are the paths of the names in each of the directories.
func joined(dirs []string, names ...string) (paths []string) {
	for _, dir := range dirs {
		for _, name := range names {
			paths = append(paths, path.Join(dir, name))
		}
	}
	return paths
}

// lookBelow judges unit files of the same name in directories over which the
// service's own takes precedence. One of ours is left from another unit_dir; it
// is not removed, since systemd would use it if the service's own file were
// lost. One that is somebody else's is what the manager would load today, and is
// taken over only with consent.
func (w *wanting) lookBelow() {
	for _, file := range w.facts.Overridden {
		project, origin := OriginOf(file.Content)
		mine := origin != Foreign && (project == "" || w.isOf(project) || w.State == Absent && w.Project == "")
		switch {
		case mine && origin == Ours && w.State == Absent:
			w.warn("%s belongs to this collection, too, but was written with another unit_dir; it is left as it is. Remove it with: rm %[1]s", file.Path)
		case mine && origin == Ours:
			w.warn("%s belongs to this collection, too, but was written with another unit_dir, and has no effect beside the file in %s. Remove it with: rm %[1]s",
				file.Path, w.UnitDir)
		case mine || path.Base(file.Path) != w.Unit():
		case w.State == Absent && contains(w.facts.Written, w.UnitPath()):
			w.warn("%s is in effect again, which is not of this service; whether it was enabled before is not known, so it is left disabled: systemctl enable %s",
				file.Path, shell.Word(w.Unit()))
		case w.State != Absent && !w.Replace && strings.HasPrefix(file.Path, "/run/systemd/generator.late/"):
			w.fail("name", "%s is a unit already, which systemd makes of the init script /etc/init.d/%s; end that: systemctl disable --now %[1]s && rm /etc/init.d/%[2]s "+
				"&& systemctl daemon-reload; or set replace: true to have it replaced while it is at work", w.Unit(), w.Name)
		case w.State != Absent && !w.Replace && !contains(w.facts.Written, w.UnitPath()):
			w.fail("name", "%s is a unit already, by %s, which is not of this service; a file in %s would take its place, and state: absent would leave it "+
				"disabled; set another name, or replace: true to take it over", w.Unit(), file.Path, w.UnitDir)
		}
	}
}

// refuseIfOverridden refuses to write unit files that systemd would not use. It
// goes by the files on disk: the manager may have read its files before these
// were there, and would find them at the next reload. What taking such a file
// over would change is said with it, so that nobody is refused twice.
func (w *wanting) refuseIfOverridden(want converge.State) {
	for _, a := range w.facts.Overriding {
		name := path.Base(a.Path)
		switch {
		case a.Link == "/dev/null":
			w.wrong = append(w.wrong, masked(name, a.Path))
		case a.Link != "":
			w.wrong = append(w.wrong, fmt.Sprintf("cannot manage %s: %s takes precedence over %s; it is a link to %s, by which that unit has this name, too: "+
				"set another name, or remove it: rm %s", name, a.Path, path.Join(w.UnitDir, name), a.Link, shell.Word(a.Path)))
		default:
			w.wrong = append(w.wrong, precedes(name, a.Path, path.Join(w.UnitDir, name))+w.there(a, want))
		}
	}
}

// there says what stands in the way of taking a file over in its own place.
func (w *wanting) there(a OverridingFile, want converge.State) string {
	f := converge.File{Path: a.Path, Kind: converge.UnitFile, Exists: true, Content: a.Content, UID: a.UID}
	if strings.HasPrefix(a.Path, "/run/") || path.Base(a.Path) != w.Unit() {
		return ""
	}
	err := w.taken(f, "name", want)
	if err == nil {
		return ""
	}
	return "; there, " + strings.TrimPrefix(err.Error(), "cannot write "+a.Path+": ")
}

// precedes says that systemd uses another file than ours, and what to do about
// it. What is below /run is gone after a reboot, so ours is never advised there.
func precedes(unit, other, ours string) string {
	remedy := "remove it, or set unit_dir to " + path.Dir(other)
	switch {
	case strings.HasPrefix(other, "/run/systemd/transient/"):
		remedy = "it was made by systemd-run and is gone when it ends: systemctl stop " + unit
	case strings.HasPrefix(other, "/run/"):
		remedy = "remove it"
	}
	return fmt.Sprintf("cannot manage %s: %s takes precedence over %s; %s", unit, other, ours, remedy)
}

// masked says how to unmask a unit that the file, a link, has masked.
func masked(name, file string) string {
	verb := "unmask"
	if strings.HasPrefix(file, "/run/") {
		verb = "unmask --runtime"
	}
	return fmt.Sprintf("cannot manage %s: it is masked; unmask it with: systemctl %s %s", name, verb, name)
}

// CheckWritable says which files and links of the plan cannot be written or
// removed, because their file system is mounted read-only or their directory
// does not exist, and what to do about it. The error is an [*UnmetError] where the only
// thing wrong is that a directory has yet to be made.
func (s *Service) CheckWritable(p converge.Plan, f Facts) error {
	if s.State != Absent && systemd.Precedence(s.UnitDir) == len(systemd.LoadPath()) {
		return fmt.Errorf("option %q: systemd reads no units in %s", "unit_dir", s.UnitDir)
	}
	var unmet []string
	for _, step := range p.FileSteps() {
		file := step.Want.Path
		option, other := "unit_dir", "/etc/systemd/system"
		switch file {
		case s.SudoersFile:
			option, other = "sudoers_file", "a file that /etc/sudoers includes"
		case s.logrotatePath():
			option, other = "logrotate", "false"
		}
		switch {
		case contains(f.NoDirectory, file):
			unmet = appendNew(unmet, fmt.Sprintf("option %q: there is no directory %s", option, path.Dir(file)))
		case file == s.SudoersFile && f.Unread:
			unmet = append(unmet, fmt.Sprintf("option %q: sudo does not read %s; add to /etc/sudoers: @includedir %s", option, file, path.Dir(file)))
		case !contains(f.ReadOnly, file):
		case s.State == Absent:
			return fmt.Errorf("cannot remove %s: its file system is read-only", file)
		default:
			return fmt.Errorf("cannot write %s: its file system is read-only; set %s to %s", file, option, other)
		}
	}
	if unmet != nil {
		return &UnmetError{Reasons: unmet}
	}
	return linksWritable(p, f)
}

// linksWritable says which unit of the plan cannot be enabled or disabled.
func linksWritable(p converge.Plan, f Facts) error {
	for _, step := range p.Steps {
		if enable, ok := step.(converge.SetEnabled); ok && f.FixedLinks {
			return fmt.Errorf("cannot %s: the file system of %s is read-only", enable, systemd.EtcUnits)
		}
	}
	return nil
}
