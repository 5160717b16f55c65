// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// interruptible returns a context that ends when the run should end: on a
// signal, or when nobody is left to read its result. A run that is interrupted
// finishes its present step and rolls back, and a second signal does not stop
// it from doing so.
func interruptible() (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 4)
	// Being notified of SIGPIPE also keeps Go from ending the program when
	// standard output is gone.
	signal.Notify(signals, unix.SIGHUP, unix.SIGINT, unix.SIGTERM, unix.SIGPIPE)
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

// lookTime is how long a run that has changed nothing yet may go on after it was
// interrupted. Nearly all that it does ends by itself then, but a file system
// that does not answer cannot be told to, nor can a parser of a large file.
const lookTime = 800 * time.Millisecond

// untilInterrupted is what answer returns. When ctx has ended, and the answer
// has not begun to change anything, it is not waited for much longer. Whatever
// it is at is left to a goroutine that ends with the program, and may change
// nothing any more. A run that has begun a change undoes it before it answers.
func untilInterrupted(ctx context.Context, answerOf func(begin func() error) answer) answer {
	var state sync.Mutex // is held for good by who decides: the run that begins, or who gives it up
	begin := func() error {
		if !state.TryLock() {
			return context.Cause(ctx)
		}
		return nil
	}
	done := make(chan answer, 1)
	go func() {
		defer func() {
			if r := recover(); r != nil {
				done <- bug(r)
			}
		}()
		done <- answerOf(begin)
	}()
	select {
	case a := <-done:
		return a
	case <-ctx.Done():
	}
	select {
	case a := <-done:
		return a
	case <-time.After(lookTime):
	}
	if !state.TryLock() {
		return <-done
	}
	return answer{Result: failure(fmt.Errorf("%w; nothing was changed", context.Cause(ctx)))}
}

// interruption is the error of a run, which says so where it was interrupted:
// what fails for that reason often says no more than that a context was
// cancelled.
func interruption(ctx context.Context, err error) error {
	if err == nil || ctx.Err() == nil || errors.Is(err, context.Cause(ctx)) {
		return err
	}
	return fmt.Errorf("%w (%w)", context.Cause(ctx), err)
}

// untilDone is a reader that nobody waits for once ctx has ended. A read that
// is under way then is left to a goroutine, since the program is about to end.
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

// optionsTime is how long the options of a task may take to arrive. What sends
// them has them at hand; a terminal, which has no end of input, would be waited
// for without end.
const optionsTime = 2 * time.Minute

// arriving is standard input with a task's options on it, which are waited for
// until ctx ends or the limit is over.
func arriving(ctx context.Context, stdin io.Reader, limit time.Duration) (options io.Reader, stop func()) {
	late := fmt.Errorf("the options did not arrive on standard input within %s, or their end did not", limit)
	waiting, stop := context.WithTimeoutCause(ctx, limit, late)
	return untilDone{waiting, stdin}, stop
}

// readerGone waits until the other end of f is closed. When a connection is
// lost, sshd closes that end, and it sends no signal to a program without a
// terminal. Where that cannot happen, as with a regular file, readerGone waits
// for ever.
func readerGone(f *os.File) bool {
	// Even when no events are asked for, poll(2) reports POLLERR and POLLHUP.
	poll := []unix.PollFd{{Fd: int32(f.Fd())}}
	for {
		n, err := unix.Poll(poll, -1)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		return err == nil && n == 1 && poll[0].Revents&(unix.POLLERR|unix.POLLHUP) != 0
	}
}
