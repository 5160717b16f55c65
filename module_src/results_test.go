// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/ansible"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/sidekiq"
)

// everything is a unit that has something to report in every respect.
func everything() converge.Unit {
	return converge.Unit{
		Name: "sidekiq.service", Enabled: converge.On, Activity: converge.Quiet, Stale: []string{"/e"}, Reload: true, DropIns: []string{"/d"},
		Process: converge.Process{
			ActiveState: "active", SubState: "running", MainPID: 7, Restarts: 1, Title: "sidekiq 6.4.1 laevigata [0 of 5 busy]",
		},
	}
}

func deployed() sidekiq.Facts {
	return sidekiq.Facts{Deployed: true, Lock: sidekiq.Text{Found: true, Content: "    sidekiq (6.4.1)\n"}}
}

// TestEachResultOfInfoIsFilled looks for results that are documented and that
// no report fills.
func TestEachResultOfInfoIsFilled(t *testing.T) {
	quiet := sidekiq.UnitReport{Unit: everything(), Memory: 1, Since: time.Unix(1, 0), Release: "/r"}
	up := quiet
	up.Activity = converge.Up
	found := sidekiq.Report{
		UnitFiles: []string{"/u", "/s"}, Content: "# Written by curationexperts.sidekiq for p; changes here are overwritten.\n",
		Template: "/t", Enablement: "enabled", Sudoers: sidekiq.Text{Found: true}, Service: quiet, Processes: []sidekiq.UnitReport{quiet},
		ProcessFiles: []sidekiq.ProcessFile{{Unit: "sidekiq.service", Content: "[Service]\nUser=deploy\nGroup=a:b\n"}},
		Dir:          "/c", Release: "/r", Facts: deployed(), User: "deploy", Asked: true, Rules: []string{"r"}, Commands: []string{"start"}, All: true,
		Redis: "redis.service", RedisState: "active", RedisVersion: "7", Warnings: []string{"w"},
	}
	running := found
	running.Processes = []sidekiq.UnitReport{up}
	s := sidekiq.Service{SudoersFile: "/s"}
	checkFilled(t, "module_src/info.go", infoOf(s, found), infoOf(s, running))
}

// TestEachResultIsFilled does the same for sidekiq_service.
func TestEachResultIsFilled(t *testing.T) {
	unit, facts := everything(), deployed()
	file := converge.File{Path: "/u", Kind: converge.UnitFile, Exists: true, Content: "old\n"}
	have := converge.State{Files: []converge.File{file}, Units: []converge.Unit{unit}}
	want := converge.State{Files: []converge.File{{Path: "/u", Kind: converge.UnitFile, Exists: true, Content: "new\n"}}}
	r := progress{
		request: ansible.Request{Diff: true}, service: sidekiq.Service{Name: "sidekiq", UnitDir: "/d", SudoersFile: "/s"}, facts: &facts,
		want: want, have: have, plan: converge.Diff(want, have), applied: true, after: &unit, backup: "/b", warnings: []string{"w"},
	}
	done := r.result()
	r.failed = &converge.Failure{RolledBack: true, Err: errors.New("no")}
	checkFilled(t, "module_src/result.go", done, r.result())
}

// checkFilled fails for each value that is documented and that none of the
// results fills.
func checkFilled[T any](t *testing.T, file string, results ...T) {
	t.Helper()
	filled := map[string]bool{}
	for _, r := range results {
		fill(reflect.ValueOf(r), "", filled)
	}
	for place, is := range filled {
		if !is && place != "changed" {
			t.Errorf("the result %s is documented in RETURN, and nothing fills it: see %s, or give what it is made of in module_src/results_test.go", place, file)
		}
	}
}

// fill notes, for each value in v, by its place, whether it differs from its
// zero value.
func fill(v reflect.Value, place string, filled map[string]bool) {
	switch v.Kind() {
	case reflect.Pointer:
		filled[place] = filled[place] || !v.IsNil()
		if !v.IsNil() && v.Elem().Kind() == reflect.Struct {
			fill(v.Elem(), place, filled)
		}
	case reflect.Slice:
		filled[place] = filled[place] || v.Len() > 0
		for i := range v.Len() {
			fill(v.Index(i), place+"[]", filled)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
			fill(v.Field(i), strings.TrimPrefix(place+"."+name, "."), filled)
		}
	default:
		filled[place] = filled[place] || !v.IsZero()
	}
}
