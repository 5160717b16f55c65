// SPDX-License-Identifier: GPL-3.0-or-later

package host

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/sidekiq"
)

// deploys makes the directories of an application as Capistrano leaves them,
// and returns its working directory and that of the release.
func deploys(t *testing.T) (current, release string) {
	t.Helper()
	base, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	release = filepath.Join(base, "releases", "20260101000000")
	if err := os.MkdirAll(release, 0o755); err != nil {
		t.Fatal(err)
	}
	current = filepath.Join(base, "current")
	if err := os.Symlink(release, current); err != nil {
		t.Fatal(err)
	}
	return current, release
}

// starts a program in a directory under a title of its own, until the test ends.
func starts(t *testing.T, dir, title string) int {
	t.Helper()
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Skip("there is no sleep here")
	}
	cmd := exec.Command(sleep)
	cmd.Args = []string{title, "60"}
	cmd.Dir = dir
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return cmd.Process.Pid
}

func TestCensusFindsWhatRunsInTheApplicationAndNothingElse(t *testing.T) {
	current, release := deploys(t)
	here := starts(t, release, "sidekiq 7.3.2 app [0 of 5 busy]")
	starts(t, t.TempDir(), "sidekiq 7.3.2 app [0 of 5 busy]")
	starts(t, release, "tail -f log/sidekiq.log")
	got := census("/proc", treeOf(current))
	if len(got) != 1 || got[0].PID != here || got[0].Kind != sidekiq.Titled || got[0].Dir != release {
		t.Fatalf("got %+v, want process %d", got, here)
	}
	if got[0].Parent != os.Getpid() || got[0].UID != os.Getuid() || got[0].OtherRoot {
		t.Errorf("got %+v, want parent %d, uid %d, this root", got[0], os.Getpid(), os.Getuid())
	}
}

func TestCensusFindsAProcessWhoseReleaseIsGone(t *testing.T) {
	current, release := deploys(t)
	here := starts(t, release, "sidekiq 6.4.1 app [1 of 5 busy]")
	if err := os.RemoveAll(release); err != nil {
		t.Fatal(err)
	}
	got := census("/proc", append(treeOf(current), filepath.Dir(current)))
	if len(got) != 1 || got[0].PID != here || got[0].OtherRoot {
		t.Errorf("got %+v, want process %d", got, here)
	}
}

func TestTreeIsNeverTheRootDirectoryNorAHome(t *testing.T) {
	current, release := deploys(t)
	base := filepath.Dir(current)
	for _, c := range []struct {
		dir  string
		home string
		want []string
	}{
		{current, "/home/deploy", []string{base, current, release}},
		{release, "", []string{base, release}},
		{"/current", "", []string{"/current"}},
		{base, base, nil},
		{"", "", nil},
	} {
		got := treeOf(c.dir, c.home)
		for _, w := range c.want {
			if !got.has(w) {
				t.Errorf("%s: %v lacks %s", c.dir, got, w)
			}
		}
		if slices.Contains(got, "/") || got.has("/etc") || c.want == nil && len(got) > 0 {
			t.Errorf("%s: got %v", c.dir, got)
		}
	}
}

// BenchmarkCensus is the cost of one pass, which every run pays.
func BenchmarkCensus(b *testing.B) {
	for b.Loop() {
		_ = census("/proc", tree{fmt.Sprintf("/nonexistent/%d", os.Getpid())})
	}
}
