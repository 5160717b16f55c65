// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"path"
)

// Questions are what [Service.Want] has to know about a host.
type Questions struct {
	Users  []string // looked up by name
	Groups []string
	Units  []string // whether they are installed and enabled

	Paths []string // files that may belong to a package of the distribution

	// Grants says that something is granted by sudo, so that one has to know
	// what the host's sudo knows.
	Grants bool

	// Template is the path of a unit file from which systemd makes several
	// processes. The directory and the name say where instances of the service
	// are, and how they are called.
	Template string

	// SudoersFile is the service's; others of this collection's are looked for
	// beside it, and wherever sudo includes files from.
	SudoersFile string

	// Dir is the working directory; if it exists, the application is deployed.
	// Where it is empty, nothing is asked about the application.
	Dir string

	// Release asks which directory Dir is, without links.
	Release bool

	// Unit is the service's own unit, by whose main process one tells its own
	// processes from others, wherever they have gone.
	Unit string

	// Bundles and Configs are where the application's gems and Sidekiq's
	// configuration may be, absolute, in the order in which Bundler and
	// Sidekiq look for them. They belong to Reader and are read with that
	// user's rights only.
	Bundles []Bundle
	Configs []string
	Reader  string

	// Programs are the programs that systemd starts, and other files whose
	// existence is all that is asked.
	Programs []string

	// EnvFiles are the service's environment files.
	EnvFiles []string

	// Logs are the files that the service's units log to, absolute, by the
	// unit's name; there is none for a unit that logs to the journal. They belong
	// to Reader, too, and are read only where the unit does not come up.
	Logs map[string]string

	// Rotated are log files; empty: nothing is asked about logrotate.
	Rotated []string

	// Overriding are paths at which a file would take precedence over one of
	// the service's own.
	Overriding []string

	// Backups is the directory of the copies that earlier runs have kept, asked
	// about where the service goes.
	Backups string

	// Overridden are paths at which there may be another unit file of the same
	// name, over which the service's own file takes precedence.
	Overridden []string

	// DropIns are directories of drop-ins to read. Of two files of one name
	// the first is in effect.
	DropIns []string

	// Others is a unit: other services of this collection are asked for.
	Others string

	// RootFiles are the paths that systemd opens as root for the service.
	RootFiles []string

	// OwnDirectories are directories that systemd gives to the service's user,
	// Reader.
	OwnDirectories []string
}

// Facts are the answers to Questions. Where a map has no entry, there is no
// such user, group, unit or package.
type Facts struct {
	Systemd   int    // version
	Systemctl string // absolute path
	Sudo      Sudo

	// SELinux says that SELinux is there and enforces its policy.
	SELinux bool

	Users    map[string]User
	Groups   map[string]Group
	Units    map[string]Installed
	Packaged map[string]string // by path, the name of the package that the file belongs to

	// CaseUsers and CaseGroups name, by the user or group that was asked for,
	// another one that differs only in case.
	CaseUsers, CaseGroups map[string]string

	// Sudoers are the sudoers files that are in effect, but for
	// Questions.SudoersFile.
	Sudoers []FileText

	// Unread says that sudo reads nothing of Questions.SudoersFile.
	Unread bool

	// OurTemplate says that there is a template and that it is this
	// collection's; Instances are the instances of the service's name on the
	// host, whoever has made them.
	OurTemplate bool
	Instances   []FoundInstance

	Deployed bool
	Release  string // the directory that Questions.Dir is, without links; empty: not asked for

	// Lock is the lock file of the first of the bundles that there is, and
	// Configs are those configurations that there are.
	Lock    Text
	Configs []Text

	// Missing are those of the programs that are not there.
	Missing []string

	// EnvFiles are the environment files by their paths, also those that are
	// not there.
	EnvFiles map[string]Text

	RootFiles map[string]RootFile

	// Occupied says, by path, who has a directory that systemd would give to
	// the service's user.
	Occupied map[string]string

	OtherUnits []OtherUnit
	Running    []Running // what runs Sidekiq in the application's tree

	Health HealthPlace

	Logrotate Logrotate

	Backups []string // the directories in Questions.Backups, the oldest first

	// Unseen is what could not be looked at and decides nothing, in words.
	Unseen []string

	Overriding  []OverridingFile // the files that there are
	Overridden  []FileText       // the files that there are
	DropIns     []FileText       // those in the directories that are there
	Written     []string         // those of Questions.Paths that this collection wrote
	ReadOnly    []string         // those of Questions.Paths that are on a file system mounted read-only
	NoDirectory []string         // those of Questions.Paths whose directory does not exist
	FixedLinks  bool             // the links that enable units are on a file system mounted read-only
}

// Logrotate is what rotates log files on a host.
type Logrotate struct {
	Present  bool
	Files    []FileText        // with its rules
	Resolved map[string]string // log files by their paths, with no link on the way
}

