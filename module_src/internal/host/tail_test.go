// SPDX-License-Identifier: GPL-3.0-or-later

package host

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestATailKeepsTheLastLinesWithinItsBounds(t *testing.T) {
	kept := &tail{}
	for i := range 3*maxLines + 7 {
		fmt.Fprintf(kept, "line %d\n\n", i)
	}
	fmt.Fprint(kept, "\tthe \x1b[1;34mend\x1b[0m\x1b")
	last := kept.last()
	if len(last) != maxLines || last[0] != fmt.Sprintf("line %d", 2*maxLines+8) || last[maxLines-1] != " the end" {
		t.Errorf("%d lines, from %q to %q", len(last), last[0], last[len(last)-1])
	}
}

// These are ten lines of 30 MB, such as a job may write that logs its
// arguments.
func TestLongLinesTakeNoMemory(t *testing.T) {
	kept := &tail{}
	chunk := bytes.Repeat([]byte("x"), 1<<16)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 10 {
		for range 30 << 20 / len(chunk) {
			kept.Write(chunk)
		}
		fmt.Fprintln(kept)
	}
	runtime.ReadMemStats(&after)
	if taken := after.TotalAlloc - before.TotalAlloc; taken > 1<<20 {
		t.Errorf("%d bytes were taken", taken)
	}
	for _, line := range kept.last() {
		if len(line) > maxLine+len("…") || !strings.HasSuffix(line, "…") {
			t.Errorf("a line of %d bytes", len(line))
		}
	}
}

func TestAProgramsOutputIsBounded(t *testing.T) {
	out, err := program{path: "/bin/sh", args: []string{"-c", "head -c 30000000 /dev/zero | tee /dev/stderr"}}.run(context.Background())
	if err != nil || len(out.stdout) != maxOutput || len(out.stderr) != maxOutput {
		t.Errorf("%d and %d bytes, error %v", len(out.stdout), len(out.stderr), err)
	}
}

func TestALogFileIsReadFromWhereTheRunBegan(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sidekiq.log")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	read := func(began int64) string {
		t.Helper()
		kept := &tail{}
		if err := (logFile{path: path, began: began}).copyTo(kept); err != nil {
			t.Fatal(err)
		}
		return strings.Join(kept.last(), "|")
	}
	write("old\nnew\n")
	if got := read(4); got != "new" {
		t.Errorf("from 4: %q", got)
	}
	if got := read(100); got != "old|new" {
		t.Errorf("of a file that was replaced: %q", got)
	}
	write(strings.Repeat("0123456789\n", maxLogTail))
	if got := read(0); strings.Count(got, "|") != maxLines-1 {
		t.Errorf("%d lines of a large file", strings.Count(got, "|")+1)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := (logFile{path: path}).copyTo(&tail{}); err == nil || err.Error() != "not a regular file" {
		t.Errorf("of a directory: %v", err)
	}
}
