// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux && amd64

// Nth runs a program and meddles with its n-th effect: a change of the file
// system, or a message that tells systemd to change something. It kills the
// program before or after that effect, or makes the effect fail.
//
//	nth [-n N] [-kill before|after] [-fail ERRNO] [-only PATTERN] [-log FILE] PROGRAM [ARGUMENT...]
//
// strace can do this to programs of one thread. It counts for each thread,
// though, and a Go program goes from thread to thread as it likes. Effects of
// child processes do not count.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"unsafe"
)

func main() {
	var t tracer
	flag.IntVar(&t.n, "n", 0, "which effect; 0 leaves them all alone")
	flag.StringVar(&t.kill, "kill", "", "kill the program before or after the effect")
	fail := flag.Int("fail", 0, "the `errno` that the effect fails with")
	only := flag.String("only", "", "count only effects that match this regular expression")
	flag.StringVar(&t.log, "log", "/dev/stderr", "where the effects are written, one a line")
	flag.Parse()
	t.fail = syscall.Errno(*fail)
	t.only = regexp.MustCompile(*only)
	status, err := t.run(flag.Args())
	if err != nil {
		fmt.Fprintln(os.Stderr, "nth:", err)
		os.Exit(125)
	}
	os.Exit(status)
}

type tracer struct {
	n    int
	kill string
	fail syscall.Errno
	only *regexp.Regexp
	log  string

	out     io.Writer
	pid     int
	count   int
	failing map[int]bool // threads within the call that is to fail
	killing map[int]bool // threads within the call after which to kill
}

// run runs the program to its end and returns its exit status, 137 if it was
// killed.
func (t *tracer) run(command []string) (status int, err error) {
	runtime.LockOSThread() // ptrace(2) is for the thread that began it
	out, err := os.Create(t.log)
	if err != nil {
		return 0, err
	}
	defer out.Close()
	t.out, t.failing, t.killing = out, map[int]bool{}, map[int]bool{}
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	t.pid = cmd.Process.Pid
	var ws syscall.WaitStatus
	if _, err := syscall.Wait4(t.pid, &ws, syscall.WALL, nil); err != nil {
		return 0, err
	}
	const exitKill = 0x100000
	if err := syscall.PtraceSetOptions(t.pid, syscall.PTRACE_O_TRACECLONE|syscall.PTRACE_O_TRACESYSGOOD|exitKill); err != nil {
		return 0, err
	}
	return t.follow()
}

// follow lets all threads go from one stop to the next.
func (t *tracer) follow() (status int, err error) {
	known := map[int]bool{t.pid: true}
	tid, signal := t.pid, 0
	for {
		// A thread that was killed meanwhile is gone, which is no error.
		if err := syscall.PtraceSyscall(tid, signal); err != nil && err != syscall.ESRCH {
			return 0, err
		}
		var ws syscall.WaitStatus
		for {
			if tid, err = syscall.Wait4(-1, &ws, syscall.WALL, nil); err != nil {
				return 0, err
			}
			if ws.Stopped() {
				break
			}
			if tid == t.pid && ws.Signaled() {
				return 128 + int(ws.Signal()), nil
			}
			if tid == t.pid {
				return ws.ExitStatus(), nil
			}
		}
		signal = 0
		switch s := ws.StopSignal(); {
		case s == syscall.SIGTRAP|0x80:
			t.call(tid)
		case s == syscall.SIGTRAP: // a new thread was made
		case s == syscall.SIGSTOP && !known[tid]: // it is there
		default:
			signal = int(s)
		}
		known[tid] = true
	}
}

// call looks at a thread that enters or leaves a system call.
func (t *tracer) call(tid int) {
	var info syscallInfo
	const getSyscallInfo = 0x420e
	if _, _, errno := syscall.RawSyscall6(syscall.SYS_PTRACE, getSyscallInfo, uintptr(tid), unsafe.Sizeof(info), uintptr(unsafe.Pointer(&info)), 0, 0); errno != 0 {
		return
	}
	const entry, exit = 1, 2
	switch info.op {
	case entry:
		t.entered(tid, info)
	case exit:
		if t.killing[tid] {
			_ = syscall.Kill(t.pid, syscall.SIGKILL)
		}
		if t.failing[tid] {
			delete(t.failing, tid)
			t.setRegisters(tid, func(r *syscall.PtraceRegs) { r.Rax = uint64(-int64(t.fail)) })
		}
	}
}

