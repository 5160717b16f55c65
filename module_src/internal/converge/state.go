// SPDX-License-Identifier: GPL-3.0-or-later

// Package converge brings a host from the state it has to the state it should
// have, all of it or nothing.
//
// Want and have are the same type, [State]. [Diff] compares them and yields a
// [Plan], an ordered list of steps; an empty plan means that the host is as
// wanted. Check mode is a plan that is not applied, the diff shown to the user
// is the plan printed, and a rollback is the plan of what was done, inverted.
//
// The package decides and never acts: whatever touches the machine goes
// through [Host], which it declares and others implement. Nor does it know what
// the service is for: units, files and grants are all it sees, and where a
// message needs a word of the domain, that word comes with the wanted state
// ([Terms], and the Purpose of a [File]).
package converge

import (
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/sudo"
)

// State is what a host has, or should have, of one service.
//
// What a wanted State does not mention is left alone.
type State struct {
	Files []File
	Units []Unit

	// AsIs, in a wanted state, says that the files are looked at, since they tell
	// whether a process is older than they are, and are not written.
	AsIs bool

	// Others, in a wanted state, are units of which nothing is wanted, and which
	// the manager may start or stop with those of the state. Only a rollback
	// looks after them.
	Others []string
}

// Kind says which grammar a file is written in, and so which of the host's own
// tools judges it before it is installed.
type Kind string

// The kinds of files.
const (
	UnitFile      Kind = "unit"      // judged by systemd-analyze verify
	SudoersFile   Kind = "sudoers"   // judged by visudo
	PlainFile     Kind = "plain"     // judged by nothing
	LogrotateFile Kind = "logrotate" // judged by logrotate -d
	ProgramFile   Kind = "program"   // the same, and shown to nobody
)

// File is one file of a State. Where Exists is false the file is absent, and
// only Path and Kind mean anything.
type File struct {
	Path    string
	Kind    Kind
	Exists  bool
	Content string
	Mode    fs.FileMode // permission bits only
	UID     int
	GID     int

	// ModTime is set in an observed state. A wanted state leaves it zero: a
	// newly written file gets the time of writing. Rollback sets it, so that a
	// restored file does not look newer than the process that was started
	// from it.
	ModTime time.Time

	// Label and ACL are the file's SELinux label and its access control list as
	// the kernel keeps them, empty where it has none. A wanted state leaves them
	// empty. A file that replaces another gets its label, and a rollback
	// restores both.
	Label, ACL string

	// Irregular says what else is at Path ("a symbolic link to /x", "a
	// directory") in an observed state. Nothing is ever written over it.
	Irregular string

	// Units, in a wanted state, are the units whose running process this file
	// describes: when its content changes, they are stale.
	Units []string

	// Secret, in a wanted state, says that the content is for nobody to see: a
	// diff shows that it changes, and not what.
	Secret bool

	// OwnDirectory, in a wanted state, says that the directory of the file is
	// for such files alone. It is made, for root only, when the first of them is
	// written, and removed with the last.
	OwnDirectory bool

	// Grants, in a wanted state, are what a sudoers file must bring about.
	// They are proven after the file has been installed. Purpose is what they
	// are good for, in words that can follow "cannot".
	Grants  []sudo.Grant
	Purpose string
}

// Same reports whether f and g are the same file to a reader: path, content,
// mode and owner. Times are left out.
func (f File) Same(g File) bool {
	if !f.Exists || !g.Exists {
		return f.Path == g.Path && f.Exists == g.Exists
	}
	return f.Path == g.Path && f.Content == g.Content && f.Mode == g.Mode && f.UID == g.UID && f.GID == g.GID
}

// Activity is what the process of a unit does, or should do.
type Activity string

// The activities. Any and Restarted are only ever wanted and never observed.
const (
	Any         Activity = ""             // leave it as it is
	Up          Activity = "up"           // running, ready and at work
	Restarted   Activity = "restarted"    // up, and started by this very run
	Down        Activity = "down"         // not running, and nothing will start it
	Starting    Activity = "starting"     // running or being started, but nothing shows yet that it is ready
	AutoRestart Activity = "auto-restart" // dead, waiting for its next automatic restart
	Hollow      Activity = "hollow"       // active without the process that it should have; never observed
	Stopping    Activity = "stopping"     // being stopped
	Quieting    Activity = "quieting"     // told to be quiet so recently that somebody may be about to restart it
	Quiet       Activity = "quiet"        // running, but takes no more work
)

// Switch is a wanted or observed setting. The zero value leaves the host's
// setting as it is and is never observed.
type Switch string

// Switch settings.
const (
	On  Switch = "on"
	Off Switch = "off"
)

// Link is a symbolic link by which a unit is enabled.
type Link struct {
	Path   string
	Target string
}

// Compare orders links by path.
func (l Link) Compare(other Link) int { return strings.Compare(l.Path, other.Path) }

