// SPDX-License-Identifier: GPL-3.0-or-later

package host

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	godbus "github.com/godbus/dbus/v5"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge"
)

// connect connects to systemd: by its private socket, which root may use and
// which is there without a D-Bus daemon, or else by the system bus.
func connect() (connection, error) {
	conn, err := dial(privateSocket, callTime)
	if err == nil {
		return conn, nil
	}
	conn, busErr := dial(busSocket, callTime)
	if busErr != nil {
		return connection{}, fmt.Errorf("cannot connect to systemd: %w; nor over the system bus: %w", err, busErr)
	}
	return conn, nil
}

const (
	callTime       = 30 * time.Second // none takes a second, but for a reload of many units on a busy host
	connectTime    = 5 * time.Second  // in which a systemd that is executed anew is there again
	reconnectTime  = 30 * time.Second // to be executed anew takes systemd a second or two
	reconnectEvery = 200 * time.Millisecond
)

// call is a call of systemd.
type call func(ctx context.Context, c connection) error

// ask calls systemd for what changes nothing. It ends with ctx.
//
// ask and tell call systemd again where it was gone meanwhile. When systemd is
// executed anew, as an upgrade of its package does, it drops its private
// connections, and for a moment it cannot be found on the system bus. So a call
// may be made twice, and must do no harm then.
func (h *Host) ask(ctx context.Context, do call) error {
	for end := h.Now().Add(reconnectTime); ; {
		err := within(ctx, callTime, func(ctx context.Context) error { return do(ctx, h.conn) })
		if err == nil || answered(err) || ctx.Err() != nil || h.Now().After(end) {
			return err
		}
		if err := h.Sleep(ctx, reconnectEvery); err != nil {
			return err
		}
		if err := h.reconnect(ctx, end); err != nil {
			return err
		}
	}
}

// tell calls systemd for a change. It does not end with ctx: a change that was
// left halfway would go on beside the rollback.
func (h *Host) tell(ctx context.Context, do call) error { return h.ask(context.WithoutCancel(ctx), do) }

// within gives a call to systemd its time. Not every call of the library's can
// be broken off; one that goes on all the same is left to itself.
func within(ctx context.Context, limit time.Duration, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("systemd (process 1) has not answered within %s", limit))
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- do(ctx) }()
	select {
	case err := <-done:
		if err != nil && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// answered reports whether an error is an answer of systemd's, rather than one
// of the connection or of a D-Bus daemon that did not find systemd.
func answered(err error) bool {
	var answer godbus.Error
	if !errors.As(err, &answer) {
		return false
	}
	switch answer.Name {
	case "org.freedesktop.DBus.Error.NoReply", "org.freedesktop.DBus.Error.Disconnected",
		"org.freedesktop.DBus.Error.ServiceUnknown", "org.freedesktop.DBus.Error.NameHasNoOwner":
		return false
	}
	return !strings.HasPrefix(answer.Name, "org.freedesktop.DBus.Error.Spawn.") // the daemon tries to start it
}

// reconnect makes a new connection in place of the old one. The old one may
// still look well when systemd at its other end was gone.
func (h *Host) reconnect(ctx context.Context, end time.Time) error {
	h.Close()
	for {
		conn, err := connect()
		if err == nil {
			h.conn, h.subscribed = conn, false
			return nil
		}
		if h.Now().After(end) {
			return err
		}
		if err := h.Sleep(ctx, reconnectEvery); err != nil {
			return err
		}
	}
}

// subscribe asks systemd to tell of the ends of jobs, once for each connection:
// on the system bus it refuses a second request.
func (h *Host) subscribe() error {
	if h.subscribed {
		return nil
	}
	if err := h.conn.Subscribe(); err != nil && !isDBus(err, "org.freedesktop.systemd1.AlreadySubscribed") {
		return fmt.Errorf("cannot subscribe to the jobs of systemd: %w", err)
	}
	h.subscribed = true
	return nil
}

// outlived says how a job went whose end systemd did not tell of because it was
// executed anew meanwhile. What has become of the unit can be seen; whether a
// program that was started is up is left to the proof.
func outlived(unit string, v converge.Verb, p converge.Process) error {
	if v == converge.Stop && p.MainPID != 0 {
		return fmt.Errorf("cannot stop %s: it runs on after systemd was executed anew", unit)
	}
	return nil
}

func interrupted(ctx context.Context, unit string, v converge.Verb) error {
	return fmt.Errorf("interrupted while waiting for %s to %s: %w", unit, v, context.Cause(ctx))
}
