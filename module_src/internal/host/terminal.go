// SPDX-License-Identifier: GPL-3.0-or-later

package host

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// pseudoTerminal is a terminal for a child that wants one: pty(7). Nobody types
// on it, and nobody reads what appears there.
type pseudoTerminal struct {
	own, child *os.File
}

func terminal() (t pseudoTerminal, err error) {
	if t.own, err = os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0); err != nil {
		return t, err
	}
	fd := int(t.own.Fd())
	number, err := unix.IoctlGetUint32(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		t.child, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	}
	if err != nil {
		_ = t.own.Close()
	}
	return t, err
}

func (t pseudoTerminal) close() {
	_ = t.child.Close()
	_ = t.own.Close()
}
