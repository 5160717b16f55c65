// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux && amd64

package main

import (
	"fmt"
	"regexp"
	"syscall"
)

// fault is what befalls an effect. The zero fault leaves it alone.
type fault struct {
	name    string
	kill    bool           // the program is killed: before the effect, or
	after   bool           // after it
	signal  syscall.Signal // is sent to the program with the effect
	errno   syscall.Errno  // the effect fails; with after it happens all the same
	lasting bool           // so do all later changes of the same directory
	reexec  bool           // systemd is executed anew before the effect
}

var faults = []fault{
	{name: "kill before", kill: true},
	{name: "kill after", kill: true, after: true},
	{name: "SIGTERM", signal: syscall.SIGTERM},
	{name: "EIO", errno: syscall.EIO},
	{name: "ENOSPC", errno: syscall.ENOSPC},
	{name: "ENOMEM", errno: syscall.ENOMEM},
	{name: "EACCES", errno: syscall.EACCES},
	{name: "EMFILE", errno: syscall.EMFILE},
	{name: "EROFS", errno: syscall.EROFS},
	{name: "done yet EIO", errno: syscall.EIO, after: true},
	{name: "EIO from then on", errno: syscall.EIO, lasting: true},
	{name: "daemon-reexec", reexec: true},
}

func faultNames() []string {
	var names []string
	for _, f := range faults {
		names = append(names, f.name)
	}
	return names
}

func faultNamed(name string) (fault, error) {
	for _, f := range faults {
		if f.name == name {
			return f, nil
		}
	}
	return fault{}, fmt.Errorf("unknown fault %q", name)
}

// changesOnly matches the effects that change the host.
const changesOnly = "^(create|write|truncate|rename to|link|symlink|unlink|mkdir|rmdir|chmod|chown|utimens|fsync|tell systemd|print the result)"

// befallen says which faults are tried at which effects; the first row that
// matches counts. An error at the print of the result is left out, since then
// there is nothing to judge.
var befallen = []struct {
	effect *regexp.Regexp
	faults []string
}{
	{regexp.MustCompile("^print the result"), []string{"kill before", "kill after", "SIGTERM"}},
	{regexp.MustCompile("^tell systemd"), []string{"EIO", "kill after", "daemon-reexec", "SIGTERM", "done yet EIO", "kill before"}},
	{regexp.MustCompile(changesOnly), []string{"EIO", "kill after", "done yet EIO", "SIGTERM", "ENOSPC", "kill before", "EIO from then on", "ENOMEM"}},
	{regexp.MustCompile("^(ask systemd|connect)"), []string{"EIO", "daemon-reexec"}},
	{regexp.MustCompile("^start a (process|thread)"), []string{"ENOMEM"}},
	{regexp.MustCompile("^(open|take on)"), []string{"EIO", "ENOMEM", "EACCES", "EMFILE"}},
	{regexp.MustCompile("^(stat|readlink|access|list|read) "), []string{"EIO", "ENOMEM", "EACCES"}},
}

// faultsAt are the faults that are tried at an effect.
func faultsAt(effect string) []fault {
	for _, b := range befallen {
		if !b.effect.MatchString(effect) {
			continue
		}
		var list []fault
		for _, name := range b.faults {
			f, err := faultNamed(name)
			if err != nil {
				panic(err)
			}
			list = append(list, f)
		}
		return list
	}
	return nil
}
