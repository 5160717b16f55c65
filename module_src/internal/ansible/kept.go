// SPDX-License-Identifier: GPL-3.0-or-later

package ansible

import (
	"cmp"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/renameio/v2"
)

const (
	keptSuffix = ".request"
	mostKept   = 32 // a host has few applications, and each few ways to be asked for: check mode, diff, info
)

// ReadKept reads the arguments of one run from a file that an earlier run with
// the same arguments has left, and only if there is none from stdin, of which
// it then keeps a copy under that name.
//
// What is at stake is a round trip: over ssh, standard input arrives one round
// trip after the command (see docs/adr/0010-kept-requests.md). So the caller
// names the file after a digest of the arguments, in a directory that nobody
// else can write; the name is trusted, as that of the program beside it is.
// That the arguments cannot be kept is no error: the next run waits for them.
func ReadKept(path string, stdin io.Reader) (Request, error) {
	// What is not the arguments, as after a power cut, counts as nothing.
	if r, err := ReadRequest(path, nil); err == nil {
		return r, nil
	}
	text, err := readBounded(stdin)
	r, err := request(text, err)
	if err == nil {
		keep(path, text)
	}
	return r, err
}

// keep writes a request, and removes the oldest of those beside it if there
// are too many. The arguments may hold what is only root's to read.
func keep(path string, text []byte) {
	dir := filepath.Dir(path)
	if renameio.WriteFile(path, text, 0o600, renameio.WithTempDir(dir), renameio.WithStaticPermissions(0o600)) != nil {
		return
	}
	old, err := kept(dir)
	if err != nil || len(old) <= mostKept {
		return
	}
	for _, file := range old[:len(old)-mostKept] {
		_ = os.Remove(filepath.Join(dir, file.Name()))
	}
}

// kept lists the kept requests in dir, the oldest first.
func kept(dir string) ([]os.FileInfo, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var files []os.FileInfo
	for _, entry := range entries {
		if info, err := entry.Info(); err == nil && strings.HasSuffix(entry.Name(), keptSuffix) {
			files = append(files, info)
		}
	}
	slices.SortFunc(files, func(a, b os.FileInfo) int {
		return cmp.Compare(a.ModTime().UnixNano(), b.ModTime().UnixNano())
	})
	return files, nil
}
