// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge/fakehost"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/host"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/results"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/sidekiq"
)

// fake is a host in memory on which an application is deployed.
type fake struct {
	*fakehost.Host
	blind bool // units cannot be looked at
}

func (f *fake) Unit(ctx context.Context, name string) (converge.Unit, error) {
	if f.blind {
		return converge.Unit{}, errors.New("cannot ask systemd about " + name)
	}
	return f.Host.Unit(ctx, name)
}

func (f *fake) Facts(context.Context, sidekiq.Questions) (sidekiq.Facts, error) {
	return sidekiq.Facts{
		Systemd: 252, Systemctl: "/usr/bin/systemctl", Sudo: sidekiq.Sudo{Present: true, Visudo: "/usr/sbin/visudo"}, Deployed: true,
		Users:  map[string]sidekiq.User{"deploy": {UID: 1000, GID: 1000, Group: "deploy"}},
		Groups: map[string]sidekiq.Group{"deploy": {GID: 1000}},
		Lock:   sidekiq.Text{Found: true, Content: "GEM\n  specs:\n    sidekiq (6.4.1)\n"},
	}, nil
}

func (f *fake) Inspect(context.Context, sidekiq.Service) (sidekiq.Report, error) {
	panic("it is not asked for")
}

func (f *fake) Lock(context.Context, ...string) (func(), error) { return func() {}, nil }

func (f *fake) Close() {}

// result is that of a run with these options on the host.
func result(t *testing.T, f *fake, options string) results.Result {
	t.Helper()
	p := program{
		open:          func(context.Context, host.Options) (machine, error) { return f, nil },
		interruptible: func() (context.Context, func()) { return context.Background(), func() {} },
	}
	var stdout, stderr bytes.Buffer
	p.main([]string{"-"}, strings.NewReader(options), &stdout, &stderr)
	var r results.Result
	if err := json.Unmarshal(stdout.Bytes(), &r); err != nil {
		t.Fatalf("%v: %s%s", err, stdout.String(), stderr.String())
	}
	return r
}

const laevigata = `{"project_name": "laevigata"}`

func TestWhatWasDoneIsToldAlthoughItCannotBeLookedAtAfterwards(t *testing.T) {
	f := &fake{Host: fakehost.New()}
	f.OnEffect = func(_ int, what string) { f.blind = f.blind || strings.HasPrefix(what, "start ") }
	r := result(t, f, laevigata)
	if r.Failed || !r.Changed || !slices.Contains(r.Steps, "start sidekiq.service") {
		t.Errorf("got %+v", r)
	}
	warned := slices.ContainsFunc(r.Warnings, func(w string) bool {
		return strings.Contains(w, "could not look at sidekiq.service") && strings.Contains(w, "cannot ask systemd")
	})
	if !f.blind || !warned || r.Service != nil {
		t.Errorf("blind %v, warnings %q, service %+v", f.blind, r.Warnings, r.Service)
	}
}

func TestARunThatHasBegunNoStepTellsOfTheServiceAsItIs(t *testing.T) {
	f := &fake{Host: fakehost.New()}
	f.VerifyErr = errors.New("rejected")
	r := result(t, f, laevigata)
	if !r.Failed || r.Service == nil || r.Service.After != r.Service.Before || r.Service.After.Enabled || r.Service.After.ActiveState == "active" {
		t.Errorf("got %+v, %+v", r, r.Service)
	}
	f.VerifyErr = nil
	if r := result(t, f, laevigata); r.Service.After.ActiveState != "active" || r.Service.After.MainPID == 0 {
		t.Errorf("got %+v, %+v", r, r.Service)
	}
	f.VerifyErr = errors.New("rejected")
	if r := result(t, f, `{"project_name": "laevigata", "umask": "0077"}`); r.Service.After != r.Service.Before || r.Service.After.MainPID == 0 {
		t.Errorf("got %+v, %+v", r, r.Service)
	}
}
