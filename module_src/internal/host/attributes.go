// SPDX-License-Identifier: GPL-3.0-or-later

package host

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge"
)

// The extended attributes in which Linux keeps the label of SELinux and the
// access control list of a file: xattr(7), acl(5).
const (
	labelAttribute = "security.selinux"
	aclAttribute   = "system.posix_acl_access"
)

// attribute is an extended attribute of the file at path, or "" where the file
// has none. A link at its end is not followed.
func attribute(path, name string) (string, error) {
	size, err := unix.Lgetxattr(path, name, nil)
	value := make([]byte, max(size, 0))
	if err == nil && size > 0 {
		size, err = unix.Lgetxattr(path, name, value)
	}
	switch {
	case errors.Is(err, unix.ENODATA), errors.Is(err, unix.ENOTSUP), errors.Is(err, unix.ENOENT):
		return "", nil
	case err != nil:
		return "", fmt.Errorf("cannot read the attribute %s of %s: %w", name, path, err)
	}
	return string(value[:size]), nil
}

// setAttributes gives an open file the label and the access control list of f,
// as far as it has any. The list comes after the mode, since chmod would change
// it.
func setAttributes(fd int, f converge.File) error {
	for _, a := range []struct{ name, value string }{{labelAttribute, f.Label}, {aclAttribute, f.ACL}} {
		if a.value == "" {
			continue
		}
		if err := unix.Fsetxattr(fd, a.name, []byte(a.value), 0); err != nil {
			return fmt.Errorf("cannot set the attribute %s: %w", a.name, err)
		}
	}
	return nil
}
