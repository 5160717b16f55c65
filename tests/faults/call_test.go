// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux && amd64

package main

import (
	"bufio"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
)

func TestMessagesToSystemd(t *testing.T) {
	for data, want := range map[string]string{
		"l\x01\x00/org/freedesktop/systemd1/unit/sidekiq_401_2eservice\x00x\x00GetAll\x00": "ask systemd GetAll sidekiq@1.service",
		"\x00RestartUnit\x00\x0fsidekiq.service\x00":                                       "tell systemd RestartUnit",
		"\x00Subscribe\x00": "ask systemd Subscribe",
		"\x00Reload\x00":    "tell systemd Reload",
		"BEGIN\r\n":         "",
	} {
		if got := message(data); got != want {
			t.Errorf("%q: got %q, want %q", data, got, want)
		}
	}
}

func TestEffectsDoNotTellWhatIsByChance(t *testing.T) {
	for effect, want := range map[string]string{
		"create /usr/lib/systemd/system/.sidekiq.service123": "create /lib/systemd/system/.sidekiq.service*",
		"create /usr/lib/systemd/system/.sidekiq@1.service9": "create /lib/systemd/system/.sidekiq@1.service*",
		"mkdir /run/curationexperts.sidekiq/verify-77":       "mkdir /run/curationexperts.sidekiq/verify-*",
		"rename to /lib/systemd/system/sidekiq@.service":     "rename to /lib/systemd/system/sidekiq@.service",
		"open /proc/812/cmdline":                             "open /proc/*/cmdline",
	} {
		if got := withoutChance(effect); got != want {
			t.Errorf("%q: got %q, want %q", effect, got, want)
		}
	}
}

// traced runs a shell script, has a fault befall it, and returns its effects.
func traced(t *testing.T, tr tracer, script string) (status int, effects []string) {
	t.Helper()
	tr.only = regexp.MustCompile(changesOnly)
	tr.log = func(effect string) { effects = append(effects, effect) }
	tr.stdin = strings.NewReader("")
	var printed strings.Builder
	out := bufio.NewWriter(&printed)
	tr.stdout = out
	status, err := tr.run([]string{"/bin/sh", "-c", script})
	if err != nil {
		t.Fatal(err)
	}
	return status, effects
}

func TestAFaultBefallsTheEffectThatIsNamed(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	script := "echo x >" + a + "; echo x >" + b
	named := func(name string) fault {
		f, err := faultNamed(name)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	for _, c := range []struct {
		fault  string
		status int
		left   []string // of a and b
	}{
		{"", 0, []string{a, b}},
		{"EIO", 2, []string{a}},
		{"done yet EIO", 2, []string{a, b}},
		{"kill before", 137, []string{a}},
		{"kill after", 137, []string{a, b}},
		{"SIGTERM", 128 + int(syscall.SIGTERM), []string{a, b}}, // it is delivered when the call returns
	} {
		_, _ = os.Remove(a), os.Remove(b)
		tr := tracer{at: "create " + b, nth: 1}
		if c.fault != "" {
			tr.fault = named(c.fault)
		}
		status, effects := traced(t, tr, script)
		left, err := filepath.Glob(dir + "/*")
		if err != nil {
			t.Fatal(err)
		}
		if status != c.status || !slices.Equal(left, c.left) || !slices.Contains(effects, "create "+a) {
			t.Errorf("%q: status %d, left %q, effects %q", c.fault, status, left, effects)
		}
	}
}
