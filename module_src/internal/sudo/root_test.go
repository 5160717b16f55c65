// SPDX-License-Identifier: GPL-3.0-or-later

package sudo

import "testing"

func TestWhatMakesRoot(t *testing.T) {
	for command, want := range map[string]bool{
		"ALL":                                      true,
		"/usr/bin/systemctl":                       true,
		"/bin/systemctl *":                         true,
		"/bin/systemctl * sidekiq":                 true,
		"/bin/systemctl link /tmp/x.service":       true,
		"/bin/systemctl edit sidekiq":              true,
		"/bin/systemctl enable *":                  true,
		"/bin/systemctl --now enable x.service":    true,
		"/bin/systemctl daemon-reexec":             true,
		"/bin/systemctl daemon-reload":             false,
		"/bin/systemctl restart sidekiq":           false,
		"/bin/systemctl restart sidekiq@*":         false,
		"/bin/systemctl --no-pager status sidekiq": false,
		"/bin/mv":                              true,
		"/bin/mv /tmp/* /etc/systemd/system/":  true,
		"/bin/mv /tmp/a /etc/systemd/system/a": true,
		"/bin/mv -f /etc/x/a /etc/x/b":         false,
		"/bin/cp /srv/a /srv/b":                false,
		"/bin/cp /opt/l/current/a /etc/nginx/": true,
		"/usr/bin/tee /etc/cron.d/x":           true,
		"/bin/rm -f -- /etc/systemd/system/a":  false,
		"/usr/bin/rm":                          true,
		"/usr/bin/tee":                         true,
		"/usr/bin/tee /var/log/x":              false,
		"/usr/bin/vim":                         true,
		"/usr/bin/python3.11":                  true,
		"/usr/bin/python3.11 /opt/x.py":        false,
		`/usr/bin/less ""`:                     false,
		"/usr/bin/docker":                      true,
		"/usr/bin/apt-get":                     true,
		"/usr/bin/":                            true,
		"/usr/bin/*":                           true,
		"/usr/bin/v*":                          true,
		"/usr/local/bin/backup":                false,
		"/usr/local/bin/backup *":              false,
		"!/bin/sh":                             false,
		"sha256:aa /bin/sh":                    true,
		"/usr/bin/env":                         true,
		"/bin/su":                              true,
		"/bin/su - postgres":                   false,
		"/usr/sbin/service":                    true,
		"/usr/sbin/service nginx restart":      false,
	} {
		if got := MakesRoot(command); got != want {
			t.Errorf("%s: got %v", command, got)
		}
	}
}

func TestRulesThatMakeRootAreThoseWithoutAPassword(t *testing.T) {
	root := []string{"root"}
	l := List{Entries: []Entry{
		{RunAs: root, Options: []string{"!authenticate"}, Commands: []string{"/bin/systemctl restart sidekiq", "/bin/cp"}},
		{RunAs: root, Commands: []string{"/bin/sh"}},
		{RunAs: []string{"www-data"}, Options: []string{"!authenticate"}, Commands: []string{"/bin/bash"}},
		{RunAs: []string{"ALL"}, Options: []string{"!authenticate"}, Commands: []string{"/usr/bin/vi", "/usr/bin/tee"}},
		{RunAs: root, Options: []string{"!authenticate"}, Commands: []string{"!/usr/bin/tee"}},
	}}
	var got []string
	for _, d := range l.RootRules() {
		got = append(got, d.Command)
	}
	if len(got) != 2 || got[0] != "/bin/cp" || got[1] != "/usr/bin/vi" {
		t.Errorf("got %v, want cp and vi", got)
	}
}
