// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"fmt"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/systemd"
)

// Reason says why a unit file changes although no option has changed, or ""
// where that is not so. With type auto, how systemd knows that Sidekiq is up
// changes at the first deploy, and when a later deploy brings another version
// of Sidekiq.
func (s Service) Reason(f Facts, was, want converge.File) string {
	before, after := typeIn(was.Content), typeIn(want.Content)
	if s.Type != "auto" || before == "" || before == after || before == "oneshot" { // which was that of several processes
		return ""
	}
	version := f.SidekiqVersion()
	switch {
	case after == "notify":
		return fmt.Sprintf("its type is notify now, since Sidekiq %s tells systemd when it is up", version)
	case before == "notify" && !f.Deployed:
		return fmt.Sprintf("its type is %s now, since the application is not there to tell which Sidekiq it has", after)
	case before == "notify" && version != "" && !notifies(version):
		return fmt.Sprintf("its type is %s now, since Sidekiq %s does not tell systemd when it is up", after, version)
	}
	return ""
}

// typeIn is the Type= of a unit file, or "" where it has none.
func typeIn(unit string) string {
	kind := ""
	for l := range systemd.Lines(unit) {
		if l.Name == "Type" {
			kind = l.Value // the last one counts
		}
	}
	return kind
}
