// SPDX-License-Identifier: GPL-3.0-or-later

// Generate writes what follows from the documentation of the modules, which is
// the one place where an option or a result is declared.
//
// It reads DOCUMENTATION and RETURN of plugins/modules/*.py and writes the
// program's table of options and its types of results, and the role's
// declaration of its variables, the arguments of its task and the table in its
// README. Apart from the keys of the documentation, some sentences in a
// description count; see option.go.
//
// `make generate` runs it; it is no part of the program. It does not judge
// prose, and it does not write the documentation.
package main

import (
	"fmt"
	"os"
	"path/filepath"
)

const (
	servicePath   = "plugins/modules/sidekiq_service.py"
	infoPath      = "plugins/modules/sidekiq_service_info.py"
	verifyPath    = "plugins/modules/sidekiq_service_verify.py"
	optionsPath   = "module_src/internal/sidekiq/options_generated.go"
	resultsPath   = "module_src/internal/results/generated.go"
	specsPath     = "roles/sidekiq/meta/argument_specs.yml"
	validatedPath = "roles/sidekiq/meta/argument_specs"
	tasksPath     = "roles/sidekiq/tasks/main.yml"
	restartPath   = "roles/sidekiq/tasks/verify.yml"
	readmePath    = "roles/sidekiq/README.md"
)

func main() {
	root := "."
	if len(os.Args) > 1 {
		root = os.Args[1]
	}
	files, err := generated(root)
	for path, text := range files {
		if err == nil {
			err = os.WriteFile(filepath.Join(root, path), []byte(text), 0o644)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

// generated is what the files should hold, by their paths below root.
func generated(root string) (map[string]string, error) {
	var modules [3]module
	for i, path := range []string{servicePath, infoPath, verifyPath} {
		var err error
		if modules[i], err = readModule(root, path); err != nil {
			return nil, err
		}
	}
	service, info, verify := modules[0], modules[1], modules[2]
	files := map[string]string{}
	var err error
	if files[optionsPath], err = goOptions(service, info, verify); err != nil {
		return nil, err
	}
	if files[resultsPath], err = goResults(service, info, verify); err != nil {
		return nil, err
	}
	return files, roleFiles(root, service, verify, files)
}
