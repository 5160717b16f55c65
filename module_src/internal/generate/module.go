// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// module is what the documentation of one module declares.
type module struct {
	path    string
	options []option
	results []result
}

func readModule(root, path string) (module, error) {
	text, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		return module{}, err
	}
	m, err := parseModule(string(text))
	m.path = path
	if err != nil {
		return m, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}

func parseModule(text string) (m module, err error) {
	documentation, err := yamlOf(text, "DOCUMENTATION")
	if err != nil {
		return m, err
	}
	if m.options, err = readOptions(get(documentation, "options"), ""); err != nil {
		return m, err
	}
	returned, err := yamlOf(text, "RETURN")
	if err != nil {
		return m, err
	}
	m.results, err = readResults(returned, true)
	return m, err
}

// yamlOf is the YAML of one of a module's strings.
func yamlOf(text, name string) (*yaml.Node, error) {
	_, rest, found := strings.Cut(text, "\n"+name+` = r"""`)
	content, _, closed := strings.Cut(rest, `"""`)
	if !found || !closed {
		return nil, fmt.Errorf("there is no %s", name)
	}
	var document yaml.Node
	if err := yaml.Unmarshal([]byte(content), &document); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return document.Content[0], nil
}

// member is one key of a YAML mapping, in the order of the document.
type member struct {
	name  string
	value *yaml.Node
}

// members are those of a mapping, through an alias, too; none for nil.
func members(n *yaml.Node) []member {
	if n == nil {
		return nil
	}
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	var list []member
	for i := 0; i+1 < len(n.Content) && n.Kind == yaml.MappingNode; i += 2 {
		list = append(list, member{n.Content[i].Value, n.Content[i+1]})
	}
	return list
}

// get is the value of a key, or nil.
func get(n *yaml.Node, name string) *yaml.Node {
	for _, m := range members(n) {
		if m.name == name {
			return m.value
		}
	}
	return nil
}

// onlyKeys refuses what would have no effect.
func onlyKeys(n *yaml.Node, known ...string) error {
	for _, m := range members(n) {
		if !slices.Contains(known, m.name) {
			return fmt.Errorf("the key %q says nothing to the generator; it knows %s", m.name, strings.Join(known, ", "))
		}
	}
	return nil
}

// texts are the paragraphs of a description, which is a string or a list.
func texts(n *yaml.Node) ([]string, error) {
	if n == nil {
		return nil, fmt.Errorf("there is no description")
	}
	if n.Kind == yaml.ScalarNode {
		return []string{n.Value}, nil
	}
	var list []string
	return list, n.Decode(&list)
}
