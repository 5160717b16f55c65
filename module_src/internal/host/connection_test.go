// SPDX-License-Identifier: GPL-3.0-or-later

package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	godbus "github.com/godbus/dbus/v5"
	"golang.org/x/sys/unix"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge"
)

func TestOnlyAnAnswerOfSystemdsOwnIsOne(t *testing.T) {
	for name, want := range map[string]bool{
		"org.freedesktop.systemd1.NoSuchUnit":          true,
		"org.freedesktop.DBus.Error.AccessDenied":      true,
		"org.freedesktop.DBus.Error.NoReply":           false,
		"org.freedesktop.DBus.Error.ServiceUnknown":    false,
		"org.freedesktop.DBus.Error.Spawn.ChildExited": false,
	} {
		if got := answered(fmt.Errorf("cannot ask: %w", godbus.Error{Name: name})); got != want {
			t.Errorf("%s: got %v", name, got)
		}
	}
	for _, err := range []error{unix.EPIPE, io.EOF, godbus.ErrClosed, errors.New("odd")} {
		if answered(err) {
			t.Errorf("%v is taken for an answer", err)
		}
	}
}

func TestAJobWhoseEndWasNotToldIsJudgedByWhatRuns(t *testing.T) {
	for _, c := range []struct {
		verb  converge.Verb
		pid   int
		fails bool
	}{{converge.Stop, 7, true}, {converge.Stop, 0, false}, {converge.Start, 0, false}, {converge.Restart, 7, false}} {
		if err := outlived("x.service", c.verb, converge.Process{MainPID: c.pid}); (err != nil) != c.fails {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func TestACallHasItsTimeAndEndsWithTheRun(t *testing.T) {
	never := func(context.Context) error { select {} }
	if err := within(context.Background(), 10*time.Millisecond, never); err == nil || err.Error() != "systemd (process 1) has not answered within 10ms" {
		t.Errorf("got %v", err)
	}
	signal := errors.New("interrupted by a signal")
	ctx, cancel := context.WithCancelCause(context.Background())
	time.AfterFunc(10*time.Millisecond, func() { cancel(signal) })
	if err := within(ctx, time.Hour, never); !errors.Is(err, signal) {
		t.Errorf("got %v", err)
	}
	failed := errors.New("no such unit")
	if err := within(context.Background(), time.Hour, func(context.Context) error { return failed }); !errors.Is(err, failed) {
		t.Errorf("got %v", err)
	}
}

func TestASystemdThatDoesNotAnswerIsNotWaitedForForEver(t *testing.T) {
	path := filepath.Join(t.TempDir(), "socket")
	listener, err := net.Listen("unix", path) // and nobody accepts
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if _, err := dial(path, 10*time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}
