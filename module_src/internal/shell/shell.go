// SPDX-License-Identifier: GPL-3.0-or-later

// Package shell writes and reads the words of a POSIX shell's command line.
//
// [Word] and [Join] write words so that a shell reads exactly these words
// again, whatever is in them. [Split] reads a command line that a person has
// written, as a shell would, with one restriction: nothing is ever expanded. A
// character that a shell would act on has to be quoted, or the line is refused
// and the character named. So every line that Split accepts means exactly the
// same to a shell, and a person who writes $HOME is told that nothing will
// replace it.
//
// The package runs no shell, and it knows no more of the language than quoting:
// no variables, no redirections, no compound commands. A word that holds a NUL
// byte cannot be passed to any program; keeping it out is the caller's
// business.
package shell

import (
	"errors"
	"fmt"
	"strings"
)

// plainCharacters are the characters of words that need no quotes.
const plainCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:,+@%-"

// Word writes s as one word.
func Word(s string) string {
	if s != "" && strings.Trim(s, plainCharacters) == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// Join writes words as one command line.
func Join(words []string) string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = Word(w)
	}
	return strings.Join(out, " ")
}

// Split reads a command line. An unquoted character is an error where a shell
// would expand something, or would take it for anything but a part of a word.
func Split(line string) ([]string, error) {
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

// splitter is the state of Split between two characters.
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
		return s.unquoted(r)
	}
	return nil
}

// unquoted takes a character outside of quotes.
func (s *splitter) unquoted(r rune) error {
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
