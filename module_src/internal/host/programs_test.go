// SPDX-License-Identifier: GPL-3.0-or-later

package host

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestAProgramThatIsInterruptedSaysSo(t *testing.T) {
	signal := errors.New("interrupted by a signal")
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(signal)
	if _, err := (program{path: "/bin/sleep", args: []string{"60"}}).run(ctx); !errors.Is(err, signal) {
		t.Errorf("got %v", err)
	}
}

func TestHowAProgramEndedIsToldByItsStatus(t *testing.T) {
	for script, want := range map[string]output{
		"echo a; echo b >&2":             {stdout: "a\n", stderr: "b\n"},
		"exit 3":                         {status: 3},
		"kill -TERM $$":                  {status: 128 + 15, signal: syscall.SIGTERM},
		"read line; echo got:$line":      {stdout: "got:\n"}, // nobody says anything to it
		"echo $LC_ALL $PWD ${HOME-none}": {stdout: "C / none\n"},
	} {
		got, err := program{path: "/bin/sh", args: []string{"-c", script}}.run(context.Background())
		if got != want || err != nil {
			t.Errorf("%s: got %+v, %v, want %+v", script, got, err, want)
		}
	}
	got, err := program{path: "/bin/sh", args: []string{"-c", "head -c 1000000 /dev/zero"}}.run(context.Background())
	if len(got.stdout) != maxOutput || err != nil {
		t.Errorf("kept %d bytes, %v", len(got.stdout), err)
	}
	if _, err := (program{path: "/no/such/program"}).run(context.Background()); err == nil || !strings.Contains(err.Error(), "cannot run /no/such/program: ") {
		t.Errorf("got %v", err)
	}
}

func TestAProgramIsTheFirstFileThatCanBeExecuted(t *testing.T) {
	dir := t.TempDir()
	plain, executable := filepath.Join(dir, "plain"), filepath.Join(dir, "executable")
	for path, mode := range map[string]os.FileMode{plain: 0o644, executable: 0o755} {
		if err := os.WriteFile(path, nil, mode); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := find([]string{dir, plain, dir + "/absent", executable}); got != executable || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	if got, err := find([]string{plain}); got != "" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}
