// SPDX-License-Identifier: GPL-3.0-or-later

// Package ansible is the wire between Ansible and the program: it reads the
// arguments of one run and prints its one result.
//
// Ansible runs a binary module with one argument, the name of a file that
// holds a JSON object: the task's options and, beside them, keys that start
// with _ansible_. What ansible-core makes of a value on the way differs from
// version to version ("6" or 6, "" or null), so the options are coerced as
// Ansible's own AnsibleModule does, by a [Schema] that the caller declares.
// The result is one line of JSON on standard output.
//
// The package knows nothing of what the options mean.
package ansible

import (
	"fmt"
	"io"
	"os"
	"strings"
)

// maxRequest is the largest size of the arguments of one run, in bytes.
const maxRequest = 4 << 20

// Request is what Ansible asks of one run.
type Request struct {
	// Args are the task's options. Numbers are json.Number, so that they
	// are printed as they were written.
	Args map[string]any

	Check bool   // change nothing
	Diff  bool   // say what changes, line by line
	Name  string // the module's name as Ansible resolved it; empty when run by hand

	// IgnoreUnknown asks not to reject unknown options. ansible-core 2.17
	// and newer set it for module_defaults that are shared by a group.
	IgnoreUnknown bool
}

// ReadRequest reads the arguments of one run from the file of that name, or
// from stdin for "-".
func ReadRequest(name string, stdin io.Reader) (Request, error) {
	text, err := readSource(name, stdin)
	if err != nil {
		return Request{}, unreadable(err)
	}
	return parseRequest(text)
}

func parseRequest(text []byte) (Request, error) {
	object, err := decodeObject(text)
	if err != nil {
		return Request{}, unreadable(err)
	}
	return newRequest(object), nil
}

func unreadable(err error) error { return fmt.Errorf("cannot read the arguments: %w", err) }

func readSource(name string, stdin io.Reader) ([]byte, error) {
	if name == "-" {
		return readBounded(stdin)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readBounded(f)
}

func readBounded(r io.Reader) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxRequest+1))
	if err == nil && len(text) > maxRequest {
		err = fmt.Errorf("more than %d bytes", maxRequest)
	}
	return text, err
}

// newRequest takes Ansible's own keys out of object. New versions of
// ansible-core bring new ones, so an unknown key is no error.
func newRequest(object map[string]any) Request {
	r := Request{Args: object}
	r.Check, _ = object["_ansible_check_mode"].(bool)
	r.Diff, _ = object["_ansible_diff"].(bool)
	r.Name, _ = object["_ansible_module_name"].(string)
	r.IgnoreUnknown, _ = object["_ansible_ignore_unknown_opts"].(bool)
	for key := range object {
		if strings.HasPrefix(key, "_ansible_") {
			delete(object, key)
		}
	}
	return r
}
