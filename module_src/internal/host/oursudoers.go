// SPDX-License-Identifier: GPL-3.0-or-later

package host

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/sidekiq"
)

// sudoersPolicy is the file that sudo reads first: sudoers(5).
const sudoersPolicy = "/etc/sudoers"

// ourSudoers are the sudoers files of this collection's that are beside a file,
// or in a directory that the first file of sudo's includes, but for that file
// itself.
func ourSudoers(first, file string) (ours []sidekiq.FileText, err error) {
	dirs, err := includedDirs(first)
	if err != nil {
		return nil, err
	}
	looked := map[string]bool{}
	for _, dir := range append(dirs, filepath.Dir(file)) {
		if looked[dir] || trusted(dir) != nil { // what others can write to is not this collection's
			continue
		}
		looked[dir] = true
		entries, err := os.ReadDir(dir)
		if err != nil {
			return nil, fmt.Errorf("cannot read the directory %s: %w", dir, withoutPath(err))
		}
		for _, e := range entries {
			path := filepath.Join(dir, e.Name())
			// sudo reads no file with a dot or a tilde at the end: sudoers(5).
			if path == file || strings.Contains(e.Name(), ".") || strings.HasSuffix(e.Name(), "~") {
				continue
			}
			content, ok, err := regular(path)
			if err != nil {
				return nil, err
			}
			if _, origin := sidekiq.OriginOf(content); ok && origin == sidekiq.Ours {
				ours = append(ours, sidekiq.FileText{Path: path, Content: content})
			}
		}
	}
	return ours, nil
}

// includedDirs are the directories that a sudoers file includes, in the old and
// the new spelling.
func includedDirs(first string) (dirs []string, err error) {
	content, _, err := regular(first)
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(content) {
		words := strings.Fields(line)
		if len(words) == 2 && (words[0] == "@includedir" || words[0] == "#includedir") && filepath.IsAbs(words[1]) {
			dirs = append(dirs, filepath.Clean(words[1]))
		}
	}
	return dirs, nil
}
