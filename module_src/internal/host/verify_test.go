// SPDX-License-Identifier: GPL-3.0-or-later

package host

import (
	"testing"

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
	units := []copied{{at: "/run/v/sidekiq.service"}, {at: "/run/v/sidekiq@.service"}}
	for line, want := range map[string]string{
		"/run/v/sidekiq.service:3: Unknown key name":         "/run/v/sidekiq.service",
		"sidekiq.service: Command /x is not executable":      "/run/v/sidekiq.service",
		"sidekiq@1.service: Command /x is not executable":    "/run/v/sidekiq@.service",
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
