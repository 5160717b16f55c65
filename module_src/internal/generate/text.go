// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"fmt"
	"regexp"
	"strings"
)

var (
	markup      = regexp.MustCompile(`\b(O|RV|V|C|E|P|M|I|B)\(([^()]*)\)`)
	optionNames = regexp.MustCompile(`\b(O|RV)\(([^()]*)\)`)
)

// plain is a text without Ansible's markup.
func plain(text string) string { return markup.ReplaceAllString(text, "$2") }

// forRole is a text of a module's documentation that speaks of the role's
// variables instead of the module's options.
func forRole(text string) string {
	return optionNames.ReplaceAllString(text, "O(sidekiq_$2)")
}

// inMarkdown is a text of the role in Markdown, for a cell of a table.
func inMarkdown(text string) string {
	return strings.ReplaceAll(markup.ReplaceAllString(text, "`$2`"), "|", `\|`)
}

var sentenceEnd = regexp.MustCompile(`\.\s+`)

// sentences are those of a text, each with its full stop.
func sentences(text string) []string {
	return strings.Split(sentenceEnd.ReplaceAllString(text, ".\x00"), "\x00")
}

// wrapped splits a text into lines of at most width bytes, where its words
// allow.
func wrapped(text string, width int) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		if line != "" && len(line)+1+len(word) > width {
			lines = append(lines, line)
			line = ""
		}
		line = strings.TrimPrefix(line+" "+word, " ")
	}
	return append(lines, line)
}

// replaced is a text with new lines between the two lines that mark a block by
// its name: one holds "BEGIN name (", and one holds "END name".
func replaced(text, name, block string) (string, error) {
	begin := strings.Index(text, "BEGIN "+name+" (")
	end := strings.Index(text, "END "+name)
	if begin < 0 || end < begin {
		return "", fmt.Errorf("there are no lines with BEGIN %s (…) and END %s for what is generated", name, name)
	}
	start := begin + strings.Index(text[begin:], "\n") + 1
	stop := strings.LastIndex(text[:end], "\n") + 1
	return text[:start] + block + text[stop:], nil
}
