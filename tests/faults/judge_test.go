// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux && amd64

package main

import (
	"maps"
	"strings"
	"syscall"
	"testing"
)

func aSight() sight {
	return sight{
		ofFile + unitFile:                 "-rw-r--r-- 0:0 1",
		ofTime + unitFile:                 "yesterday",
		ofProcess + units[0]:              "7 abc",
		"umask of " + units[0]:            "0002",
		"ActiveState of " + units[0]:      "active",
		"UnitFileState of " + units[0]:    "enabled",
		"NeedDaemonReload of " + units[0]: "no",
	}
}

// but is a sight with something else in one place.
func but(s sight, name, text string) sight {
	s = maps.Clone(s)
	s[name] = text
	return s
}

const service = `"service":{"after":{"active_state":"active","main_pid":7,"enabled":true}}`

func TestJudgement(t *testing.T) {
	old := aSight()
	wanted := but(but(old, ofFile+unitFile, "-rw-r--r-- 0:0 2"), "umask of "+units[0], "0022")
	restarted := but(wanted, ofProcess+units[0], "8 def")
	kill := fault{name: "kill after", kill: true, after: true}
	const backIs = `"failed":true,"rolled_back":true,"changed":false,"msg":"no; everything is as it was before`
	for name, c := range map[string]struct {
		run     run
		outcome outcome
		says    string // "": no violation
	}{
		"killed before anything":      {run{after: old, status: 137, fault: kill}, killed, ""},
		"killed with a file halfway":  {run{after: but(old, ofFile+unitFile, "half"), status: 137, fault: kill}, killed, "neither"},
		"killed without a fault":      {run{after: old, status: 137}, untold, "not one line"},
		"still at it":                 {run{after: old, late: true}, untold, "had not ended"},
		"two lines":                   {run{after: old, printed: "{}\n{}\n"}, untold, "not one line"},
		"done":                        {run{after: restarted, printed: `{"changed":true,"service":{"after":{"active_state":"active","main_pid":8,"enabled":true}}}`}, done, ""},
		"done in words only":          {run{after: old, printed: `{"changed":true,` + service + `}`}, done, "all is done, but"},
		"done with another's process": {run{after: restarted, printed: `{"changed":true,` + service + `}`}, done, "main process is 7, but it is 8"},
		"changed and not told":        {run{after: wanted, printed: `{"changed":false,` + service + `}`}, done, "changed: false"},
		"rolled back":                 {run{after: old, printed: `{` + backIs + `",` + service + `}`}, undone, ""},
		"with another time":           {run{after: but(old, ofTime+unitFile, "today"), printed: `{` + backIs + `",` + service + `}`}, undone, "time of"},
		"restarted in silence":        {run{after: but(old, ofProcess+units[0], "8 d"), printed: `{` + backIs + `"}`}, undone, "process of"},
		"restarted, as it says":       {run{after: but(old, ofProcess+units[0], "8 d"), printed: `{` + backIs + `, and sidekiq.service up again"}`}, undone, ""},
		"a temporary file on a bad disk is for the next run to remove": {
			run{after: but(old, leftover+"/x", "f"), fault: fault{name: "EIO from then on", errno: syscall.EIO, lasting: true}, printed: `{` + backIs + `"}`}, undone, "",
		},
		"a temporary file is left":    {run{after: but(old, leftover+"/x", "f"), printed: `{` + backIs + `"}`}, undone, "leaves behind"},
		"interrupted, it says":        {run{after: old, fault: fault{name: "SIGTERM", signal: 15}, printed: `{"failed":true,"msg":"interrupted by signal 15"}`}, refused, ""},
		"interrupted in silence":      {run{after: old, fault: fault{name: "SIGTERM", signal: 15}, printed: `{"failed":true,"msg":"late"}`}, refused, "does not say so"},
		"given up for systemd":        {run{after: old, fault: fault{name: "daemon-reexec", reexec: true}, printed: `{"failed":true}`}, refused, "systemd was there again"},
		"refused":                     {run{after: old, printed: `{"failed":true}`}, refused, ""},
		"refused although it is done": {run{after: restarted, printed: `{"failed":true}`}, refused, "says nothing of a step, but"},
		"halfway, and it says so":     {run{after: wanted, printed: `{"failed":true,"changed":true,"rolled_back":false}`}, halfway, ""},
		"says halfway, and is not":    {run{after: old, printed: `{"failed":true,"changed":true,"rolled_back":false}`}, halfway, "all is as it was before"},
	} {
		if c.run.printed != "" {
			c.run.printed += "\n"
		}
		if c.run.fault.name == "" {
			c.run.fault = fault{name: "EIO", errno: syscall.EIO}
		}
		c.run.before, c.run.wanted = old, wanted
		o, violations := c.run.judge()
		said := strings.Join(violations, "; ")
		if o != c.outcome || !strings.Contains(said, c.says) || (said == "") != (c.says == "") {
			t.Errorf("%s: got %q, %q; want %q, %q", name, o, said, c.outcome, c.says)
		}
	}
}
