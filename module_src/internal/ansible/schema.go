// SPDX-License-Identifier: GPL-3.0-or-later

package ansible

import (
	"maps"
	"slices"
	"strings"
)

// Type is the type of an option, in the words of a module's DOCUMENTATION.
type Type string

// Types of options. A Path is a string here: unlike AnsibleModule the program
// expands neither ~ nor variables in it, since root's are seldom meant.
const (
	Str  Type = "str"
	Path Type = "path"
	Bool Type = "bool"
	Int  Type = "int"
	List Type = "list"
	Dict Type = "dict"
)

// Option declares one option of a module. Its fields are those of the
// DOCUMENTATION.
type Option struct {
	Name     string
	Type     Type
	Elements Type     // of a List
	Choices  []string // of a string, or of each element of a list
	Default  any      // string, bool, int or []string by Type; nil: none, or one that depends on the host
}

// Schema is all the options of a module.
type Schema []Option

// Decode coerces the arguments to their types as AnsibleModule does. "" and
// null mean the default, for a list or a dict, too.
//
// Every problem is noted in problems, and the option then has its default, so
// that the caller can go on and find the rest of what is wrong.
func (s Schema) Decode(r Request, problems *Problems) Values {
	v := Values{values: map[string]any{}, given: map[string]bool{}}
	for _, o := range s {
		v.values[o.Name] = o.zero()
		arg := r.Args[o.Name]
		if arg == nil || arg == "" {
			continue
		}
		value, err := o.coerce(arg)
		if err != nil {
			problems.Add(o.Name, "%v", err)
			continue
		}
		v.values[o.Name], v.given[o.Name] = value, true
	}
	if !r.IgnoreUnknown {
		s.rejectUnknown(r.Args, problems)
	}
	return v
}

func (s Schema) rejectUnknown(args map[string]any, problems *Problems) {
	for _, name := range slices.Sorted(maps.Keys(args)) {
		if slices.ContainsFunc(s, func(o Option) bool { return o.Name == name }) {
			continue
		}
		if near := s.nearest(name); near != "" {
			problems.Add(name, "unknown; did you mean %q?", near)
		} else {
			problems.Add(name, "unknown")
		}
	}
}

// nearest is the option that name was probably meant to be, or "".
func (s Schema) nearest(name string) string {
	best, least := "", max(2, len(name)/3)+1
	for _, o := range s {
		d := distance(strings.ToLower(name), o.Name)
		if len(name) >= 4 && (strings.Contains(o.Name, name) || strings.HasSuffix(name, "_"+o.Name)) {
			d = min(d, 2)
		}
		if d < least {
			best, least = o.Name, d
		}
	}
	return best
}

// distance is the Levenshtein distance of a and b, in bytes.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// zero is the value of an option that is not given.
func (o Option) zero() any {
	if o.Default != nil {
		return o.Default
	}
	switch o.Type {
	case Bool:
		return false
	case Int:
		return 0
	case List:
		return []string(nil)
	case Dict:
		return map[string]any(nil)
	}
	return ""
}

// Values are the coerced arguments. Asking for an option that the schema does
// not declare, or by another type, is a bug and panics.
type Values struct {
	values map[string]any
	given  map[string]bool
}

// Given reports whether an option was given a value other than "" or null.
func (v Values) Given(name string) bool { return v.given[name] }

// String is the value of a Str or Path option.
func (v Values) String(name string) string { return v.values[name].(string) }

// Bool is the value of a Bool option.
func (v Values) Bool(name string) bool { return v.values[name].(bool) }

// Int is the value of an Int option.
func (v Values) Int(name string) int { return v.values[name].(int) }

// Strings is the value of a List option. It is nil only where the option was
// not given and has no default.
func (v Values) Strings(name string) []string { return v.values[name].([]string) }

// Dict is the value of a Dict option, its members as they were sent: string,
// bool, json.Number, nil, []any or map[string]any.
func (v Values) Dict(name string) map[string]any { return v.values[name].(map[string]any) }
