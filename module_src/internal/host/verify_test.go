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
