// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux && amd64

package main

import (
	"os"
	"path"
	"regexp"
	"strconv"
	"strings"
	"syscall"
)

// syscallInfo is struct ptrace_syscall_info: ptrace(2).
type syscallInfo struct {
	op   uint8
	_    [3]uint8
	arch uint32
	ip   uint64
	sp   uint64
	nr   uint64
	args [6]uint64
}

// call is a system call that a thread is about to make.
type call struct {
	tid int
	syscallInfo
}

// Calls newer than the table of package syscall.
const (
	sysRenameat2  = 316
	sysClone3     = 435
	sysOpenat2    = 437
	sysFaccessat2 = 439
)

// Where a call names what it changes or looks at: by the path or the
// descriptor in one of its arguments.
var (
	byPath = map[uint64]struct {
		name string
		arg  int
	}{
		syscall.SYS_MKDIR: {"mkdir", 0}, syscall.SYS_MKDIRAT: {"mkdir", 1},
		syscall.SYS_RMDIR: {"rmdir", 0}, syscall.SYS_UNLINK: {"unlink", 0}, syscall.SYS_UNLINKAT: {"unlink", 1},
		syscall.SYS_RENAME: {"rename to", 1}, syscall.SYS_RENAMEAT: {"rename to", 3}, sysRenameat2: {"rename to", 3},
		syscall.SYS_SYMLINK: {"symlink", 1}, syscall.SYS_SYMLINKAT: {"symlink", 2}, syscall.SYS_LINKAT: {"link", 3},
		syscall.SYS_CHMOD: {"chmod", 0}, syscall.SYS_FCHMODAT: {"chmod", 1},
		syscall.SYS_CHOWN: {"chown", 0}, syscall.SYS_LCHOWN: {"chown", 0}, syscall.SYS_FCHOWNAT: {"chown", 1},
		syscall.SYS_UTIMENSAT: {"utimens", 1},
		syscall.SYS_STAT:      {"stat", 0}, syscall.SYS_LSTAT: {"stat", 0}, syscall.SYS_NEWFSTATAT: {"stat", 1},
		syscall.SYS_READLINK: {"readlink", 0}, syscall.SYS_READLINKAT: {"readlink", 1},
		syscall.SYS_ACCESS: {"access", 0}, syscall.SYS_FACCESSAT: {"access", 1}, sysFaccessat2: {"access", 1},
		sysOpenat2: {"open", 1},
	}
	byDescriptor = map[uint64]string{
		syscall.SYS_FSYNC: "fsync", syscall.SYS_FDATASYNC: "fsync", syscall.SYS_FTRUNCATE: "truncate",
		syscall.SYS_FCHMOD: "chmod", syscall.SYS_FCHOWN: "chown",
		syscall.SYS_FSTAT: "stat", syscall.SYS_GETDENTS64: "list", syscall.SYS_READ: "read", syscall.SYS_PREAD64: "read",
	}
	bare = map[uint64]string{syscall.SYS_SETGROUPS: "take on groups"}

	// What systemd is told changes it; what it is asked does not.
	told  = regexp.MustCompile(`\x00((?:Start|Stop|Restart|Reload|Kill|ResetFailed)Unit|(?:Enable|Disable)UnitFiles|Reload)\x00`)
	asked = regexp.MustCompile(`\x00(Subscribe|GetAll|Get|ListUnitsByPatterns|ListUnitFilesByPatterns|GetUnit|LoadUnit|Hello)\x00`)
	unit  = regexp.MustCompile(`\x00/org/freedesktop/systemd1/unit/([a-zA-Z0-9_]+)\x00|\x00(sidekiq[^\x00]*\.service)\x00`)
)

// What is by chance is left out of an effect: the number of a temporary file
// or of a process, and through which spelling it was reached.
var byChance = []struct {
	pattern *regexp.Regexp
	with    string
}{
	{regexp.MustCompile(`(verify-|/proc/|/releases/)\d+`), "${1}*"},
	{regexp.MustCompile(`(/\.sidekiq\S*\D)\d+$`), "${1}*"},
	{regexp.MustCompile(`(^| )/usr/lib/`), "${1}/lib/"},
	{regexp.MustCompile(`/dpkg/info/.*\.list`), "/dpkg/info/*.list"},
}

// ofRuntime matches what the Go runtime does, and what passes between threads
// and children.
var ofRuntime = regexp.MustCompile(`^[a-z]+ (/sys/.*|/proc/self/.*|/proc/\d+/(cgroup|mountinfo)|/dev/null|(pipe|anon_inode|socket):.*|)$`)

