// SPDX-License-Identifier: GPL-3.0-or-later

package host

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strconv"
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

// busyTitle reads Sidekiq's own title, "sidekiq 7.3.2 app [0 of 5 busy]", with
// "stopping" behind it once it takes no more jobs. Sidekiq sets it from its
// heartbeat, so only after it has booted and reached Redis; before that the
// title is the command line it was started with.
func busyTitle(title string) (ready, quiet bool) {
	if !strings.HasPrefix(title, "sidekiq ") {
		return false, false
	}
	_, state, found := strings.Cut(title, " busy]")
	open := strings.LastIndex(title[:len(title)-len(state)], "[")
	if !found || open < 0 {
		return false, false
	}
	busy, all, found := strings.Cut(title[open+1:len(title)-len(" busy]")-len(state)], " of ")
	if !found || !isNumber(busy) || !isNumber(all) {
		return false, false
	}
	quiet = strings.Contains(state, "stopping")
	return !quiet, quiet
}

func isNumber(s string) bool {
	_, err := strconv.ParseUint(s, 10, 32)
	return err == nil
}
