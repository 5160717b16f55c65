// SPDX-License-Identifier: GPL-3.0-or-later

package scripthost

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/sidekiq"
)

// Show is the host as text: its files, links and units. Files that the
// collection wrote are shown without their content; see [Host.Files].
func (h *Host) Show() string {
	var b strings.Builder
	now := h.Snapshot()
	for _, name := range slices.Sorted(maps.Keys(now.Files)) {
		showFile(&b, now.Files[name], false)
	}
	showLinks(&b, now.Links)
	for _, name := range slices.Sorted(maps.Keys(now.Units)) {
		if u, err := h.Host.Unit(context.Background(), name); err == nil && (u.Fragment != "" || u.Process.MainPID != 0) {
			fmt.Fprintf(&b, "unit %s: %s\n", name, state(u))
		}
	}
	return b.String()
}

// Files are all files and links as text, with the content and the time of each,
// so that two texts are equal only where the files are.
func (h *Host) Files() string {
	var b strings.Builder
	now := h.Snapshot()
	for _, name := range slices.Sorted(maps.Keys(now.Files)) {
		showFile(&b, now.Files[name], true)
	}
	showLinks(&b, now.Links)
	return b.String()
}

func showLinks(b *strings.Builder, links map[string]string) {
	for _, name := range slices.Sorted(maps.Keys(links)) {
		fmt.Fprintf(b, "link %s -> %s\n", name, links[name])
	}
}

func showFile(b *strings.Builder, f converge.File, everything bool) {
	fmt.Fprintf(b, "file %s %04o %d:%d", f.Path, f.Mode, f.UID, f.GID)
	if everything {
		fmt.Fprintf(b, ", of %s", f.ModTime.Format(time.TimeOnly))
	}
	project, origin := sidekiq.OriginOf(f.Content)
	if origin == sidekiq.Ours {
		fmt.Fprintf(b, ", which the collection wrote for %s", project)
	}
	b.WriteString("\n")
	if origin == sidekiq.Ours && !everything {
		return
	}
	for line := range strings.Lines(f.Content) {
		if line != "\n" {
			line = indent + line
		}
		b.WriteString(line)
	}
}

// state is what a unit does, in words.
func state(u converge.Unit) string {
	words := []string{string(u.Activity)}
	if u.Process.MainPID != 0 {
		words = append(words, "process "+strconv.Itoa(u.Process.MainPID))
	}
	if u.Enabled == converge.On {
		words = append(words, "enabled")
	}
	if len(u.Stale) > 0 {
		words = append(words, "older than "+strings.Join(u.Stale, " and "))
	}
	if u.Reload {
		words = append(words, "to be reloaded")
	}
	if u.Process.Restarts > 0 {
		words = append(words, fmt.Sprintf("restarted %d times", u.Process.Restarts))
	}
	return strings.Join(words, ", ")
}
