// SPDX-License-Identifier: GPL-3.0-or-later

package host

import "testing"

func TestBusyTitleReadsSidekiqsOwnTitle(t *testing.T) {
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
		if ready, quiet := busyTitle(title); ready != want.ready || quiet != want.quiet {
			t.Errorf("busyTitle(%q) = ready %v, quiet %v; want %v, %v", title, ready, quiet, want.ready, want.quiet)
		}
	}
}
