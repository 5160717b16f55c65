// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// roleFiles adds the role's files, in which marked blocks are generated.
func roleFiles(root string, service, verify module, files map[string]string) error {
	for _, b := range []struct{ path, name, text string }{
		{specsPath, "options of main", specs(variables(service.options), "    ")},
		{specsPath, "options of verify", specs(among(variables(verify.options)), "    ")},
		{tasksPath, "options", arguments(service.options)},
		{restartPath, "options", arguments(verify.options)},
		{readmePath, "variables", table(variables(service.options))},
	} {
		text, ok := files[b.path]
		if !ok {
			old, err := os.ReadFile(filepath.Join(root, b.path))
			if err != nil {
				return err
			}
			text = string(old)
		}
		var err error
		if files[b.path], err = replaced(text, b.name, b.text); err != nil {
			return fmt.Errorf("%s: %w", b.path, err)
		}
	}
	var err error
	if files[validatedPath], err = validated(files[specsPath]); err != nil {
		return fmt.Errorf("%s: %w", specsPath, err)
	}
	return nil
}

// projectName is the one option that the role also takes without its prefix,
// which is ansible-samvera's own name for it.
const projectName = "project_name"

// variables are the options of the role, named as its variables are.
func variables(options []option) []option {
	var list []option
	for _, o := range options {
		o.description = mapped(o.description, forRole)
		o.suboptions = inRole(o.suboptions)
		if o.name == projectName {
			list = append(list, o)
			o.description = []string{"The same as O(project_name), and wins over it."}
		}
		o.name = "sidekiq_" + o.name
		list = append(list, o)
	}
	return list
}

var reference = regexp.MustCompile(`O\((\w+)\)`)

// among are options of an entry point that has no others: what their
// descriptions say of an option that it lacks is no reference.
func among(options []option) []option {
	list := slices.Clone(options)
	for i, o := range list {
		list[i].description = mapped(o.description, func(text string) string {
			return reference.ReplaceAllStringFunc(text, func(found string) string {
				name := found[2 : len(found)-1]
				if slices.ContainsFunc(options, func(o option) bool { return o.name == name }) {
					return found
				}
				return "C(" + name + ")"
			})
		})
	}
	return list
}

func inRole(options []option) []option {
	list := slices.Clone(options)
	for i, o := range list {
		list[i].description = mapped(o.description, forRole)
		list[i].suboptions = inRole(o.suboptions)
	}
	return list
}

func mapped(list []string, change func(string) string) []string {
	changed := make([]string, len(list))
	for i, s := range list {
		changed[i] = change(s)
	}
	return changed
}

// specs declares options as meta/argument_specs.yml does.
func specs(options []option, indent string) string {
	var b strings.Builder
	b.WriteString(indent + "options:\n")
	for _, o := range options {
		b.WriteString(spec(o, indent+"  "))
	}
	return b.String()
}

// described is the description of an option with its default in the text. As
// the key "default" of an argument, ansible-core would refuse null for it from
// 2.19 on, and null is the default to the module.
func described(o option) []string {
	if o.value == nil {
		return o.description
	}
	value, ok := o.value.(string)
	if !ok {
		value = inline(o.value)
	}
	return append(slices.Clone(o.description), "The default is V("+value+").")
}

func spec(o option, indent string) string {
	var b strings.Builder
	b.WriteString(indent + o.name + ":\n")
	indent += "  "
	add := func(is bool, key string, value any) {
		if is {
			b.WriteString(indent + key + ": " + inline(value) + "\n")
		}
	}
	b.WriteString(indent + "description:\n")
	for _, text := range described(o) {
		b.WriteString(indent + "  - " + folded(text, indent+"    ") + "\n")
	}
	add(true, "type", o.kind)
	add(o.elements != "", "elements", o.elements)
	add(o.choices != nil, "choices", o.choices)
	add(o.required, "required", true)
	add(o.secret, "no_log", true)
	add(o.since != "", "version_added", o.since)
	if o.suboptions != nil {
		b.WriteString(specs(o.suboptions, indent))
	}
	return b.String()
}

// inline is a value of YAML in one line.
func inline(value any) string {
	if list, ok := value.([]string); ok {
		words := make([]string, len(list))
		for i, s := range list {
			if words[i] = inline(s); strings.ContainsAny(s, ",[]{}") {
				words[i] = strconv.Quote(s)
			}
		}
		return "[" + strings.Join(words, ", ") + "]"
	}
	text, err := yaml.Marshal(value)
	if err != nil {
		panic(err) // a string, a bool or an int
	}
	return strings.TrimSpace(string(text))
}

// folded is a text as a scalar of YAML, over several lines where it is long.
// The encoder's own quoting is valid for all lines, since YAML reads the end of
// a line within a scalar as a blank.
func folded(text, indent string) string {
	return strings.Join(wrapped(inline(strings.Join(strings.Fields(text), " ")), 138-len(indent)), "\n"+indent)
}

// arguments are those of the role's one task.
func arguments(options []option) string {
	var b strings.Builder
	for _, o := range options {
		fallback := ""
		if o.name == projectName {
			fallback = " | default(" + projectName + ", true)"
		}
		if o.kind == "bool" || o.kind == "int" {
			// Before 2.19, ansible-core makes "" of null, which is no number and no boolean.
			// `== none`, since for `is none` each of its processes would load all tests of Jinja that there are.
			fmt.Fprintf(&b, "    %s: \"{{ omit if sidekiq_%[1]s | default(none) == none else sidekiq_%[1]s }}\"\n", o.name)
			continue
		}
		fmt.Fprintf(&b, "    %s: \"{{ sidekiq_%s%s | default(omit) }}\"\n", o.name, o.name, fallback)
	}
	return b.String()
}

// table is the table of variables in the role's README.
func table(variables []option) string {
	var b strings.Builder
	b.WriteString("| variable | type | default | |\n|---|---|---|---|\n")
	for _, o := range variables {
		text := inMarkdown(sentences(o.description[0])[0])
		if o.choices != nil {
			text += " `" + strings.Join(o.choices, "`, `") + "`"
		}
		kind := o.kind
		if o.elements != "" {
			kind += " of " + o.elements
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", o.name, kind, o.defaultInMarkdown(), text)
	}
	return b.String()
}

// defaultInMarkdown is the default, or what a sentence that ends with "if it is
// not set" says about it.
func (o option) defaultInMarkdown() string {
	if o.value != nil {
		return inMarkdown("C(" + inline(o.value) + ")")
	}
	for _, text := range o.description {
		for _, sentence := range sentences(text) {
			if words, ok := strings.CutSuffix(sentence, " if it is not set."); ok {
				return inMarkdown(strings.TrimSuffix(words, ","))
			}
		}
	}
	return ""
}
