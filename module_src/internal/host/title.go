// SPDX-License-Identifier: GPL-3.0-or-later

package host

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
)

// maxTitle bounds what is read of a process's title, in bytes. The process
// belongs to the deploy user, who may write what he likes there.
const maxTitle = 4096

// title is the command line of a process as the process itself shows it, or ""
// where it is gone.
func title(pid int) string {
	f, err := os.Open(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		return ""
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxTitle))
	if err != nil {
		return ""
	}
	raw = bytes.TrimRight(raw, "\x00")
	return strings.ToValidUTF8(string(bytes.ReplaceAll(raw, []byte{0}, []byte{' '})), "?")
}
