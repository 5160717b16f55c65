// SPDX-License-Identifier: GPL-3.0-or-later

package host

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLinesArePrintableAndBounded(t *testing.T) {
	long := strings.Repeat("ü", maxWord)
	got := lines("one\n\n  \x1b[31mtwo\x1b[0m\x07\t!\x00 \n" + long + "\nbad \xff utf8\n")
	want := []string{"one", "[31mtwo[0m !", strings.Repeat("ü", maxWord/2) + "…", "bad ? utf8"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
}

func TestDropInsThatCanBeReadAreTold(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.conf")
	if err := os.WriteFile(path, []byte("[Service]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	files := dropIns([]string{path, path + ".gone"})
	if len(files) != 1 || files[0].Path != path || files[0].Content != "[Service]\n" {
		t.Errorf("got %+v", files)
	}
}
