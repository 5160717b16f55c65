// SPDX-License-Identifier: GPL-3.0-or-later

// Package sidekiq knows what a Sidekiq in production needs of a host.
//
// [Parse] makes a [Service] of a task's options; a Service is always valid, so
// nothing is checked twice. [Service.Questions] says what has to be known about
// the host, [Facts] are the answers, and [Service.Want] works out from both,
// byte for byte, which files and units the host should have.
// [Service.Conflicts] says what stands in the way there, and [Service.Explain]
// makes sense of a Sidekiq that did not come up.
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
	"slices"
	"strings"
	"time"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/ansible"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/sudo"
)

// State is the value of the option of that name.
type State string

// States.
const (
	Started   State = "started"
	Stopped   State = "stopped"
	Restarted State = "restarted"
	Quiet     State = "quiet"
	Present   State = "present" // leave it running or not running
	Absent    State = "absent"
)

// Service is one Sidekiq service as a task asks for it. Only [Parse] makes one.
// A field without a comment means what the module's documentation says about
// the option of that name.
type Service struct {
	Name    string // of the unit, without .service; or, of one process among several, what stands before the @
	Project string // whose files these are: project_name, else the directory; empty only for Absent
	State   State
	Enabled bool

	Dir   string // working_directory; empty only for Absent
	User  string
	Group string // empty: the user's primary group
	Umask string

	AppEnv      string
	ConfigFile  string
	ConfigGiven bool // config_file is not its default
	Bundle      string
	LoginShell  bool
	ExecStart   []string // the words of exec_start; nil: made of the options above and below
	Queues      []string
	Concurrency int // 0: not said

	Instances []Instance // several processes; none where the service itself is the process
	instance  string     // the name of the process that this is, of several

	Type         string // auto, notify, exec or simple
	WatchdogSec  int
	Restart      string
	RestartSec   int // 0: not said
	StartTimeout time.Duration
	StopSec      int // timeout_stop_sec; 0: not said

	Env      []Variable // sorted by name
	EnvFiles []string
	Secrets  []Variable // secret_env, sorted by name
	LogFile  string     // empty: the journal

	Logrotate bool

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
	KillAsked    bool // sudo_commands is given, and names kill_tstp
	SudoersFile  string

	RequireDeployed  bool
	Known            []string // known_services, without .service
	UnitDir          string
	RestartOnChange  bool
	RestartOnRelease bool
	Rollback         bool // on_failure is rollback
	Replace          bool
	Backup           bool
}

// Parse makes a Service of a task's options. One error, an
// [*ansible.ArgumentError], holds everything that is wrong with them.
func Parse(r ansible.Request) (Service, error) {
	p := &parser{}
	p.Values = Options().Decode(r, &p.Problems)
	s := p.service()
	if err := p.Err(); err != nil {
		return Service{}, err
	}
	return s, nil
}

// parser reads options and notes what is wrong with them.
type parser struct {
	ansible.Values
	ansible.Problems
}

func (p *parser) service() Service {
	s := Service{
		Name:    p.unitStem("name"),
		State:   State(p.String("state")),
		Enabled: p.Bool("enabled"),

		User:  p.user("user"),
		Group: p.group("group"),
		Umask: p.umask("umask"),

		Type:         p.String("type"),
		WatchdogSec:  p.Int("watchdog_sec"),
		Restart:      p.String("restart"),
		RestartSec:   p.Int("restart_sec"),
		StartTimeout: time.Duration(p.Int("start_timeout")) * time.Second,
		StopSec:      p.Int("timeout_stop_sec"),

		Env:      p.variables("env"),
		EnvFiles: p.envFiles("env_files"),
		Secrets:  p.secretVariables("secret_env"),
		LogFile:  p.path("log_file"),

		Logrotate: p.Bool("logrotate"),

		RedisUnit: p.redisUnit("redis_unit"),
		After:     p.units("after"),
		Wants:     p.units("wants"),
		WantedBy:  p.units("wanted_by"),

		Hardening:  p.String("hardening"),
		Directives: p.directives("directives"),

		RequireDeployed:  p.Bool("require_deployed"),
		Known:            p.services("known_services"),
		UnitDir:          p.absolute("unit_dir"),
		RestartOnChange:  p.Bool("restart_on_change"),
		RestartOnRelease: p.Bool("restart_on_release"),
		Rollback:         p.String("on_failure") == "rollback",
		Replace:          p.Bool("replace"),
		Backup:           p.Bool("backup"),
	}
	p.application(&s)
	p.command(&s)
	p.sudo(&s)
	p.onlyOnce(s)
	s.Instances = p.instances(s)
	p.rotates(s)
	if strings.HasPrefix(strings.TrimPrefix(s.UnitDir, "/var"), "/run/") && s.State != Absent {
		p.Add("unit_dir", "%q is gone after a reboot, and the service with it; want a directory that stays", s.UnitDir)
	}
	p.together(s)
	return s
}

