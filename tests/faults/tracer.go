// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux && amd64

package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

// tracer runs a program and has a fault befall one of its effects. Effects of
// child processes do not count.
type tracer struct {
	only  *regexp.Regexp // which effects count
	fault fault
	at    string // the effect that it befalls; "": any
	nth   int    // which of those effects, from 1

	systemBus bool          // systemd's private socket refuses connections
	limit     time.Duration // after which the program is killed; 0: none

	stdin  io.Reader
	stdout io.Writer
	log    func(effect string)

	hit  bool // the fault has befallen
	late bool // the program was killed for its time was up

	pid     int
	count   int
	failing map[int]syscall.Errno // threads within a call that is to fail
	killing map[int]bool          // threads within the call after which to kill
}

// run runs the program to its end and returns its exit status, 137 if it was
// killed.
func (t *tracer) run(command []string) (status int, err error) {
	runtime.LockOSThread() // ptrace(2) is for the thread that began it
	defer runtime.UnlockOSThread()
	t.failing, t.killing = map[int]syscall.Errno{}, map[int]bool{}
	cmd := exec.Command(command[0], command[1:]...)
	output, err := t.connect(cmd)
	if err != nil {
		return 0, err
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	copied := output()
	t.pid = cmd.Process.Pid
	var ws syscall.WaitStatus
	if _, err := syscall.Wait4(t.pid, &ws, syscall.WALL, nil); err != nil {
		return 0, err
	}
	const exitKill = 0x100000
	if err := syscall.PtraceSetOptions(t.pid, syscall.PTRACE_O_TRACECLONE|syscall.PTRACE_O_TRACESYSGOOD|exitKill); err != nil {
		return 0, err
	}
	if t.limit > 0 {
		timer := time.AfterFunc(t.limit, func() { t.late = true; _ = syscall.Kill(t.pid, syscall.SIGKILL) })
		defer timer.Stop()
	}
	status, err = t.follow()
	<-copied
	return status, err
}

// connect gives the program its input and output. The tracer waits for the
// program itself, so that exec.Cmd cannot be asked to copy them.
func (t *tracer) connect(cmd *exec.Cmd) (started func() <-chan struct{}, err error) {
	cmd.Stderr = os.Stderr
	done := make(chan struct{})
	if in, ok := t.stdin.(*os.File); ok {
		cmd.Stdin, cmd.Stdout = in, t.stdout
		close(done)
		return func() <-chan struct{} { return done }, nil
	}
	in, err := tempFile(t.stdin)
	if err != nil {
		return nil, err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd.Stdin, cmd.Stdout = in, w
	return func() <-chan struct{} {
		_, _ = in.Close(), w.Close()
		go func() {
			defer close(done)
			defer r.Close()
			_, _ = io.Copy(t.stdout, r)
		}()
		return done
	}, nil
}

// tempFile is an open file with this content and without a name.
func tempFile(content io.Reader) (*os.File, error) {
	f, err := os.CreateTemp("", "")
	if err != nil {
		return nil, err
	}
	_ = os.Remove(f.Name())
	if _, err := io.Copy(f, content); err != nil {
		return nil, err
	}
	_, err = f.Seek(0, io.SeekStart)
	return f, err
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
		if errno := t.failing[tid]; errno != 0 {
			delete(t.failing, tid)
			t.setRegisters(tid, func(r *syscall.PtraceRegs) { r.Rax = uint64(-int64(errno)) })
		}
	}
}

const privateSocket = "/run/systemd/private"

func (t *tracer) entered(tid int, info syscallInfo) {
	effect := call{tid, info}.effect()
	if t.systemBus && effect == "connect to "+privateSocket {
		t.refuse(tid, syscall.ECONNREFUSED)
		return
	}
	if effect == "" || !t.only.MatchString(effect) {
		return
	}
	t.log(effect)
	if t.hit {
		if t.fault.lasting && changes(effect) && sameDirectory(effect, t.at) {
			t.refuse(tid, t.fault.errno)
		}
		return
	}
	if t.at != "" && effect != t.at {
		return
	}
	if t.count++; t.count == t.nth && t.fault.name != "" {
		t.hit = true
		t.at = effect
		t.befall(tid)
	}
}

var changing = regexp.MustCompile(changesOnly)

func changes(effect string) bool { return changing.MatchString(effect) }

// befall has the fault befall the call that a thread is about to make.
func (t *tracer) befall(tid int) {
	switch f := t.fault; {
	case f.kill && f.after:
		t.killing[tid] = true
	case f.kill:
		// A call that has not begun never will.
		_ = syscall.Kill(t.pid, syscall.SIGKILL)
	case f.signal != 0:
		_ = syscall.Kill(t.pid, f.signal)
	case f.reexec:
		if out, err := exec.Command("systemctl", "daemon-reexec").CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "faults: daemon-reexec: %v: %s\n", err, strings.TrimSpace(string(out)))
		}
	case f.after:
		t.failing[tid] = f.errno
	default:
		t.refuse(tid, f.errno)
	}
}

// refuse has the call that a thread is about to make fail without having been
// made.
func (t *tracer) refuse(tid int, errno syscall.Errno) {
	t.failing[tid] = errno
	t.setRegisters(tid, func(r *syscall.PtraceRegs) { r.Orig_rax = ^uint64(0) })
}

func (t *tracer) setRegisters(tid int, change func(*syscall.PtraceRegs)) {
	var r syscall.PtraceRegs
	if err := syscall.PtraceGetRegs(tid, &r); err == nil {
		change(&r)
		_ = syscall.PtraceSetRegs(tid, &r)
	}
}
