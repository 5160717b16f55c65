// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"strings"
	"testing"
)

func TestExecStartRefusesWhatOnlyAShellCanDo(t *testing.T) {
	for _, line := range []string{
		"/bin/a $HOME", `/bin/a "$HOME"`, "/bin/a `id`", "/bin/a | b", "/bin/a; b", "/bin/a &", "/bin/a > b", "/bin/a *", "/bin/a ~/x", "/bin/a {b,c}",
		"/bin/a #b", "/bin/a 'b", `/bin/a "b`, `/bin/a b\`, "/bin/a (b)", "/bin/a ! b",
		"bundle exec sidekiq", "-/bin/a", "+/bin/a", "@/bin/a b", ":/bin/a", "!/bin/a", "~/bin/a", `''`, " ", "/bin/$a", `/bin/\$a`, "/bin/",
	} {
		if s, err := parse(`{"project_name": "p", "exec_start": ` + quoteJSON(line) + `}`); err == nil {
			t.Errorf("%q is accepted as %q", line, s.ExecStart)
		} else if !strings.HasPrefix(err.Error(), `option "exec_start": `) {
			t.Errorf("%q: %v", line, err)
		}
	}
}
