// SPDX-License-Identifier: GPL-3.0-or-later

package host

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// launches runs a shell script in the background and waits until it says so.
// The script then starts nothing: while a shell forks, it blocks all signals.
func launches(t *testing.T, script string) int {
	t.Helper()
	cmd := exec.Command("/bin/sh", "-c", script+"; echo; read line")
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	if _, err := out.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	return cmd.Process.Pid
}

func TestBehindIsWhatWorksWhereTheMainProcessPassesNothingOn(t *testing.T) {
	titled := starts(t, t.TempDir(), "sidekiq 7.3.2 app [1 of 5 busy]")
	quiet := starts(t, t.TempDir(), "sidekiq 7.3.2 app [1 of 5 busy] stopping")
	other := starts(t, t.TempDir(), "tee log")
	plain, ignoring, passing := launches(t, ":"), launches(t, "trap '' TERM"), launches(t, "trap : TERM")
	swarm := starts(t, t.TempDir(), "sidekiqswarm, managing 2 processes")
	for _, c := range []struct {
		name    string
		main    int
		members []int
		want    []int
	}{
		{"a shell", plain, []int{plain, other, titled, quiet}, []int{titled, quiet}},
		{"a shell that ignores the signal", ignoring, []int{ignoring, titled}, []int{titled}},
		{"a shell with a trap", passing, []int{passing, titled}, nil},
		{"Sidekiq with a job's child", titled, []int{titled, quiet}, nil},
		{"Sidekiq Enterprise", swarm, []int{swarm, titled, quiet}, nil},
		{"no Sidekiq", plain, []int{plain, other}, nil},
		{"a process that is gone", 1 << 30, []int{titled}, nil},
	} {
		for _, hierarchy := range []string{"", "systemd", "unified"} {
			cgroups := t.TempDir()
			dir := filepath.Join(cgroups, hierarchy, "system.slice", "a.service")
			if err := os.MkdirAll(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			text := strings.Trim(strings.ReplaceAll(fmt.Sprint(c.members), " ", "\n"), "[]")
			if err := os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			mainTitle := title(c.main)
			if got := behind("/proc", cgroups, "/system.slice/a.service", c.main, mainTitle); !slices.Equal(got, c.want) {
				t.Errorf("%s, in the hierarchy %q: got %v, want %v", c.name, hierarchy, got, c.want)
			}
		}
	}
}

func TestWhatAProcessDoesAtSIGTERM(t *testing.T) {
	const term, wait = 1 << (unix.SIGTERM - 1), " 0x1 0x2"
	for name, c := range map[string]struct {
		caught, blocked, call int
		want                  bool
	}{
		"tini":             {call: unix.SYS_RT_SIGTIMEDWAIT, want: true},
		"a signalfd":       {blocked: term, call: unix.SYS_EPOLL_PWAIT, want: true},
		"unshare --fork":   {blocked: term, call: unix.SYS_WAIT4},
		"a trap":           {caught: term, call: unix.SYS_WAIT4, want: true},
		"a shell":          {call: unix.SYS_WAIT4},
		"a shell, waiting": {call: unix.SYS_WAITID},
	} {
		dir := t.TempDir()
		for file, text := range map[string]string{
			"status": fmt.Sprintf("Name:\tx\nSigBlk:\t%016x\nSigIgn:\t0\nSigCgt:\t%016x\nCapInh:\t0\n", c.blocked, c.caught), "syscall": fmt.Sprint(c.call, wait),
		} {
			if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if got := takesTERM(dir); got != c.want {
			t.Errorf("%s: got %v", name, got)
		}
	}
}

func TestBehindOfManyProcessesIsBounded(t *testing.T) {
	cgroups := t.TempDir()
	if err := os.WriteFile(filepath.Join(cgroups, "cgroup.procs"), []byte(strings.Repeat("4194304\n", 1<<20)), 0o600); err != nil {
		t.Fatal(err)
	}
	if n := len(members(cgroups, "/")); n > 16*maxInUnit {
		t.Errorf("%d processes", n)
	}
	began := time.Now()
	behind("/proc", cgroups, "/", os.Getpid(), "sh")
	if took := time.Since(began); took > 2*behindTime {
		t.Errorf("took %s", took)
	}
}
