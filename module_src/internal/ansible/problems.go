// SPDX-License-Identifier: GPL-3.0-or-later

package ansible

import (
	"fmt"
	"strings"
)

// Problems are all the mistakes in the arguments. Each is a sentence that names
// its option. The zero value is ready to use.
type Problems struct {
	list  []string
	outer *Problems // where the suboptions of an option stand; nil: here
	place string
}

// Add notes a problem of one option; the rest is as for fmt.Sprintf.
func (p *Problems) Add(option, format string, args ...any) {
	p.note(fmt.Sprintf("option %q: ", option) + fmt.Sprintf(format, args...))
}

func (p *Problems) note(text string) {
	if p.outer != nil {
		p.outer.note(p.place + text)
		return
	}
	p.list = append(p.list, text)
}

// Within returns the Problems of an option's suboptions. They are noted in p,
// and name the option, too. item counts the dicts of a list from 1 and is 0
// where there is no list.
func (p *Problems) Within(option string, item int) *Problems {
	place := fmt.Sprintf("option %q: ", option)
	if item > 0 {
		place += fmt.Sprintf("item %d: ", item)
	}
	return &Problems{outer: p, place: place}
}

// Err is nil where there are no problems, and otherwise one error that lists
// all of them.
func (p *Problems) Err() error {
	if len(p.list) == 0 {
		return nil
	}
	return &ArgumentError{Problems: p.list}
}

// ArgumentError says what is wrong with the arguments. Nothing has been done.
type ArgumentError struct {
	Problems []string // in the order found
}

func (e *ArgumentError) Error() string { return strings.Join(e.Problems, "; ") }
