// SPDX-License-Identifier: GPL-3.0-or-later

package host

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge"
)

func TestNamedSaysWhichDirectiveIsMeant(t *testing.T) {
	u := copied{File: converge.File{Path: "/x.service", Content: "# us\n[Service]\nLimitNOFILE=plenty\n"}}
	for complaint, want := range map[string]string{
		"/x.service:3: Failed to parse resource value, ignoring: plenty": "/x.service:3: Failed to parse resource value, ignoring: plenty (in LimitNOFILE=)",
		"/x.service:3: Unknown key name 'LimitNOFILE'":                   "/x.service:3: Unknown key name 'LimitNOFILE'",
		"/x.service:2: Odd section":                                      "/x.service:2: Odd section",
		"/x.service:99: Odd line":                                        "/x.service:99: Odd line",
		"x.service: Command /x is not executable":                        "x.service: Command /x is not executable",
	} {
		if got := named(complaint, u); got != want {
			t.Errorf("%q: %q, want %q", complaint, got, want)
		}
	}
}

func TestAComplaintIsLaidToTheUnitThatItIsAbout(t *testing.T) {
	units := []copied{{at: "/run/v/sidekiq.service"}, {at: "/run/v/sidekiq@1.service"}}
	for line, want := range map[string]string{
		"/run/v/sidekiq.service:3: Unknown key name":         "/run/v/sidekiq.service",
		"sidekiq.service: Command /x is not executable":      "/run/v/sidekiq.service",
		"sidekiq@1.service: Command /x is not executable":    "/run/v/sidekiq@1.service",
		"/lib/systemd/system/other.service:1: Odd line":      "",
		"Failed to open /etc/systemd/system/broken: Odd one": "",
	} {
		if got, ok := about(units, line); got.at != want || ok != (want != "") {
			t.Errorf("%q: got %q, %v", line, got.at, ok)
		}
	}
}

func TestAProgramThatIsYetToBeDeployedIsNoFault(t *testing.T) {
	for _, c := range []struct {
		line     string
		deployed bool
		want     severity
	}{
		{"sidekiq.service: Command /usr/local/bin/bundle is not executable: No such file or directory", true, fatal},
		{"sidekiq.service: Command /usr/local/bin/bundle is not executable: No such file or directory", false, worthSaying},
		{"sidekiq.service:9: StandardOutput=syslog is obsolete", true, worthSaying},
		{"sidekiq.service:9: Unknown key name 'Tpye' in section 'Service'", false, fatal},
	} {
		if got := severityOf(c.line, c.deployed); got != c.want {
			t.Errorf("%+v: got %v", c, got)
		}
	}
}

func TestAToolThatFailsHasApprovedNothing(t *testing.T) {
	for line, want := range map[string]bool{
		"/lib/systemd/system/foo.service:3: Unknown key name 'X' in section 'Unit', ignoring.": true,
		"foo.service: Command /bin/foo is not executable: No such file or directory":           true,
		`Configuration file "/etc/systemd/system/x.service" is marked executable.`:             true,
		"Unit bar.service not found.": true,
		// On Ubuntu 18.04, beside the line that names the unit which asks for a firewall.
		"Proceeding WITHOUT firewalling in effect! (This warning is only shown for the first loaded unit using IP firewalling.)": true,
		"Failed to initialize manager: Out of memory":                  false,
		"Cannot determine cgroup we are running in: No medium found":   false,
		"Assertion 'x' failed at src/core/manager.c:12, aborting: bad": false,
	} {
		if got := aboutAnother(line); got != want {
			t.Errorf("%s: got %v", line, got)
		}
	}
}

func TestTheUsersOwnWordsExcuseNothing(t *testing.T) {
	u := copied{File: converge.File{
		Path: "/lib/systemd/system/compatibility.service", Content: "[Service]\nMemoryMax=2G is deprecated\nEnvironment=\"A=is not executable\"\n",
	}}
	for line, want := range map[string]severity{
		"/lib/systemd/system/compatibility.service:2: Failed to parse memory limit, ignoring: 2G is deprecated":        fatal,
		"/lib/systemd/system/compatibility.service:3: Invalid environment assignment, ignoring: A=is not executable":   fatal,
		"/lib/systemd/system/compatibility.service:9: Unknown key name 'X'":                                            fatal,
		"compatibility.service: Command /usr/local/bin/bundle is not executable: No such file or directory":            worthSaying,
		"/lib/systemd/system/compatibility.service:9: Standard output type syslog is obsolete, automatically updating": worthSaying,
	} {
		if got := severityOf(withoutValues(line, u), false); got != want {
			t.Errorf("%s: got %v", line, got)
		}
	}
}

func TestAProgramThatIsEndedSaysSoAndItsChildrenEndWithIt(t *testing.T) {
	out, err := program{path: "/bin/sh", args: []string{"-c", "kill -9 $$"}}.judge(t.Context())
	if err == nil || !strings.Contains(err.Error(), "it has approved nothing") {
		t.Errorf("got %+v, %v", out, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	marker := filepath.Join(t.TempDir(), "marker")
	_, err = program{path: "/bin/sh", args: []string{"-c", "(sleep 0.3; touch " + marker + ") & wait"}}.run(ctx)
	if err == nil {
		t.Error("a program that did not end is no error")
	}
	for _, script := range []string{"(sleep 0.3; touch " + marker + ") >/dev/null 2>&1 &", "(sleep 2; touch " + marker + ") & exit 1"} {
		if _, err := (program{path: "/bin/sh", args: []string{"-c", script}}).run(t.Context()); err != nil {
			t.Errorf("%s: %v", script, err)
		}
	}
	time.Sleep(1200 * time.Millisecond)
	if _, err := os.Stat(marker); err == nil {
		t.Error("the program's child has lived on")
	}
}

func TestAComplaintAboutWhatIsReplacedIsNotWarnedOf(t *testing.T) {
	replaced := []copied{{File: converge.File{Path: "/etc/sudoers.d/sidekiq"}}}
	faults := []string{
		"/etc/sudoers.d/sidekiq: bad permissions, should be mode 0440",
		"/etc/sudoers.d/sidekiq-other: bad permissions, should be mode 0440",
		">>> /etc/sudoers.d/sidekiq: syntax error near line 1 <<<",
		"/etc/sudoers.d/sidekiq:1:5: syntax error",
		"deploy all",
		"       ^~~",
		"/etc/sudoers.d/cron:1:5: syntax error",
		"cron all",
	}
	if got := ofOthers(faults, replaced); !slices.Equal(got, []string{faults[1], faults[6], faults[7]}) {
		t.Errorf("got %q", got)
	}
}