// FoundInstance is an instance that has a unit file, runs, or is enabled.
type FoundInstance struct {
	Name string // what stands behind the @ in the name of its unit
	Ours bool   // this collection wrote its file, or it has none any more
}

// OverridingFile is a file that takes precedence.
type OverridingFile struct {
	Path    string
	Link    string // its target, if it is a symbolic link
	Content string // of a regular file
	UID     int    // whose file it is
}

// Sudo is the sudo of a host.
type Sudo struct {
	Present bool
	RS      bool   // it is sudo-rs
	NoExec  bool   // it is a sudo-rs that knows NOEXEC
	Visudo  string // absolute path; empty: none
}

// FileText is a file of root's.
type FileText struct {
	Path, Content string
}

// User is a user of a host.
type User struct {
	UID, GID int
	Group    string // name of the primary group; empty: it has none
	Home     string
}

// Group is a group of a host.
type Group struct {
	GID int
}

// Installed is a unit that the manager of the host knows.
type Installed struct {
	Name    string // the unit's own, where it was asked for by an alias; empty: the name that was asked for
	Enabled bool   // at boot, in any way
}

// OtherUnit is a service unit that does not come from the distribution.
type OtherUnit struct {
	Path    string
	User    string // whose own manager runs it; empty: the host's
	Content string
	UID     int  // whose file it is; known for those of the host's manager
	Idle    bool // that user's manager does not run
}

// Bundle is a file that names an application's gems, and the one that Bundler
// pins their versions in.
type Bundle struct {
	Gemfile, Lock string
}

// Text is a text file of the application.
type Text struct {
	Path    string // empty: it was not asked for
	Content string
	Found   bool
	Problem string // why the file exists but could not be read; empty: it could be
	Odd     string // what it is in place of a file, of an environment file only: "a directory"
}

// RootFile is a file, or another thing with a path, that systemd opens as root
// for the service.
type RootFile struct {
	Public      bool   // every user can read it
	Replaceable string // why somebody other than root can put another file in its place; empty: nobody can
	Writable    string // why somebody other than root can write to what is there; empty: nobody can
	Directory   bool
}

// Questions says what [Service.Want] must know about the host. Facts that
// answer the questions of another service are of no use to this one.
func (s *Service) Questions() Questions {
	q := Questions{Paths: s.Paths(), Template: s.TemplatePath(), SudoersFile: s.SudoersFile}
	q.Overridden = s.overridden()
	if s.State == Absent {
		q.Backups, q.Others = s.BackupDir(), s.Unit()
		return q
	}
	q.Overriding, q.DropIns = s.overriding(), s.dropInDirs()
	q.Users = append(q.Users, s.User)
	if s.Group != "" {
		q.Groups = append(q.Groups, s.Group)
	}
	if s.Sudo {
		q.Grants = true
		q.Users = appendNew(q.Users, s.SudoUsers...)
		q.Groups = appendNew(q.Groups, s.SudoGroups...)
	}
	switch s.RedisUnit {
	case "none":
	case "auto":
		q.Units = append(q.Units, redisUnits()...)
	default:
		q.Units = append(q.Units, s.RedisUnit)
	}
	q.Groups = appendNew(q.Groups, s.supplementary()...)
	for _, f := range s.rootFiles() {
		q.RootFiles = appendNew(q.RootFiles, f.path)
	}
	q.OwnDirectories = s.ownDirectories()
	q.Dir, q.Reader, q.Unit = s.Dir, s.User, s.Unit()
	q.Release = s.RestartOnRelease
	q.Bundles, q.EnvFiles = s.bundles(), s.environmentPaths()
	for _, own := range s.owns() {
		q.Configs = appendNew(q.Configs, own.configFiles()...)
		if own.ExecStart == nil && !own.LoginShell {
			q.Programs = appendNew(q.Programs, append(bundlePaths(), s.Bundle)...)
		}
		if own.ExecStart == nil {
			for _, b := range q.Bundles {
				q.Programs = appendNew(q.Programs, b.Gemfile)
			}
		}
		q.Programs = appendNew(q.Programs, own.railsFiles()...)
	}
	q.Logs = s.logs()
	for _, log := range s.logFiles() {
		q.Programs = appendNew(q.Programs, path.Dir(log))
	}
	if s.Logrotate {
		q.Rotated = s.logFiles()
	}
	return q
}

// logs are the log files of the units that run Sidekiq.
func (s *Service) logs() map[string]string {
	logs := map[string]string{}
	for _, own := range s.owns() {
		if own.LogFile != "" {
			logs[own.Unit()] = s.inDir(own.LogFile)
		}
	}
	return logs
}

// inDir makes name absolute as the service will see it.
func (s *Service) inDir(name string) string {
	if path.IsAbs(name) {
		return path.Clean(name)
	}
	return path.Join(s.Dir, name)
}

// appendNew appends what list does not hold yet.
func appendNew(list []string, more ...string) []string {
	for _, m := range more {
		if !contains(list, m) {
			list = append(list, m)
		}
	}
	return list
}
