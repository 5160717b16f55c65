// SPDX-License-Identifier: GPL-3.0-or-later

package host

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// Identity is the user and the groups with whose rights a file is read.
type Identity struct {
	UID    int
	GID    int
	Groups []int
}

// readAs reads a regular file of at most maxFile bytes with the file-system
// identity of somebody else, so that a link of that user's leads nowhere that
// the user could not read without it. Links on the way are followed:
// Capistrano's "current" and its linked files are absolute links.
func readAs(who Identity, path string) (content []byte, err error) {
	err = as(who, func() error {
		content, err = readUntrusted(path)
		return err
	})
	return content, err
}

// as does something with the file-system identity of somebody else. The
// identity belongs to one thread and is given up with it: Go ends a thread
// whose goroutine returns without unlocking it.
func as(who Identity, do func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		err := become(who)
		if err == nil {
			err = do()
		}
		done <- err
	}()
	select {
	case err := <-done:
		return err
	case <-time.After(asTime):
		return errAway
	}
}

// asTime is how long one thing may take. A file server that is away answers
// nothing for hours, and no signal interrupts that.
const asTime = 20 * time.Second

var errAway = fmt.Errorf("there was no answer within %s; is a file server away?", asTime)

// become takes on the file-system identity of who, for this thread only. It
// uses package unix, since the functions of package syscall change all threads:
// credentials(7), setfsuid(2). Leaving uid 0 drops the capabilities that
// override permissions.
func become(who Identity) error {
	if err := unix.Setgroups(append([]int{who.GID}, who.Groups...)); err != nil {
		return fmt.Errorf("cannot take on the groups of uid %d: %w", who.UID, err)
	}
	// Neither call reports errors. Asking once more, for an impossible id,
	// returns the id that is in force.
	const impossible = -1
	_ = unix.Setfsgid(who.GID)
	_ = unix.Setfsuid(who.UID)
	gid, _ := unix.SetfsgidRetGid(impossible)
	uid, _ := unix.SetfsuidRetUid(impossible)
	if uid != who.UID || gid != who.GID {
		return fmt.Errorf("cannot take on the file-system identity of uid %d: %w", who.UID, unix.EPERM)
	}
	return nil
}

// readUntrusted reads a file that somebody else may have put there, or may have
// replaced with anything else. It neither waits for a FIFO, nor touches a
// device, nor follows the links below /proc that lead to our own open files.
func readUntrusted(path string) ([]byte, error) {
	f, err := openUntrusted(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readBounded(f)
}

func openUntrusted(path string) (*os.File, error) {
	const flags = unix.O_RDONLY | unix.O_NONBLOCK | unix.O_NOCTTY | unix.O_CLOEXEC
	fd, err := unix.Openat2(unix.AT_FDCWD, path, &unix.OpenHow{Flags: flags, Resolve: unix.RESOLVE_NO_MAGICLINKS})
	switch {
	case err == nil:
		return os.NewFile(uintptr(fd), path), nil
	case errors.Is(err, unix.ENOSYS), errors.Is(err, unix.EPERM):
		// This is a kernel before 5.6, or a container that filters the call.
		// The file is still opened with the reader's identity and still has to
		// be a regular one.
		return os.OpenFile(path, flags, 0)
	}
	return nil, err
}
