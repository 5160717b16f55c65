// SPDX-License-Identifier: GPL-3.0-or-later

// Package sidekiq knows what a Sidekiq in production needs of a host.
//
// [Parse] makes a [Service] of a task's options; a Service is always valid, so
// nothing is checked twice. [Service.Questions] says what must be known of the
// host, [Facts] are the answers, and [Service.Want] works out from both, to
// the byte, which files and units the host should have. [Service.Conflicts]
// says what stands in the way there, and [Explain] makes sense of a Sidekiq
// that did not come up.
//
// Each grammar that a value ends up in is a package of its own: systemd for
// unit files, sudo for sudoers files, shell for the words of a command line. A
// value that a grammar cannot hold literally is refused with its option named.
// The grammar of Sidekiq itself, the title of its process, is in title.go.
//
// The package is pure. It reads no file, asks no host and changes nothing.
package sidekiq

import (
	"path"
	"time"
)

// State is what the option of that name asks for.
type State string

// States.
const (
	Started   State = "started"
	Stopped   State = "stopped"
	Restarted State = "restarted"
	Quiet     State = "quiet"
	Present   State = "present" // leave it running or not
	Absent    State = "absent"
)

// Service is one Sidekiq service as a task asks for it. Only [Parse] makes
// one. Fields are as in the module's documentation where nothing else is said.
type Service struct {
	Name    string // of the unit, without .service
	Project string // whose files these are: project_name, else the directory; empty only for Absent
	State   State
	Enabled bool

	Dir   string // working_directory; empty only for Absent
	User  string
	Group string // empty: the user's primary group
	Umask string

	AppEnv      string
	ConfigFile  string
	Bundle      string
	LoginShell  bool
	ExecStart   []string // the words of exec_start; nil: made of the options above and below
	Queues      []string
	Concurrency int // 0: not said
	Processes   int

	Type         string // auto, notify, exec or simple
	WatchdogSec  int
	Restart      string
	RestartSec   int // 0: not said
	StartTimeout time.Duration
	StopSec      int // timeout_stop_sec; 0: not said

	Env      []Variable // sorted by name
	EnvFiles []string
	LogFile  string // empty: the journal

	RedisUnit string // auto, none, or the full name of a unit
	After     []string
	Wants     []string
	WantedBy  []string

	Hardening  string
	Directives []Directive // sorted by section, then name

	Sudo         bool
	SudoUsers    []string
	SudoGroups   []string
	SudoCommands []string
	SudoersFile  string

	UnitDir         string
	RestartOnChange bool
	Rollback        bool // on_failure is rollback
	Replace         bool
}

// Variable is one variable of the service's environment. Its value never goes
// into a message.
type Variable struct {
	Name, Value string
}

// Directive is one entry of the option directives: the name in its section
// gets exactly these values. No values remove it.
type Directive struct {
	Section, Name string
	Values        []string
}

// Unit is the full name of the service's unit.
func (s Service) Unit() string { return s.Name + ".service" }

// UnitPath is where its unit file is.
func (s Service) UnitPath() string { return path.Join(s.UnitDir, s.Unit()) }
