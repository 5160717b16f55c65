// SPDX-License-Identifier: GPL-3.0-or-later

package host

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

func TestAProcessThatIsGoneHasNoTitle(t *testing.T) {
	if got := title(os.Getpid()); !strings.HasPrefix(got, os.Args[0]) {
		t.Errorf("our own title: got %q", got)
	}
	gone := exec.Command("/bin/true")
	if err := gone.Run(); err != nil {
		t.Fatal(err)
	}
	if got := title(gone.Process.Pid); got != "" {
		t.Errorf("that of a process that is gone: got %q", got)
	}
}
