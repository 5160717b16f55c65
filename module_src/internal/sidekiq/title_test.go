// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
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
