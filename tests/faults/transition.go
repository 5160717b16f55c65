// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux && amd64

package main

import (
	"maps"
	"slices"
)

// options are those of the module sidekiq_service.
type options map[string]any

// with is o with others beside and over its own.
func (o options) with(others options) options {
	all := maps.Clone(o)
	maps.Copy(all, others)
	return all
}

// transition is what a run is to bring about.
type transition struct {
	name      string
	before    options // with which the host is made what it is before; nil: there is nothing
	old       bool    // there is the old role's service instead
	goal      options // with which the run under test is made
	fails     bool    // the goal cannot be reached: the new command dies
	systemBus bool    // systemd is to be had over the system bus only
}

// next are the options of the run that has to heal what the run under test has
// left: once more the same or, after a change that cannot work, the former.
func (t transition) next() options {
	switch {
	case t.fails && t.before != nil:
		return t.before
	case t.fails:
		return standingIn
	}
	return t.goal
}

var (
	standingIn = options{
		"project_name": "laevigata", "exec_start": "/usr/local/bin/faults stand-in sidekiq", "type": "notify", "watchdog_sec": 0, "start_timeout": 20,
	}
	changed = standingIn.with(options{"umask": "0022", "sudo_commands": []string{"restart", "status"}, "wanted_by": []string{"default.target"}})
	dying   = changed.with(options{"exec_start": "/bin/false", "type": "simple"})
	three   = standingIn.with(options{"processes": 3})
	named   = func(names ...string) options {
		var instances []options
		for _, name := range names {
			instances = append(instances, options{"name": name})
		}
		return standingIn.with(options{"instances": instances})
	}
	absent = options{"state": "absent"}
)

// transitions are all that are tried: each once more over the system bus.
func transitions() []transition {
	all := slices.Clone(plain)
	for _, t := range plain {
		t.name += ", over the system bus"
		t.systemBus = true
		all = append(all, t)
	}
	return all
}

var plain = []transition{
	{name: "fresh", goal: standingIn},
	{name: "change", before: standingIn, goal: changed},
	{name: "sudoers only", before: standingIn, goal: standingIn.with(options{"sudo_commands": []string{"restart", "status"}})},
	{name: "less", before: standingIn, goal: standingIn.with(options{"umask": "0077", "sudo": false, "enabled": false})},
	{name: "adopt", old: true, goal: standingIn},
	{name: "absent", before: standingIn, goal: standingIn.with(absent)},
	{name: "1 to 3", before: standingIn, goal: three},
	{name: "3 to 1", before: three, goal: standingIn},
	{name: "3 changed", before: three, goal: three.with(options{"umask": "0022"})},
	{name: "an instance renamed", before: named("critical", "rest"), goal: named("critical", "low")},
	{name: "3 to absent", before: three, goal: three.with(absent)},
	{name: "a failing change", before: standingIn, goal: dying, fails: true},
	{name: "a failing first run", goal: dying, fails: true},
	{name: "a failing change of 3", before: three, goal: dying.with(options{"processes": 3}), fails: true},
}

// What the old role left: its unit and its sudo rules.
const (
	oldUnit = `[Unit]
Description=sidekiq
After=syslog.target network.target

[Service]
Type=simple
WorkingDirectory=/opt/laevigata/current
ExecStart=/usr/local/bin/faults stand-in sidekiq
User=deploy
Group=deploy
UMask=0002
RestartSec=1
Restart=on-failure
StandardOutput=syslog
StandardError=syslog
SyslogIdentifier=sidekiq

[Install]
WantedBy=multi-user.target
`
	oldSudoers = `deploy ALL=(ALL) NOPASSWD: /bin/systemctl start sidekiq
deploy ALL=(ALL) NOPASSWD: /bin/systemctl stop sidekiq
deploy ALL=(ALL) NOPASSWD: /bin/systemctl restart sidekiq
deploy ALL=(ALL) NOPASSWD: /bin/systemctl status sidekiq
`
)
