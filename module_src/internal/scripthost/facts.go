// SPDX-License-Identifier: GPL-3.0-or-later

package scripthost

import (
	"cmp"
	"context"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/sidekiq"
)

// Facts answers a service's questions and no others.
func (h *Host) Facts(_ context.Context, q sidekiq.Questions) (sidekiq.Facts, error) {
	f := h.facts
	f.Users = asked(f.Users, q.Users)
	f.Groups = asked(f.Groups, q.Groups)
	f.Units = asked(f.Units, q.Units)
	f.Packaged = asked(f.Packaged, q.Paths)
	f.FixedLinks = slices.Contains(h.facts.ReadOnly, "/etc/systemd/system")
	f.ReadOnly = slices.DeleteFunc(slices.Clone(q.Paths), func(p string) bool { return !slices.Contains(h.facts.ReadOnly, p) })
	for _, p := range q.Overridden {
		if file := h.look(p); file.Exists {
			f.Overridden = append(f.Overridden, sidekiq.FileText{Path: p, Content: file.Content})
		}
	}
	f.DropIns = h.dropIns(q.DropIns)
	f.Written = slices.DeleteFunc(slices.Clone(q.Paths), func(p string) bool { return !h.ours(p) })
	f.Overriding = h.overriding(q.Overriding)
	f.OurTemplate = h.ours(q.Template)
	f.Instances = h.instances(q.Template)
	f.RootFiles = map[string]sidekiq.RootFile{}
	for _, p := range q.RootFiles {
		f.RootFiles[p] = sidekiq.RootFile{Public: h.look(p).Mode&0o004 != 0}
	}
	h.application(&f, q)
	if q.Release && f.Deployed {
		f.Release = cmp.Or(h.Snapshot().Links[q.Dir], q.Dir)
	}
	for name, file := range h.Snapshot().Files {
		if len(q.Rotated) > 0 && path.Dir(name) == "/etc/logrotate.d" {
			f.Logrotate.Files = append(f.Logrotate.Files, sidekiq.FileText{Path: name, Content: file.Content})
		}
	}
	f.Logrotate.Present = true
	f.Health.Others = h.others(q.Others)
	return f, h.silent
}

// dropIns are the files in these directories that are in effect.
func (h *Host) dropIns(dirs []string) []sidekiq.FileText {
	first := map[string]sidekiq.FileText{}
	for _, dir := range slices.Backward(dirs) {
		for name, file := range h.Snapshot().Files {
			if path.Dir(name) == dir {
				first[path.Base(name)] = sidekiq.FileText{Path: name, Content: file.Content}
			}
		}
		for name := range h.Snapshot().Links {
			if path.Dir(name) == dir {
				delete(first, path.Base(name))
			}
		}
	}
	var files []sidekiq.FileText
	for _, name := range slices.Sorted(maps.Keys(first)) {
		files = append(files, first[name])
	}
	return files
}

// asked are the entries whose names are asked for.
func asked[V any](all map[string]V, names []string) map[string]V {
	some := map[string]V{}
	for _, name := range names {
		if v, ok := all[name]; ok {
			some[name] = v
		}
	}
	return some
}

func (h *Host) look(name string) converge.File {
	f, _ := h.File(context.Background(), name) // the fake returns no error
	return f
}

func (h *Host) ours(name string) bool {
	_, origin := sidekiq.OriginOf(h.look(name).Content)
	return origin == sidekiq.Ours
}

func (h *Host) overriding(paths []string) []sidekiq.OverridingFile {
	var found []sidekiq.OverridingFile
	for _, p := range paths {
		if f := h.look(p); f.Exists {
			found = append(found, sidekiq.OverridingFile{Path: p, Link: h.Snapshot().Links[p], Content: f.Content, UID: f.UID})
		}
	}
	return found
}

// instances are those that have a unit file, run, or are enabled.
func (h *Host) instances(template string) []sidekiq.FoundInstance {
	stem := strings.TrimSuffix(path.Base(template), ".service")
	now := h.Snapshot()
	names := map[string]bool{}
	add := func(unit string) {
		if rest, ok := strings.CutPrefix(path.Base(unit), stem); ok && rest != ".service" && strings.HasSuffix(rest, ".service") {
			names[strings.TrimSuffix(rest, ".service")] = true
		}
	}
	for name := range now.Files {
		if path.Dir(name) == path.Dir(template) {
			add(name)
		}
	}
	for name := range now.Links {
		add(name)
	}
	for name, u := range now.Units {
		if u.Alive {
			add(name)
		}
	}
	var found []sidekiq.FoundInstance
	for _, name := range slices.Sorted(maps.Keys(names)) {
		unit := stem + name + ".service"
		file := path.Join(path.Dir(template), unit)
		if !h.look(file).Exists {
			u, _ := h.Host.Unit(context.Background(), unit)
			file = u.Fragment
		}
		found = append(found, sidekiq.FoundInstance{Name: name, Ours: !h.look(file).Exists || h.ours(file)})
	}
	return found
}

// application is deployed when there is any file in its directory.
func (h *Host) application(f *sidekiq.Facts, q sidekiq.Questions) {
	now := h.Snapshot()
	for name := range now.Files {
		f.Deployed = f.Deployed || q.Dir != "" && strings.HasPrefix(name, q.Dir+"/")
	}
	for _, b := range q.Bundles {
		if h.look(b.Gemfile).Exists {
			f.Lock = h.text(b.Lock)
			break
		}
	}
	for _, name := range q.Configs {
		if t := h.text(name); t.Found {
			f.Configs = append(f.Configs, t)
		}
	}
	f.EnvFiles = map[string]sidekiq.Text{}
	for _, name := range q.EnvFiles {
		f.EnvFiles[name] = h.text(name)
	}
	f.Missing = slices.DeleteFunc(slices.Clone(q.Programs), func(p string) bool { return !slices.Contains(h.facts.Missing, p) })
	for _, name := range slices.Sorted(maps.Keys(now.Files)) {
		if path.Dir(name) == "/etc/systemd/system" && path.Ext(name) == ".service" {
			f.OtherUnits = append(f.OtherUnits, sidekiq.OtherUnit{Path: name, Content: now.Files[name].Content})
		}
	}
}

// others are the units of other services that the collection wrote.
func (h *Host) others(unit string) (others []string) {
	for name := range h.Snapshot().Files {
		stem := strings.TrimSuffix(unit, ".service")
		if unit != "" && path.Ext(name) == ".service" && path.Base(name) != unit && !strings.HasPrefix(path.Base(name), stem+"@") && h.ours(name) {
			others = append(others, path.Base(name))
		}
	}
	return others
}

func (h *Host) text(name string) sidekiq.Text {
	f := h.look(name)
	return sidekiq.Text{Path: name, Content: f.Content, Found: f.Exists}
}
