// SPDX-License-Identifier: GPL-3.0-or-later

package systemd

import "slices"

// takenByReload are the directives whose change a running service follows when
// the manager reads its unit file again: the manager looks at them when
// something happens to the service, and nothing of them reaches the process at
// its start. NotifyAccess and RestartSec were tried with systemd 252; for the
// others src/core/service.c and kill.c of systemd's sources show where they are
// looked at. What is not in this list counts as needing a restart.
var takenByReload = map[string][]string{
	"Unit": {
		"Description", "Documentation", "After", "Before", "Wants", "OnFailure",
		"StartLimitIntervalSec", "StartLimitBurst",
	},
	"Service": {
		"Restart", "RestartSec", "RestartSteps", "RestartMaxDelaySec", "SuccessExitStatus", "RestartPreventExitStatus", "RestartForceExitStatus",
		"StartLimitInterval", "TimeoutStartSec", "TimeoutStopSec", "TimeoutAbortSec",
		"KillMode", "KillSignal", "SendSIGKILL", "WatchdogSignal", "ExecReload", "ExecStop", "NotifyAccess", "OOMPolicy",
	},
	"Install": {"WantedBy", "RequiredBy", "Alias", "Also"},
}

// OnlyReload reports whether the difference between two texts of a unit file is
// nothing but what a running service follows once the manager has read the file
// again, so that its process need not be restarted.
func OnlyReload(was, want string) bool {
	before, after := settings(was), settings(want)
	if len(before) == 0 || len(after) == 0 {
		return false // one of them is no unit file
	}
	for key := range before {
		if !slices.Equal(before[key], after[key]) && !taken(key) {
			return false
		}
	}
	for key := range after {
		if _, had := before[key]; !had && !taken(key) {
			return false
		}
	}
	return true
}

type setting struct{ section, name string }

func taken(s setting) bool { return slices.Contains(takenByReload[s.section], s.name) }

// settings are the values of each directive of a unit file, in order.
func settings(text string) map[setting][]string {
	all := map[setting][]string{}
	for l := Lines(text); l.Next(); {
		if l.Name != "" {
			s := setting{l.Section, l.Name}
			all[s] = append(all[s], l.Value)
		}
	}
	return all
}
