// SPDX-License-Identifier: GPL-3.0-or-later

package host

import (
	"context"
	"fmt"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/coreos/go-systemd/v22/dbus"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/sidekiq"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/sudo"
)

// Inspect finds out everything that a report tells about a service.
func (h *Host) Inspect(ctx context.Context, s sidekiq.Service) (sidekiq.Report, error) {
	var found sidekiq.Report
	if err := h.inspectFiles(ctx, s, &found); err != nil {
		return found, err
	}
	unit, p, err := h.unitReport(ctx, s.Unit())
	if err != nil {
		return found, err
	}
	found.Service = unit
	// systemd 237 calls it the same where only a link in /run enables it.
	if found.Enablement == "enabled" && unit.Enabled != converge.On && len(unit.Links) > 0 {
		found.Enablement = "enabled-runtime"
	}
	units, p, err := h.instanceReports(ctx, s, found, p)
	if err != nil {
		return found, err
	}
	if found.Processes = units; units == nil && (unit.LoadState == "loaded" || unit.Process.MainPID != 0) {
		found.Processes = []sidekiq.UnitReport{unit}
	}
	found.ProcessFiles = found.Sources()
	for i := range found.ProcessFiles {
		f := &found.ProcessFiles[i]
		if f.Content, _, err = regular(f.Path); err != nil {
			return found, err
		}
		if f.Secrets, _, err = regular(f.SecretsPath); err != nil {
			return found, err
		}
	}
	h.inspectApplication(ctx, s, p, &found)
	if err := h.inspectRedis(ctx, &found); err != nil {
		return found, err
	}
	return found, h.inspectSudo(ctx, s.Name, &found)
}

// inspectFiles finds the service's files.
func (h *Host) inspectFiles(ctx context.Context, s sidekiq.Service, found *sidekiq.Report) error {
	var err error
	if found.UnitFiles, err = those(s.UnitPaths(s.Unit()), there); err != nil {
		return err
	}
	if len(found.UnitFiles) > 0 {
		if found.Content, _, err = regular(found.UnitFiles[0]); err != nil { // a mask is a link
			return err
		}
	}
	templates, err := those(s.UnitPaths(s.Template()), there)
	if err != nil {
		return err
	}
	if len(templates) > 0 {
		found.Template = templates[0]
	}
	if found.Sudoers.Content, found.Sudoers.Found, err = regular(s.SudoersFile); err != nil {
		return err
	}
	// Unlike the property UnitFileState, this call looks at the disk.
	var files []dbus.UnitFile
	err = h.ask(ctx, func(ctx context.Context, c connection) (err error) {
		files, err = c.ListUnitFilesByPatternsContext(ctx, nil, []string{s.Unit()})
		if notKnown(err) { // before 230
			files, err = c.ListUnitFilesContext(ctx)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("cannot ask systemd about the unit file of %s: %w", s.Unit(), err)
	}
	found.Enablement = "not-found"
	for _, f := range files {
		if path.Base(f.Path) == s.Unit() {
			found.Enablement = f.Type
		}
	}
	return nil
}

// unitReport looks at a unit for a report.
func (h *Host) unitReport(ctx context.Context, name string) (sidekiq.UnitReport, properties, error) {
	p, err := h.properties(ctx, name)
	if err != nil {
		return sidekiq.UnitReport{}, nil, err
	}
	unit, err := h.unit(ctx, name, p)
	if err != nil {
		return sidekiq.UnitReport{}, nil, err
	}
	seen := sidekiq.UnitReport{Unit: unit, Since: p.when("StateChangeTimestamp")}
	if unit.Process.MainPID != 0 {
		seen.Since = unit.Process.Started
		seen.Memory = residentMemory(unit.Process.MainPID)
		seen.Release = unit.RunsIn
	}
	return seen, p, nil
}

// residentMemory is the resident memory of a process in bytes, or 0 where the
// process is gone. systemd's own figure covers the whole unit, includes its
// share of the page cache, and is not taken on every host.
func residentMemory(pid int) int64 {
	statm, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid)) // proc(5): size resident …
	words := strings.Fields(string(statm))
	if err != nil || len(words) < 2 {
		return 0
	}
	pages, _ := strconv.ParseInt(words[1], 10, 64)
	return pages * int64(os.Getpagesize())
}

