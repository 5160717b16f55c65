// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import "testing"

func TestTheQuietSignalIsThatOfTheDeployedSidekiq(t *testing.T) {
	for lock, want := range map[string]string{
		"    sidekiq (4.0.1)\n":        "/bin/kill -USR1 $MAINPID",
		"    sidekiq (4.2.10)\n":       "/bin/kill -USR1 $MAINPID",
		"    sidekiq (5.0.0.beta1)\n":  "/bin/kill -TSTP $MAINPID",
		"    sidekiq (5.0)\n":          "/bin/kill -TSTP $MAINPID",
		"    sidekiq (10.1.0)\n":       "/bin/kill -TSTP $MAINPID",
		"    sidekiq-cron (1.0)\n":     "/bin/kill -TSTP $MAINPID",
		"    sidekiq (3.5.4)\n  a (6)": "/bin/kill -USR1 $MAINPID",
	} {
		f := debian12()
		f.Lock.Content = lock
		if got := directive(t, unitOf(t, `{"project_name": "p"}`, f), "Service", "ExecReload"); got != want {
			t.Errorf("%q: ExecReload=%s, want %s", lock, got, want)
		}
	}
}
