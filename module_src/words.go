// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"io"
	"strings"

	"github.com/rogpeppe/go-internal/diff"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/ansible"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/results"
)

// writeWords prints a result for a person to read: the steps, the files before
// and after, warnings, and what went wrong.
func writeWords(w io.Writer, r results.Result, check bool) error {
	var b strings.Builder
	if len(r.Steps) > 0 {
		b.WriteString(heading(r, check) + "\n")
	}
	for _, s := range r.Steps {
		b.WriteString("  " + s + "\n")
	}
	for _, d := range r.Diff {
		if strings.HasPrefix(d.AfterHeader, "/") { // the rest of the diff repeats the steps
			b.WriteString("\n--- " + d.BeforeHeader + "\n+++ " + d.AfterHeader + "\n" + unified(d.Before, d.After))
		}
	}
	for _, warning := range r.Warnings {
		b.WriteString("\nWarning: " + warning + "\n")
	}
	if ending := ending(r, check); ending != "" {
		b.WriteString("\n" + ending + "\n")
	}
	_, err := io.WriteString(w, ansible.Printable(strings.TrimPrefix(b.String(), "\n")))
	return err
}

// unified is the difference of two texts as diff -u prints it, without the
// headers. It is empty where there is no difference.
func unified(before, after string) string {
	text := diff.Diff("", []byte(before), "", []byte(after))
	if text == nil {
		return ""
	}
	const headers = 3 // a command line, and one for each file
	return strings.SplitN(string(text), "\n", headers+1)[headers]
}

func heading(r results.Result, check bool) string {
	switch {
	case r.Failed:
		return "This was to be done:"
	case check:
		return "This would be done:"
	}
	return "Done:"
}

func ending(r results.Result, check bool) string {
	switch {
	case r.Failed:
		return "Error: " + r.Msg
	case len(r.Steps) == 0:
		return "Nothing to do: everything is as these options ask for."
	case check:
		return "Nothing has been changed."
	}
	return ""
}
