// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/ansible"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/sidekiq"
)

// TestTheArgumentsSayWhichModuleItIs distinguishes the modules by an option
// that only one of them has.
func TestTheArgumentsSayWhichModuleItIs(t *testing.T) {
	const info, service = `option \"state\": unknown`, `option \"project_name\": required`
	for name, want := range map[string]string{
		"curationexperts.sidekiq.sidekiq_service_info": info,
		"sidekiq_service_info":                         info,
		"curationexperts.sidekiq.sidekiq_service":      service,
		"sidekiq_service":                              service,
		"not_sidekiq_service_info":                     service,
		"":                                             service,
	} {
		var stdout, stderr bytes.Buffer
		request := `{"state": "started", "umask": "0002", "_ansible_module_name": "` + name + `"}`
		status := onThisHost().main([]string{"-"}, strings.NewReader(request), &stdout, &stderr)
		if status != 1 || !strings.Contains(stdout.String(), want) {
			t.Errorf("%q: status %d, %s", name, status, stdout.String())
		}
	}
}

// TestInfoThatFailsReturnsNothingOfTheOtherModule shows that only documented
// results are returned.
func TestInfoThatFailsReturnsNothingOfTheOtherModule(t *testing.T) {
	var stdout, stderr bytes.Buffer
	onThisHost().main([]string{"-"}, strings.NewReader(`{"user": "root", "_ansible_module_name": "sidekiq_service_info"}`), &stdout, &stderr)
	var told map[string]any
	if err := json.Unmarshal(stdout.Bytes(), &told); err != nil || len(told) != 3 || told["failed"] != true || told["changed"] != false {
		t.Errorf("%v: %s", err, stdout.String())
	}
}

func TestInfoHasNoListThatIsNull(t *testing.T) {
	var line bytes.Buffer
	found := sidekiq.Report{Asked: true, Processes: make([]sidekiq.UnitReport, 1)}
	if err := ansible.Write(&line, infoOf(sidekiq.Service{}, found)); err != nil {
		t.Fatal(err)
	}
	var told any
	if err := json.Unmarshal(line.Bytes(), &told); err != nil {
		t.Fatal(err)
	}
	for _, name := range nulls("", told) {
		switch name {
		case ".sidekiq_version", ".processes.sidekiq_version", ".redis": // documented as not known
		default:
			t.Errorf("%s is null", name)
		}
	}
}

// nulls are the names of all members that are null.
func nulls(name string, v any) (names []string) {
	switch v := v.(type) {
	case nil:
		return []string{name}
	case []any:
		for _, e := range v {
			names = append(names, nulls(name, e)...)
		}
	case map[string]any:
		for key, e := range v {
			names = append(names, nulls(name+"."+key, e)...)
		}
	}
	return names
}

func TestOneProcessThatIsNotUpIsEnough(t *testing.T) {
	process := func(name, release string, a converge.Activity) sidekiq.UnitReport {
		p := sidekiq.UnitReport{Release: release}
		p.Name, p.Activity, p.Process.MainPID = name, a, 7
		return p
	}
	found := sidekiq.Report{Dir: "/c", Release: "/2", Processes: []sidekiq.UnitReport{process("s@1.service", "/2", converge.Up), process("s@2.service", "/1", converge.Quiet)}}
	i := infoOf(sidekiq.Service{}, found)
	if i.Up || !i.RestartNeeded || !i.Processes[1].Quiet || i.Processes[0].RestartNeeded {
		t.Errorf("got %+v", i)
	}
	want := "s@2.service: it runs in /1, and /c is /2 now; s@2.service: it has been quiet for long and takes no jobs"
	if got := strings.Join(i.RestartReasons, "; "); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if none := infoOf(sidekiq.Service{}, sidekiq.Report{}); none.Up {
		t.Error("a service without a process is up")
	}
}
