// SPDX-License-Identifier: GPL-3.0-or-later

package host

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"
	"unsafe"
)

// Identity is who reads a file.
type Identity struct {
	UID    int
	GID    int
	Groups []int
}

// readAs reads a regular file of at most maxFile bytes with the file-system
// identity of somebody else, so that a link he has planted leads nowhere that
// he could not read himself. Links on the way are followed: Capistrano's
// "current" and its linked files are absolute links.
//
// The identity is that of one thread, which is given up afterwards: Go ends a
// thread whose goroutine returns without unlocking it, and with it the
// identity.
func readAs(who Identity, path string) ([]byte, error) {
	type answer struct {
		content []byte
		err     error
	}
	c := make(chan answer, 1)
	go func() {
		runtime.LockOSThread()
		var a answer
		if a.err = become(who); a.err == nil {
			a.content, a.err = readUntrusted(path)
		}
		c <- a
	}()
	a := <-c
	return a.content, a.err
}

// become takes on the file-system identity of who, for this thread only: the
// raw calls, since those of package syscall change all threads.
// credentials(7), setfsuid(2). Leaving uid 0 drops the capabilities that
// override permissions.
func become(who Identity) error {
	groups := make([]uint32, 0, len(who.Groups)+1)
	for _, g := range append([]int{who.GID}, who.Groups...) {
		groups = append(groups, uint32(g))
	}
	if _, _, errno := syscall.RawSyscall(syscall.SYS_SETGROUPS, uintptr(len(groups)), uintptr(unsafe.Pointer(&groups[0])), 0); errno != 0 {
		return fmt.Errorf("cannot take on the groups of uid %d: %w", who.UID, errno)
	}
	// Neither call reports errors; asking again for an impossible id returns
	// the one in force.
	const impossible = ^uintptr(0)
	_, _, _ = syscall.RawSyscall(syscall.SYS_SETFSGID, uintptr(who.GID), 0, 0)
	_, _, _ = syscall.RawSyscall(syscall.SYS_SETFSUID, uintptr(who.UID), 0, 0)
	gid, _, _ := syscall.RawSyscall(syscall.SYS_SETFSGID, impossible, 0, 0)
	uid, _, _ := syscall.RawSyscall(syscall.SYS_SETFSUID, impossible, 0, 0)
	if int(uid) != who.UID || int(gid) != who.GID {
		return fmt.Errorf("cannot take on the file-system identity of uid %d", who.UID)
	}
	return nil
}

// readUntrusted reads a file that somebody else may have put there, or have
// put anything else there in its place: it neither waits for a FIFO, nor
// touches a device, nor follows the links below /proc that lead to our own
// open files.
func readUntrusted(path string) ([]byte, error) {
	f, err := openUntrusted(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readBounded(f)
}

// openHow is struct open_how of openat2(2).
type openHow struct{ flags, mode, resolve uint64 }

const (
	sysOpenat2          = 437 // the same on every architecture: its number is newer than the common table
	resolveNoMagicLinks = 0x02
	atFDCWD             = -100
	openPlainly         = syscall.O_RDONLY | syscall.O_NONBLOCK | syscall.O_NOCTTY | syscall.O_CLOEXEC
)

func openUntrusted(path string) (*os.File, error) {
	name, err := syscall.BytePtrFromString(path)
	if err != nil {
		return nil, err
	}
	how := openHow{flags: openPlainly, resolve: resolveNoMagicLinks}
	cwd := atFDCWD
	fd, _, errno := syscall.Syscall6(sysOpenat2, uintptr(cwd), uintptr(unsafe.Pointer(name)),
		uintptr(unsafe.Pointer(&how)), unsafe.Sizeof(how), 0, 0)
	switch {
	case errno == 0:
		return os.NewFile(fd, path), nil
	case errors.Is(errno, syscall.ENOSYS), errors.Is(errno, syscall.EPERM):
		// A kernel before 5.6, or a container that filters the call. What is
		// opened is still opened with the reader's identity and has to be a
		// regular file.
		return os.OpenFile(path, openPlainly, 0)
	}
	return nil, errno
}
