// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"strings"
	"testing"
)

func TestATitleSaysWhetherJobsAreTaken(t *testing.T) {
	tests := map[string]struct{ ready, quiet bool }{
		"sidekiq 6.4.1  [0 of 2 busy]":                               {ready: true},
		"sidekiq 7.3.2 laevigata [12 of 25 busy]":                    {ready: true},
		"sidekiq 6.4.1 laevigata [3 of 5 busy] stopping":             {quiet: true},
		"sidekiq 8.1.7 [odd] tag [1 of 5 busy] leader":               {ready: true},
		"sidekiq 6.4.1 laevigata":                                    {},
		"ruby /usr/local/bin/bundle exec sidekiq -e production":      {},
		"/usr/bin/ruby bin/other [0 of 5 busy]":                      {},
		"sidekiq busy]":                                              {},
		"sidekiq [ of  busy]":                                        {},
		"sidekiq ] [0 of 5":                                          {},
		"":                                                           {},
		"sidekiq [99999999999999999999999999999999999999 of 2 busy]": {},
	}
	for title, want := range tests {
		if got := ReadTitle(title); got.Ready != want.ready || got.Quiet != want.quiet {
			t.Errorf("ReadTitle(%q) = %+v; want ready %v, quiet %v", title, got, want.ready, want.quiet)
		}
	}
}

func TestATitleSaysTheVersion(t *testing.T) {
	for title, want := range map[string]string{
		"sidekiq 6.4.1 laevigata [0 of 5 busy]":                          "6.4.1",
		"sidekiq 7.3.2  [0 of 2 busy] stopping":                          "7.3.2",
		"sidekiq 8.0.0.beta1 app [0 of 2 busy]":                          "8.0.0.beta1",
		"/usr/bin/ruby /usr/local/bin/bundle exec sidekiq -e production": "",
		"sidekiq -e production -C config/sidekiq.yml":                    "",
		"sidekiq":                          "",
		"sidekiq 6.4.1\x1b[31m x [0 of 5]": "",
	} {
		if got := ReadTitle(title).Version; got != want {
			t.Errorf("%q: got %q, want %q", title, got, want)
		}
	}
}

// FuzzReadTitle: what the deploy user may choose, a title and a control group, is
// read without a surprise.
func FuzzReadTitle(f *testing.F) {
	f.Add("sidekiq 7.3.2 laevigata [0 of 5 busy] stopping", "0::/system.slice/sidekiq.service\n")
	f.Add("sidekiqswarm, managing 2 processes", "1:name=systemd:/user.slice/user-1000.slice/user@1000.service/app.slice/x.service\n")
	f.Fuzz(func(t *testing.T, title, group string) {
		said := ReadTitle(title)
		if said.Ready && said.Quiet || (said.Ready || said.Quiet) && !strings.HasPrefix(title, "sidekiq ") {
			t.Errorf("%q: %+v", title, said)
		}
		if said.Version != "" && !onlyRunes(said.Version, ".-") {
			t.Errorf("%q: the version %q", title, said.Version)
		}
		if place := PlaceOf(group); place.Unit != "" && !strings.Contains(group, place.Unit) {
			t.Errorf("%q: %+v", group, place)
		}
		_ = StartsOthers(title)
	})
}
