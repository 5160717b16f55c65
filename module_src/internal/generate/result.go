// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// result is one value that a module returns, as RETURN declares it.
type result struct {
	name, kind, elements string
	description          []string
	returned             string
	always               bool     // where the task does not fail, at least
	nullable             bool     // it may be null
	contains             []result // of a dict, or of each dict of a list
	dict                 string   // what such a dict is called: the anchor of contains, or else the name
}

// What "returned" says. Members of a dict without it are always there.
var (
	alwaysReturned = regexp.MustCompile(`^(always|success)\b`)
	nullReturned   = regexp.MustCompile(`\bnull\b`)
)

func readResults(n *yaml.Node, top bool) ([]result, error) {
	var list []result
	for _, m := range members(n) {
		r, err := readResult(m.name, m.value, top)
		if err != nil {
			return nil, fmt.Errorf("result %s: %w", m.name, err)
		}
		list = append(list, r)
	}
	return list, nil
}

func readResult(name string, n *yaml.Node, top bool) (result, error) {
	r := result{name: name, dict: name}
	if err := onlyKeys(n, "description", "returned", "type", "elements", "sample", "contains", "version_added"); err != nil {
		return r, err
	}
	var keys struct{ Type, Elements, Returned string }
	err := n.Decode(&keys)
	if err != nil {
		return r, err
	}
	r.kind, r.elements, r.returned = keys.Type, keys.Elements, keys.Returned
	if r.description, err = texts(get(n, "description")); err != nil {
		return r, err
	}
	if top && keys.Returned == "" {
		return r, fmt.Errorf("there is no returned")
	}
	r.always = keys.Returned == "" || alwaysReturned.MatchString(keys.Returned)
	r.nullable = nullReturned.MatchString(keys.Returned)
	contains := get(n, "contains")
	if r.contains, err = readResults(contains, false); err != nil {
		return r, err
	}
	if contains != nil {
		r.dict = nameOf(contains, name)
	}
	if err := r.checkTypes(); err != nil {
		return r, err
	}
	return r, checkSample(get(n, "sample"), r.kind)
}

func nameOf(contains *yaml.Node, name string) string {
	if contains.Kind == yaml.AliasNode {
		contains = contains.Alias
	}
	if contains.Anchor != "" {
		return contains.Anchor
	}
	return name
}

func (r result) checkTypes() error {
	dicts := r.kind == "list" && r.elements == "dict"
	switch {
	case !slices.Contains([]string{"str", "bool", "int", "list", "dict"}, r.kind):
		return fmt.Errorf("the type %q is none that the program writes", r.kind)
	case r.kind == "list" && r.elements != "str" && r.elements != "dict":
		return fmt.Errorf("elements %q are none that the program writes", r.elements)
	case dicts && r.contains == nil:
		return fmt.Errorf("a list of dicts says what they contain")
	case r.contains != nil && !dicts && r.kind != "dict":
		return fmt.Errorf("contains is for a dict or a list of dicts")
	case r.nullable && (!r.always || r.kind == "list"):
		return fmt.Errorf("null is for what is always returned, and for no list, which is empty instead")
	}
	return nil
}

// checkSample compares a sample with the type that it is an example of.
func checkSample(sample *yaml.Node, kind string) error {
	if sample == nil {
		return nil
	}
	is := map[string]bool{
		"str": sample.Tag == "!!str" || sample.Tag == "!!float" || sample.Tag == "!!timestamp",
		"int": sample.Tag == "!!int", "bool": sample.Tag == "!!bool",
		"list": sample.Kind == yaml.SequenceNode, "dict": sample.Kind == yaml.MappingNode,
	}
	if !is[kind] {
		return fmt.Errorf("the sample %s is no %s", strings.TrimSpace(sample.Value), kind)
	}
	return nil
}
