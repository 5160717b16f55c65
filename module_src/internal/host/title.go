// SPDX-License-Identifier: GPL-3.0-or-later

package host

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// maxTitle bounds what is read of a process's title, in bytes. The process
// belongs to the deploy user, who may write what he likes there.
const maxTitle = 4096

// title is the command line of a process as the process itself shows it, or ""
// where it is gone.
func title(pid int) (string, error) {
	path := fmt.Sprintf("/proc/%d/cmdline", pid)
	f, err := os.Open(path)
	if ok, err := seen(path, err); !ok {
		return "", err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxTitle))
	switch {
	case errors.Is(err, unix.ESRCH): // it has gone since
		return "", nil
	case err != nil:
		return "", fmt.Errorf("cannot read %s: %w", path, withoutPath(err))
	}
	raw = bytes.TrimRight(raw, "\x00")
	return strings.ToValidUTF8(string(bytes.ReplaceAll(raw, []byte{0}, []byte{' '})), "?"), nil
}
