// SPDX-License-Identifier: GPL-3.0-or-later

package ansible

import (
	"maps"
	"slices"
	"strings"
)

// Type is the type of an option, in the words of a module's DOCUMENTATION.
type Type string

// The types of options. A Path is a string here. Unlike AnsibleModule, the
// program expands neither ~ nor variables in it, since root's are seldom meant.
const (
	Str  Type = "str"
	Path Type = "path"
	Bool Type = "bool"
	Int  Type = "int"
	List Type = "list"
	Dict Type = "dict"
)

// Option declares one option of a module. Its fields are keys of the
// DOCUMENTATION, or come from sentences there.
type Option struct {
	Name     string
	Type     Type
	Elements Type     // of a List: Str, Path or, with Options, Dict
	Choices  []string // of a string, or of each element of a list
	Default  any      // string, bool, int or []string by Type; nil: none, or one that depends on the host
	Required bool
	NoLog    bool // its value is in no message

	Least, Most int    // of an Int that is given; both 0: any
	Unit        string // what an Int counts, for messages; may be empty

	Excludes []string // what cannot be given with it; a Bool counts where it is true
	Options  Schema   // suboptions of a Dict, or of each dict of a List
}

// Schema is all the options of a module.
type Schema []Option

// Decode coerces the arguments to their types as AnsibleModule does. null means
// the default, and so does "" but for a number or a boolean, of which it is
// none: a template that came out empty is not taken for no.
//
// Every problem is noted in problems, and the option then has its default, so
// that the caller can go on and find the rest of what is wrong.
func (s Schema) Decode(r Request, problems *Problems) Values {
	v := s.decode(r.Args, problems)
	if !r.IgnoreUnknown {
		s.rejectUnknown(r.Args, problems)
	}
	return v
}

func (s Schema) decode(args map[string]any, problems *Problems) Values {
	v := Values{values: map[string]any{}, given: map[string]bool{}, emptied: map[string]bool{}}
	for _, o := range s {
		v.values[o.Name] = o.zero()
		arg, named := args[o.Name]
		if arg == nil || arg == "" && o.Type != Bool && o.Type != Int {
			v.emptied[o.Name] = named
			if o.Required {
				problems.Add(o.Name, "required")
			}
			continue
		}
		value, err := o.decode(arg, problems)
		if err != nil {
			problems.Add(o.Name, "%v", err)
			continue
		}
		v.values[o.Name], v.given[o.Name] = value, true
	}
	s.rejectTogether(v, problems)
	return v
}

// decode coerces a value and notes in problems what is wrong with its
// suboptions.
func (o Option) decode(arg any, problems *Problems) (any, error) {
	switch {
	case o.Options == nil:
		return o.coerce(arg)
	case o.Type == Dict:
		dict, err := toDict(arg)
		if err != nil {
			return nil, err
		}
		return o.members(dict, problems.Within(o.Name, 0)), nil
	}
	dicts, err := toDicts(arg)
	if err != nil {
		return nil, err
	}
	list := make([]Values, len(dicts))
	for i, dict := range dicts {
		list[i] = o.members(dict, problems.Within(o.Name, i+1))
	}
	return list, nil
}

// members decodes the suboptions in one dict.
func (o Option) members(dict map[string]any, problems *Problems) Values {
	options := slices.Clone(o.Options)
	for i := range options {
		options[i].NoLog = options[i].NoLog || o.NoLog
	}
	options.rejectUnknown(dict, problems)
	return options.decode(dict, problems)
}

func (s Schema) rejectTogether(v Values, problems *Problems) {
	for _, o := range s {
		for _, other := range o.Excludes {
			if v.inForce(o.Name) && v.inForce(other) {
				problems.Add(o.Name, "cannot be given with the option %q", other)
			}
		}
	}
}

// SortedKeys are the keys of m, sorted.
func SortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func (s Schema) rejectUnknown(args map[string]any, problems *Problems) {
	for _, name := range SortedKeys(args) {
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

// nearest is the option that was probably meant by name, or "".
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
	switch {
	case o.Default != nil:
		return o.Default
	case o.Options != nil && o.Type == List:
		return []Values(nil)
	case o.Options != nil:
		return o.Options.decode(nil, &Problems{})
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
	values  map[string]any
	given   map[string]bool
	emptied map[string]bool
}

// Given reports whether an option was given a value other than "" or null.
func (v Values) Given(name string) bool { return v.given[name] }

// Emptied reports whether an option was named, and its value is "" or null.
func (v Values) Emptied(name string) bool { return v.emptied[name] }

// inForce reports whether an option is given and, where it is a Bool, true.
func (v Values) inForce(name string) bool {
	value, isBool := v.values[name].(bool)
	return v.given[name] && (value || !isBool)
}

// String is the value of a Str or Path option.
func (v Values) String(name string) string { return v.values[name].(string) }

// Bool is the value of a Bool option.
func (v Values) Bool(name string) bool { return v.values[name].(bool) }

// Int is the value of an Int option.
func (v Values) Int(name string) int { return v.values[name].(int) }

// Strings is the value of a List option. It is nil only where the option was
// not given and has no default.
func (v Values) Strings(name string) []string { return v.values[name].([]string) }

// Members are the suboptions of a Dict option that declares them.
func (v Values) Members(name string) Values { return v.values[name].(Values) }

// Items are the suboptions of each dict in a List option that declares them.
func (v Values) Items(name string) []Values { return v.values[name].([]Values) }

// Dict is the value of a Dict option without suboptions. Its members are as
// they were sent: string, bool, json.Number, nil, []any or map[string]any.
func (v Values) Dict(name string) map[string]any { return v.values[name].(map[string]any) }
