// SPDX-License-Identifier: GPL-3.0-or-later

// Package host is the one package that touches the machine: its files, the
// systemd manager over D-Bus, the tools that judge unit and sudoers files, the
// journal, and the cache of requests beside the program. It implements
// [converge.Host].
//
// It decides nothing. What should be there, and in which order it gets there,
// is decided by the packages that import it, and what it says of the host is in
// the words of systemd and sudo themselves.
package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge"
)

// ErrNoSystemd says that systemd does not run as the machine's init, as in a
// chroot or a container with another init.
var ErrNoSystemd = errors.New("systemd does not run here as PID 1 (/run/systemd/system is missing); " +
	"a service can only be set up on a booted host, not in a chroot or an image")

// Options are what a Host needs to know before it can look at anything.
type Options struct {
	// UnitDir is where the unit files are, as the user spelled it. Links to a
	// unit file in this directory are reported with this spelling, however
	// systemd wrote them (/lib or /usr/lib).
	UnitDir string

	// Check says that nothing will be applied, so that what cannot be judged
	// yet, because an earlier task of the play would have installed it, is a
	// warning instead of an error.
	Check bool

	// Anybody says that the program only looks, and may do so as any user. What
	// that user may not look at is left out.
	Anybody bool
}

// Host is the machine that the program runs on.
type Host struct {
	Options
	conn       connection
	subscribed bool               // to the ends of jobs, over conn
	logs       map[string]logFile // by the unit; none for one that logs to the journal only
}

var _ converge.Host = (*Host)(nil)

// New connects to systemd.
//
// The error is [ErrNoSystemd] where systemd does not run. For anyone but root,
// it is an error that os.ErrPermission matches.
func New(ctx context.Context, o Options) (*Host, error) {
	if os.Geteuid() != 0 && !o.Anybody {
		return nil, fmt.Errorf("this must run as root (in a play: become: true): %w", os.ErrPermission)
	}
	// sd_booted(3)
	if _, err := os.Lstat("/run/systemd/system"); errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNoSystemd
	}
	h := &Host{Options: o}
	if err := h.reconnect(ctx, h.Now().Add(connectTime)); err != nil {
		return nil, err
	}
	// The manager looks which directories of drop-ins there are when it loads a
	// unit that it does not have, here one that nobody has, and tells from what it
	// saw then whether a unit wants a reload.
	if _, err := h.properties(ctx, "curationexperts.sidekiq-none.service"); err != nil {
		h.Close()
		return nil, err
	}
	return h, nil
}

// Close ends the connection to systemd.
func (h *Host) Close() {
	if h.conn.Conn != nil {
		h.conn.Close()
	}
}

// Now is the machine's clock.
func (h *Host) Now() time.Time { return time.Now() }

// Sleep waits for d, or until ctx is done.
func (h *Host) Sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