func (t *tracer) entered(tid int, info syscallInfo) {
	what := call{tid, info}.effect()
	if what == "" || !t.only.MatchString(what) {
		return
	}
	t.count++
	fmt.Fprintln(t.out, what)
	if t.count != t.n {
		return
	}
	switch {
	case t.kill == "before":
		// A call that has not begun never will.
		_ = syscall.Kill(t.pid, syscall.SIGKILL)
	case t.kill == "after":
		t.killing[tid] = true
	case t.fail != 0:
		t.failing[tid] = true
		t.setRegisters(tid, func(r *syscall.PtraceRegs) { r.Orig_rax = ^uint64(0) })
	}
}

func (t *tracer) setRegisters(tid int, change func(*syscall.PtraceRegs)) {
	var r syscall.PtraceRegs
	if err := syscall.PtraceGetRegs(tid, &r); err == nil {
		change(&r)
		_ = syscall.PtraceSetRegs(tid, &r)
	}
}

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

// Where a call names what it changes: by the path or the descriptor in one of
// its arguments.
var (
	byPath = map[uint64]struct {
		name string
		arg  int
	}{
		syscall.SYS_MKDIR: {"mkdir", 0}, syscall.SYS_MKDIRAT: {"mkdir", 1},
		syscall.SYS_RMDIR: {"rmdir", 0}, syscall.SYS_UNLINK: {"unlink", 0}, syscall.SYS_UNLINKAT: {"unlink", 1},
		syscall.SYS_RENAME: {"rename to", 1}, syscall.SYS_RENAMEAT: {"rename to", 3}, 316: {"rename to", 3},
		syscall.SYS_SYMLINK: {"symlink", 1}, syscall.SYS_SYMLINKAT: {"symlink", 2}, syscall.SYS_LINKAT: {"link", 3},
		syscall.SYS_CHMOD: {"chmod", 0}, syscall.SYS_FCHMODAT: {"chmod", 1},
		syscall.SYS_CHOWN: {"chown", 0}, syscall.SYS_LCHOWN: {"chown", 0}, syscall.SYS_FCHOWNAT: {"chown", 1},
		syscall.SYS_UTIMENSAT: {"utimens", 1},
	}
	byDescriptor = map[uint64]string{
		syscall.SYS_FSYNC: "fsync", syscall.SYS_FDATASYNC: "fsync", syscall.SYS_FTRUNCATE: "truncate",
		syscall.SYS_FCHMOD: "chmod", syscall.SYS_FCHOWN: "chown",
	}
	messages = []string{
		"StartUnit", "StopUnit", "RestartUnit", "ReloadUnit", "KillUnit", "ResetFailedUnit",
		"EnableUnitFiles", "DisableUnitFiles", "Reload",
	}
)

// effect says in words what the call changes, or nothing.
func (c call) effect() string {
	if p, ok := byPath[c.nr]; ok {
		return p.name + " " + c.text(c.args[p.arg])
	}
	if name, ok := byDescriptor[c.nr]; ok {
		return name + " " + c.file(0)
	}
	switch c.nr {
	case syscall.SYS_OPENAT:
		if c.args[2]&(syscall.O_CREAT|syscall.O_TRUNC) != 0 {
			return "create " + c.text(c.args[1])
		}
	case syscall.SYS_WRITE:
		return c.write(string(c.memory(c.args[1], min(c.args[2], 4096))))
	case syscall.SYS_SENDMSG:
		vector := c.memory(c.word(c.args[1]+16), 16)
		if len(vector) == 16 {
			return c.write(string(c.memory(number(vector[:8]), min(number(vector[8:]), 4096))))
		}
	}
	return ""
}

// write says what writing data is: to a file, to systemd, or the result.
func (c call) write(data string) string {
	file := c.file(0)
	switch {
	case c.args[0] == 1:
		return "print the result"
	case strings.HasPrefix(file, "socket:"):
		for _, m := range messages {
			if strings.Contains(data, "\x00"+m+"\x00") {
				return "tell systemd " + m
			}
		}
	case strings.HasPrefix(file, "/") && !strings.HasPrefix(file, "/proc/"):
		return "write " + file
	}
	return ""
}

// file is what the descriptor in an argument is open on.
func (c call) file(arg int) string {
	name, _ := os.Readlink("/proc/" + strconv.Itoa(c.tid) + "/fd/" + strconv.Itoa(int(int32(c.args[arg]))))
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
