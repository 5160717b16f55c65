// SPDX-License-Identifier: GPL-3.0-or-later

package ansible

import (
	"fmt"
	"strings"
)

// Problems is what is wrong with the arguments, all of it at once. Each is a
// sentence that names its option. The zero value is ready to use.
type Problems struct {
	list []string
}

// Add notes a problem of one option; the rest is as for fmt.Sprintf.
func (p *Problems) Add(option, format string, args ...any) {
	p.list = append(p.list, fmt.Sprintf("option %q: ", option)+fmt.Sprintf(format, args...))
}

// Err is nil where there are no problems, and else one error that lists all.
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
