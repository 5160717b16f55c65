// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge"
)

func TestFilesThatTakePrecedenceAreNamed(t *testing.T) {
	const etc, run = "/etc/systemd/system/sidekiq.service", "/run/systemd/system/sidekiq.service"
	for _, test := range []struct {
		name, options string
		above         OverridingFile
		want          string
	}{
		{"a file", `{"project_name": "p"}`, OverridingFile{Path: etc}, etc + " takes precedence over " + unitPath + "; remove it, or set unit_dir to /etc/systemd/system"},
		{"a link", `{"project_name": "p"}`, OverridingFile{Path: etc, Link: "/srv/x.service"}, etc + " takes precedence"},
		{"a mask", `{"project_name": "p"}`, OverridingFile{Path: etc, Link: "/dev/null"}, "it is masked; unmask it with: systemctl unmask sidekiq.service"},
		{"a mask of this boot", `{"project_name": "p"}`, OverridingFile{Path: run, Link: "/dev/null"}, "systemctl unmask --runtime sidekiq.service"},
		{"no matter", `{"project_name": "p", "state": "absent"}`, OverridingFile{Path: etc}, ""},
	} {
		s, f := mustParse(t, test.options), debian12()
		f.Overriding = []OverridingFile{test.above}
		_, _, err := s.Want(f)
		checkConflict(t, test.name, err, test.want)
	}
}

func TestOnlyWhatTakesPrecedenceIsAskedFor(t *testing.T) {
	asked := func(options string) []string { return mustParse(t, options).Questions().Overriding }
	here, etc := asked(`{"project_name": "p", "processes": 2}`), asked(`{"project_name": "p", "unit_dir": "/etc/systemd/system"}`)
	for path, want := range map[string]bool{
		"/etc/systemd/system/sidekiq.service": true, "/etc/systemd/system/sidekiq@2.service": true, "/etc/systemd/system/sidekiq@.service": false, unitPath: false, "/run/systemd/generator.late/sidekiq.service": false,
	} {
		if slices.Contains(here, path) != want {
			t.Errorf("%s among %q", path, here)
		}
	}
	if slices.Contains(etc, "/etc/systemd/system/sidekiq.service") || slices.Contains(etc, "/run/systemd/system/sidekiq.service") {
		t.Errorf("%q", etc)
	}
}

func TestUnitFilesOfAnotherUnitDirAreTold(t *testing.T) {
	for options, want := range map[string]string{
		`{"project_name": "p", "unit_dir": "/etc/systemd/system"}`:                    unitPath + " belongs to this collection, too, but was written with another unit_dir, and has no effect",
		`{"project_name": "p", "unit_dir": "/etc/systemd/system", "state": "absent"}`: unitPath + " belongs to this collection, too, but was written with another unit_dir; it is left as it is",
	} {
		s, f := mustParse(t, options), debian12()
		if asked := s.Questions().Overridden; !slices.Contains(asked, unitPath) || slices.Contains(asked, s.UnitPath()) {
			t.Errorf("%s: asked for %q", options, asked)
		}
		f.Overridden = []FileText{{Path: unitPath, Content: "# " + marker("p") + "\n"}}
		_, warnings, err := s.Want(f)
		if err != nil || len(warnings) == 0 || !strings.HasPrefix(warnings[0], want) {
			t.Errorf("%s: %q, %v; want %q", options, warnings, err, want)
		}
	}
}

// TestAUnitOfAnothersIsTakenOverOnlyWithConsent has a unit of that name in a
// directory over which the service's own takes precedence.
func TestAUnitOfAnothersIsTakenOverOnlyWithConsent(t *testing.T) {
	const below = "/lib/systemd/system/cron.service"
	cron := FileText{Path: below, Content: "[Service]\nExecStart=/usr/sbin/cron\n"}
	first := FileText{Path: below, Content: "# " + marker("first") + "\n"}
	old := FileText{Path: below, Content: "[Service]\nWorkingDirectory=/opt/p/current\nExecStart=/usr/local/bin/bundle exec sidekiq\n"}
	for _, test := range []struct {
		options string
		file    FileText
		written bool
		refused bool
	}{
		{"", cron, false, true},
		{"", first, false, true},
		{"", old, false, false},
		{`, "replace": true`, cron, false, false},
		{"", cron, true, false}, // consent was given when our file was written
		{`, "state": "absent"`, cron, true, false},
		{`, "state": "absent"`, cron, false, false},
	} {
		f := debian12()
		f.Overridden = []FileText{test.file}
		s := mustParse(t, `{"project_name": "p", "name": "cron", "unit_dir": "/etc/systemd/system"`+test.options+`}`)
		if test.written {
			f.Written = []string{s.UnitPath()}
		}
		_, warnings, err := s.Want(f)
		if refused := err != nil && strings.Contains(err.Error(), below) && strings.Contains(err.Error(), "replace: true"); refused != test.refused {
			t.Errorf("%+v: got %v", test, err)
		}
		if said := strings.Contains(strings.Join(warnings, " "), "systemctl enable cron.service"); said != (s.State == Absent && test.written) {
			t.Errorf("%+v: got %q", test, warnings)
		}
	}
}

