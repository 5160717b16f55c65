// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"gopkg.in/yaml.v3"
)

const aboutValidated = "Made by `make generate`: argument_specs.yml without its texts. ansible-core validates the role's variables by this file, " +
	"since it looks for a name without an extension first. ansible-doc reads the other one. See docs/adr/0013-one-declaration.md."

// A declaration is what ansible-core knows of a variable. Its texts are for
// ansible-doc alone.
type declaration struct {
	Description  any                    `json:"-"`
	VersionAdded string                 `json:"-" yaml:"version_added"`
	Type         string                 `json:"type,omitempty"`
	Elements     string                 `json:"elements,omitempty"`
	Choices      []any                  `json:"choices,omitempty"`
	Required     bool                   `json:"required,omitempty"`
	Secret       bool                   `json:"no_log,omitempty" yaml:"no_log"`
	Options      map[string]declaration `json:"options,omitempty"`
}

// An entryPoint is a file of tasks. ansible-core shows its short description.
type entryPoint struct {
	Short        string                 `json:"short_description" yaml:"short_description"`
	VersionAdded string                 `json:"-" yaml:"version_added"`
	Author       any                    `json:"-"`
	Description  any                    `json:"-"`
	Options      map[string]declaration `json:"options"`
}

// validated is the argument_specs.yml of the role without its texts, as JSON,
// which is read much faster. A key that is not known here is an error, so that
// none is lost.
func validated(specs string) (string, error) {
	var full struct {
		Points map[string]entryPoint `yaml:"argument_specs"`
	}
	decoder := yaml.NewDecoder(strings.NewReader(specs))
	decoder.KnownFields(true)
	if err := decoder.Decode(&full); err != nil {
		return "", err
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetIndent("", " ")
	err := encoder.Encode(map[string]any{"about": aboutValidated, "argument_specs": full.Points})
	if err != nil {
		return "", fmt.Errorf("cannot write what is validated: %w", err)
	}
	return b.String(), nil
}
