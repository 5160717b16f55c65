// SPDX-License-Identifier: GPL-3.0-or-later

package ansible

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The way of a value: from the text of a request to what encoding/json has for
// it, and from there to the type of its option.

// maxDepth is how deep lists and dicts may be nested. Options need three
// levels.
const maxDepth = 32

// decodeObject reads text, which holds one JSON object and nothing else.
//
// It is stricter than encoding/json. A key that is given twice is an error,
// since the first value would silently be lost, and so are bytes that are not
// UTF-8, which would silently change. Ansible sends neither; a person at a
// shell may.
func decodeObject(text []byte) (map[string]any, error) {
	if !utf8.Valid(text) {
		return nil, errors.New("not valid UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	value, err := decodeValue(d, 0)
	if err != nil {
		return nil, describe(err)
	}
	object, ok := value.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("want a JSON object of options, got %s", kind(value))
	}
	end := d.InputOffset()
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("something follows the JSON object, which ends at byte %d", end)
	}
	return object, nil
}

// describe says in plain words what encoding/json has found.
func describe(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the JSON object is incomplete")
	}
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return fmt.Errorf("not JSON: %w, at byte %d", err, syntax.Offset)
	}
	return err
}

func decodeValue(d *json.Decoder, depth int) (any, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("nested more than %d deep", maxDepth)
	}
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch token {
	case json.Delim('{'):
		return decodeMembers(d, depth)
	case json.Delim('['):
		return decodeElements(d, depth)
	}
	return token, nil
}

func decodeMembers(d *json.Decoder, depth int) (any, error) {
	object := map[string]any{}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return nil, err
		}
		key := token.(string) // Token returns an error for a key of any other type
		if _, dup := object[key]; dup {
			return nil, fmt.Errorf("the key %q is given twice", key)
		}
		if object[key], err = decodeValue(d, depth+1); err != nil {
			return nil, err
		}
	}
	_, err := d.Token() // the closing brace
	return object, err
}

func decodeElements(d *json.Decoder, depth int) (any, error) {
	list := []any{}
	for d.More() {
		v, err := decodeValue(d, depth+1)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	_, err := d.Token() // the closing bracket
	return list, err
}

// mismatch says what a value has to be, and what it is. The second part holds
// the value, and is left out where the value is secret.
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
		"that look like one, which the filter | string prevents", kind(v))
}

// toBool knows the same words as module_utils/parsing/convert_bool.py.
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
		return false, fmt.Errorf("must be a boolean, got %s", kind(v))
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
	if err == nil && o.Least < o.Most && (n < o.Least || n > o.Most) {
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
		return 0, fmt.Errorf("must be a whole number, got %s", kind(v))
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
	if text, ok := v.(string); ok && looksLike(text, listSigns) {
		var err error
		if v, err = flow(text); err != nil {
			return nil, err
		}
	}
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
			return nil, fmt.Errorf("item %d %w%s", i+1, err, inWords(e))
		}
		list[i] = s
	}
	return list, nil
}

// inWords says how a list within a list may have been meant, as files of Ruby
// programs have pairs of a name and a number.
func inWords(v any) string {
	inner, _ := v.([]any)
	var words []string
	for _, e := range inner {
		s, err := Text(e)
		if err != nil || s == "" {
			return ""
		}
		words = append(words, s)
	}
	if words == nil {
		return ""
	}
	return fmt.Sprintf("; if one string is meant, write %q", strings.Join(words, ","))
}

// toDict accepts a dict or, since `ansible -a` can send only strings, the text
// of one.
func toDict(v any) (map[string]any, error) {
	if text, ok := v.(string); ok && looksLike(text, dictSigns) {
		var err error
		if v, err = flow(text); err != nil {
			return nil, err
		}
	}
	if dict, ok := v.(map[string]any); ok {
		return dict, nil
	}
	return nil, fmt.Errorf("must be a dict, got %s", kind(v))
}

// toDicts accepts a list of dicts.
func toDicts(v any) ([]map[string]any, error) {
	if text, ok := v.(string); ok && looksLike(text, listSigns) {
		var err error
		if v, err = flow(text); err != nil {
			return nil, err
		}
	}
	elements, ok := v.([]any)
	if !ok {
		return nil, fmt.Errorf("must be a list of dicts, got %s", kind(v))
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

// kind names the type of a decoded value, in Ansible's words.
func kind(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "a boolean"
	case json.Number:
		return "a number"
	case string:
		return "a string"
	case []any:
		return "a list"
	}
	return "a dict"
}
