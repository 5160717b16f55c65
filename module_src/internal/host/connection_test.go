// SPDX-License-Identifier: GPL-3.0-or-later

package host

import (
	"errors"
	"fmt"
	"io"
	"testing"

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
