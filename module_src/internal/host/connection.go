// SPDX-License-Identifier: GPL-3.0-or-later

package host

import (
	"context"
	"fmt"
	"time"

	"github.com/coreos/go-systemd/v22/dbus"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge"
)

// connect connects to systemd by its private socket, which root may use and
// which is there without a D-Bus daemon, else by the system bus.
func connect(ctx context.Context) (*dbus.Conn, error) {
	conn, err := dbus.NewSystemdConnectionContext(context.WithoutCancel(ctx))
	if err == nil {
		return conn, nil
	}
	conn, busErr := dbus.NewSystemConnectionContext(context.WithoutCancel(ctx))
	if busErr != nil {
		return nil, fmt.Errorf("cannot connect to systemd: %w; nor over the system bus: %w", err, busErr)
	}
	return conn, nil
}

const (
	reconnectTime  = 30 * time.Second // to be executed anew takes systemd a second or two
	reconnectEvery = 200 * time.Millisecond
)

// ask calls systemd, and again over a new connection where the old one is
// gone: systemd drops its private connections when it is executed anew, as an
// upgrade of its package has it do. So call may be made twice.
func (h *Host) ask(ctx context.Context, call func(*dbus.Conn) error) error {
	err := call(h.conn)
	if err == nil || h.conn.Connected() {
		return err
	}
	if err := h.reconnect(ctx); err != nil {
		return err
	}
	return call(h.conn)
}

func (h *Host) reconnect(ctx context.Context) error {
	h.conn.Close()
	for end := h.Now().Add(reconnectTime); ; {
		conn, err := connect(ctx)
		if err == nil {
			h.conn = conn
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

// outlive waits for the end of a job that was queued over a connection which
// is gone. Its result cannot be learned any more, but what has become of the
// unit can; whether a program that was started is up is for the proof to say.
func (h *Host) outlive(ctx context.Context, unit string, v converge.Verb) error {
	for {
		p, err := h.Process(ctx, unit)
		if err != nil {
			return err
		}
		if !p.JobPending {
			if v == converge.Stop && p.MainPID != 0 {
				return fmt.Errorf("cannot stop %s: it runs on after systemd was executed anew", unit)
			}
			return nil
		}
		if err := h.Sleep(ctx, reconnectEvery); err != nil {
			return interrupted(ctx, unit, v)
		}
	}
}

func interrupted(ctx context.Context, unit string, v converge.Verb) error {
	return fmt.Errorf("interrupted while waiting for %s to %s: %w", unit, v, context.Cause(ctx))
}
