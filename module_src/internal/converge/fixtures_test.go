// SPDX-License-Identifier: GPL-3.0-or-later

package converge_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge/fakehost"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/sudo"
)

const (
	service = "sidekiq.service"
	unitAt  = "/lib/systemd/system/sidekiq.service"
	sudoAt  = "/etc/sudoers.d/sidekiq-restart-users"
)

// unitText is a unit file of a program that behaves as fake says.
func unitText(name, kind, fake string) string {
	return fmt.Sprintf(`# %[1]s
[Service]
Type=%[2]s
Environment=VERSION=%[1]s
ExecStart=/usr/local/bin/bundle exec sidekiq
Restart=always
RestartSec=1
TimeoutStartSec=60
TimeoutStopSec=90
X-Fake=%[3]s
[Install]
WantedBy=multi-user.target
`, name, kind, fake)
}

func unitFile(content string) converge.File {
	return converge.File{
		Path: unitAt, Kind: converge.UnitFile, Exists: true, Content: content, Mode: 0o644, Units: []string{service},
	}
}

func sudoFile(content string) converge.File {
	return converge.File{
		Path: sudoAt, Kind: converge.SudoersFile, Exists: true, Content: content, Mode: 0o440,
		Grants:  []sudo.Grant{{User: "deploy", Args: []string{"/usr/bin/systemctl", "restart", "sidekiq"}}},
		Purpose: "be of use",
	}
}

func absent(f converge.File) converge.File {
	return converge.File{Path: f.Path, Kind: f.Kind, Units: f.Units}
}

func linkIn(target string) converge.Link {
	return converge.Link{Path: "/etc/systemd/system/" + target + ".wants/" + service, Target: unitAt}
}

var proof = converge.Proof{Timeout: 120 * time.Second, Titled: true, Window: 10 * time.Second, QuietTime: 15 * time.Second, Terms: terms}

// terms are words of no real domain.
var terms = converge.Terms{Timeout: "patience", NotShown: "it does not hum", Quiet: "it is silent", Quieting: "by a friend", Behind: "mend it"}

// wanted is a State with one enabled service.
func wanted(a converge.Activity, files ...converge.File) converge.State {
	return converge.State{
		Files: files,
		Units: []converge.Unit{{
			Name: service, Enabled: converge.On, Links: []converge.Link{linkIn("multi-user.target")}, Activity: a, Proof: proof,
		}},
	}
}

// before is a host as a run finds it. The unit that it has is called old.
type before struct {
	name string
	make func(h *fakehost.Host, kind string)
}

func installed(h *fakehost.Host, kind, fake string) {
	h.Write(unitAt, unitText("old", kind, fake), 0o644)
	h.Link(linkIn("multi-user.target").Path, unitAt)
	h.Write(sudoAt, "old\n", 0o440)
	h.Pass(time.Hour)
}

// running is a host whose service has been up for an hour.
func running(kind, fake string) *fakehost.Host {
	h := fakehost.New()
	installed(h, kind, fake)
	h.Systemctl(converge.Start, service)
	h.Pass(time.Hour)
	return h
}

var befores = []before{
	{"absent", func(*fakehost.Host, string) {}},
	{"up", func(h *fakehost.Host, kind string) {
		installed(h, kind, "boot=3s")
		h.Systemctl(converge.Start, service)
		h.Pass(time.Hour)
	}},
	{"down", func(h *fakehost.Host, kind string) { installed(h, kind, "boot=3s") }},
	{"failed", func(h *fakehost.Host, kind string) {
		installed(h, kind, "boot=3s")
		h.Write(unitAt, strings.Replace(unitText("old", kind, "life=1s"), "Restart=always", "Restart=no", 1), 0o644)
		h.Pass(time.Hour)
		h.Systemctl(converge.Start, service)
		h.Pass(time.Hour)
	}},
	{"crash loop", func(h *fakehost.Host, kind string) {
		installed(h, kind, "life=2s boot=5s")
		h.Systemctl(converge.Start, service)
		h.Pass(62500 * time.Millisecond)
	}},
	{"booting", func(h *fakehost.Host, kind string) {
		installed(h, kind, "boot=20s")
		h.Systemctl(converge.Start, service)
		h.Pass(time.Second)
	}},
	{"just quieted", func(h *fakehost.Host, kind string) {
		installed(h, kind, "boot=3s")
		h.Systemctl(converge.Start, service)
		h.Pass(time.Hour)
		h.Systemctl(converge.MakeQuiet, service)
		h.Pass(time.Second)
	}},
	{"quiet for long", func(h *fakehost.Host, kind string) {
		installed(h, kind, "boot=3s")
		h.Systemctl(converge.Start, service)
		h.Pass(time.Hour)
		h.Systemctl(converge.MakeQuiet, service)
		h.Pass(time.Hour)
	}},
	{"down and disabled, without sudoers", func(h *fakehost.Host, kind string) {
		h.Write(unitAt, unitText("old", kind, "boot=3s"), 0o644)
		h.Pass(time.Hour)
	}},
}

// manager is one kind of systemd.
type manager struct{ exactTimes, forgetful bool }

var managers = []manager{{false, false}, {false, true}, {true, false}, {true, true}}

func (b before) host(kind string, m manager) *fakehost.Host {
	h := fakehost.New()
	h.ExactTimes, h.Forgetful = m.exactTimes, m.forgetful
	b.make(h, kind)
	h.Pass(time.Second)
	return h
}

// goal is what a run wants.
type goal struct {
	name  string
	fails bool // even when no effect does
	want  func(kind string) converge.State
}