// Unit is one unit of a State.
type Unit struct {
	Name string

	// Enabled is On when the unit starts at boot: persistently, not for this
	// boot only.
	Enabled Switch

	// Links are the links that enable the unit, sorted by path. In a wanted
	// state nil means whatever the unit's own [Install] section asks for.
	Links []Link

	Activity Activity

	// Reload says that the manager has an older version of the unit in memory
	// than the one on disk.
	Reload bool

	// Stale names the files that are newer than the start of the unit's main
	// process; see [Unit.KeepStale].
	Stale []string

	// KeepStale, in a wanted state, leaves a stale process running and warns.
	KeepStale bool

	// RunsIn is the directory that the main process runs in; empty where that is
	// not known. In a wanted state it is the one that it has to run in, and
	// empty where any will do. It only counts where both have the same parent,
	// as the releases of an application have: a program that goes elsewhere by
	// itself would be restarted for ever.
	RunsIn string

	// Umbrella, in a wanted state, says that the unit only stands for others
	// and has no process of its own. When its file changes, the manager has to
	// reload it, but there is nothing to restart. A main process that was
	// started from an older file under the same name is replaced.
	Umbrella bool

	// Of, in a wanted state, is the unit that stands for this one, or that will
	// do its work when this one has gone. The manager stops and restarts the
	// unit with that one.
	Of string

	// Leaves, in a wanted state, says that the unit and its file go. With
	// KeepStale, and where it is to be quiet, they stay for as long as there is
	// a process.
	Leaves bool

	// Proof, in a wanted state, says how it is shown that the unit is up.
	Proof Proof

	// The fields below are only ever observed.

	LoadState string   // loaded, not-found, masked, error, …: org.freedesktop.systemd1(5)
	Fragment  string   // the unit file that the manager uses
	DropIns   []string // the drop-ins that it applies
	Process   Process
}

// Proof says how it is shown that a unit is up.
type Proof struct {
	// Timeout bounds the start, from when it is asked for until it has been
	// shown that the unit is up. Zero proves nothing; see [UnprovenTime].
	Timeout time.Duration

	// Titled says that a main process which is ready always shows it in its
	// title. Without Titled the title still counts where it shows readiness,
	// and it is enough, too, that the same main process lives through Window.
	Titled bool
	Window time.Duration

	// QuietTime bounds the wait for a title that says quiet, after the process
	// was told to become quiet.
	QuietTime time.Duration

	// NotBehind says that a unit whose work is done behind its main process is
	// not up, and neither is one that the manager runs as root; see
	// [Process.Behind] and [Process.Root].
	NotBehind bool

	// Terms are used in the messages about the proof and the process.
	Terms Terms
}

// Terms are what a user calls things. They are used in messages only, and each
// may be empty.
type Terms struct {
	Timeout  string // the setting that Proof.Timeout comes from
	NotShown string // what is missing from a title that says nothing: "it does not say …"
	Quiet    string // what is wrong with a process that is quiet for long: "it has been …"
	Quieting string // who may have told it to be quiet: "by …"
	RunsIn   string // what the directory is that it has to run in: "… is current"
	Behind   string // what comes of work behind the main process, and what to do
}

// SayBehind says that a unit's work is done behind its main process.
func (t Terms) SayBehind(p Process) string {
	more := ""
	if strings.HasPrefix(p.Type, "notify") {
		more = ", and only the main process may say that it is up, so that no start succeeds"
	}
	return fmt.Sprintf("its main process %d does not pass a signal to end on to process %d, which does the work%s: %s", p.MainPID, p.Behind, more, t.Behind)
}

// asRoot is what is wrong with a unit that the manager runs as root.
const asRoot = "systemd is told to run it as root, so that whoever may change its program would be root"

// timeout names the setting in parentheses, to be put behind its value.
func (t Terms) timeout() string {
	if t.Timeout == "" {
		return ""
	}
	return " (" + t.Timeout + ")"
}

// Process is one look at the main process of a unit, in the words of
// org.freedesktop.systemd1(5).
type Process struct {
	ActiveState string
	SubState    string
	Result      string
	Type        string
	MainPID     int
	Invocation  string        // empty before systemd 232
	Started     time.Time     // of the main process, by the clock on the wall
	Age         time.Duration // of the main process, by a clock that nobody sets; zero without one
	StartLimit  time.Duration // TimeoutStartSec= and TimeoutStopSec= of the unit as the manager
	StopLimit   time.Duration // has it; one that is infinite is longer than Endless
	Restarts    int           // automatic ones, since the last start by hand
	Uncounted   bool          // the manager does not count them: before systemd 235
	JobPending  bool          // a start, stop or restart of the unit is queued or running
	ExitCode    int           // how the last main process ended: systemd.Exited and its like
	ExitStatus  int           // its exit status or signal
	Ready       bool          // the title says that it is at work
	Quiet       bool          // the title says that it takes no more work
	Title       string        // empty where it cannot be read
	Root        bool          // the manager has it run its program as root

	Needs      []string // units without which this one does not start
	StartsWith []string // others that the manager starts with it, or where it has failed
	StopsWith  []string // those that the manager stops with it

	// Behind is another process of the unit that says in its title that it is at
	// work or quiet, where the main process says nothing and would not pass a
	// signal to end on. The manager sends that signal to the main process, and
	// then kills this one in the midst of its work. 0: there is none.
	Behind int
}

// worksBehind reports whether the unit is active and a process behind its main
// one does its work. That counts as up where nothing is to be done to it.
func (p *Process) worksBehind() bool { return p.Behind != 0 && p.ActiveState == "active" }

// sameRun reports whether two looks found the unit in the same run, with the
// same main process. Where the manager does not number the runs, the start of
// the process tells two of them apart that have the same PID by chance.
func (p *Process) sameRun(q *Process) bool {
	if p.Invocation == "" && q.Invocation == "" && !p.Started.Equal(q.Started) {
		return false
	}
	return p.MainPID == q.MainPID && p.Invocation == q.Invocation
}

// File returns the row of the file at path.
func (s State) File(path string) (File, bool) {
	for _, f := range s.Files {
		if f.Path == path {
			return f, true
		}
	}
	return File{}, false
}

// Unit returns the row of the unit called name.
func (s State) Unit(name string) (Unit, bool) {
	for _, u := range s.Units {
		if u.Name == name {
			return u, true
		}
	}
	return Unit{}, false
}
