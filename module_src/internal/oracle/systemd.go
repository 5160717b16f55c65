// SPDX-License-Identifier: GPL-3.0-or-later

package oracle

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// This file reads unit files as systemd does. It follows systemd's own sources:
// config_parse and parse_line (src/shared/conf-parser.c), extract_first_word
// (src/basic/extract-word.c), config_parse_exec (src/core/load-fragment.c),
// replace_env_argv (src/basic/env-util.c), specifier_printf
// (src/shared/specifier.c). Where it is not sure what systemd would do, it
// fails rather than guesses.

// Entry is a directive as systemd sees it before it looks at the value.
type Entry struct{ Section, Name, Value string }

const blanks = " \t\n\r"

// unitLines ends lines wherever any version of systemd does: at LF in all
// versions, at CR, CR LF and NUL from 245 on.
func unitLines(text string) []string {
	return strings.Split(strings.NewReplacer("\r\n", "\n", "\r", "\n", "\x00", "\n").Replace(text), "\n")
}

// ParseUnit reads a unit file into its directives.
func ParseUnit(text string) ([]Entry, error) {
	var entries []Entry
	var section, continuation string
	continuing := false
	if strings.Contains(text, "\\\r") {
		// From 245 on this continues the line, and before it does not.
		return nil, fmt.Errorf("backslash before CR: %q", text)
	}
	for _, line := range unitLines(text) {
		if start := strings.TrimLeft(line, blanks); start != "" && strings.ContainsRune("#;", rune(start[0])) {
			// Old versions of systemd join the next line to a comment that ends
			// with a backslash.
			if strings.HasSuffix(line, `\`) {
				return nil, fmt.Errorf("comment that joins the next line: %q", line)
			}
			continue
		}
		if continuing {
			line = continuation + line
		}
		escaped := false
		for _, c := range []byte(line) {
			escaped = !escaped && c == '\\'
		}
		if continuing = escaped; escaped {
			continuation = line[:len(line)-1] + " "
			continue
		}
		line = strings.Trim(line, blanks)
		switch {
		case line == "":
		case strings.HasPrefix(line, ".include "):
			return nil, fmt.Errorf("includes: %q", line)
		case line[0] == '[':
			if line[len(line)-1] != ']' {
				return nil, fmt.Errorf("bad section %q", line)
			}
			section = line[1 : len(line)-1]
		default:
			name, value, ok := strings.Cut(line, "=")
			if !ok || section == "" {
				return nil, fmt.Errorf("no assignment in a section: %q", line)
			}
			entries = append(entries, Entry{section, strings.Trim(name, blanks), strings.Trim(value, blanks)})
		}
	}
	if continuing {
		return nil, fmt.Errorf("the file ends within a line")
	}
	return entries, nil
}

// Specifiers expands %%, the only specifier that we write.
func Specifiers(s string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' {
			i++
			if i == len(s) || s[i] != '%' {
				return "", fmt.Errorf("specifier in %q", s)
			}
		}
		b.WriteByte(s[i])
	}
	return b.String(), nil
}

// unitWords is extract_first_word with EXTRACT_UNQUOTE and
// EXTRACT_CUNESCAPE, again and again. Separators of commands are reported as
// an error: one line is one command.
func unitWords(s string) ([]string, error) {
	var words []string
	for {
		s = strings.TrimLeft(s, blanks)
		if s == "" {
			return words, nil
		}
		if first, _, _ := strings.Cut(s, " "); first == ";" {
			return nil, fmt.Errorf("separator of commands")
		}
		word, rest, err := unitWord(s)
		if err != nil {
			return nil, err
		}
		words, s = append(words, word), rest
	}
}

func unitWord(s string) (word, rest string, err error) {
	var b strings.Builder
	var quote byte
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '\\':
			i++
			if i == len(s) {
				return "", "", fmt.Errorf("trailing backslash in %q", s)
			}
			if !strings.ContainsRune(`\"'`, rune(s[i])) {
				return "", "", fmt.Errorf("escape that versions read differently: %q", s[i-1:i+1])
			}
			b.WriteByte(s[i])
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
			b.WriteByte(c)
		case c == '"' || c == '\'':
			quote = c
		case strings.ContainsRune(blanks, rune(c)):
			return b.String(), s[i:], nil
		default:
			b.WriteByte(c)
		}
	}
	if quote != 0 {
		return "", "", fmt.Errorf("unbalanced quotes in %q", s)
	}
	return b.String(), "", nil
}

// Command is what is run for an Exec directive: its words, with specifiers and
// variables resolved. An error says that the value is more than one plain
// command with our own words.
func Command(value string) ([]string, error) {
	if value == "" || strings.ContainsRune("@-:+!|", rune(value[0])) {
		return nil, fmt.Errorf("prefix in %q", value)
	}
	words, err := unitWords(value)
	if err != nil {
		return nil, err
	}
	for i := range words {
		if words[i], err = Specifiers(words[i]); err != nil {
			return nil, err
		}
		if i == 0 { // the path is not expanded, argv[0] is
			if strings.Contains(words[0], "$") || !strings.HasPrefix(words[0], "/") {
				return nil, fmt.Errorf("program %q", words[0])
			}
			continue
		}
		if words[i], err = variables(words[i]); err != nil {
			return nil, err
		}
	}
	return words, nil
}

// variables expands $$. Any other dollar sign would be a variable.
func variables(s string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '$' {
			i++
			if i == len(s) || s[i] != '$' {
				return "", fmt.Errorf("variable in %q", s)
			}
		}
		b.WriteByte(s[i])
	}
	return b.String(), nil
}

// Environment is config_parse_environ for one line.
func Environment(value string) ([]string, error) {
	words, err := unitWords(value)
	for i := range words {
		if words[i], err = Specifiers(words[i]); err != nil {
			break
		}
		if !utf8.ValidString(words[i]) {
			return nil, fmt.Errorf("not UTF-8: %q", words[i])
		}
	}
	return words, err
}
