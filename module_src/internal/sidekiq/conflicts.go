// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/systemd"
)

// Conflicts says what on the host stands in the way of the service. The error
// names each path and what can be done about it. The warnings are about what
// has an effect in addition to the service's own files.
func (s Service) Conflicts(have converge.State) (warnings []string, err error) {
	var wrong []string
	for _, file := range []struct{ option, path string }{
		{"name", s.UnitPath()}, {"name", s.TemplatePath()}, {"sudoers_file", s.SudoersFile},
	} {
		if f, ok := have.File(file.path); ok {
			if err := s.taken(f, file.option); err != nil {
				wrong = append(wrong, err.Error())
			}
		}
	}
	if u, ok := have.Unit(s.Unit()); ok {
		if err := s.checkFragment(u); err != nil {
			wrong = append(wrong, err.Error())
		}
		warnings = append(warnings, s.foreignDropIns(u)...)
	}
	warnings = append(warnings, s.lostRights(have)...)
	if len(wrong) > 0 {
		return warnings, errors.New(strings.Join(wrong, "; "))
	}
	return warnings, nil
}

// taken says why a file at one of our paths is not ours to write, or nil.
func (s Service) taken(f converge.File, option string) error {
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
	case origin == OldRole && s.State != Absent && (project == "" || s.isOf(project)):
		return nil
	case origin == OldRole && s.State == Absent:
		return fmt.Errorf("cannot remove %s: this collection did not write it; set replace: true if it is to go", f.Path)
	case origin == Foreign:
		return fmt.Errorf("cannot %s %s: something else wrote it; set another %s, or replace: true to take it over", verb, f.Path, option)
	}
	return fmt.Errorf("cannot %s %s: it is of the project %q; set another name for a second application, "+
		"or replace: true to take it over", verb, f.Path, project)
}

// originOf says who wrote a file at one of our paths, and for which project.
func (s Service) originOf(f converge.File) (project string, origin Origin) {
	if f.Path == s.SudoersFile {
		if _, ok := s.readOldRules(f.Content); ok {
			return "", OldRole
		}
	}
	return OriginOf(f.Content)
}

// isOf reports whether a file of project belongs to this service. A file that
// was written before the project had a name is recognised by its directory.
func (s Service) isOf(project string) bool {
	return project == s.Project || s.Dir != "" && (project == s.Dir || project == projectOf(s.Dir))
}

// checkFragment says why the manager uses something other than our unit file,
// or nil. Where the manager has not yet read the files again, the files on disk
// decide; see refuseIfOverridden.
func (s Service) checkFragment(u converge.Unit) error {
	if u.Reload && s.State != Absent {
		return nil
	}
	if u.LoadState == "masked" {
		if s.State == Absent {
			return nil
		}
		return errors.New(masked(u.Name, "unmask"))
	}
	// Where /lib is not a link to /usr/lib, the manager reads both directories
	// and names the file that it uses. The difference shows when our file is
	// there.
	if u.Fragment == "" || systemd.SamePath(u.Fragment, s.UnitPath()) {
		return nil
	}
	if s.State == Absent {
		return fmt.Errorf("cannot remove %s: it is described by %s, which is not the file of this service", u.Name, u.Fragment)
	}
	if systemd.Precedence(path.Dir(u.Fragment)) < systemd.Precedence(s.UnitDir) {
		return fmt.Errorf("cannot manage %s: %s takes precedence over %s; remove it, or set unit_dir to %s",
			u.Name, u.Fragment, s.UnitPath(), path.Dir(u.Fragment))
	}
	return nil
}

// foreignDropIns warns of drop-ins that change the service and are not ours.
func (s Service) foreignDropIns(u converge.Unit) []string {
	var own []string
	for _, d := range u.DropIns {
		if path.Base(path.Dir(d)) == s.Unit()+".d" { // drop-ins for all services do not count
			own = append(own, d)
		}
	}
	if len(own) == 0 || s.State == Absent {
		return nil
	}
	return []string{fmt.Sprintf("%s is changed by drop-ins, which are left as they are: %s", u.Name, strings.Join(own, ", "))}
}
