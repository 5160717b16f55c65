// SPDX-License-Identifier: GPL-3.0-or-later

package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// RunDir is the program's own directory, which is gone after a reboot. It holds
// the lock, and files while they are judged.
const RunDir = "/run/curationexperts.sidekiq"

// lockTime is how long one run waits for another. The other run may itself be
// waiting for an application that takes minutes to boot.
const lockTime = 15 * time.Minute

// Lock waits until no other run of this program is at work on the host, and
// keeps others waiting until it is released. The kernel releases it when the
// program ends in any way. What runs that were killed have left beside the
// paths is removed and, when it is released, what this one could not remove.
func (h *Host) Lock(ctx context.Context, paths ...string) (release func(), err error) {
	if err := makeRunDir(); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(RunDir+"/lock", os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot open the lock of this host: %w", err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, lockTime, fmt.Errorf("this one has waited for it for %s", lockTime))
	defer cancel()
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			writeHolder(f)
			tidy(paths)
			return func() { tidy(paths); _ = f.Close() }, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			_ = f.Close()
			return nil, fmt.Errorf("cannot lock %s: %w", f.Name(), err)
		}
		select {
		case <-ctx.Done():
			defer f.Close()
			return nil, fmt.Errorf("another run is at work on this host%s: %w", holder(f), context.Cause(ctx))
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// writeHolder leaves our process id in the lock, for the message of a run that waits
// in vain.
func writeHolder(f *os.File) {
	_ = f.Truncate(0)
	_, _ = f.WriteAt([]byte(strconv.Itoa(os.Getpid())), 0)
}

// holder says who holds the lock, where that can be told.
func holder(f *os.File) string {
	id := make([]byte, 20)
	n, _ := f.ReadAt(id, 0)
	pid, err := strconv.Atoi(string(id[:n]))
	if err != nil || unix.Kill(pid, 0) != nil {
		return ""
	}
	return fmt.Sprintf(" (process %d; to end it and have it undo what it did: kill %d)", pid, pid)
}

// makeRunDir makes RunDir. If the directory exists already, makeRunDir makes
// sure that it is root's alone.
func makeRunDir() error {
	if err := os.Mkdir(RunDir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("cannot make %s: %w", RunDir, withoutPath(err))
	}
	info, err := os.Lstat(RunDir)
	if err != nil {
		return fmt.Errorf("cannot look at %s: %w", RunDir, withoutPath(err))
	}
	if s := info.Sys().(*syscall.Stat_t); !info.IsDir() || s.Uid != 0 || info.Mode().Perm() != 0o700 {
		return fmt.Errorf("%s is not a directory of root's with mode 0700; remove it", RunDir)
	}
	return nil
}
