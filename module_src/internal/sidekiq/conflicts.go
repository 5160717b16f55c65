// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/shell"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/systemd"
)

// ConflictError says what stands in the way.
type ConflictError struct {
	Reasons []string
}

func (e *ConflictError) Error() string { return strings.Join(e.Reasons, "; ") }

// Conflicts says what on the host stands in the way of the service. The error
// names each path and what can be done about it. The warnings are about what
// has an effect in addition to the service's own files.
func (s *Service) Conflicts(want, have converge.State) (warnings []string, err error) {
	var wrong []string
	for _, f := range have.Files {
		if f.Kind == converge.ProgramFile {
			continue // whose it is has been seen: HealthPlace
		}
		option := "name"
		if f.Path == s.SudoersFile {
			option = "sudoers_file"
		}
		if err := s.taken(f, option, want); err != nil {
			wrong = append(wrong, err.Error())
		}
	}
	warnings = append(warnings, s.lostRights(have)...)
	_, template := have.File(s.TemplatePath()) // which is looked at only if it is ours
	for _, u := range s.units(have) {
		if err := s.checkFragment(u, template); err != nil {
			wrong = append(wrong, err.Error())
		}
	}
	warnings = append(warnings, s.foreignDropIns(have)...)
	if len(wrong) > 0 {
		return warnings, &ConflictError{Reasons: wrong}
	}
	return warnings, nil
}

// taken says why a file at one of our paths is not ours to write, or nil.
func (s *Service) taken(f converge.File, option string, want converge.State) error {
	verb := "write"
	if s.State == Absent {
		verb = "remove"
	}
	if f.Irregular != "" {
		return fmt.Errorf("cannot %s %s: it is %s; remove that, or set %q to another place", verb, f.Path, f.Irregular, option)
	}
	if !f.Exists || s.Replace {
		return nil
	}
	project, origin := s.originOf(f)
	switch {
	case origin == Ours && (s.isOf(project) || s.State == Absent && s.Project == ""):
		return nil
	case origin == OldRole && s.State != Absent && project == "":
		return nil
	case s.State != Absent && f.Kind == converge.UnitFile && (origin == OldRole && s.isOf(project) || origin == Foreign && runsSidekiqIn(f.Content)):
		return s.adopts(f, want)
	case origin == OldRole && s.State == Absent:
		return fmt.Errorf("cannot remove %s: this collection did not write it; set replace: true if it is to go", f.Path)
	case origin == Foreign && option == "sudoers_file" && s.State != Absent:
		return fmt.Errorf("cannot write %s: something else wrote it%s. Set replace: true to take it over, and backup: true to keep it, or set another "+
			"sudoers_file that sudo reads after it, since the last rule that matches wins: sudoers_file: %s/zz-%s",
			f.Path, s.goingRules(f.Content), path.Dir(f.Path), path.Base(f.Path))
	case origin == Foreign:
		return fmt.Errorf("cannot %s %s: something else wrote it; set another %s, or replace: true to take it over", verb, f.Path, option)
	}
	return fmt.Errorf("cannot %s %s: it is of the project %q; set another name for a second application, "+
		"or replace: true to take it over", verb, f.Path, project)
}

// originOf says who wrote a file at one of our paths, and for which project.
func (s *Service) originOf(f converge.File) (project string, origin Origin) {
	project, origin = OriginOf(f.Content)
	if origin == Foreign && f.Path == s.SudoersFile {
		if _, ok := s.readOldRules(f.Content); ok {
			return "", OldRole
		}
	}
	return project, origin
}

// isOf reports whether a file of project belongs to this service. A file that
// was written before the project had a name is recognised by its directory.
func (s *Service) isOf(project string) bool {
	return project == s.Project || s.Dir != "" && (project == s.Dir || project == projectOf(s.Dir))
}

