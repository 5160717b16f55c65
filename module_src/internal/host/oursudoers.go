// SPDX-License-Identifier: GPL-3.0-or-later

package host

import (
	"os"
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
		paths, err := sudoersIn(dir)
		if err != nil {
			return nil, err
		}
		for _, path := range paths {
			if path == file {
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

// unreadSudoers reports whether sudo reads nothing of a file, since neither the
// first file of sudo's nor one that it includes names it or its directory. Where
// that cannot be judged, as of an include with %h, sudo may read it.
func unreadSudoers(first, file string) (bool, error) {
	if file == "" { // nothing is asked
		return false, nil
	}
	looked := map[string]bool{}
	for files := []string{first}; len(files) > 0; {
		var path string
		if path, files = files[0], files[1:]; looked[path] {
			continue
		}
		looked[path] = true
		content, ok, err := regular(path)
		if err != nil || !ok && path == first {
			return false, err
		}
		for line := range strings.Lines(content) {
			kind, included, ok := include(line)
			switch {
			case !ok:
			case !filepath.IsAbs(included) || strings.ContainsAny(included, "%\"\\ \t"):
				return false, nil
			case kind == "include" && included == file, kind == "includedir" && sameDirectory(included, filepath.Dir(file)):
				return false, nil
			case kind == "include":
				files = append(files, included)
			default:
				more, err := sudoersIn(included)
				if err != nil {
					return false, err
				}
				files = append(files, more...)
			}
		}
	}
	return true, nil
}

// include is what a line of a sudoers file includes, and whether it is a file
// ("include") or a directory ("includedir"), in the old or the new spelling.
func include(line string) (kind, path string, ok bool) {
	words := strings.Fields(line)
	if len(words) < 2 || !strings.ContainsAny(words[0][:1], "@#") {
		return "", "", false
	}
	kind = words[0][1:]
	return kind, filepath.Clean(strings.Join(words[1:], " ")), kind == "include" || kind == "includedir"
}

func sameDirectory(a, b string) bool {
	first, err := os.Stat(a)
	second, other := os.Stat(b)
	return a == b || err == nil && other == nil && os.SameFile(first, second)
}

// sudoersIn are the files of a directory that sudo reads: none with a dot, or a
// tilde at the end: sudoers(5).
func sudoersIn(dir string) (paths []string, err error) {
	entries, err := entriesIn(dir)
	for _, e := range entries {
		if !strings.Contains(e.Name(), ".") && !strings.HasSuffix(e.Name(), "~") {
			paths = append(paths, filepath.Join(dir, e.Name()))
		}
	}
	return paths, err
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

// includedDirs are the directories that a sudoers file includes.
func includedDirs(content string) (dirs []string) {
	for line := range strings.Lines(content) {
		if kind, path, ok := include(line); ok && kind == "includedir" && filepath.IsAbs(path) {
			dirs = append(dirs, path)
		}
	}
	return dirs
}
