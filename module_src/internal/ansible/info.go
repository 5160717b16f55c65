// SPDX-License-Identifier: GPL-3.0-or-later

package ansible

import "io"

// Info is what the module sidekiq_service_info returns where it does not fail.
// Lists are never null.
type Info struct {
	Changed bool `json:"changed"` // never

	// Files.
	Unit      string   `json:"unit"`       // path of the one that systemd goes by; empty: none
	Shadowed  []string `json:"shadowed"`   // paths of those of the same name that have no effect
	Template  string   `json:"template"`   // path of the one of several processes; empty: none
	DropIns   []string `json:"drop_ins"`   // paths
	Sudoers   string   `json:"sudoers"`    // path; empty: not there
	WrittenBy string   `json:"written_by"` // collection, old_role, other; empty: no unit file
	Project   string   `json:"project"`    // that the collection wrote it for; empty: not known

	// What systemd says.
	Enablement    string `json:"enablement"` // enabled, disabled, masked, …: systemctl(1), is-enabled; not-found
	ReloadPending bool   `json:"reload_pending"`
	ActiveState   string `json:"active_state"` // org.freedesktop.systemd1(5)
	SubState      string `json:"sub_state"`

	Up             bool      `json:"up"` // every process takes jobs, and there is one
	Processes      []Process `json:"processes"`
	RestartNeeded  bool      `json:"restart_needed"`
	RestartReasons []string  `json:"restart_reasons"`

	Current        string  `json:"current"` // the working directory; empty: not known
	Release        string  `json:"release"` // where that leads; empty: nothing deployed
	Deployed       bool    `json:"deployed"`
	SidekiqVersion *string `json:"sidekiq_version"` // nil: not known

	Redis *Redis `json:"redis"` // nil: the host has none of its own
	Sudo  *Sudo  `json:"sudo"`  // nil: not known

	Warnings []string `json:"warnings,omitempty"`
}

// Process is one Sidekiq.
type Process struct {
	Unit           string   `json:"unit"`
	ActiveState    string   `json:"active_state"`
	SubState       string   `json:"sub_state"`
	MainPID        int      `json:"main_pid"` // 0: none
	Title          string   `json:"title"`    // of the process; empty: none
	Memory         int64    `json:"memory"`   // resident, in bytes; 0: none
	Restarts       int      `json:"restarts"` // automatic ones, since the last start by hand
	Since          string   `json:"since"`    // RFC 3339, UTC: start of the process or end of the last; empty: it never ran
	Up             bool     `json:"up"`
	Quiet          bool     `json:"quiet"`
	Release        string   `json:"release"` // the directory that it runs in
	SidekiqVersion *string  `json:"sidekiq_version"`
	RestartNeeded  bool     `json:"restart_needed"`
	RestartReasons []string `json:"restart_reasons"`
}

// Redis is a Redis of the host's own.
type Redis struct {
	Unit        string  `json:"unit"`
	ActiveState string  `json:"active_state"`
	Version     *string `json:"version"` // of the installed program
}

// Sudo is what one user may do by sudo.
type Sudo struct {
	User       string   `json:"user"`
	Commands   []string `json:"commands"`   // of the option sudo_commands, without a password
	Everything bool     `json:"everything"` // any command as root without a password
	Rules      []string `json:"rules"`      // all, as sudo itself lists them
}

// WriteInfo prints the result as [Write] does.
func WriteInfo(w io.Writer, i Info) error { return writeLine(w, i) }
