// SPDX-License-Identifier: GPL-3.0-or-later

package host

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLinesArePrintableAndBounded(t *testing.T) {
	long := strings.Repeat("ü", maxWord)
	got := lines("one\n\n  \x1b[31mtwo\x1b[0m\x07\t!\x00 \n" + long + "\nbad \xff utf8\n")
	want := []string{"one", "[31mtwo[0m !", strings.Repeat("ü", maxWord/2) + "…", "bad ? utf8"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
}

func TestFramesOfABacktraceAreNotLastWords(t *testing.T) {
	tests := map[string]bool{
		"/usr/share/gems/redis-4.8.0/lib/redis/client.rb:398:in `rescue in establish_connection'":       true,
		"\tfrom /usr/bin/bundle:25:in '<main>'":                                                         true,
		"<internal:/usr/lib/ruby/vendor_ruby/rubygems/core_ext/kernel_require.rb>:85:in `require'":      true,
		"Error connecting to Redis on 127.0.0.1:6379 (Errno::ECONNREFUSED)":                             false,
		"/opt/app/current/app.rb: syntax error":                                                         false,
		"2026-11-23T22:13:38Z pid=1 WARN: /usr/share/client.rb:398:in `rescue in establish_connection'": false,
	}
	for line, want := range tests {
		if got := isFrame(line); got != want {
			t.Errorf("isFrame(%q) = %v, want %v", line, got, want)
		}
	}
}
