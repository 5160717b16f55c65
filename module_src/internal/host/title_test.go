// SPDX-License-Identifier: GPL-3.0-or-later

package host

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

func TestAProcessThatIsGoneHasNoTitle(t *testing.T) {
	if got, err := title(os.Getpid()); !strings.HasPrefix(got, os.Args[0]) || err != nil {
		t.Errorf("our own title: got %q, %v", got, err)
	}
	gone := exec.Command("/bin/true")
	if err := gone.Run(); err != nil {
		t.Fatal(err)
	}
	if got, err := title(gone.Process.Pid); got != "" || err != nil {
		t.Errorf("that of a process that is gone: got %q, %v", got, err)
	}
}
