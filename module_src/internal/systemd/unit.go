// SPDX-License-Identifier: GPL-3.0-or-later

// Package systemd is the grammar of systemd's unit files, written and read.
//
// A unit file is an ordered list of sections, names and values: [File] is such
// a list, and [File.Encode] writes it. What a value may look like depends on
// its directive, and each form has one writer: [Command] for the words of an
// Exec directive, [Assignment] for a variable of Environment=, [Literal] for a
// value that systemd takes as it stands. [CheckText] and [CheckValue] say what
// no writer can help with.
//
// [Lines] reads a unit file back as systemd.syntax(7) says, and [Commands] and
// [Words] read values as systemd does, with quotes, C escapes and prefixes. A
// check of what somebody else has written has to judge what these return and
// never the text itself: "\x2b/bin/sh" is the command /bin/sh with the prefix
// +, and runs as root.
//
// The rest is what systemd has by convention: the directories that unit files
// are loaded from, in which order, how the name of a unit is completed, and
// what its own exit statuses mean.
//
// The package expands no specifier and no variable, since their values are
// those of a host, and it does not know which directives there are. It touches
// no file and no manager.
package systemd

import (
	"strings"
)

// File is a unit file: an ordered list of directives. Values are in systemd's
// own syntax.
type File []Entry

// Entry is one directive of a unit file.
type Entry struct {
	Section, Name, Value string
}

// Add appends a directive. In the places of its many callers it would make the
// program some KB larger.
//
//go:noinline
func (f *File) Add(section, name, value string) {
	*f = append(*f, Entry{section, name, value})
}

// AddList appends a list of unit names on one line, and nothing for none.
func (f *File) AddList(section, name string, list []string) {
	if len(list) > 0 {
		f.Add(section, name, strings.Join(list, " "))
	}
}

// Set gives a directive exactly these values. They stand where its present
// values are, or else at the end. Without values, the directive is removed.
func (f *File) Set(section, name string, values []string) {
	var anew File
	set := func() {
		for _, v := range values {
			anew.Add(section, name, v)
		}
		values = nil
	}
	for _, e := range *f {
		if e.Section == section && e.Name == name {
			set()
		} else {
			anew = append(anew, e)
		}
	}
	set()
	*f = anew
}

// Without is the file without a section.
func (f File) Without(section string) File {
	var others File
	for _, e := range f {
		if e.Section != section {
			others = append(others, e)
		}
	}
	return others
}

// Values are the values of a directive, in order.
func (f File) Values(section, name string) []string {
	var values []string
	for _, e := range f {
		if e.Section == section && e.Name == name {
			values = append(values, e.Value)
		}
	}
	return values
}

// List are the words of a directive that is a list, such as WantedBy=. An
// empty value resets the list.
func (f File) List(section, name string) []string {
	var list []string
	for _, v := range f.Values(section, name) {
		if v == "" {
			list = nil
		}
		list = append(list, strings.Fields(v)...)
	}
	return list
}

// Encode writes the file, with a comment as its first line.
func (f File) Encode(comment string) string {
	var b strings.Builder
	b.WriteString("# " + comment + "\n")
	for _, section := range []string{"Unit", "Service", "Install"} {
		header := "\n[" + section + "]\n"
		for _, e := range f {
			if e.Section == section {
				b.WriteString(header + e.Name + "=" + e.Value + "\n")
				header = ""
			}
		}
	}
	return b.String()
}

// LongestLine is the length of the longest line, in bytes.
func (f File) LongestLine() int {
	n := 0
	for _, e := range f {
		n = max(n, len(e.Name)+1+len(e.Value))
	}
	return n
}

// LineLimit is the length in bytes from which on a systemd of that version does
// not read a line of a unit file as one line. Before 240, systemd read LINE_MAX
// at a time and took the rest for a new line; since then, LONG_LINE_MAX counts.
func LineLimit(version int) int {
	if version < 240 {
		return 2000
	}
	return longLineMax
}

const longLineMax = 1 << 20