func withoutChance(effect string) string {
	for _, c := range byChance {
		effect = c.pattern.ReplaceAllString(effect, c.with)
	}
	return strings.ReplaceAll(effect, "\n", "?")
}

// effect says in words what the call does to the host or asks of it, or
// nothing: for what the Go runtime does, and for what passes between threads.
func (c call) effect() string {
	what := c.words()
	if ofRuntime.MatchString(what) {
		return ""
	}
	return withoutChance(what)
}

func (c call) words() string {
	if p, ok := byPath[c.nr]; ok {
		return p.name + " " + c.path(p.arg)
	}
	if name, ok := byDescriptor[c.nr]; ok {
		if name == "read" && c.args[0] == 0 {
			return "read the request"
		}
		return name + " " + c.file(0)
	}
	if name, ok := bare[c.nr]; ok {
		return name
	}
	switch c.nr {
	case syscall.SYS_OPENAT:
		if c.args[2]&(syscall.O_CREAT|syscall.O_TRUNC) != 0 {
			return "create " + c.path(1)
		}
		return "open " + c.path(1)
	case syscall.SYS_CONNECT:
		address, _, _ := strings.Cut(string(c.memory(c.args[1]+2, 108)), "\x00")
		return "connect to " + address
	case syscall.SYS_CLONE:
		return started(c.args[0])
	case sysClone3:
		return started(c.word(c.args[0]))
	case syscall.SYS_WRITE, syscall.SYS_PWRITE64:
		return c.write(string(c.memory(c.args[1], min(c.args[2], 4096))))
	case syscall.SYS_SENDMSG:
		vector := c.memory(c.word(c.args[1]+16), 16)
		if len(vector) == 16 {
			return c.write(string(c.memory(number(vector[:8]), min(number(vector[8:]), 4096))))
		}
	}
	return ""
}

// started says what a clone with these flags starts. A thread that cannot be
// started ends a Go program, so that is not for us to try.
func started(flags uint64) string {
	if flags&syscall.CLONE_THREAD != 0 {
		return ""
	}
	return "start a process"
}

// write says what writing data is: to a file, to systemd, or the result.
func (c call) write(data string) string {
	file := c.file(0)
	switch {
	case c.args[0] == 1:
		return "print the result"
	case strings.HasPrefix(file, "socket:"):
		return message(data)
	case strings.HasPrefix(file, "/") && !strings.HasPrefix(file, "/proc/"):
		return "write " + file
	}
	return ""
}

// message says what a D-Bus message to systemd is about.
func message(data string) string {
	about := ""
	if m := unit.FindStringSubmatch(data); m != nil {
		about = " " + strings.NewReplacer("_2e", ".", "_40", "@").Replace(m[1]+m[2])
	}
	if m := told.FindStringSubmatch(data); m != nil {
		return "tell systemd " + m[1] + about
	}
	if m := asked.FindStringSubmatch(data); m != nil {
		return "ask systemd " + m[1] + about
	}
	return ""
}

// file is what the descriptor in an argument is open on.
func (c call) file(arg int) string {
	name, _ := os.Readlink("/proc/" + strconv.Itoa(c.tid) + "/fd/" + strconv.Itoa(int(int32(c.args[arg]))))
	return name
}

// path is the path in an argument. Where it is relative, the argument before it
// is the directory, as in openat(2).
func (c call) path(arg int) string {
	name := c.text(c.args[arg])
	if arg > 0 && !path.IsAbs(name) {
		name = path.Join(c.file(arg-1), name)
	}
	return name
}

func (c call) text(at uint64) string {
	text, _, _ := strings.Cut(string(c.memory(at, 4096)), "\x00")
	return text
}

func (c call) word(at uint64) uint64 { return number(c.memory(at, 8)) }

// memory reads the thread's memory, as much of it as there is.
func (c call) memory(at, length uint64) []byte {
	f, err := os.Open("/proc/" + strconv.Itoa(c.tid) + "/mem")
	if err != nil {
		return nil
	}
	defer f.Close()
	b := make([]byte, length)
	n, _ := f.ReadAt(b, int64(at))
	return b[:n]
}

func number(b []byte) (n uint64) {
	for i, x := range b {
		n |= uint64(x) << (8 * i)
	}
	return n
}

// sameDirectory reports whether two effects are of files in one directory.
func sameDirectory(a, b string) bool {
	_, a, _ = strings.Cut(a, " /")
	_, b, _ = strings.Cut(b, " /")
	return a != "" && (path.Dir(a) == path.Dir(b) || a == path.Dir(b) || path.Dir(a) == b)
}
