// SPDX-License-Identifier: GPL-3.0-or-later

package sudo

import (
	"strings"
	"testing"
)

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

func TestFixedArgumentsThatMakeRoot(t *testing.T) {
	l := List{Theirs: func(p string) bool { return strings.HasPrefix(p, "/opt/l/") }}
	for command, want := range map[string]bool{
		"/bin/su -": true, "/bin/su - root": true, `/bin/su ""`: true, "/bin/su - redis": false, "/bin/bash -l": true, "/bin/sh /usr/local/bin/x": false,
		"/bin/sh /opt/l/x": true, "/usr/bin/sudo -i": true, "/usr/bin/sudo su": true, "/usr/bin/env bash": true, "/usr/bin/env A=b /usr/bin/id": false,
		"/usr/bin/env ruby /opt/l/x": true, "/usr/bin/vi /etc/hosts": true, "/usr/bin/less /var/log/syslog": true, "/usr/bin/less": true,
		"/opt/l/current/bin/restart": true, "/usr/local/bin/restart": false, "/usr/bin/passwd root": true, "/usr/bin/crontab -e": true,
		"/usr/local/bin/bundle exec rake": true, "/usr/bin/make -C /usr/src x": false, "/usr/bin/make -C /opt/l x": false, "/usr/bin/make -C /opt/l/x": true,
		"/bin/chmod 4755 /opt/l/x": true, "/bin/chmod -R 755 /opt/l/x": false, "/bin/chown -R deploy /opt/l/x": false, "/bin/chown deploy /etc/sudoers": true,
		"/bin/tar xf /opt/l/x -C /": true, "/bin/tar czf /b.tgz /opt/l/x": false, "/usr/bin/dpkg -i /opt/l/x.deb": true, "/bin/dd of=/etc/cron.d/x": true,
		"/usr/bin/docker run -it alpine": true, "/usr/bin/docker restart x": false, "^/usr/bin/.*$": true, "^/bin/(sh|bash)$": true,
		"^/usr/bin/systemctl$ ^restart nginx$": true, "/bin/cat /opt/l/x": false, "/usr/bin/busctl": true, "/usr/bin/apt-get update": false,
	} {
		if got := l.makesRoot(Decision{Command: command}); got != want {
			t.Errorf("%s: got %v", command, got)
		}
	}
	for options, want := range map[string]bool{"noexec": false, "setenv": true} {
		if got := l.makesRoot(Decision{Entry: Entry{Options: []string{options}}, Command: "/usr/bin/less /x"}); got != want {
			t.Errorf("%s: got %v", options, got)
		}
	}
}

func TestASettingThatAsksNobodyForAPassword(t *testing.T) {
	const listed = "Matching Defaults entries for deploy on h:\n    env_reset, secure_path=/usr/bin\\:/bin,\n    !authenticate\n\nUser deploy may run:\n\n" +
		"Sudoers entry:\n    RunAsUsers: ALL\n    Commands:\n\tALL\n"
	for _, text := range []string{listed, strings.Replace(listed, "!authenticate", "use_pty", 1)} {
		l := List{Entries: WithDefaults(ParseList(text), Defaults(text))}
		if l.Settings = Defaults(text); l.Preloads() != "" {
			t.Errorf("%s: %s", text, l.Preloads())
		}
		if got := len(l.RootRules()) == 1; got != (text == listed) {
			t.Errorf("%s: got %v", text, l.RootRules())
		}
	}
}

func TestASettingThatLetsALibraryBeLoaded(t *testing.T) {
	for settings, want := range map[string]string{
		"env_reset, setenv": "setenv", `x, env_keep+="A LD_*", y`: `env_keep+="A LD_*"`, "!setenv, env_keep+=LANG": "", "env_keep-=LD_PRELOAD": "",
	} {
		if got := (List{Settings: settings}).Preloads(); got != want {
			t.Errorf("%s: got %q", settings, got)
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