// instanceReports looks at the instances of a service with several processes:
// those that the service is to start, and others that the manager knows. It
// returns the properties of one of them in place of the service's own.
func (h *Host) instanceReports(ctx context.Context, s sidekiq.Service, found sidekiq.Report, own properties) ([]sidekiq.UnitReport, properties, error) {
	names := s.Started(found.Content)
	_, known, err := h.instances(ctx, s.TemplatePath())
	if err != nil {
		return nil, nil, err
	}
	for _, i := range known {
		if !slices.Contains(names, i.Name) {
			names = append(names, i.Name)
		}
	}
	var units []sidekiq.UnitReport
	for _, name := range names {
		unit, p, err := h.unitReport(ctx, s.Instance(name))
		if err != nil {
			return nil, nil, err
		}
		units, own = append(units, unit), p
	}
	return units, own, nil
}

// inspectApplication finds out what is deployed. p are the properties of a unit
// that runs the application.
func (h *Host) inspectApplication(ctx context.Context, s sidekiq.Service, p properties, found *sidekiq.Report) {
	found.Dir, found.User = s.Dir, s.User
	if found.Dir == "" {
		found.Dir = strings.TrimLeft(p.text("WorkingDirectory"), "!-") // these mark a directory that may be missing
	}
	if !path.IsAbs(found.Dir) {
		found.Dir = "" // "~": somebody else's unit
	}
	if found.User == "" {
		found.User = p.text("User")
	}
	if found.User == "" {
		found.User = "deploy"
	}
	users, err := h.users(ctx, []string{found.User})
	if err != nil {
		found.Warnings = append(found.Warnings, err.Error())
	}
	found.Facts.Users = users
	if found.Dir == "" {
		return
	}
	err = h.application(ctx, &found.Facts, sidekiq.Questions{Unit: s.Unit(), Dir: found.Dir, Reader: found.User, Bundles: sidekiq.Bundles(found.Dir), Release: true})
	found.Release = found.Facts.Release
	if err != nil {
		found.Facts.Unseen = append(found.Facts.Unseen, err.Error())
	}
	for _, what := range found.Facts.Unseen {
		found.Warnings = append(found.Warnings, "could not look: "+what)
	}
	s.Dir = found.Dir
	found.Warnings = append(found.Warnings, s.Rivals(found.Facts)...)
}

// inspectRedis finds the host's own Redis.
func (h *Host) inspectRedis(ctx context.Context, found *sidekiq.Report) error {
	for _, name := range sidekiq.RedisUnits() {
		p, err := h.properties(ctx, name)
		if err != nil {
			return err
		}
		if p.text("LoadState") == "loaded" {
			found.Redis, found.RedisState = p.text("Id"), p.text("ActiveState")
			break
		}
	}
	server, err := find(redisPaths[:])
	if server == "" {
		return err
	}
	nobody := &syscall.Credential{Uid: 65534, Gid: 65534} // people other than root may write in /usr/local
	out, err := program{path: server, args: []string{"--version"}, as: nobody}.run(ctx)
	if err != nil {
		found.Warnings = append(found.Warnings, err.Error())
	}
	_, rest, _ := strings.Cut(out.stdout, " v=") // Redis server v=7.0.15 sha=…
	found.RedisVersion, _, _ = strings.Cut(rest, " ")
	return nil
}

// inspectSudo finds out what the user may do by sudo.
func (h *Host) inspectSudo(ctx context.Context, service string, found *sidekiq.Report) error {
	path, err := find(sudoPaths[:])
	if err != nil {
		return err
	}
	systemctl, err := find(systemctlPaths[:])
	if err != nil {
		return err
	}
	if _, known := found.Facts.Users[found.User]; !known {
		found.Warnings = append(found.Warnings, fmt.Sprintf("There is no user %q on the host.", found.User))
		return nil
	}
	if path == "" {
		return nil
	}
	rules, err := sudoRules(ctx, path, found.User)
	if err != nil {
		found.Warnings = append(found.Warnings, err.Error())
		return nil
	}
	found.Asked = true
	for _, r := range rules.Rules() {
		found.Rules = append(found.Rules, r.Text())
	}
	for _, verb := range sidekiq.SudoVerbs() {
		g := sudo.Grant{Args: append(sidekiq.SudoWords(systemctl, verb), service)}
		if rule, ok := rules.Decides(g.Args); ok && rule.Lacks(g) == "" {
			found.Commands = append(found.Commands, verb)
		}
	}
	_, found.All = rules.Root()
	return nil
}
