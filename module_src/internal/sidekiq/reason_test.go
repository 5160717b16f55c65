// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge"
)

func TestAChangeOfTypeHasAReason(t *testing.T) {
	locked := func(version string) Facts {
		return Facts{Deployed: true, Lock: Text{Found: true, Content: "GEM\n  specs:\n    sidekiq (" + version + ")\n"}}
	}
	for _, test := range []struct {
		name, option, was, want string
		facts                   Facts
		reason                  string
	}{
		{"first deploy", "auto", "exec", "notify", locked("7.3.2"), "its type is notify now, since Sidekiq 7.3.2 tells systemd when it is up"},
		{"old Sidekiq", "auto", "notify", "exec", locked("6.0.4"), "its type is exec now, since Sidekiq 6.0.4 does not tell systemd when it is up"},
		{"no application", "auto", "notify", "exec", Facts{}, "its type is exec now, since the application is not there to tell which Sidekiq it has"},
		{"own command", "auto", "notify", "exec", locked("7.3.2"), ""},
		{"asked for", "exec", "notify", "exec", locked("7.3.2"), ""},
		{"the same", "auto", "notify", "notify", locked("7.3.2"), ""},
	} {
		file := func(kind string) converge.File {
			return converge.File{Exists: true, Content: "[Service]\nType=" + kind + "\n"}
		}
		got := (&Service{Type: test.option}).Reason(test.facts, file(test.was), file(test.want))
		if got != test.reason {
			t.Errorf("%s: got %q, want %q", test.name, got, test.reason)
		}
	}
}

func TestAChangeOfTheQuietSignalHasAReason(t *testing.T) {
	for _, test := range []struct{ version, was, want, reason string }{
		{"4.0.1", "/bin/kill -TSTP $MAINPID", "/bin/kill -USR1 $MAINPID", "it is told to be quiet by USR1 now, which Sidekiq 4.0.1 knows"},
		{"5.2.7", "/bin/kill -USR1 $MAINPID", "/bin/kill -TSTP $MAINPID", "it is told to be quiet by TSTP now, which Sidekiq 5.2.7 knows"},
		{"4.0.1", "/bin/kill -USR1 $MAINPID", "/bin/kill -USR1 $MAINPID", ""},
		{"4.0.1", "/bin/own", "/bin/kill -USR1 $MAINPID", ""},
		{"", "/bin/kill -USR1 $MAINPID", "/bin/kill -TSTP $MAINPID", ""},
	} {
		file := func(reload string) converge.File {
			return converge.File{Exists: true, Content: "[Service]\nType=simple\nExecReload=" + reload + "\n"}
		}
		f := Facts{Deployed: true, Lock: Text{Found: true, Content: "    sidekiq (" + test.version + ")\n"}}
		if got := (&Service{Type: "auto"}).Reason(f, file(test.was), file(test.want)); got != test.reason {
			t.Errorf("%+v: got %q", test, got)
		}
	}
}

func TestWhatTheFirstReleaseWroteUnaskedIsNotSaidToBeTakenAway(t *testing.T) {
	asFirstReleased := strings.NewReplacer("NotifyAccess=main", "NotifyAccess=all", "RestartSec=25", "RestartSec=10",
		"RestartSteps=5", "RestartSteps=6", "RestartMaxDelaySec=30", "RestartMaxDelaySec=60")
	paths, err := filepath.Glob("testdata/*-2??.service")
	if err != nil || len(paths) < 10 {
		t.Fatal(paths, err)
	}
	for _, p := range paths {
		now, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		file := func(content string) converge.File {
			return converge.File{Path: "/lib/systemd/system/sidekiq.service", Kind: converge.UnitFile, Content: content}
		}
		was := asFirstReleased.Replace(string(now))
		if got := takenAway(file(was), file(string(now))); got != "" || was == string(now) {
			t.Errorf("%s: %q", p, got)
		}
		given := strings.Replace(was, "UMask=0002", "UMask=0027", 1)
		if got := takenAway(file(given), file(string(now))); !strings.HasPrefix(got, "no longer given, and so as by default: umask (was") {
			t.Errorf("%s: %q", p, got)
		}
	}
}
