// SPDX-License-Identifier: GPL-3.0-or-later

package ansible

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// maxDepth bounds how deep lists and dicts are nested. Options need three.
const maxDepth = 32

// decodeObject reads text, which holds one JSON object and nothing else.
//
// It is stricter than encoding/json: a key given twice, which would silently
// lose the first, and bytes that are not UTF-8, which would silently change,
// are errors. Ansible sends neither; a person at a shell may.
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
		return nil, fmt.Errorf("want a JSON object of options, got %s", article(value))
	}
	end := d.InputOffset()
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("something follows the JSON object, which ends at byte %d", end)
	}
	return object, nil
}

// describe says in a person's words what encoding/json found.
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
		key, ok := token.(string)
		if !ok {
			return nil, fmt.Errorf("want a key in quotes at byte %d", d.InputOffset())
		}
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

// article names the type of a decoded value, in Ansible's words.
func article(v any) string {
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
