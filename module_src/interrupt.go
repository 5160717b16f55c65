// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"unsafe"
)

// interruptible returns a context that ends when the run should: on a signal,
// or when nobody is left to read its result. A run that is interrupted ends
// its present step and rolls back, and no second signal stops it in that.
func interruptible() (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 4)
	// Being notified of SIGPIPE also keeps Go from ending the program when
	// standard output is gone.
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGINT, syscall.SIGTERM, syscall.SIGPIPE)
	go func() {
		s := <-signals
		cancel(fmt.Errorf("interrupted by signal %d (%v)", s, s))
	}()
	go func() {
		if readerGone(os.Stdout) {
			cancel(errors.New("interrupted: the connection that the result should go to is closed"))
		}
	}()
	return ctx, func() { cancel(nil) }
}

// untilDone is a reader that is not waited for when ctx has ended. What it is
// reading then is left to a goroutine: the program is about to end.
type untilDone struct {
	ctx context.Context
	io.Reader
}

func (u untilDone) Read(p []byte) (int, error) {
	type read struct {
		n   int
		err error
	}
	done := make(chan read, 1)
	go func() {
		n, err := u.Reader.Read(p)
		done <- read{n, err}
	}()
	select {
	case r := <-done:
		return r.n, r.err
	case <-u.ctx.Done():
		return 0, context.Cause(u.ctx)
	}
}

// readerGone waits until the other end of f is closed: sshd closes it when the
// connection is lost, and sends no signal to a program without a terminal. It
// returns false where that cannot be told, as with a regular file.
func readerGone(f *os.File) bool {
	poll := struct {
		fd              int32
		events, revents int16
	}{fd: int32(f.Fd())}
	const pollErr, pollHup = 0x8, 0x10
	for {
		// Asked for no events, poll(2) still reports POLLERR and POLLHUP.
		n, _, errno := syscall.Syscall6(syscall.SYS_PPOLL, uintptr(unsafe.Pointer(&poll)), 1, 0, 0, 0, 0)
		if errno == syscall.EINTR {
			continue
		}
		return errno == 0 && n == 1 && poll.revents&(pollErr|pollHup) != 0
	}
}
