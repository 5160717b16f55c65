// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// linked returns the packages that the program consists of.
func linked(t *testing.T) []string {
	t.Helper()
	list := exec.Command("go", "list", "-deps", ".")
	list.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64")
	list.Stderr = os.Stderr
	out, err := list.Output()
	if err != nil {
		t.Fatalf("cannot list the packages: %v", err)
	}
	return strings.Fields(string(out))
}

func TestOnlyReviewedModulesAreLinked(t *testing.T) {
	// These are five that were chosen, and D-Bus, which the first of them
	// needs.
	want := []string{
		"github.com/coreos/go-systemd/v22/dbus",
		"github.com/godbus/dbus/v5",
		"github.com/google/renameio/v2",
		"github.com/rogpeppe/go-internal/diff",
		"golang.org/x/sys/unix",
		"gopkg.in/yaml.v3",
	}
	var got []string
	for _, p := range linked(t) {
		own := strings.HasPrefix(p, "github.com/curationexperts/ansible-sidekiq/")
		first, _, _ := strings.Cut(p, "/")
		if strings.Contains(first, ".") && !own {
			got = append(got, p)
		}
	}
	if diff := cmp.Diff(want, got, cmp.Transformer("set", set)); diff != "" {
		t.Errorf("linked packages of others (-want +got):\n%s", diff)
	}
}

func set(list []string) map[string]bool {
	s := map[string]bool{}
	for _, e := range list {
		s[e] = true
	}
	return s
}

func TestForbiddenPackagesAreNotLinked(t *testing.T) {
	forbidden := map[string]string{
		"text/template": "an encoder for each grammar writes what a template would write without escaping; and it keeps every exported method in the binary",
		"html/template": "as text/template",
		"net/http":      "the program talks to nobody but systemd; it would add 4 MB",
		"crypto/tls":    "as net/http",
		"log/slog":      "the result is the log",
		"testing":       "tests stay in tests",
		"plugin":        "the program is one file",
	}
	for _, p := range linked(t) {
		if why := forbidden[p]; why != "" {
			t.Errorf("%s is linked, but %s", p, why)
		}
	}
}