// checkFragment says why the manager uses something other than our unit file,
// or nil. Where the manager has not yet read the files again, the files on disk
// decide; see refuseIfOverridden.
func (s *Service) checkFragment(u converge.Unit, ourTemplate bool) error {
	if u.Reload && s.State != Absent {
		return nil
	}
	if u.LoadState == "masked" {
		if s.State == Absent {
			return nil
		}
		return errors.New(masked(u.Name, u.Fragment))
	}
	// Where /lib is not a link to /usr/lib, the manager reads both directories
	// and names the file that it uses. The difference shows when our file is
	// there.
	file := path.Join(s.UnitDir, u.Name)
	if u.Fragment == "" || systemd.SamePath(u.Fragment, file) {
		return nil
	}
	if u.Name != s.Unit() {
		return s.checkInstance(u, file, ourTemplate)
	}
	if s.State == Absent {
		remedy := ""
		if !strings.HasPrefix(u.Fragment, "/run/") {
			remedy = "; if it is to be, set unit_dir to " + path.Dir(u.Fragment)
		}
		return fmt.Errorf("cannot remove %s: it is described by %s, which is not the file of this service%s", u.Name, u.Fragment, remedy)
	}
	if systemd.Precedence(path.Dir(u.Fragment)) < systemd.Precedence(s.UnitDir) {
		return errors.New(precedes(u.Name, u.Fragment, file))
	}
	return nil
}

// checkInstance says why an instance that the manager would make from another
// file than its own is somebody else's, or nil. A file of the instance's own
// name in a directory that takes precedence is found on disk; see
// refuseIfOverridden.
func (s *Service) checkInstance(u converge.Unit, file string, ourTemplate bool) error {
	if s.Replace || s.State == Absent || ourTemplate && systemd.SamePath(u.Fragment, s.TemplatePath()) {
		return nil
	}
	if path.Base(u.Fragment) == u.Name && systemd.Precedence(path.Dir(u.Fragment)) < systemd.Precedence(s.UnitDir) {
		if contains(s.instances(), u.Name) {
			return nil
		}
		return fmt.Errorf("cannot remove %s: %s takes precedence over it; stop it and remove that, too: systemctl stop %s && rm %s",
			u.Name, u.Fragment, u.Name, shell.Word(u.Fragment))
	}
	return fmt.Errorf("cannot write %s: %s is made from %s, which something else wrote; set replace: true to take it over, or another name for a second service",
		file, u.Name, u.Fragment)
}

// units are those of the service and of its processes.
func (s *Service) units(have converge.State) (units []converge.Unit) {
	for _, u := range have.Units {
		if u.Name == s.Unit() || strings.HasPrefix(u.Name, s.Name+"@") {
			units = append(units, u)
		}
	}
	return units
}

// foreignDropIns warns of drop-ins that change the service and are not ours.
// They may be for one process, for all of them, or for every service whose name
// starts alike. Several processes have most of them in common.
func (s *Service) foreignDropIns(have converge.State) []string {
	if s.State == Absent {
		return nil
	}
	var changed []string // lists of drop-ins, in words
	units := map[string][]string{}
	for _, u := range s.units(have) {
		if list := strings.Join(DropIns(u), ", "); list != "" {
			changed = appendNew(changed, list)
			units[list] = append(units[list], u.Name)
		}
	}
	for i, list := range changed {
		verb := "is"
		if len(units[list]) > 1 {
			verb = "are"
		}
		changed[i] = fmt.Sprintf("%s %s changed by drop-ins, which are left as they are: %s", strings.Join(units[list], ", "), verb, list)
		if s.several() && slices.Equal(units[list], []string{s.Unit()}) {
			changed[i] += "; its processes follow those in " + s.Template() + ".d"
		}
	}
	return changed
}

// DropIns are the drop-ins of a unit but for those of all services.
func DropIns(u converge.Unit) []string {
	return slices.DeleteFunc(slices.Clone(u.DropIns), func(d string) bool { return path.Base(path.Dir(d)) == "service.d" })
}
