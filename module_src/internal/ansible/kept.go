// SPDX-License-Identifier: GPL-3.0-or-later

package ansible

import (
	"cmp"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/renameio/v2"
)

const (
	keptSuffix = ".request"
	mostKept   = 32 // a host has few applications, and each few ways to be asked for: check mode, diff, info
	keptFor    = 30 * 24 * time.Hour
)

// Kept is the place of one request in a directory that keeps those of earlier
// runs, each named after a digest of its bytes.
//
// What is at stake is a round trip: over ssh, standard input arrives one round
// trip after the command (see docs/adr/0010-kept-requests.md). The directory
// is one that nobody else can write, and the name is trusted, as that of the
// program beside it is. That a request cannot be kept is no error: the next
// run waits for it. Kept computes no digest; its caller names it.
type Kept struct {
	dir, digest string
	text        []byte // what was read from standard input; nil: it was there
}

// ReadKept reads the arguments of one run from the directory if it has them,
// and only if not from stdin.
func ReadKept(dir, digest string, stdin io.Reader) (Request, *Kept, error) {
	k := &Kept{dir: dir, digest: digest}
	// What is not the arguments, as after a power cut, counts as nothing.
	if r, err := ReadRequest(k.path(), nil); err == nil {
		return r, k, nil
	}
	text, err := readBounded(stdin)
	if err != nil {
		return Request{}, nil, unreadable(err)
	}
	k.text = text
	r, err := parseRequest(text)
	return r, k, err
}

func (k *Kept) path() string { return filepath.Join(k.dir, k.digest+keptSuffix) }

// Keep has the next run find the request. Those that no run has asked for in
// 30 days go, and the oldest of too many.
func (k *Kept) Keep() {
	if k.text == nil {
		_ = os.Chtimes(k.path(), time.Time{}, time.Now())
		return
	}
	if k.write() == nil {
		k.prune()
	}
}

// write replaces what may be there in one step. The arguments may hold what is
// only root's to read.
func (k *Kept) write() error {
	// Not WriteFile, which takes over the mode of a file that is there.
	p, err := renameio.NewPendingFile(k.path(), renameio.WithTempDir(k.dir), renameio.WithStaticPermissions(0o600))
	if err != nil {
		return err
	}
	defer func() { _ = p.Cleanup() }()
	if _, err := p.Write(k.text); err != nil {
		return err
	}
	return p.CloseAtomicallyReplace()
}

// prune leaves the last used of the requests.
func (k *Kept) prune() {
	entries, _ := os.ReadDir(k.dir)
	var files []fs.FileInfo
	for _, entry := range entries {
		// With what is left of a write that was cut short, ".DIGEST.request123".
		if info, err := entry.Info(); err == nil && strings.Contains(entry.Name(), keptSuffix) {
			files = append(files, info)
		}
	}
	slices.SortFunc(files, func(a, b fs.FileInfo) int { return cmp.Compare(b.ModTime().UnixNano(), a.ModTime().UnixNano()) })
	for i, file := range files {
		if i >= mostKept || time.Since(file.ModTime()) > keptFor {
			_ = os.Remove(filepath.Join(k.dir, file.Name()))
		}
	}
}
