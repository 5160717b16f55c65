// SPDX-License-Identifier: GPL-3.0-or-later

package host

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge"
)

func TestTheLabelAndTheListOfAFileAreReadAndWritten(t *testing.T) {
	path := filepath.Join(rootsOwn(t), "x.service")
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	h := &Host{}
	bare, err := h.File(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	const label = "system_u:object_r:systemd_unit_file_t:s0\x00"
	// One more user may write, as setfacl -m u:7:rw says it: acl(5) and the
	// kernel's posix_acl_xattr.h.
	const list = "\x02\x00\x00\x00" +
		"\x01\x00\x06\x00\xff\xff\xff\xff" + "\x02\x00\x06\x00\x07\x00\x00\x00" + "\x04\x00\x04\x00\xff\xff\xff\xff" +
		"\x10\x00\x06\x00\xff\xff\xff\xff" + "\x20\x00\x04\x00\xff\xff\xff\xff"
	for name, value := range map[string]string{labelAttribute: label, aclAttribute: list} {
		if err := unix.Lsetxattr(path, name, []byte(value), 0); err != nil {
			t.Skipf("no such attribute can be set here: %s: %v", name, err)
		}
	}
	was, err := h.File(context.Background(), path)
	if err != nil || was.Label != label || was.ACL != list || was.Mode != 0o664 {
		t.Fatalf("got %+v, %v", was, err)
	}
	changed := converge.File{Path: path, Exists: true, Mode: 0o644, Content: "# new\n", Label: label}
	for _, f := range []converge.File{changed, was, {Path: path}, was} { // a change, a rollback, a removal, a rollback
		if err := h.Put(context.Background(), f); err != nil {
			t.Fatal(err)
		}
		got, err := h.File(context.Background(), path)
		if err != nil || !got.Same(f) || got.Label != f.Label && bare.Label == "" || got.ACL != f.ACL {
			t.Errorf("got %+v, %v, want %+v", got, err, f)
		}
	}
}
