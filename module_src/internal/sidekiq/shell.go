// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"errors"
	"fmt"
	"strings"
)

// shellWord writes s as one word of a POSIX shell's command line.
func shellWord(s string) string {
	if onlyRunes(s, "_./:,+@%-") {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// shellLine writes words as a command line of a POSIX shell.
func shellLine(words []string) string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = shellWord(w)
	}
	return strings.Join(out, " ")
}

// splitWords reads a command line as a POSIX shell does, except that nothing
// is ever expanded: what a shell would act on is an error unless it is quoted.
// So every line that is accepted means to a shell exactly what it means here.
func splitWords(line string) ([]string, error) {
	var s splitter
	for _, r := range line {
		if err := s.next(r); err != nil {
			return nil, err
		}
	}
	switch {
	case s.quote != 0:
		return nil, fmt.Errorf("the quote %c is not closed", s.quote)
	case s.escaped:
		return nil, errors.New("ends with a backslash")
	}
	s.end()
	return s.words, nil
}

// splitter is the state of splitWords between two characters.
type splitter struct {
	words   []string
	word    strings.Builder
	inWord  bool
	quote   rune // ' or " or 0
	escaped bool // the character before was a backslash that counts
}

func (s *splitter) next(r rune) error {
	switch {
	case s.escaped:
		s.escaped = false
		if s.quote == '"' && !strings.ContainsRune("$`\"\\", r) {
			s.word.WriteByte('\\')
		}
		s.add(r)
	case s.quote == '\'' && r != '\'':
		s.add(r)
	case r == '\\':
		s.escaped, s.inWord = true, true
	case s.quote != 0 && r == s.quote:
		s.quote = 0
	case r == '$' || r == '`':
		return fmt.Errorf("nothing is expanded here: put %c into single quotes, or run a shell (/bin/sh -c '…')", r)
	case s.quote == '"':
		s.add(r)
	case r == '\'' || r == '"':
		s.quote, s.inWord = r, true
	case r == ' ':
		s.end()
	default:
		return s.bare(r)
	}
	return nil
}

// bare takes a character outside of quotes.
func (s *splitter) bare(r rune) error {
	switch {
	case strings.ContainsRune("|&;<>()*?[{}!", r):
		return fmt.Errorf("no shell runs this: put %c into quotes, or run a shell (/bin/sh -c '…')", r)
	case !s.inWord && (r == '#' || r == '~'):
		return fmt.Errorf("no shell runs this: put %c into quotes", r)
	}
	s.add(r)
	return nil
}

func (s *splitter) add(r rune) {
	s.inWord = true
	s.word.WriteRune(r)
}

func (s *splitter) end() {
	if s.inWord {
		s.words = append(s.words, s.word.String())
	}
	s.word.Reset()
	s.inWord = false
}