// application reads where the application is and which project the service
// belongs to.
func (p *parser) application(s *Service) {
	project := p.projectName("project_name")
	s.Dir = p.absolute("working_directory")
	switch {
	case s.Dir != "" || p.Given("working_directory"):
	case project != "":
		s.Dir = path.Join("/opt", project, "current")
	case s.State != Absent && !p.Given("project_name"):
		p.Add("project_name", "required, unless working_directory is given%s", beside(p.Given("state")))
	}
	s.Project = project
	if project == "" {
		s.Project = projectOf(s.Dir)
	}
}

// projectOf names the application that runs in dir, for want of another name:
// it is laevigata for /opt/laevigata/current, and dir itself otherwise.
func projectOf(dir string) string {
	name, ok := strings.CutPrefix(dir, "/opt/")
	if name, ok2 := strings.CutSuffix(name, "/current"); ok && ok2 && name != "" && !strings.Contains(name, "/") {
		return name
	}
	return dir
}

// command reads what is run.
func (p *parser) command(s *Service) {
	s.ExecStart = p.commandLine("exec_start")
	s.AppEnv = p.word("app_env")
	s.ConfigFile, s.ConfigGiven = p.path("config_file"), p.Given("config_file")
	s.LoginShell = p.Bool("login_shell")
	s.Bundle = p.bundle("bundle", s.LoginShell)
	s.Queues = p.queues("queues")
	s.Concurrency = p.Int("concurrency")
}

// sudo reads who may do what as root.
func (p *parser) sudo(s *Service) {
	s.Sudo = p.Bool("sudo")
	s.SudoUsers = p.sudoNames("sudo_users")
	s.SudoGroups = p.sudoNames("sudo_groups")
	s.SudoCommands = unique(p.Strings("sudo_commands"))
	s.KillAsked = p.Given("sudo_commands") && contains(s.SudoCommands, "kill_tstp")
	grants := s.Sudo && s.State != Absent
	s.SudoersFile = p.sudoersFile("sudoers_file", s.Name, grants)
	if !p.Given("sudo_users") {
		s.SudoUsers = []string{s.User}
		if grants && sudo.CheckName(s.User) != nil && s.User != "" {
			p.Add("user", "%q cannot be written into sudoers so that sudo and sudo-rs read it alike; "+
				"name somebody else in sudo_users, or set sudo: false", s.User)
		}
	}
	if !grants {
		return
	}
	if len(s.SudoUsers)+len(s.SudoGroups) == 0 {
		p.Add("sudo_users", "empty, and so is sudo_groups: nobody is granted anything; set sudo: false if that is meant")
	}
	if len(s.SudoCommands) == 0 {
		p.Add("sudo_commands", "empty; set sudo: false if nothing is to be granted")
	}
}

// together checks what can only be seen of several options together.
func (p *parser) together(s Service) {
	if s.Enabled && len(s.WantedBy) == 0 && s.State != Absent && !s.installs() {
		p.Add("wanted_by", "empty, so nothing would start the service at boot; set enabled: false if that is meant")
	}
}

// installs reports whether directives say how the unit is enabled.
func (s *Service) installs() bool {
	return slices.ContainsFunc(s.Directives, func(d Directive) bool {
		return d.Section == "Install" && len(d.Values) > 0
	})
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
func (s *Service) Unit() string {
	if s.instance != "" {
		return s.Name + "@" + s.instance + ".service"
	}
	return s.Name + ".service"
}

// UnitPath is where its unit file is.
func (s *Service) UnitPath() string { return path.Join(s.UnitDir, s.Unit()) }

func contains(list []string, s string) bool { return slices.Contains(list, s) }

// unique is list without repetitions, in the same order.
func unique(list []string) []string { return appendNew(nil, list...) }
