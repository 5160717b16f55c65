// SPDX-License-Identifier: GPL-3.0-or-later

package host

import (
	"context"
	"strings"
	"testing"
)

func TestTheOwnerOfAFileIsFoundInTheDatabaseOfRpm(t *testing.T) {
	path, err := find(rpmPaths[:])
	if err != nil {
		t.Fatal(err)
	}
	databases, err := those(rpmDatabases(), there)
	if err != nil {
		t.Fatal(err)
	}
	if path == "" || len(databases) == 0 {
		t.Skip("there is no rpm here that would have a database")
	}
	out, err := program{path: path, args: []string{"-qa", "--qf", `%{NAME} [%{FILENAMES} ]\n`}}.run(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	words := strings.Fields(out.stdout)
	if len(words) < 2 {
		t.Skip("no package here has a file")
	}
	if got, err := rpmPackage(context.Background(), words[1]); err != nil || got != words[0] {
		t.Errorf("%s belongs to %q, %v, want %q", words[1], got, err, words[0])
	}
	if got, err := rpmPackage(context.Background(), "/proc/self/status"); err != nil || got != "" {
		t.Errorf("a file of nobody's belongs to %q, %v", got, err)
	}
}
