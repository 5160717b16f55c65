// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"slices"
	"strings"
)

// unitFile is a unit file: an ordered list of section, name and value. Values
// are in systemd's syntax already; see word.go.
type unitFile []entry

type entry struct {
	section, name, value string
}

func (u *unitFile) add(section, name, value string) {
	*u = append(*u, entry{section, name, value})
}

// addList writes a list of unit names on one line, and nothing for none.
func (u *unitFile) addList(section, name string, list []string) {
	if len(list) > 0 {
		u.add(section, name, strings.Join(list, " "))
	}
}

// set gives a directive exactly these values, in the place of those that it
// has, or at the end of its section. No values remove it.
func (u *unitFile) set(section, name string, values []string) {
	is := func(e entry) bool { return e.section == section && e.name == name }
	at := slices.IndexFunc(*u, is)
	if at < 0 {
		at = len(*u)
	}
	kept := slices.DeleteFunc(slices.Clone(*u), is)
	added := make(unitFile, len(values))
	for i, v := range values {
		added[i] = entry{section, name, v}
	}
	*u = slices.Insert(kept, at, added...)
}

// values are the values of a directive, in order.
func (u unitFile) values(section, name string) []string {
	var values []string
	for _, e := range u {
		if e.section == section && e.name == name {
			values = append(values, e.value)
		}
	}
	return values
}

// encode writes the file, with a comment as its first line.
func (u unitFile) encode(comment string) string {
	var b strings.Builder
	b.WriteString("# " + comment + "\n")
	for _, section := range []string{"Unit", "Service", "Install"} {
		header := "\n[" + section + "]\n"
		for _, e := range u {
			if e.section == section {
				b.WriteString(header + e.name + "=" + e.value + "\n")
				header = ""
			}
		}
	}
	return b.String()
}

// longest is the length of the longest line, in bytes.
func (u unitFile) longest() int {
	n := 0
	for _, e := range u {
		n = max(n, len(e.name)+1+len(e.value))
	}
	return n
}
