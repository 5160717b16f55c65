// SPDX-License-Identifier: GPL-3.0-or-later

package sudo

import (
	"path"
	"slices"
	"strings"
)

// Some programs make whoever may run them as root with arguments of his own
// choice root in all but name: they run other programs, write any file, or
// change who owns it.
var rootPrograms = set(
	// run what they are told, or start a shell or an editor
	"sh bash dash zsh ksh fish csh tcsh busybox su sudo sudoedit doas runuser setpriv env nice ionice chrt timeout nohup stdbuf setsid script time watch xargs"+
		" find awk gawk mawk perl python python2 python3 ruby irb node nodejs php lua tclsh make git ssh screen tmux expect strace gdb ltrace"+
		" nsenter unshare chroot systemd-run systemd-nspawn machinectl pkexec start-stop-daemon service run-parts crontab at batch parallel"+
		" bundle rake gem npm npx yarn pip pip3 cargo go java",
	// editors and pagers
	"vi vim view vimdiff nvim ex ed nano pico emacs joe mcedit visudo vipw vigr less more most man info",
	// write, move or replace files, or change who may
	"mv cp rm tee install ln link chmod chown chgrp chattr setfacl dd sed truncate touch mkdir rsync scp sftp tar cpio unzip zip gzip gunzip patch wget curl split sort"+
		" mount umount setcap mknod",
	// users, packages, kernels and containers
	"useradd usermod userdel adduser groupadd groupmod gpasswd passwd chpasswd chsh chfn newusers update-alternatives"+
		" apt apt-get aptitude dpkg dpkg-reconfigure snap flatpak rpm yum dnf zypper pacman apk"+
		" insmod modprobe kexec sysctl docker podman ctr nerdctl lxc lxd kubectl qemu-system-x86_64 virsh",
)

// rootVerbs are the verbs by which systemctl runs a unit of the user's choice,
// or an editor.
var rootVerbs = set("link edit enable reenable daemon-reexec preset import-environment set-environment switch-root set-property revert bind mount-image")

func set(lists ...string) map[string]bool {
	s := map[string]bool{}
	for _, list := range lists {
		for word := range strings.FieldsSeq(list) {
			s[word] = true
		}
	}
	return s
}

// RootRules are the rules by which the user becomes root without a password, be
// it by every command or by one that is as good.
func (l List) RootRules() []Decision {
	return slices.DeleteFunc(l.Rules(), func(d Decision) bool {
		return !d.asRoot() || !slices.Contains(d.Options, "!authenticate") || !MakesRoot(d.Command) || l.forbidden(d)
	})
}

// forbidden reports whether a later rule takes the very same command back.
func (l List) forbidden(d Decision) bool {
	rules := l.Rules()
	return slices.ContainsFunc(rules, func(r Decision) bool { return r.asRoot() && r.Command == "!"+d.Command })
}

// MakesRoot reports whether a command, as a rule has it, makes root of whoever
// may run it. A command with fixed arguments does not, as far as can be told
// from the rule: what a script of root's does, for one, it does not say.
func MakesRoot(command string) bool {
	for strings.HasPrefix(command, "sha") && strings.Contains(command, ":") {
		_, command, _ = strings.Cut(command, " ")
	}
	program, arguments, _ := strings.Cut(command, " ")
	arguments = strings.TrimSpace(arguments)
	switch {
	case strings.HasPrefix(command, "!"):
		return false
	case program == "ALL" || strings.HasSuffix(program, "/") || anyProgram(path.Base(program)):
		return true
	case path.Base(program) == "systemctl":
		return systemctlMakesRoot(arguments)
	}
	return rootPrograms[withoutVersion(path.Base(program))] && free(arguments) || places(path.Base(program), strings.Fields(arguments))
}

// places reports whether a command puts what its user can choose where root's
// own files are, as /bin/mv /tmp/x.service /etc/systemd/system/x.service does.
func places(program string, words []string) bool {
	names := slices.DeleteFunc(words, func(w string) bool { return strings.HasPrefix(w, "-") })
	if len(names) == 0 || !slices.Contains([]string{"mv", "cp", "install", "ln", "rsync", "tee"}, program) || !rootsOwn(names[len(names)-1]) {
		return false
	}
	return program == "tee" || slices.ContainsFunc(names[:len(names)-1], func(n string) bool { return !rootsOwn(n) })
}

// rootsOwn reports whether a path is in a directory whose files root alone
// writes, and runs or obeys.
func rootsOwn(name string) bool {
	return slices.ContainsFunc([]string{"/etc/", "/lib/", "/usr/", "/bin/", "/sbin/", "/root/", "/run/systemd/"}, func(dir string) bool {
		return strings.HasPrefix(path.Clean(name)+"/", dir)
	})
}

// anyProgram reports whether the name of a program is a pattern that fits one of
// those that make root.
func anyProgram(pattern string) bool {
	if !strings.ContainsAny(pattern, "*?[") {
		return false
	}
	for name := range rootPrograms {
		if glob(pattern, name) {
			return true
		}
	}
	return glob(pattern, "systemctl")
}

// free reports whether arguments may be chosen: none are given, which allows
// any, or there is a wildcard among them. "" in quotes allows none.
func free(arguments string) bool {
	return arguments == "" || arguments != `""` && strings.ContainsAny(arguments, "*?[") || strings.HasPrefix(arguments, "^") && strings.Contains(arguments, ".")
}

func systemctlMakesRoot(arguments string) bool {
	words := strings.Fields(arguments)
	verb := slices.IndexFunc(words, func(w string) bool { return !strings.HasPrefix(w, "-") })
	switch {
	case arguments == "" || verb < 0 && free(arguments):
		return true
	case verb < 0:
		return false
	case strings.ContainsAny(words[verb], "*?[^"):
		return true
	}
	return rootVerbs[words[verb]]
}

// withoutVersion is the name of a program without the version behind it, as in
// python3.11.
func withoutVersion(name string) string {
	if stem := strings.TrimRight(name, digits+"."); stem != "" && !rootPrograms[name] {
		return stem
	}
	return name
}
