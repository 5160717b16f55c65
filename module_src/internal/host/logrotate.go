// SPDX-License-Identifier: GPL-3.0-or-later

package host

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/sidekiq"
)

// logrotate finds out what rotates log files; without any nothing is looked at.
func logrotate(logs []string) (f sidekiq.Logrotate, err error) {
	if len(logs) == 0 {
		return f, nil
	}
	path, err := find(logrotatePaths[:])
	if err != nil {
		return f, err
	}
	f.Present = path != ""
	first, dir := sidekiq.LogrotateFiles()
	files := []string{first}
	entries, err := entriesIn(dir)
	if err != nil {
		return f, err
	}
	for _, e := range entries {
		files = append(files, filepath.Join(dir, e.Name()))
	}
	for _, file := range files {
		content, ok, err := regular(file)
		if err != nil {
			return f, err
		}
		if ok {
			f.Files = append(f.Files, sidekiq.FileText{Path: file, Content: content})
		}
	}
	f.Resolved = map[string]string{}
	for _, log := range logs {
		dir, err := resolved(filepath.Dir(log))
		if err != nil {
			return f, err
		}
		f.Resolved[log] = filepath.Join(dir, filepath.Base(log))
	}
	return f, nil
}

// rejectedRules are those of the rules that logrotate rejects, with its words; nil
// where there are none, or no logrotate. With -d it changes nothing.
func rejectedRules(ctx context.Context, rules []copied) error {
	path, err := find(logrotatePaths[:])
	if err != nil || path == "" {
		return err
	}
	var bad []error
	for _, r := range rules {
		out, err := program{path: path, args: []string{"-d", "-s", "/dev/null", r.at}}.judge(ctx)
		if err != nil {
			return err
		}
		var said []string
		for _, line := range lines(out.all()) {
			if strings.HasPrefix(line, "error:") {
				said = append(said, strings.ReplaceAll(line, r.at, r.Path))
			}
		}
		if said != nil {
			bad = append(bad, fmt.Errorf("logrotate rejects %s: %s", r.Path, strings.Join(said, "; ")))
		}
	}
	return errors.Join(bad...)
}
