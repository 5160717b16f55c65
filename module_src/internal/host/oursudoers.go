// SPDX-License-Identifier: GPL-3.0-or-later

package host

import (
	"path/filepath"
	"strings"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/sidekiq"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/sudo"
)

// sudoersPolicy is the file that sudo reads first: sudoers(5).
const sudoersPolicy = "/etc/sudoers"

// otherSudoers are the sudoers files that are beside a file, or in a directory
// that the first file of sudo's includes, itself or by another, but for that
// file itself.
func otherSudoers(first, file string) (others []sidekiq.FileText, err error) {
	if file == "" { // nothing is asked
		return nil, nil
	}
	policy, _, err := regular(first)
	if err != nil {
		return nil, err
	}
	looked := map[string]bool{}
	for dirs := append(includedDirs(policy), filepath.Dir(file)); len(dirs) > 0; {
		var dir string
		if dir, dirs = dirs[0], dirs[1:]; looked[dir] || trusted(dir) != nil { // what others can write to is not this collection's
			continue
		}
		looked[dir] = true
		entries, err := entriesIn(dir)
		if err != nil {
			return nil, err
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
			if ok {
				others = append(others, sidekiq.FileText{Path: path, Content: content})
				dirs = append(dirs, includedDirs(content)...)
			}
		}
	}
	return others, nil
}

// withSources are rules with the files that they are in, where sudo does not say
// it: before 1.9.14. Of several files that may have a rule it is the one that is
// read last. What stands there by an alias is not found.
func withSources(rules []sudo.Decision, user string) []sudo.Decision {
	content, _, _ := regular(sudoersPolicy)
	files, _ := otherSudoers(sudoersPolicy, sudoersPolicy)
	files = append([]sidekiq.FileText{{Path: sudoersPolicy, Content: content}}, files...)
	for i := range rules {
		known := rules[i].Source != ""
		for _, f := range files {
			text := strings.ReplaceAll(strings.ReplaceAll(f.Content, "\\\n", " "), "\n", ",")
			text = strings.Join(strings.Fields(text), " ") + ","
			if !known && strings.Contains(text, rules[i].Command+",") && (strings.Contains(text, user) || strings.ContainsAny(text, "%+")) {
				rules[i].Source = f.Path
			}
		}
	}
	return rules
}

// includedDirs are the directories that a sudoers file includes, in the old and
// the new spelling.
func includedDirs(content string) (dirs []string) {
	for line := range strings.Lines(content) {
		words := strings.Fields(line)
		if len(words) == 2 && (words[0] == "@includedir" || words[0] == "#includedir") && filepath.IsAbs(words[1]) {
			dirs = append(dirs, filepath.Clean(words[1]))
		}
	}
	return dirs
}
