// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"os"
	"strings"
	"testing"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge"
)

const (
	unitPath    = "/lib/systemd/system/sidekiq.service"
	sudoersPath = "/etc/sudoers.d/sidekiq-restart-users"
)

func fixture(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestOwner(t *testing.T) {
	for _, test := range []struct {
		name, content, project string
		origin                 Origin
	}{
		{"ours", fixture(t, "plain-252.service"), "laevigata", Ours},
		{"ours without a name", fixture(t, "own-command.service"), "/srv/app", Ours},
		{"our sudoers", fixture(t, "plain.sudoers"), "laevigata", Ours},
		{"the guide's unit", fixture(t, "seed.service"), "laevigata", OldRole},
		{"a unit with more in it", fixture(t, "seed.service") + "[Service]\nExecStartPre=/bin/x\n", "", Foreign},
		{"another service", "[Service]\nWorkingDirectory=/opt/a/current\nExecStart=/bin/puma\n", "", Foreign},
		{"nothing", "", "", Foreign},
		{"only a comment", "# Written by hand\n", "", Foreign},
		{"a marker further down", "\n" + fixture(t, "plain.sudoers"), "", Foreign},
	} {
		if project, origin := OriginOf(test.content); project != test.project || origin != test.origin {
			t.Errorf("%s: %q %q, want %q %q", test.name, project, origin, test.project, test.origin)
		}
	}
}

func TestConflictsOfFiles(t *testing.T) {
	ours, seed := fixture(t, "plain-252.service"), fixture(t, "seed.service")
	const laevigata, hyrax, absent = `"project_name": "laevigata"`, `"project_name": "hyrax"`, `"state": "absent"`
	for _, test := range []struct{ name, options, content, want string }{
		{"our own", laevigata, ours, ""},
		{"our own under its directory", `"working_directory": "/opt/laevigata/current"`, ours, ""},
		{"the old role's", laevigata, seed, ""},
		{"the old role's by directory", `"project_name": "x", "working_directory": "/opt/laevigata/current"`, seed, ""},
		{"another project's", hyrax, ours, `cannot write ` + unitPath + `: it is of the project "laevigata"; set another name`},
		{"another project's, old", hyrax, seed, `it is of the project "laevigata"`},
		{"another project's, replaced", hyrax + `, "replace": true`, ours, ""},
		{"foreign", laevigata, "[Service]\n", `cannot write ` + unitPath + `: something else wrote it; set another name, or replace: true`},
		{"foreign, replaced", laevigata + `, "replace": true`, "[Service]\n", ""},
		{"removed", absent, ours, ""},
		{"removed by its project", absent + "," + laevigata, ours, ""},
		{"removed by another", absent + "," + hyrax, ours, `cannot remove ` + unitPath + `: it is of the project "laevigata"`},
		{"the old role's, removed", absent, seed, `this collection did not write it; set replace: true`},
		{"foreign, removed", absent, "[Service]\n", "something else wrote it"},
	} {
		s := mustParse(t, "{"+test.options+"}")
		want, _, _ := s.Want(debian12())
		_, err := s.Conflicts(want, converge.State{Files: []converge.File{{Path: unitPath, Kind: converge.UnitFile, Exists: true, Content: test.content}}})
		checkConflict(t, test.name, err, test.want)
	}
}

func checkConflict(t *testing.T, name string, err error, want string) {
	t.Helper()
	switch {
	case err == nil && want != "":
		t.Errorf("%s: no error, want %s", name, want)
	case err != nil && (want == "" || !strings.Contains(err.Error(), want)):
		t.Errorf("%s: got %v, want %q", name, err, want)
	}
}

func TestIrregularFilesAreNeverTaken(t *testing.T) {
	s := mustParse(t, `{"project_name": "laevigata", "replace": true}`)
	_, err := s.Conflicts(converge.State{}, converge.State{Files: []converge.File{
		{Path: unitPath, Irregular: "a symbolic link to /dev/null"}, {Path: sudoersPath, Irregular: "a directory"},
	}})
	if err == nil || !strings.Contains(err.Error(), "it is a symbolic link to /dev/null") || !strings.Contains(err.Error(), "it is a directory") {
		t.Errorf("got %v", err)
	}
}

func TestConflictsOfUnits(t *testing.T) {
	const here, etc, absent = `{"project_name": "p"}`, `{"project_name": "p", "unit_dir": "/etc/systemd/system"}`, `{"state": "absent"}`
	for _, test := range []struct {
		name, options string
		unit          converge.Unit
		want          string
	}{
		{"none", here, converge.Unit{LoadState: "not-found"}, ""},
		{"ours", here, converge.Unit{Fragment: unitPath}, ""},
		{"ours through a link", here, converge.Unit{Fragment: "/usr" + unitPath}, ""},
		{
			"one in etc", here,
			converge.Unit{Fragment: "/etc/systemd/system/sidekiq.service"},
			"/etc/systemd/system/sidekiq.service takes precedence over " + unitPath + "; remove it, or set unit_dir to /etc/systemd/system",
		},
		{
			"one in run", etc,
			converge.Unit{Fragment: "/run/systemd/transient/sidekiq.service"},
			"it was made by systemd-run and is gone when it ends: systemctl stop sidekiq.service",
		},
		{"the old one, to be hidden", etc, converge.Unit{Fragment: unitPath}, ""},
		{"generated", here, converge.Unit{Fragment: "/run/systemd/generator.late/sidekiq.service"}, ""},
		{"masked", here, converge.Unit{LoadState: "masked"}, "it is masked; unmask it with: systemctl unmask sidekiq.service"},
		{"masked until a reboot", here, converge.Unit{LoadState: "masked", Fragment: "/run/systemd/system/sidekiq.service"}, "systemctl unmask --runtime sidekiq.service"},
		{"masked until the next reload", here, converge.Unit{LoadState: "masked", Reload: true}, ""},
		{"masked, removed", absent, converge.Unit{LoadState: "masked"}, ""},
		{"another's in /etc, removed", absent, converge.Unit{Fragment: "/etc/systemd/system/sidekiq.service"}, "; if it is to be, set unit_dir to /etc/systemd/system"},
		{"another's, removed", absent, converge.Unit{Fragment: "/etc/systemd/system/sidekiq.service"}, "which is not the file of this service"},
	} {
		test.unit.Name = "sidekiq.service"
		_, err := mustParse(t, test.options).Conflicts(converge.State{}, converge.State{Units: []converge.Unit{test.unit}})
		checkConflict(t, test.name, err, test.want)
	}
}

func TestDropInsAreWarnedOf(t *testing.T) {
	have := converge.State{Units: []converge.Unit{{Name: "sidekiq.service", Fragment: unitPath, DropIns: []string{
		"/etc/systemd/system/sidekiq.service.d/override.conf", "/usr/lib/systemd/system/service.d/10-all.conf",
	}}}}
	warnings, err := mustParse(t, `{"project_name": "p"}`).Conflicts(converge.State{}, have)
	if err != nil || len(warnings) != 1 || !strings.HasSuffix(warnings[0], ": /etc/systemd/system/sidekiq.service.d/override.conf") {
		t.Errorf("%q, %v", warnings, err)
	}
}
