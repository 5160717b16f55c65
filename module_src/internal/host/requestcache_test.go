// SPDX-License-Identifier: GPL-3.0-or-later

package host

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

// unread is a standard input that nobody may wait for.
type unread struct{ t *testing.T }

func (u unread) Read([]byte) (int, error) {
	u.t.Error("standard input was read")
	return 0, io.EOF
}

const requestText = `{"name": "a", "_ansible_check_mode": true}`

// readRequest reads a request, and fails the test unless it is that of
// requestText.
func readRequest(t *testing.T, dir, digest string, stdin io.Reader) *CachedRequest {
	t.Helper()
	r, k, err := ReadRequest(dir, digest, stdin)
	if err != nil || r.Args["name"] != "a" || !r.Check {
		t.Errorf("got %+v, %v", r, err)
	}
	return k
}

func names(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, entry := range entries {
		found = append(found, entry.Name())
	}
	return strings.Join(found, " ")
}

func put(t *testing.T, dir, name, text string, age time.Duration) {
	t.Helper()
	path, at := filepath.Join(dir, name), time.Now().Add(-age)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, at, at); err != nil {
		t.Fatal(err)
	}
}

func TestACachedRequestIsNotWaitedFor(t *testing.T) {
	dir := t.TempDir()
	k := readRequest(t, dir, "1", strings.NewReader(requestText))
	if found := names(t, dir); found != "" {
		t.Errorf("%s is stored before anybody asked for it", found)
	}
	k.Store()
	readRequest(t, dir, "1", unread{t})
	readRequest(t, dir, "2", strings.NewReader(requestText))
}

func TestARequestWithSecretsIsNotStored(t *testing.T) {
	dir := t.TempDir()
	for _, text := range []string{
		`{"project_name": "p", "secret_env": {"A": "hunter2"}}`,
		`{"project_name": "p", "instances": [{"name": "a", "secret_env": {"A": "hunter2"}}]}`,
		`{"project_name": "p", "instances": "[{\"name\": \"a\", \"secret_env\": {\"A\": \"hunter2\"}}]"}`,
	} {
		_, c, err := ReadRequest(dir, "1", strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		c.Store()
		if found := names(t, dir); found != "" {
			t.Errorf("%s is stored for %s", found, text)
		}
	}
}

func TestWhatIsNotTheArgumentsIsReplaced(t *testing.T) {
	for what, content := range map[string]string{"empty": "", "cut short": requestText[:20], "zeros": strings.Repeat("\x00", 40)} {
		t.Run(what, func(t *testing.T) {
			dir := t.TempDir()
			put(t, dir, "1.request", content, 0)
			readRequest(t, dir, "1", strings.NewReader(requestText)).Store()
			readRequest(t, dir, "1", unread{t})
			info, err := os.Stat(filepath.Join(dir, "1.request"))
			if err != nil {
				t.Fatal(err)
			}
			if info.Mode() != 0o600 {
				t.Errorf("its mode is %v; what is stored is for root alone", info.Mode())
			}
		})
	}
}

func TestARequestThatCannotBeStoredIsWaitedForAgain(t *testing.T) {
	for range 2 {
		readRequest(t, "/nonexistent", "1", strings.NewReader(requestText)).Store()
	}
}

func TestNothingIsStoredOfAnInputThatFails(t *testing.T) {
	dir := t.TempDir()
	_, k, err := ReadRequest(dir, "1", io.MultiReader(strings.NewReader(requestText), brokenReader{}))
	if !errors.Is(err, errBroken) || k != nil {
		t.Errorf("got %v, %v", k, err)
	}
}

var errBroken = errors.New("broken")

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errBroken }

func TestTheLeastUsedOfTooManyGo(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "program", "", 0)
	for n := range maxRequests {
		put(t, dir, fmt.Sprintf("%02d.request", n), requestText, time.Hour-time.Duration(n)*time.Second)
	}
	readRequest(t, dir, "00", unread{t}).Store() // as good as new
	readRequest(t, dir, "99", strings.NewReader(requestText)).Store()
	found := names(t, dir)
	for name, want := range map[string]bool{"00.request": true, "01.request": false, "02.request": true, "99.request": true, "program": true} {
		if strings.Contains(found, name) != want {
			t.Errorf("%s: there are %s", name, found)
		}
	}
}

func TestWhatNobodyHasAskedForInAMonthGoes(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "program", "", 60*24*time.Hour)
	put(t, dir, "1.request", requestText, 31*24*time.Hour)
	put(t, dir, ".2.request123", requestText[:9], 31*24*time.Hour) // of a run that was killed
	put(t, dir, "3.request", requestText, 29*24*time.Hour)
	readRequest(t, dir, "4", strings.NewReader(requestText)).Store()
	if found := names(t, dir); found != "3.request 4.request program" {
		t.Errorf("there are %s", found)
	}
}
