// SPDX-License-Identifier: GPL-3.0-or-later

package host

import (
	"fmt"
	"strings"
)

// maxTitle bounds what is read of a process's title, in bytes. The process
// belongs to the deploy user, who may write what he likes there.
const maxTitle = 4096

// title is the command line of a process as the process itself shows it, or ""
// where it is gone or does not let itself be read.
func title(pid int) string {
	_, title := cmdline(fmt.Sprintf("/proc/%d", pid), titleTime)
	return strings.TrimRight(title, " ")
}
