// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge"
)

// within fails where something takes long: by the processor's time and not by the
// clock, since the machine may be busy. The bound is some fifty times what it
// takes without the race detector.
func within(t *testing.T, what string, do func()) {
	t.Helper()
	began := processorTime(t)
	do()
	if took := processorTime(t) - began; took > 5*time.Second {
		t.Errorf("%s took %s of a processor", what, took)
	}
}

// processorTime is what this process has had of a processor.
func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		t.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

func TestWhatTheDeployUserWritesIsReadInBoundedTime(t *testing.T) {
	const mb = 1 << 20
	s := mustParse(t, `{"project_name": "p"}`)
	for name, file := range map[string]string{
		"distinct values":       withNumbers("A%d=value-%d\n", mb),
		"lines of one value":    `A="` + withNumbers("value-%d-%d\n", mb) + `"`,
		"one long value":        "A=" + strings.Repeat("x%'\"", mb/4),
		"no assignments":        strings.Repeat("x\n", mb/2),
		"one variable":          strings.Repeat("RAILS_ENV=x\n", mb/12),
		"quotes without an end": strings.Repeat("A=\"'", mb/4),
	} {
		within(t, name, func() {
			m := s.Mask()
			m.EnvFile(file)
			text := m.Text(strings.Repeat("a log line with value-7-7 and xxxx…\n", 1000))
			if strings.Contains(file, "A7=value-7") && strings.Contains(m.Text("is value-100\n"), "value-100") {
				t.Error("a value is shown")
			}
			if len(text) > mb {
				t.Errorf("%s: %d bytes", name, len(text))
			}
			w := wanting{Service: *s}
			w.environmentFile("/env", file, true)
			if len(w.warnings) > 20 {
				t.Errorf("%s: %d warnings", name, len(w.warnings))
			}
		})
		within(t, "as a unit: "+name, func() {
			(&wanting{Service: *s}).sameApplication(file)
		})
	}
}

func TestALogIsExplainedInBoundedTime(t *testing.T) {
	s := mustParse(t, `{"project_name": "p"}`)
	for name, line := range map[string]string{
		"exceptions":     "/a/b.rb:1:in `x': " + strings.Repeat("a:b (E) ", 120),
		"frames":         "\tfrom /a/b.rb:1:in `x' " + strings.Repeat("/c/d.rb:2:in 'y'", 60),
		"brackets":       strings.Repeat("[", 990),
		"colons":         strings.Repeat("a::B: ", 160),
		"blanks":         strings.Repeat(" ", 990) + "x",
		"redis":          strings.Repeat("redis ", 160),
		"timestamps":     strings.Repeat("2026-01-01T00:00:00.000Z pid=1 tid=x ", 26),
		"cut in a value": strings.Repeat("correct horse ", 70) + "…",
	} {
		log := make([]string, 1000)
		for i := range log {
			log[i] = line
		}
		within(t, name, func() {
			left := converge.Traces{Log: log}
			s.Explain(Facts{}, left, converge.Process{ExitCode: 1, ExitStatus: 1})
			SameFailure(log, log)
			m := s.Mask()
			m.EnvFile("A=" + strings.Repeat("correct horse ", 70000))
			if words := m.Text(strings.Join(LastWords(log), "\n")); len(words) > 20000 {
				t.Errorf("%s: %d bytes are shown", name, len(words))
			}
		})
	}
}

// withNumbers is a text of so many bytes made of lines with two numbers.
func withNumbers(format string, length int) string {
	var b strings.Builder
	for n := 0; b.Len() < length-100; n++ {
		fmt.Fprintf(&b, format, n, n)
	}
	return b.String()
}
