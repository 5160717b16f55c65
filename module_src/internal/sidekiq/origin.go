// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"strings"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/systemd"
)

// Origin says who wrote a file, as its content shows.
type Origin string

// Origins.
const (
	Ours    Origin = "ours"     // this collection wrote it
	OldRole Origin = "old role" // the role sidekiq of ansible-samvera wrote it, or somebody by hand after the same guide
	Foreign Origin = "foreign"  // anything else
)

const (
	markerStart = "Written by curationexperts.sidekiq for "
	markerEnd   = "; changes here are overwritten."
)

// marker is the first line of each of our files, as a comment.
func marker(project string) string { return markerStart + project + markerEnd }

// OriginOf says who wrote a file, and for which project. Rules for sudo that
// the old role wrote have no mark and name no project: see [readOldRules].
func OriginOf(content string) (project string, origin Origin) {
	first, _, _ := strings.Cut(content, "\n")
	if rest, ok := strings.CutPrefix(first, "# "+markerStart); ok {
		if project, ok := strings.CutSuffix(rest, markerEnd); ok {
			return project, Ours
		}
	}
	if project, ok := oldUnit(content); ok {
		return project, OldRole
	}
	return "", Foreign
}

// oldUnit recognises the old role's unit by its directives: it has none but
// those that the role wrote, and they run a Sidekiq.
func oldUnit(content string) (project string, ok bool) {
	var dir, command string
	for l := systemd.Lines(content); l.Next(); {
		switch l.Name {
		case "":
			continue
		case "WorkingDirectory":
			dir = l.Value
		case "ExecStart":
			command += l.Value
		case "Description", "After", "Type", "User", "Group", "UMask", "Restart", "RestartSec",
			"StandardOutput", "StandardError", "SyslogIdentifier", "WantedBy":
		default:
			return "", false
		}
	}
	return projectOf(dir), dir != "" && strings.Contains(command, "sidekiq")
}
