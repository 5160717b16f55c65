// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const packages = "github.com/curationexperts/ansible-sidekiq/module_src"

// mayImport says which packages of the program each package may import, from
// the ground floor up. A package must not import one that is not in its row.
func mayImport() map[string][]string {
	return map[string][]string{
		// The grammars know nothing of each other, and nothing of Sidekiq.
		"internal/shell":   {},
		"internal/sudo":    {},
		"internal/systemd": {},

		// The wire knows nothing of what options and results mean.
		"internal/ansible": {},

		// Units, files and grants are all that it sees.
		"internal/converge": {"internal/sudo", "internal/systemd"},

		// The domain is pure: it does not know how a host is looked at.
		"internal/sidekiq": {"internal/ansible", "internal/converge", "internal/shell", "internal/sudo", "internal/systemd"},

		"internal/host":    {"internal/ansible", "internal/converge", "internal/shell", "internal/sidekiq", "internal/sudo", "internal/systemd"},
		"internal/results": {},

		"": {"internal/ansible", "internal/converge", "internal/host", "internal/results", "internal/shell", "internal/sidekiq"},

		// make generate runs it, even when what it has written is broken.
		"internal/generate": {},

		// These are for tests, and no program is linked with them.
		"internal/oracle":            {},
		"internal/converge/fakehost": {"internal/converge", "internal/sudo", "internal/systemd"},
		"internal/scripthost":        {"internal/converge", "internal/converge/fakehost", "internal/sidekiq"},
	}
}

// allImports are the imports of each package of the program.
func allImports(t *testing.T) map[string][]string {
	t.Helper()
	list := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./...")
	list.Stderr = os.Stderr
	out, err := list.Output()
	if err != nil {
		t.Fatalf("cannot list the packages: %v", err)
	}
	imports := map[string][]string{}
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(line)
		imports[strings.TrimPrefix(strings.TrimPrefix(words[0], packages), "/")] = words[1:]
	}
	return imports
}

func TestPackagesImportOneWay(t *testing.T) {
	may := mayImport()
	for name, imports := range allImports(t) {
		allowed, ok := may[name]
		if !ok {
			t.Errorf("the package %q has no row in mayImport", name)
		}
		for _, i := range imports {
			if own, ok := strings.CutPrefix(i, packages+"/"); ok && !slices.Contains(allowed, own) {
				t.Errorf("%q imports %q", name, own)
			}
		}
		delete(may, name)
	}
	for name := range may {
		t.Errorf("there is no package %q", name)
	}
}

// TestNoPackageIsUnsafe has no exceptions: golang.org/x/sys/unix does what
// package unsafe would be needed for.
func TestNoPackageIsUnsafe(t *testing.T) {
	for name, imports := range allImports(t) {
		if slices.Contains(imports, "unsafe") {
			t.Errorf("%q imports package unsafe", name)
		}
	}
}

// TestOnlyTheDomainSpeaksOfIt searches the packages below the domain for its
// words. Their messages and decisions get such words from above.
func TestOnlyTheDomainSpeaksOfIt(t *testing.T) {
	words := regexp.MustCompile(`(?i)sidekiq|capistrano|redis|deploy|start_timeout`)
	for _, room := range []string{"ansible", "converge", "shell", "sudo", "systemd"} {
		files, err := filepath.Glob("internal/" + room + "/*.go")
		if err != nil || len(files) == 0 {
			t.Fatalf("cannot find the files of %s: %v", room, err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if word := words.FindString(strings.ReplaceAll(string(text), packages, "")); word != "" {
				t.Errorf("%s speaks of %q", file, word)
			}
		}
	}
}
