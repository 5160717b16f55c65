// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"slices"
	"strconv"
	"strings"
)

// SidekiqVersion is the version that the application's Gemfile.lock pins, or
// "" where that is not known.
func (f Facts) SidekiqVersion() string {
	return lockedVersion(f.Lock.Content)
}

// lockedVersion finds Sidekiq among the specs of a Gemfile.lock: those stand
// four spaces deep, what they depend on six.
func lockedVersion(lock string) string {
	for line := range strings.Lines(lock) {
		line = strings.TrimRight(line, "\r\n")
		rest, ok := strings.CutPrefix(line, "    sidekiq (")
		version, closed := strings.CutSuffix(rest, ")")
		if ok && closed && onlyRunes(version, ".-") && isDigit(rune(version[0])) && len(version) < 40 {
			return version
		}
	}
	return ""
}

// notifies reports whether a Sidekiq tells systemd that it is up. Those from
// 6.0.6 do: Changes.md of Sidekiq.
func notifies(version string) bool {
	return version != "" && slices.Compare(numbers(version), []int{6, 0, 6}) >= 0
}

// numbers are the leading numbers of a version: 7.1.0.beta1 is 7, 1, 0.
func numbers(version string) []int {
	var list []int
	for part := range strings.SplitSeq(version, ".") {
		n, err := strconv.Atoi(part)
		if err != nil {
			break
		}
		list = append(list, n)
	}
	return list
}