func newUnit(kind string) converge.File { return unitFile(unitText("new", kind, "boot=4s")) }

func without(name string) converge.State {
	return converge.State{
		Files: []converge.File{absent(unitFile("")), absent(sudoFile(""))},
		Units: []converge.Unit{{Name: name, Enabled: converge.Off, Links: []converge.Link{}, Activity: converge.Down, Proof: proof}},
	}
}

var goals = []goal{
	{"everything new", false, func(k string) converge.State { return wanted(converge.Up, newUnit(k), sudoFile("new\n")) }},
	{"other links", false, func(k string) converge.State {
		s := wanted(converge.Up, newUnit(k))
		s.Units[0].Links = []converge.Link{linkIn("default.target"), linkIn("graphical.target")}
		return s
	}},
	{"another mode", false, func(k string) converge.State {
		f := unitFile(unitText("old", k, "boot=3s"))
		f.Mode = 0o600
		return wanted(converge.Up, f, sudoFile("old\n"))
	}},
	{"no sudoers", false, func(k string) converge.State {
		return wanted(converge.Up, newUnit(k), absent(sudoFile("")))
	}},
	{"nothing left", false, func(string) converge.State { return without(service) }},
	{"restarted", false, func(k string) converge.State {
		return wanted(converge.Restarted, unitFile(unitText("old", k, "boot=3s")), sudoFile("old\n"))
	}},
	{"quiet", false, func(k string) converge.State {
		return wanted(converge.Quiet, unitFile(unitText("old", k, "boot=3s")), sudoFile("new\n"))
	}},
	{"stopped", false, func(k string) converge.State { return wanted(converge.Down, newUnit(k), sudoFile("new\n")) }},
	{"stopped and disabled", false, func(k string) converge.State {
		s := wanted(converge.Down, newUnit(k), sudoFile("new\n"))
		s.Units[0].Enabled, s.Units[0].Links = converge.Off, []converge.Link{}
		return s
	}},
	{"disabled only", false, func(k string) converge.State {
		s := wanted(converge.Any, unitFile(unitText("old", k, "boot=3s")), sudoFile("old\n"))
		s.Units[0].Enabled, s.Units[0].Links = converge.Off, []converge.Link{}
		return s
	}},
	{"files only", false, func(k string) converge.State { return wanted(converge.Any, newUnit(k), sudoFile("new\n")) }},
	{"dies at once", true, func(k string) converge.State {
		return wanted(converge.Up, unitFile(unitText("new", k, "life=50ms boot=1s")), sudoFile("new\n"))
	}},
	{"dies before it is ready", true, func(k string) converge.State {
		return wanted(converge.Up, unitFile(unitText("new", k, "life=30s boot=50s")), sudoFile("new\n"))
	}},
	{"is never ready", true, func(k string) converge.State {
		return wanted(converge.Up, unitFile(unitText("new", k, "boot=1000s mute")), sudoFile("new\n"))
	}},
}

// run is an ordinary run.
func run(ctx context.Context, t *testing.T, h converge.Host, want converge.State, then converge.OnFailure) (converge.Plan, error) {
	t.Helper()
	plan := look(t, h, want)
	_, err := plan.Apply(ctx, h, then)
	return plan, err
}

func look(t *testing.T, h converge.Host, want converge.State) converge.Plan {
	t.Helper()
	have, err := converge.Observe(context.Background(), h, want)
	if err != nil {
		t.Fatal(err)
	}
	return converge.Diff(want, have)
}

func mustRun(t *testing.T, h converge.Host, want converge.State) {
	t.Helper()
	if _, err := run(context.Background(), t, h, want, converge.Rollback); err != nil {
		t.Fatal(err)
	}
}

func failure(t *testing.T, err error) *converge.Failure {
	t.Helper()
	var f *converge.Failure
	if !errors.As(err, &f) {
		t.Fatalf("error is %v, want a *Failure", err)
	}
	return f
}

// settled is the plan of a second run, without what is done in every run.
func settled(t *testing.T, h converge.Host, want converge.State) {
	t.Helper()
	for _, s := range look(t, h, want).Steps {
		if r, ok := s.(converge.RunUnit); ok && (r.Verb == converge.MakeQuiet || r.Why == "" && r.Verb == converge.Restart) {
			continue
		}
		t.Errorf("the next run would still %s", s)
	}
}

// differences compares a host before a run and after the run's rollback. A
// process that the run has touched may be another process of the same program
// now, and may take jobs again.
func differences(was, is fakehost.Snapshot, touched bool) string {
	if alike(was, is, touched) {
		return ""
	}
	return cmp.Diff(was, is)
}

func alike(was, is fakehost.Snapshot, touched bool) bool {
	sameUnit := func(a, b fakehost.Running) bool {
		if a.Alive != b.Alive || a.Loaded != b.Loaded || a.Enabled != b.Enabled || a.Unread != b.Unread {
			return false
		}
		if a.PID == 0 || b.PID == 0 {
			return true // dead, or between two processes of a loop
		}
		return a.From == b.From && (a.Quiet || !b.Quiet) && (touched || a == b)
	}
	known := func(units map[string]fakehost.Running) map[string]fakehost.Running {
		units = maps.Clone(units)
		maps.DeleteFunc(units, func(_ string, u fakehost.Running) bool { return u == fakehost.Running{} })
		return units
	}
	return maps.EqualFunc(known(was.Units), known(is.Units), sameUnit) && maps.Equal(was.Links, is.Links) &&
		maps.EqualFunc(was.Files, is.Files, identical)
}

func identical(a, b converge.File) bool { return a.Same(b) && a.ModTime.Equal(b.ModTime) }
