// SPDX-License-Identifier: GPL-3.0-or-later

package ansible

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// unread is a standard input that must not be waited for.
type unread struct{ t *testing.T }

func (u unread) Read([]byte) (int, error) {
	u.t.Error("standard input was read")
	return 0, io.EOF
}

// readKept fails the test unless the request has the name.
func readKept(t *testing.T, path string, stdin io.Reader, name string) {
	t.Helper()
	r, err := ReadKept(path, stdin)
	if err != nil || r.Args["name"] != name || !r.Check {
		t.Errorf("got %+v, %v", r, err)
	}
}

const keptText = `{"name": "a", "_ansible_check_mode": true}`

func TestReadKeptWaitsForStandardInputOnlyOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "1.request")
	readKept(t, path, strings.NewReader(keptText), "a")
	readKept(t, path, unread{t}, "a")
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("got %v, %v; what is kept is for root alone", info.Mode(), err)
	}
}

func TestReadKeptTakesNothingElseForTheArguments(t *testing.T) {
	for what, content := range map[string]string{"empty": "", "cut short": keptText[:20], "zeros": strings.Repeat("\x00", 40)} {
		t.Run(what, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "1.request")
			if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			readKept(t, path, strings.NewReader(keptText), "a")
			readKept(t, path, unread{t}, "a")
		})
	}
}

func TestReadKeptNeedsNoPlaceToKeep(t *testing.T) {
	readKept(t, "/nonexistent/1.request", strings.NewReader(keptText), "a")
}

func TestReadKeptKeepsNothingOfAnInputThatFails(t *testing.T) {
	path := filepath.Join(t.TempDir(), "1.request")
	_, err := ReadKept(path, io.MultiReader(strings.NewReader(keptText), brokenReader{}))
	if !errors.Is(err, errBroken) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("what was read until then is kept")
	}
}

var errBroken = errors.New("broken")

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errBroken }

func TestReadKeptRemovesTheOldestAndNothingElse(t *testing.T) {
	dir := t.TempDir()
	program := filepath.Join(dir, "program")
	if err := os.WriteFile(program, nil, 0o700); err != nil {
		t.Fatal(err)
	}
	start := time.Now().Add(-time.Hour)
	name := func(n int) string { return filepath.Join(dir, fmt.Sprintf("%d.request", n)) }
	for n := range mostKept + 3 {
		readKept(t, name(n), strings.NewReader(keptText), "a")
		at := start.Add(time.Duration(n) * time.Second)
		if err := os.Chtimes(name(n), at, at); err != nil {
			t.Fatal(err)
		}
	}
	for n := range mostKept + 3 {
		if _, err := os.Stat(name(n)); (err == nil) != (n >= 3) {
			t.Errorf("request %d: %v", n, err)
		}
	}
	if _, err := os.Stat(program); err != nil {
		t.Error(err)
	}
}
