// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"slices"
	"testing"
)

func TestWhatAnotherRuleRotatesIsFound(t *testing.T) {
	const rules = `# /commented/out.log {
weekly
/var/log/a.log /opt/l/shared/log/*.log {
    postrotate
        for f in /not/this; do { kill -HUP "${PID}"; }; done
    endscript
}
"/srv/with quotes.log"
'/srv/single.log'
{
    daily
}
/var/log/last.log { rotate 1 }
/var/log/after.log
`
	got := rotated(rules)
	for _, want := range []string{"/var/log/a.log", "/opt/l/shared/log/*.log", "/srv/single.log", "/var/log/last.log", "/var/log/after.log"} {
		if !slices.Contains(got, want) {
			t.Errorf("%s is not among %q", want, got)
		}
	}
	if slices.Contains(got, "/commented/out.log") || slices.Contains(got, "/not/this;") {
		t.Errorf("got %q", got)
	}
}

func TestTheRuleOfAnotherIsFoundBehindTheLinksOfADeploy(t *testing.T) {
	s := mustParse(t, `{"project_name": "p", "log_file": "log/sidekiq.log", "logrotate": true}`)
	f := on(252)
	f.Logrotate = Logrotate{
		Present: true, Files: []FileText{{Path: "/etc/logrotate.d/samvera", Content: "/opt/p/shared/log/*.log {\n}\n"}},
		Resolved: map[string]string{"/opt/p/current/log/sidekiq.log": "/opt/p/shared/log/sidekiq.log"},
	}
	want, _, _ := s.Want(f)
	if _, ok := want.File("/etc/logrotate.d/sidekiq"); ok {
		t.Error("a second rule for the same file")
	}
	f.Logrotate.Files = nil
	want, _, _ = s.Want(f)
	if rule, ok := want.File("/etc/logrotate.d/sidekiq"); !ok || !rule.Exists {
		t.Error("no rule where there is none")
	}
}
