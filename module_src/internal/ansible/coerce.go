// SPDX-License-Identifier: GPL-3.0-or-later

package ansible

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// mismatch says what a value must be, and what it is. The second part holds
// the value and is left out where that is a secret.
type mismatch struct{ want, got string }

func (m mismatch) Error() string { return m.want + m.got }

// coerce brings a value as ansible-core sent it to the type of the option, as
// lib/ansible/module_utils/common/validation.py does, and within its bounds.
func (o Option) coerce(v any) (any, error) {
	value, err := o.convert(v)
	var m mismatch
	if o.NoLog && errors.As(err, &m) {
		err = errors.New(m.want)
	}
	return value, err
}

func (o Option) convert(v any) (any, error) {
	switch o.Type {
	case Bool:
		return toBool(v)
	case Int:
		return o.toInt(v)
	case List:
		return o.toList(v)
	case Dict:
		return toDict(v)
	}
	return o.toString(v)
}

func (o Option) toString(v any) (string, error) {
	if b, ok := v.(bool); ok && o.Choices != nil {
		return o.fromBool(b)
	}
	s, err := Text(v)
	if err != nil {
		return "", err
	}
	if o.Choices != nil && !slices.Contains(o.Choices, s) {
		return "", mismatch{o.choice(), fmt.Sprintf(", got %q", s)}
	}
	return s, nil
}

func (o Option) choice() string { return "must be one of " + strings.Join(o.Choices, ", ") }

// fromBool undoes what YAML does to an unquoted no, off, yes or on where
// exactly one choice can have been meant.
func (o Option) fromBool(b bool) (string, error) {
	var meant []string
	for _, c := range o.Choices {
		if v, err := toBool(c); err == nil && v == b {
			meant = append(meant, c)
		}
	}
	if len(meant) != 1 {
		return "", mismatch{o.choice(), fmt.Sprintf(", got the boolean %t", b)}
	}
	return meant[0], nil
}

// Text makes a string of a scalar as AnsibleModule does: a boolean is True or
// False, a number is as it was sent.
func Text(v any) (string, error) {
	switch v := v.(type) {
	case string:
		return v, nil
	case json.Number:
		return v.String(), nil
	case bool:
		if v {
			return "True", nil
		}
		return "False", nil
	case nil:
		return "", nil
	}
	return "", fmt.Errorf("must be a string, got %s: templating in ansible-core makes lists and dicts of strings "+
		"that look like one, which the filter | string prevents", article(v))
}

// toBool knows the words of module_utils/parsing/convert_bool.py.
func toBool(v any) (bool, error) {
	s := ""
	switch v := v.(type) {
	case bool:
		return v, nil
	case json.Number:
		s = v.String()
	case string:
		s = v
	default:
		return false, fmt.Errorf("must be a boolean, got %s", article(v))
	}
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "y", "yes", "on", "1", "true", "t", "1.0":
		return true, nil
	case "n", "no", "off", "0", "false", "f", "0.0":
		return false, nil
	}
	return false, mismatch{"must be a boolean", fmt.Sprintf(", got %q", s)}
}

func (o Option) toInt(v any) (int, error) {
	n, err := toInt(v)
	if err == nil && o.Most > 0 && (n < o.Least || n > o.Most) {
		err = mismatch{strings.TrimSpace(fmt.Sprintf("must be from %d to %d %s", o.Least, o.Most, o.Unit)), fmt.Sprintf(", got %d", n)}
	}
	return n, err
}

func toInt(v any) (int, error) {
	s := ""
	switch v := v.(type) {
	case json.Number:
		s = v.String()
	case string:
		s = strings.TrimSpace(v)
	default:
		return 0, fmt.Errorf("must be a whole number, got %s", article(v))
	}
	if n, err := strconv.ParseInt(s, 10, 32); err == nil {
		return int(n), nil
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || f != math.Trunc(f) {
		return 0, mismatch{"must be a whole number", fmt.Sprintf(", got %q", s)}
	}
	if math.Abs(f) > math.MaxInt32 {
		return 0, mismatch{"is out of range", ": " + s}
	}
	return int(f), nil
}

// toList accepts a list of scalars, a string with commas, or one scalar.
func (o Option) toList(v any) ([]string, error) {
	var elements []any
	switch v := v.(type) {
	case []any:
		elements = v
	case string:
		for part := range strings.SplitSeq(v, ",") {
			elements = append(elements, strings.TrimSpace(part))
		}
	case map[string]any:
		return nil, errors.New("must be a list, got a dict")
	default:
		elements = []any{v}
	}
	list := make([]string, len(elements))
	element := Option{Type: o.Elements, Choices: o.Choices}
	for i, e := range elements {
		s, err := element.toString(e)
		if err != nil {
			return nil, fmt.Errorf("item %d %w", i+1, err)
		}
		list[i] = s
	}
	return list, nil
}

// toDict accepts a dict or, since `ansible -a` can send only strings, the JSON
// of one.
func toDict(v any) (map[string]any, error) {
	switch v := v.(type) {
	case map[string]any:
		return v, nil
	case string:
		if object, err := decodeObject([]byte(v)); err == nil {
			return object, nil
		}
	}
	return nil, fmt.Errorf("must be a dict, got %s", article(v))
}

// toDicts accepts a list of dicts.
func toDicts(v any) ([]map[string]any, error) {
	elements, ok := v.([]any)
	if !ok {
		return nil, fmt.Errorf("must be a list of dicts, got %s", article(v))
	}
	dicts := make([]map[string]any, len(elements))
	for i, e := range elements {
		object, err := toDict(e)
		if err != nil {
			return nil, fmt.Errorf("item %d %w", i+1, err)
		}
		dicts[i] = object
	}
	return dicts, nil
}
