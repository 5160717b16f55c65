// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/results"
)

func printed(t *testing.T, r results.Result) string {
	t.Helper()
	var out bytes.Buffer
	if err := write(&out, command{file: "-"}, answer{Result: r}); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestEachResultHasItsKeys(t *testing.T) {
	if got, want := printed(t, results.Result{}), `{"changed":false,"steps":[],"sidekiq_version":null}`+"\n"; got != want {
		t.Errorf("got %s", got)
	}
	if got, want := printed(t, failure(errors.New("no"))), `{"changed":false,"failed":true,"msg":"no","steps":[],"sidekiq_version":null}`+"\n"; got != want {
		t.Errorf("got %s", got)
	}
	yes, version := true, "6.4.1"
	// After is as of a systemd that does not count restarts.
	service := results.Service{Before: results.ServiceState{Restarts: new(int)}}
	got := printed(t, results.Result{Changed: true, Steps: []string{"a"}, Service: &service, Deployed: &yes, SidekiqVersion: &version, RolledBack: &yes})
	want := `{"changed":true,"steps":["a"],"service":{"before":{"active_state":"","sub_state":"","main_pid":0,"enabled":false,"quiet":false,` +
		`"stale":false,"reload_pending":false,"restarts":0},"after":{"active_state":"","sub_state":"","main_pid":0,"enabled":false,"quiet":false,` +
		`"stale":false,"reload_pending":false,"restarts":null}},"deployed":true,"sidekiq_version":"6.4.1","rolled_back":true}` + "\n"
	if got != want {
		t.Errorf("got  %swant %s", got, want)
	}
}

func TestAFailureAlwaysSaysWhy(t *testing.T) {
	if got := printed(t, results.Result{Failed: true}); !strings.Contains(got, `"msg":"failed without saying why"`) {
		t.Errorf("got %s", got)
	}
}
