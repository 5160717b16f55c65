// SPDX-License-Identifier: GPL-3.0-or-later

package host

import (
	"bytes"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"github.com/google/renameio/v2"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/ansible"
)

const (
	requestSuffix = ".request"
	maxRequests   = 32 // a host has few applications, and there are few ways to ask for each: check mode, diff, info
	requestTime   = 30 * 24 * time.Hour
)

// CachedRequest is the place of one request in the request cache. The cache is
// a directory that holds the requests of earlier runs, each named after a
// digest of its bytes.
//
// The cache saves a round trip: over ssh, standard input arrives one round trip
// after the command (see docs/adr/0010-request-cache.md). Nobody but root can
// write the directory, so the names in it are trusted, as that of the program
// beside them is. It is no error if a request cannot be stored; the next run
// waits for it then. No digest is computed here; the caller gives it.
type CachedRequest struct {
	dir, digest string
	text        []byte // what was read from standard input; nil: the cache had it
}

// ReadRequest reads the arguments of one run: from the request cache in dir, if
// it holds them under that digest, and from stdin only if it does not.
func ReadRequest(dir, digest string, stdin io.Reader) (ansible.Request, *CachedRequest, error) {
	c := &CachedRequest{dir: dir, digest: digest}
	// A file that does not hold arguments, as after a power cut, counts as
	// missing.
	if r, err := ansible.ReadRequest(c.path(), nil); err == nil {
		return r, c, nil
	}
	var text bytes.Buffer
	r, err := ansible.ReadRequest("-", io.TeeReader(stdin, &text))
	if err != nil {
		return ansible.Request{}, nil, err
	}
	c.text = text.Bytes()
	return r, c, nil
}

func (c *CachedRequest) path() string { return filepath.Join(c.dir, c.digest+requestSuffix) }

// Store makes sure that the next run finds the request. It removes requests
// that no run has asked for in 30 days and, of too many, the oldest. A request
// with secrets is not stored; the action plugin does not ask for that either.
func (c *CachedRequest) Store() {
	if bytes.Contains(c.text, []byte("secret_env")) {
		return
	}
	if c.text == nil {
		_ = os.Chtimes(c.path(), time.Time{}, time.Now())
		return
	}
	if c.write() == nil {
		c.prune()
	}
}

// write replaces in one step what may be there. The arguments may hold what
// only root may read.
func (c *CachedRequest) write() error {
	// This is not done by WriteFile, which keeps the mode of an existing file.
	p, err := renameio.NewPendingFile(c.path(), renameio.WithTempDir(c.dir), renameio.WithStaticPermissions(0o600))
	if err != nil {
		return err
	}
	defer func() { _ = p.Cleanup() }()
	if _, err := p.Write(c.text); err != nil {
		return err
	}
	return p.CloseAtomicallyReplace()
}

// prune removes all but the requests that were used last.
func (c *CachedRequest) prune() {
	entries, _ := os.ReadDir(c.dir)
	var files []fs.FileInfo
	for _, entry := range entries {
		// This includes what is left of a write that was cut short, such as
		// ".DIGEST.request123".
		if info, err := entry.Info(); err == nil && strings.Contains(entry.Name(), requestSuffix) {
			files = append(files, info)
		}
	}
	sort.Slice(files, func(i, j int) bool { return files[i].ModTime().After(files[j].ModTime()) })
	for i, file := range files {
		if i >= maxRequests || time.Since(file.ModTime()) > requestTime {
			_ = os.Remove(filepath.Join(c.dir, file.Name()))
		}
	}
}
