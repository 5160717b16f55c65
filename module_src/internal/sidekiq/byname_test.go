// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"strings"
	"testing"
	"time"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/ansible"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge"
)

func byName(t *testing.T, options string) (*ByName, error) {
	t.Helper()
	r, err := ansible.ReadRequest("-", strings.NewReader(options))
	if err != nil {
		t.Fatal(err)
	}
	return ParseByName(r)
}

func TestATaskActsByNameOnlyWhereItDescribesNothing(t *testing.T) {
	for options, want := range map[string]bool{
		`{"state": "restarted"}`:                                                    true,
		`{"name": "x", "state": "stopped", "enabled": false}`:                       true,
		`{"name": "x", "state": "quiet", "start_timeout": 5, "on_failure": "keep"}`: true,
		`{"name": "x", "state": "present", "user": null, "queues": ""}`:             true,
		`{"name": "x"}`:                                                false,
		`{"name": "x", "state": "absent"}`:                             false,
		`{"name": "x", "state": "restarted", "project_name": "p"}`:     false,
		`{"name": "x", "state": "restarted", "sudo": false}`:           false,
		`{"name": "x", "state": "restarted", "no_such_option": false}`: false,
	} {
		b, err := byName(t, options)
		if (b != nil) != want || err != nil {
			t.Errorf("%s: got %+v, %v", options, b, err)
		}
	}
	for _, wrong := range []string{`{"state": "begun"}`, `{"name": "a/b", "state": "started"}`, `{"state": "started", "start_timeout": -1}`} {
		if b, err := byName(t, wrong); err == nil {
			t.Errorf("%s: got %+v", wrong, b)
		}
	}
}

func TestTheServicesOwnSettingsCount(t *testing.T) {
	s := mustParse(t, `{"project_name": "p", "user": "bess", "start_timeout": 77, "exec_start": "/opt/run --here"}`)
	want, _, err := s.Want(on(252))
	if err != nil && !strings.Contains(err.Error(), "bess") {
		t.Fatal(err)
	}
	unit, _ := want.File(s.UnitPath())
	b, err := byName(t, `{"state": "restarted"}`)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Read(converge.Unit{Name: "sidekiq.service", Fragment: s.UnitPath()}, unit.Content); err != nil {
		t.Fatal(err)
	}
	if b.User != "bess" || b.Dir != "/opt/p/current" || b.StartTimeout != 77*time.Second || b.Project != "p" || b.ExecStart == nil {
		t.Errorf("got %+v", b.Service)
	}
	state, _, _ := b.Want(Facts{Deployed: true})
	if !state.AsIs || len(state.Units) != 1 || state.Units[0].Activity != converge.Restarted || state.Units[0].Enabled != "" {
		t.Errorf("want %+v", state)
	}
}

// TestSeveralProcessesAreProvenAsByTheWholeTask has no command of the umbrella's
// taken for that of a process.
func TestSeveralProcessesAreProvenAsByTheWholeTask(t *testing.T) {
	for _, options := range []string{`"processes": 2`, `"instances": [{"name": "a"}, {"name": "b", "exec_start": "/opt/run"}]`} {
		s := mustParse(t, `{"project_name": "p", `+options+`}`)
		whole, _, err := s.Want(debian12())
		if err != nil {
			t.Fatal(err)
		}
		b, err := byName(t, `{"state": "restarted"}`)
		if err != nil {
			t.Fatal(err)
		}
		umbrella, _ := whole.File(s.UnitPath())
		names, err := b.Read(converge.Unit{Name: s.Unit(), Fragment: s.UnitPath()}, umbrella.Content)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			file, _ := whole.File(s.InstancePath(name))
			b.ReadInstance(name, file.Content)
		}
		state, _, _ := b.Want(debian12())
		for _, u := range state.Units {
			if full, ok := whole.Unit(u.Name); !ok || u.Proof.Titled != full.Proof.Titled || u.Proof.Terms.Behind != full.Proof.Terms.Behind {
				t.Errorf("%s: %s is proven by %+v, and by the whole task by %+v", options, u.Name, u.Proof, full.Proof)
			}
		}
	}
}

func TestAServiceOfOthersIsLeftAlone(t *testing.T) {
	b, err := byName(t, `{"state": "stopped"}`)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Read(converge.Unit{Name: "sidekiq.service", Fragment: "/etc/systemd/system/sidekiq.service"}, "[Service]\nExecStart=/bin/x\n"); err == nil {
		t.Error("it is acted on")
	}
}
