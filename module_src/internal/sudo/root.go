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
		" bundle rake gem npm npx yarn pip pip3 cargo go java taskset flock capsh busctl socat login ansible ansible-playbook puppet mksh ash rbash",
	// editors and pagers
	"vi vim view vimdiff nvim ex ed nano pico emacs joe mcedit visudo vipw vigr less more most man info"+
		" editor sensible-editor sensible-pager rvim rview vim.basic vim.tiny vim.nox",
	// write, move or replace files, or change who may
	"mv cp rm tee install ln link chmod chown chgrp chattr setfacl dd sed truncate touch mkdir rsync scp sftp tar cpio unzip zip gzip gunzip patch wget curl split sort"+
		" mount umount setcap mknod openssl xxd tcpdump nmap logrotate nginx mysql psql systemd-tmpfiles",
	// users, packages, kernels and containers
	"useradd usermod userdel adduser groupadd groupmod gpasswd passwd chpasswd chsh chfn newusers update-alternatives"+
		" apt apt-get aptitude dpkg dpkg-reconfigure snap flatpak rpm yum dnf zypper pacman apk"+
		" insmod modprobe kexec sysctl docker podman ctr nerdctl lxc lxd kubectl qemu-system-x86_64 virsh",
)

// rootVerbs are the verbs by which systemctl runs a unit of the user's choice,
// or an editor.
var rootVerbs = set("link edit enable reenable daemon-reexec preset import-environment set-environment switch-root set-property revert bind mount-image")

// Of these, some make root with the arguments of a rule, too.
var (
	// start a shell or write any file whatever their arguments are
	editors   = set("screen tmux gdb nsenter vi vim view vimdiff nvim ex ed nano pico emacs joe mcedit visudo vipw vigr editor sensible-editor rvim rview vim.basic vim.tiny vim.nox")
	pagers    = set("less more most man info sensible-pager")
	shells    = set("sh bash dash zsh ksh mksh ash rbash fish csh tcsh python python2 python3 perl ruby irb node php lua tclsh")
	obeyHere  = set("make rake bundle npm npx yarn git") // what files of the directory say in which they are run
	runOthers = set("sudo doas env nice ionice chrt taskset timeout nohup stdbuf setsid time watch xargs script systemd-run pkexec unshare nsenter chroot")
	// do what files say that are named to them
	obey = set("sh bash dash zsh ksh mksh ash rbash fish csh tcsh python python2 python3 perl ruby node php lua tclsh expect make rake bundle npm git" +
		" run-parts dpkg rpm unzip cpio insmod mount logrotate nginx systemd-tmpfiles ansible-playbook setcap tee")
)

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
func (l List) RootRules() (rules []Decision) {
	for _, d := range l.Rules() {
		if d.asRoot() && slices.Contains(d.Options, "!authenticate") && l.makesRoot(d) && !l.forbidden(d) {
			rules = append(rules, d)
		}
	}
	return rules
}

// forbidden reports whether a later rule takes the very same command back.
func (l List) forbidden(d Decision) bool {
	rules := l.Rules()
	return slices.ContainsFunc(rules, func(r Decision) bool { return r.asRoot() && r.Command == "!"+d.Command })
}

// makesRoot reports whether a rule makes root of whoever may use it. One that
// lets its user set variables does, since LD_PRELOAD is one.
func (l List) makesRoot(d Decision) bool {
	program, arguments, _ := strings.Cut(d.Command, " ")
	base, words := withoutVersion(path.Base(program)), strings.Fields(strings.Trim(arguments, `"`))
	switch {
	case strings.HasPrefix(d.Command, "!"):
		return false
	case MakesRoot(d.Command) || slices.Contains(d.Options, "setenv"):
		return true
	case pagers[base] && slices.Contains(d.Options, "noexec"):
		return false
	}
	return editors[base] || pagers[base] || startsShell(base, words) || handsOver(base, words) || l.theirs(program) || l.obeysTheirs(base, words)
}

// theirs reports whether the user could change what is at a path.
func (l List) theirs(path string) bool {
	return l.Theirs != nil && strings.HasPrefix(path, "/") && l.Theirs(path)
}

// startsShell reports whether a program with these arguments gives a shell, or
// does what files of a directory say that its user chooses.
func startsShell(program string, words []string) bool {
	names := withoutOptions(words)
	switch {
	case program == "su" || program == "runuser":
		return !slices.ContainsFunc(words, func(w string) bool { return w == "-c" || w == "-u" }) && (len(names) == 0 || names[0] == "root")
	case program == "passwd":
		return len(names) == 0 || names[0] == "root"
	case program == "login" || program == "crontab":
		return slices.Contains(words, "-f") || slices.Contains(words, "-e")
	case program == "docker" || program == "podman" || program == "machinectl":
		return slices.Contains(words, "run") || slices.Contains(words, "shell")
	case shells[program]:
		return len(names) == 0 && !slices.Contains(words, "--version")
	case obeyHere[program]:
		return !slices.Contains(words, "-C")
	case program == "sudo" && (slices.Contains(words, "-i") || slices.Contains(words, "-s")):
		return true
	case runOthers[program]:
		for i := range words {
			if rest := strings.Join(words[i:], " "); rootPrograms[withoutVersion(path.Base(words[i]))] && (List{}).makesRoot(Decision{Command: rest}) {
				return true
			}
		}
	}
	return false
}

// handsOver reports whether a command gives away a file of root's, or writes to
// one what it is told.
func handsOver(program string, words []string) bool {
	names := withoutOptions(words)
	if len(names) == 0 || !slices.ContainsFunc(names, func(n string) bool { return rootsOwn(strings.TrimPrefix(n, "of=")) }) {
		return false
	}
	switch program {
	case "chown":
		return !strings.HasPrefix(names[0], "root")
	case "dd":
		return !strings.Contains(strings.Join(words, " "), "if=")
	}
	return program == "setfacl"
}

// obeysTheirs reports whether a command does what a file says that its user can
// change, or lets that user choose by a link what is given away.
func (l List) obeysTheirs(program string, words []string) bool {
	names := withoutOptions(words)
	switch program {
	case "tar":
		if len(words) == 0 || !strings.Contains(words[0], "x") {
			return false
		}
	case "chmod":
		if len(names) == 0 || !strings.Contains(names[0], "s") && (len(names[0]) != 4 || !strings.Contains("4567", names[0][:1])) {
			return false
		}
	case "chown":
		if len(names) == 0 || strings.HasPrefix(names[0], "root") || strings.Contains(strings.Join(words, " "), "-R") {
			return false
		}
	default:
		if runOthers[program] {
			return slices.ContainsFunc(words, l.theirs)
		}
		if !obey[program] {
			return false
		}
	}
	return slices.ContainsFunc(names, l.theirs)
}

func withoutOptions(words []string) []string {
	return slices.DeleteFunc(slices.Clone(words), func(w string) bool { return strings.HasPrefix(w, "-") })
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
	if expression, ok := strings.CutPrefix(program, "^"); ok {
		program = strings.TrimSuffix(expression, "$")
		if strings.ContainsAny(program, "*+?[(|") {
			return true
		}
	}
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
