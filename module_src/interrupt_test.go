// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/host"
)

func TestReadingEndsWithTheContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(context.Background())
	silent, _ := io.Pipe()
	why := errors.New("interrupted")
	cancel(why)
	if _, err := io.ReadAll(untilDone{ctx, silent}); !errors.Is(err, why) {
		t.Errorf("got %v", err)
	}
}

func TestReadingUntilThenIsThatOfTheReader(t *testing.T) {
	text, err := io.ReadAll(untilDone{context.Background(), strings.NewReader("text")})
	if string(text) != "text" || err != nil {
		t.Errorf("got %q, %v", text, err)
	}
}

func TestOptionsThatDoNotArriveAreNotWaitedForWithoutEnd(t *testing.T) {
	silent, _ := io.Pipe()
	options, stop := arriving(context.Background(), silent, time.Millisecond)
	defer stop()
	if _, err := io.ReadAll(options); err == nil || !strings.Contains(err.Error(), "did not arrive on standard input within 1ms") {
		t.Errorf("got %v", err)
	}
}

func TestTheReaderOfTheResultIsMissed(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	gone := make(chan bool)
	go func() { gone <- readerGone(w) }()
	select {
	case <-gone:
		t.Fatal("it is missed while it is there")
	case <-time.After(50 * time.Millisecond):
	}
	r.Close()
	if !<-gone {
		t.Error("it is not missed")
	}
}

func TestASignalEndsTheRunAndSaysWhich(t *testing.T) {
	ctx, stop := interruptible()
	defer stop()
	if err := unix.Kill(os.Getpid(), unix.SIGHUP); err != nil {
		t.Fatal(err)
	}
	select {
	case <-ctx.Done():
	case <-time.After(10 * time.Second):
		t.Fatal("nothing happens")
	}
	if got := context.Cause(ctx).Error(); got != "interrupted by signal 1 (hangup)" {
		t.Errorf("got %s", got)
	}
}

func TestAnErrorOfARunThatWasInterruptedSaysSo(t *testing.T) {
	signal, failed := errors.New("interrupted by a signal"), errors.New("cannot ask systemd: context canceled")
	running, interrupt := context.WithCancelCause(context.Background())
	defer interrupt(nil)
	if got := interruption(running, failed); !errors.Is(got, failed) || got.Error() != failed.Error() {
		t.Errorf("before that: got %v", got)
	}
	interrupt(signal)
	if got := interruption(running, failed); !errors.Is(got, signal) || !errors.Is(got, failed) {
		t.Errorf("got %v", got)
	}
	if got := interruption(running, fmt.Errorf("cannot lock: %w", signal)); got.Error() != "cannot lock: interrupted by a signal" {
		t.Errorf("what says so itself: got %v", got)
	}
	if got := interruption(running, nil); got != nil {
		t.Errorf("a run that ended well: got %v", got)
	}
}

func TestARunThatIsInterruptedEndsWithinASecondUnlessItHasBegun(t *testing.T) {
	for _, changes := range []bool{false, true} {
		ctx, interrupt := context.WithCancelCause(context.Background())
		forbidden := make(chan error, 1)
		began := time.Now()
		a := untilInterrupted(ctx, func(begin func() error) answer {
			if changes {
				if err := begin(); err != nil {
					t.Error(err)
				}
			}
			interrupt(errors.New("interrupted by a signal"))
			time.Sleep(1500 * time.Millisecond) // as a file system that does not answer
			if !changes {
				forbidden <- begin()
			}
			return answer{Result: failure(errors.New("undone"))}
		})
		took := time.Since(began)
		switch {
		case changes && (a.Msg != "undone" || took < 1500*time.Millisecond):
			t.Errorf("a run that undoes what it did is not waited for: %q after %s", a.Msg, took)
		case !changes && (a.Msg != "interrupted by a signal; nothing was changed" || took > time.Second):
			t.Errorf("a run that hangs: %q after %s", a.Msg, took)
		}
		if !changes {
			if err := <-forbidden; err == nil {
				t.Error("a run that was given up may change something")
			}
		}
	}
}

func TestALookAtAServiceThatHangsIsNotWaitedFor(t *testing.T) {
	ctx, interrupt := context.WithCancelCause(context.Background())
	hangs := program{
		open: func(context.Context, host.Options) (machine, error) {
			interrupt(errors.New("interrupted by a signal"))
			select {} // as a file system that does not answer
		},
		interruptible: func() (context.Context, func()) { return ctx, func() {} },
	}
	var out bytes.Buffer
	if status := hangs.health([]string{"sidekiq"}, &out); status != 3 || out.String() != "UNKNOWN: interrupted by a signal\n" {
		t.Errorf("status %d, %q", status, &out)
	}
}
