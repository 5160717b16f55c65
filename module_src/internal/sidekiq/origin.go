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

// OriginOf says who wrote a unit file or a sudoers file, and for which project.
// A sudoers file of the old role does not name its project; then project is
// empty.
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
	if oldSudoers(content) {
		return "", OldRole
	}
	return "", Foreign
}

// oldUnit recognises the old role's unit by its directives: it has none but
// those that the role wrote, and they run a Sidekiq.
func oldUnit(content string) (project string, ok bool) {
	var dir, command string
	for l := range systemd.Lines(content) {
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

// oldSudoers recognises the old role's sudoers file, or one that somebody wrote
// by the same guide: it grants nothing but systemctl's verbs for one unit.
func oldSudoers(content string) bool {
	found := false
	for line := range strings.Lines(content) {
		f := strings.Fields(line)
		if len(f) == 0 || f[0][0] == '#' {
			continue
		}
		if len(f) != 6 || f[1] != "ALL=(ALL)" || f[2] != "NOPASSWD:" ||
			f[3] != "/bin/systemctl" && f[3] != "/usr/bin/systemctl" ||
			!contains([]string{"start", "stop", "restart", "status", "reload"}, f[4]) ||
			!strings.Contains(f[5], "sidekiq") {
			return false
		}
		found = true
	}
	return found
}
