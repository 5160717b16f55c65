// SPDX-License-Identifier: GPL-3.0-or-later

package host

import (
	"bufio"
	"errors"
	"net"
	"os"
	"strconv"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/dbus"
	godbus "github.com/godbus/dbus/v5"
	"golang.org/x/sys/unix"
)

// The sockets by which systemd can be reached: its own, on which nobody has to
// say hello, and that of the D-Bus daemon.
const (
	privateSocket = "/run/systemd/private"
	busSocket     = "/run/dbus/system_bus_socket"
)

// connection is a connection to systemd, with what the library does not pass on.
type connection struct {
	*dbus.Conn
	raw *godbus.Conn
}

// dial connects to systemd by a socket, within a limit. The library's own functions for that
// would do if it were not for SIGPIPE; see [socket].
func dial(path string, limit time.Duration) (c connection, err error) {
	c.Conn, err = dbus.NewConnection(func() (*godbus.Conn, error) {
		s, err := openSocket(path)
		if err != nil {
			return nil, err
		}
		if err := s.conn.SetDeadline(time.Now().Add(limit)); err != nil {
			return nil, errors.Join(err, s.Close())
		}
		conn, err := introduced(s, path == busSocket)
		if err != nil {
			return nil, errors.Join(err, s.Close())
		}
		c.raw = conn
		return conn, s.conn.SetDeadline(time.Time{})
	})
	return c, err
}

// introduced says who we are and, on a bus, hello.
func introduced(s *socket, hello bool) (*godbus.Conn, error) {
	conn, err := godbus.NewConn(s)
	if err != nil {
		return nil, err
	}
	if err := conn.Auth([]godbus.Auth{godbus.AuthExternal(strconv.Itoa(os.Getuid()))}); err != nil {
		return nil, err
	}
	if hello {
		err = conn.Hello()
	}
	return conn, err
}

// socket is a connected Unix socket. A write to one whose other end is gone,
// as when systemd is executed anew, fails with EPIPE and nothing else: the
// signal that usually comes with it would be taken for that of somebody who
// wants to end the run. Go keeps it away only as long as nobody asks for it.
type socket struct {
	*bufio.Reader
	conn *net.UnixConn
	raw  syscall.RawConn
}

func openSocket(path string) (*socket, error) {
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, err
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return &socket{Reader: bufio.NewReader(conn), conn: conn, raw: raw}, nil
}

// Write writes all of p, without a signal: send(2), MSG_NOSIGNAL.
func (s *socket) Write(p []byte) (written int, err error) {
	for written < len(p) {
		n := 0
		waitErr := s.raw.Write(func(fd uintptr) (done bool) {
			n, err = unix.SendmsgN(int(fd), p[written:], nil, nil, unix.MSG_NOSIGNAL)
			return !errors.Is(err, unix.EAGAIN)
		})
		if err = errors.Join(waitErr, err); err != nil {
			return written, err
		}
		written += n
	}
	return written, nil
}

func (s *socket) Close() error { return s.conn.Close() }
