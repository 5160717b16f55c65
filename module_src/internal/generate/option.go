// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// option is one option as its documentation declares it. It has the fields of
// ansible.Option, which is not used here, so that the generator runs even when
// what is generated is broken.
type option struct {
	name, kind, elements string
	choices              []string
	value                any // the default: string, bool, int or []string; nil: none
	required             bool
	since                string // version_added
	least, most          int
	unit                 string
	secret               bool
	excludes             []string
	description          []string
	suboptions           []option
}

// The documentation of a module has no keys for these. So they are sentences of
// the description, and the description cannot say anything that the program
// does not do.
var (
	boundsSentence   = regexp.MustCompile(`\bFrom (-?\d+) to (\d+)( [a-z]+)?\.`)
	excludesSentence = regexp.MustCompile(`\bMutually exclusive with ((?:O\([^)]+\)(?:, | and )?)+)\.`)
	secretSentence   = regexp.MustCompile(`\b[Vv]alues? (?:is|are) never shown in results\.`)
	optionMarkup     = regexp.MustCompile(`\bO\(([^)=]+)`)
)

// readOptions reads a mapping of options. within is "" or, for suboptions, how
// their names start in markup.
func readOptions(n *yaml.Node, within string) ([]option, error) {
	var list []option
	for _, m := range members(n) {
		o, err := readOption(m.name, m.value, within)
		if err != nil {
			return nil, fmt.Errorf("option %s%s: %w", within, m.name, err)
		}
		list = append(list, o)
	}
	for _, o := range list {
		for _, other := range o.excludes {
			if !slices.ContainsFunc(list, func(o option) bool { return o.name == other }) {
				return nil, fmt.Errorf("option %s%s is mutually exclusive with %s, which is no option beside it", within, o.name, other)
			}
		}
	}
	return list, nil
}

func readOption(name string, n *yaml.Node, within string) (option, error) {
	o := option{name: name}
	if err := onlyKeys(n, "description", "type", "elements", "choices", "default", "required", "suboptions", "version_added"); err != nil {
		return o, err
	}
	var keys struct {
		Type, Elements string
		Choices        []string
		Required       bool
		Since          string `yaml:"version_added"`
	}
	if err := n.Decode(&keys); err != nil {
		return o, err
	}
	if err := quotedWords(get(n, "choices"), get(n, "default")); err != nil {
		return o, err
	}
	o.kind, o.elements, o.choices, o.required, o.since = keys.Type, keys.Elements, keys.Choices, keys.Required, keys.Since
	var err error
	if o.description, err = texts(get(n, "description")); err != nil {
		return o, err
	}
	if o.suboptions, err = readSuboptions(n, o, within); err != nil {
		return o, err
	}
	if err := o.checkTypes(); err != nil {
		return o, err
	}
	if err := o.readDefault(get(n, "default")); err != nil {
		return o, err
	}
	return o, o.readSentences(within)
}

// quotedWords refuses words that Python reads as a boolean and Go as a string.
func quotedWords(nodes ...*yaml.Node) error {
	for _, n := range nodes {
		if n == nil {
			continue
		}
		if n.Style == 0 && slices.Contains([]string{"yes", "no", "on", "off", "y", "n"}, strings.ToLower(n.Value)) {
			return fmt.Errorf("%s must be in quotes", n.Value)
		}
		if err := quotedWords(n.Content...); err != nil {
			return err
		}
	}
	return nil
}

func readSuboptions(n *yaml.Node, o option, within string) ([]option, error) {
	prefix := within + o.name + "."
	if o.kind == "list" {
		prefix = within + o.name + "[]."
	}
	return readOptions(get(n, "suboptions"), prefix)
}

// checkTypes refuses what the program does not read.
func (o *option) checkTypes() error {
	if !slices.Contains([]string{"str", "path", "bool", "int", "list", "dict"}, o.kind) {
		return fmt.Errorf("the type %q is none that the program reads", o.kind)
	}
	dicts := o.kind == "list" && o.elements == "dict"
	switch {
	case o.kind == "list" && !slices.Contains([]string{"str", "path", "dict"}, o.elements):
		return fmt.Errorf("elements %q are none that the program reads", o.elements)
	case o.kind != "list" && o.elements != "":
		return fmt.Errorf("elements are for a list")
	case dicts && o.suboptions == nil:
		return fmt.Errorf("a list of dicts needs suboptions")
	case o.suboptions != nil && !dicts && o.kind != "dict":
		return fmt.Errorf("suboptions are for a dict or a list of dicts")
	case o.choices != nil && o.kind != "str" && o.elements != "str":
		return fmt.Errorf("choices are for a string or a list of strings")
	}
	return nil
}

func (o *option) readDefault(n *yaml.Node) error {
	if n == nil {
		return nil
	}
	switch o.kind {
	case "bool":
		return decodeDefault[bool](o, n)
	case "int":
		return decodeDefault[int](o, n)
	case "list":
		return decodeDefault[[]string](o, n)
	case "dict":
		return fmt.Errorf("a dict can have no default")
	}
	if n.Tag != "!!str" {
		return fmt.Errorf("the default %s must be in quotes", n.Value)
	}
	if o.choices != nil && !slices.Contains(o.choices, n.Value) {
		return fmt.Errorf("the default %s is none of the choices", n.Value)
	}
	o.value = n.Value
	return nil
}

func decodeDefault[T any](o *option, n *yaml.Node) error {
	var v T
	if err := n.Decode(&v); err != nil {
		return fmt.Errorf("the default: %w", err)
	}
	o.value = v
	return nil
}

// readSentences reads what sentences of the description declare.
func (o *option) readSentences(within string) error {
	text := strings.Join(o.description, " ")
	o.secret = secretSentence.MatchString(text)
	bounds := boundsSentence.FindStringSubmatch(text)
	if (bounds != nil) != (o.kind == "int") {
		return fmt.Errorf(`an int, and nothing else, has its bounds in a sentence of its description, such as "From 1 to 100."`)
	}
	if bounds != nil {
		o.least, _ = strconv.Atoi(bounds[1])
		o.most, _ = strconv.Atoi(bounds[2])
		o.unit = strings.TrimSpace(bounds[3])
	}
	if n, ok := o.value.(int); ok && (n < o.least || n > o.most) {
		return fmt.Errorf("the default %d is not within the bounds", n)
	}
	if excludes := excludesSentence.FindStringSubmatch(text); excludes != nil {
		for _, other := range optionMarkup.FindAllStringSubmatch(excludes[1], -1) {
			o.excludes = append(o.excludes, strings.TrimPrefix(other[1], within))
		}
	}
	return nil
}
