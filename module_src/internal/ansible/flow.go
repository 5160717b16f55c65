// SPDX-License-Identifier: GPL-3.0-or-later

package ansible

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"gopkg.in/yaml.v3"
)

// A list or a dict may arrive as text: with -e 'names=["a", "b"]', from
// an INI inventory, or as Python writes it where ansible-core has made a string
// of what a template returned. Some versions of ansible-core turn such a text
// back into what it stands for and some do not; here it is always that.

// maxFlow is the length of the longest such text, in bytes. What options hold is
// some hundred.
const maxFlow = 1 << 16

// What a text begins with that stands for a list, or for a tuple of Python's,
// and one that stands for a dict.
const (
	listSigns = "[("
	dictSigns = "{"
)

// looksLike reports whether a text begins with one of the signs.
func looksLike(text, signs string) bool {
	text = strings.TrimSpace(text)
	return text != "" && strings.IndexByte(signs, text[0]) >= 0
}

// flow reads a list or a dict that was given as text. It takes JSON and what
// Python prints, both of which YAML reads, too; see nodeValue for the rest.
func flow(text string) (value any, err error) {
	defer func() {
		if recover() != nil {
			err = errNotFlow
		}
	}()
	if len(text) > maxFlow {
		return nil, fmt.Errorf("is a text of more than %d bytes", maxFlow)
	}
	if inner, tuple := strings.CutPrefix(strings.TrimSpace(text), "("); tuple {
		if inner, tuple = strings.CutSuffix(inner, ")"); !tuple {
			return nil, errNotFlow
		}
		text = "[" + inner + "]"
	}
	d := yaml.NewDecoder(strings.NewReader(text))
	var document, more yaml.Node
	if err := d.Decode(&document); err != nil || len(document.Content) != 1 {
		return nil, errNotFlow // the parser's own words may repeat a value
	}
	if err := d.Decode(&more); !errors.Is(err, io.EOF) {
		return nil, errNotFlow // something follows it
	}
	return nodeValue(document.Content[0], 0)
}

var errNotFlow = errors.New("looks like a list or a dict but cannot be read as one: the quotes or brackets do not match")

// nodeValue is what decodeObject would have made of the same value in JSON.
func nodeValue(n *yaml.Node, depth int) (any, error) {
	switch {
	case depth > maxDepth:
		return nil, fmt.Errorf("nested more than %d deep", maxDepth)
	case n.Kind == yaml.SequenceNode:
		list := make([]any, len(n.Content))
		for i, c := range n.Content {
			var err error
			if list[i], err = nodeValue(c, depth+1); err != nil {
				return nil, err
			}
		}
		return list, nil
	case n.Kind == yaml.MappingNode:
		return nodeMembers(n, depth)
	case n.Kind == yaml.ScalarNode:
		return nodeScalar(n)
	}
	return nil, errNotFlow
}

func nodeMembers(n *yaml.Node, depth int) (any, error) {
	object := map[string]any{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if key.Kind != yaml.ScalarNode {
			return nil, errNotFlow
		}
		if _, dup := object[key.Value]; dup {
			return nil, errors.New("a key is given twice") // which may hold a value: {KEY=value}
		}
		value, err := nodeValue(n.Content[i+1], depth+1)
		if err != nil {
			return nil, err
		}
		object[key.Value] = value
	}
	return object, nil
}

// nodeScalar is a scalar. Python writes None, True and False, and escapes
// within single quotes, where YAML does not, so that a backslash there has two
// meanings.
func nodeScalar(n *yaml.Node) (any, error) {
	if n.Style&yaml.SingleQuotedStyle != 0 && strings.Contains(n.Value, `\`) {
		return nil, errors.New("holds a backslash in single quotes, which can mean two things: give a list or a dict, or write it with double quotes")
	}
	plain := n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) == 0
	switch {
	case !plain:
		return n.Value, nil
	case n.Value == "null" || n.Value == "None":
		return nil, nil
	case n.Value == "true" || n.Value == "True":
		return true, nil
	case n.Value == "false" || n.Value == "False":
		return false, nil
	case json.Valid([]byte(n.Value)):
		return json.Number(n.Value), nil
	}
	return n.Value, nil
}