func TestADirectoryThatIsNotThereIsYetToBeMade(t *testing.T) {
	s := mustParse(t, `{"project_name": "p", "unit_dir": "/usr/local/lib/systemd/system"}`)
	file := "/usr/local/lib/systemd/system/sidekiq.service"
	plan := converge.Plan{Steps: []converge.Step{converge.PutFile{Want: converge.File{Path: file, Exists: true}}}}
	var unmet *UnmetError
	if err := s.CheckWritable(plan, Facts{NoDirectory: []string{file}}); !errors.As(err, &unmet) || unmet.Error() != `option "unit_dir": there is no directory /usr/local/lib/systemd/system` {
		t.Errorf("got %v", err)
	}
	checkConflict(t, "nothing to write", s.CheckWritable(converge.Plan{}, Facts{NoDirectory: []string{file}}), "")
}

func TestADirectoryThatSystemdDoesNotRead(t *testing.T) {
	for options, want := range map[string]string{
		`{"project_name": "p", "unit_dir": "/srv/units"}`:              `option "unit_dir": systemd reads no units in /srv/units`,
		`{"project_name": "p", "unit_dir": "/usr/lib/systemd/system"}`: "",
		`{"state": "absent", "unit_dir": "/srv/units"}`:                "",
	} {
		checkConflict(t, options, mustParse(t, options).CheckWritable(converge.Plan{}, Facts{}), want)
	}
}

func TestReadOnlyFileSystems(t *testing.T) {
	plan := converge.Plan{Steps: []converge.Step{
		converge.PutFile{Want: converge.File{Path: unitPath, Exists: true}},
		converge.PutFile{Want: converge.File{Path: sudoersPath, Exists: true}},
		converge.PutFile{Want: converge.File{Path: "/etc/logrotate.d/sidekiq", Exists: true}},
	}}
	s := mustParse(t, `{"project_name": "p"}`)
	for path, want := range map[string]string{
		unitPath:     "cannot write " + unitPath + ": its file system is read-only; set unit_dir to /etc/systemd/system",
		sudoersPath:  "cannot write " + sudoersPath + ": its file system is read-only; set sudoers_file",
		"/elsewhere": "",

		"/etc/logrotate.d/sidekiq": "cannot write /etc/logrotate.d/sidekiq: its file system is read-only; set logrotate to false",
	} {
		checkConflict(t, path, s.CheckWritable(plan, Facts{ReadOnly: []string{path}}), want)
	}
	checkConflict(t, "nothing to write", s.CheckWritable(converge.Plan{}, Facts{ReadOnly: []string{unitPath}}), "")
	checkConflict(t, "no logrotate", s.CheckWritable(plan, Facts{NoDirectory: []string{"/etc/logrotate.d/sidekiq"}}), `option "logrotate": there is no directory /etc/logrotate.d`)
}

// TestWhatTakingOverWouldChangeIsSaidAtOnce has a unit of others in a directory
// that takes precedence.
func TestWhatTakingOverWouldChangeIsSaidAtOnce(t *testing.T) {
	const etc = "/etc/systemd/system/sidekiq.service"
	for _, test := range []struct {
		options string
		file    OverridingFile
		words   []string
	}{
		{
			`{"project_name": "laevigata"}`,
			OverridingFile{Path: etc, Content: capistranoUnit, UID: 1000},
			[]string{
				"or set unit_dir to /etc/systemd/system; there, something else wrote it, and this would change: its owner (the user with the id 1000",
				"user (it runs as root", "replace: true", "backup: true",
			},
		},
		{`{"project_name": "laevigata"}`, OverridingFile{Path: etc, Content: "[Service]\nExecStart=/bin/sleep 1\n"}, []string{"there, something else wrote it; set another name, or replace: true"}},
		{`{"project_name": "laevigata", "processes": 2}`, OverridingFile{Path: etc, Content: capistranoUnit}, []string{"this would change: user (it runs as root"}},
		{`{"project_name": "laevigata"}`, OverridingFile{Path: etc, Link: "/lib/systemd/system/jobs.service"}, []string{"it is a link to /lib/systemd/system/jobs.service", "set another name, or remove it: rm " + etc}},
	} {
		f := debian12()
		f.Overriding = []OverridingFile{test.file}
		_, _, err := mustParse(t, test.options).Want(f)
		for _, word := range test.words {
			if err == nil || !strings.Contains(err.Error(), word) {
				t.Errorf("%s: %v, want %s", test.options, err, word)
			}
		}
	}
	// With unit_dir, it is read as it would be there.
	f := debian12()
	f.Overriding = []OverridingFile{{Path: etc, Content: "# " + marker("laevigata") + "\n"}}
	if _, _, err := mustParse(t, `{"project_name": "laevigata"}`).Want(f); err == nil || strings.Contains(err.Error(), "; there,") {
		t.Errorf("an older unit of ours: %v", err)
	}
}
