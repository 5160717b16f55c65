// SPDX-License-Identifier: GPL-3.0-or-later

package scripthost

import (
	"cmp"
	"context"
	"path"
	"slices"
	"strings"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/sidekiq"
)

// Inspect reports of a service what the text and the manager know.
func (h *Host) Inspect(ctx context.Context, s sidekiq.Service) (sidekiq.Report, error) {
	found := sidekiq.Report{
		UnitFiles: h.existing(s.UnitPaths(s.Unit())),
		Template:  strings.Join(h.existing(s.UnitPaths(s.Template())), ""),
		Sudoers:   h.text(s.SudoersFile),
		Dir:       s.Dir, User: cmp.Or(s.User, "deploy"),
		Enablement: "not-found",
	}
	if len(found.UnitFiles) > 0 {
		found.Content, found.Enablement = h.look(found.UnitFiles[0]).Content, "disabled"
	}
	found.Facts, _ = h.Facts(ctx, sidekiq.Questions{Users: []string{found.User}, Dir: s.Dir, Bundles: sidekiq.Bundles(s.Dir)})
	found.Release = h.release(found)
	var err error
	if found.Service, err = h.unitReport(ctx, s.Unit(), found); err != nil {
		return found, err
	}
	if found.Service.Enabled == converge.On {
		found.Enablement = "enabled"
	}
	names := s.Started(found.Content)
	for _, i := range h.instances(s.TemplatePath()) {
		if !slices.Contains(names, i.Name) {
			names = append(names, i.Name)
		}
	}
	for _, name := range names {
		process, err := h.unitReport(ctx, s.Instance(name), found)
		if err != nil {
			return found, err
		}
		found.Processes = append(found.Processes, process)
	}
	if found.Processes == nil && found.Enablement != "not-found" {
		found.Processes = []sidekiq.UnitReport{found.Service}
	}
	found.ProcessFiles = found.Sources()
	for i := range found.ProcessFiles {
		f := &found.ProcessFiles[i]
		f.Content, f.Secrets = h.look(f.Path).Content, h.look(f.SecretsPath).Content
	}
	for _, name := range sidekiq.RedisUnits() {
		if _, ok := h.facts.Units[name]; ok {
			found.Redis, found.RedisState = name, "active"
		}
	}
	found.Asked = h.facts.Sudo.Present
	if found.Sudoers.Found {
		found.Commands = sidekiq.SudoVerbs()
	}
	return found, nil
}

func (h *Host) existing(paths []string) []string {
	return slices.DeleteFunc(paths, func(p string) bool { return !h.look(p).Exists })
}

// release is where the application really is.
func (h *Host) release(found sidekiq.Report) string {
	if !found.Facts.Deployed {
		return ""
	}
	return cmp.Or(h.Snapshot().Links[found.Dir], found.Dir)
}

// unitReport looks at a unit. Its process runs in the present release unless
// the text says otherwise, and uses 100 MiB.
func (h *Host) unitReport(ctx context.Context, name string, found sidekiq.Report) (sidekiq.UnitReport, error) {
	u, err := h.Unit(ctx, name)
	seen := sidekiq.UnitReport{Unit: u, Since: u.Process.Started}
	if u.Process.MainPID != 0 {
		seen.Memory, seen.Release = 100<<20, cmp.Or(u.RunsIn, found.Release)
	}
	return seen, err
}

// Finds finds all but what the text names.
func (h *Host) Finds(_ context.Context, l sidekiq.Login) (bool, error) {
	return l.Program != h.notFound, nil
}

// Health is what Inspect reports. The application is where a unit file says that
// it is.
func (h *Host) Health(ctx context.Context, s sidekiq.Service) (sidekiq.Report, error) {
	for name, file := range h.Snapshot().Files {
		if dir := sidekiq.DirectoryIn(file.Content); dir != "" && strings.HasPrefix(path.Base(name), s.Name) {
			s.Dir = dir
		}
	}
	found, err := h.Inspect(ctx, s)
	for i, p := range found.Processes {
		text := h.look(p.Fragment).Content
		found.Processes[i].Untitled, found.Processes[i].Foreign = sidekiq.Untitled(text), sidekiq.OfOthers(text)
	}
	return found, err
}
