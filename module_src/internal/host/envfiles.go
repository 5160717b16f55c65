// SPDX-License-Identifier: GPL-3.0-or-later

package host

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/sidekiq"
)

// envFiles reads environment files as systemd does: as root, and through links.
// A file that somebody other than root could put another one in the place of is
// read as the service's user, since a link there may lead to what only root can
// read.
func envFiles(paths []string, who Identity, known bool) (map[string]sidekiq.Text, error) {
	files := map[string]sidekiq.Text{}
	for _, path := range paths {
		why, err := replaceable(path)
		if err != nil {
			return nil, err
		}
		var content []byte
		switch {
		case why == "":
			content, err = readThrough(path)
		case known:
			content, err = readAs(who, path)
		default:
			continue
		}
		files[path] = envText(path, content, err)
	}
	return files, nil
}

// envText is a file, or why it could not be read. Nothing of the plan depends
// on it but whether it is there.
func envText(path string, content []byte, err error) sidekiq.Text {
	switch {
	case err == nil:
		return sidekiq.Text{Path: path, Content: string(content), Found: true}
	case errors.Is(err, fs.ErrNotExist):
		return sidekiq.Text{Path: path}
	}
	text := sidekiq.Text{Path: path, Problem: withoutPath(err).Error()}
	if errors.Is(err, errIrregular) {
		text.Odd = odd(path)
	}
	return text
}

// odd is what systemd cannot read an environment from: it fails, or waits without
// an end. A device may be /dev/null, which is an empty file to it.
func odd(path string) string {
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		return "a directory"
	case err == nil && info.Mode()&fs.ModeNamedPipe != 0:
		return sidekiq.OddFIFO
	}
	return ""
}

// readThrough reads a regular file, following links, and does not wait for what
// is none.
func readThrough(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readBounded(f)
}
