// SPDX-License-Identifier: GPL-3.0-or-later

package host

import (
	"bytes"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/renameio/v2"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/ansible"
)

const (
	requestSuffix = ".request"
	maxRequests   = 32 // a host has few applications, and each few ways to be asked for: check mode, diff, info
	requestTime   = 30 * 24 * time.Hour
)

// CachedRequest is the place of one request in the request cache, a directory
// that holds those of earlier runs, each named after a digest of its bytes.
//
// What is at stake is a round trip: over ssh, standard input arrives one round
// trip after the command (see docs/adr/0010-request-cache.md). The directory
// is one that nobody else can write, and the name is trusted, as that of the
// program beside it is. That a request cannot be stored is no error: the next
// run waits for it. No digest is computed here; the caller names it.
type CachedRequest struct {
	dir, digest string
	text        []byte // what was read from standard input; nil: the cache had it
}

// ReadRequest reads the arguments of one run from the request cache in dir, if
// it has them under that digest, and only if not from stdin.
func ReadRequest(dir, digest string, stdin io.Reader) (ansible.Request, *CachedRequest, error) {
	c := &CachedRequest{dir: dir, digest: digest}
	// What is not the arguments, as after a power cut, counts as nothing.
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

// Store has the next run find the request. Those that no run has asked for in
// 30 days go, and the oldest of too many.
func (c *CachedRequest) Store() {
	if c.text == nil {
		_ = os.Chtimes(c.path(), time.Time{}, time.Now())
		return
	}
	if c.write() == nil {
		c.prune()
	}
}

// write replaces what may be there in one step. The arguments may hold what is
// only root's to read.
func (c *CachedRequest) write() error {
	// Not WriteFile, which takes over the mode of a file that is there.
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

// prune leaves the last used of the requests.
func (c *CachedRequest) prune() {
	entries, _ := os.ReadDir(c.dir)
	var files []fs.FileInfo
	for _, entry := range entries {
		// With what is left of a write that was cut short, ".DIGEST.request123".
		if info, err := entry.Info(); err == nil && strings.Contains(entry.Name(), requestSuffix) {
			files = append(files, info)
		}
	}
	slices.SortFunc(files, func(a, b fs.FileInfo) int { return b.ModTime().Compare(a.ModTime()) })
	for i, file := range files {
		if i >= maxRequests || time.Since(file.ModTime()) > requestTime {
			_ = os.Remove(filepath.Join(c.dir, file.Name()))
		}
	}
}
