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
// of Sidekiq. So does the signal that makes it quiet.
func (s Service) Reason(f Facts, was, want converge.File) string {
	if why := s.reasonOfType(f, directiveIn(was.Content, "Type"), directiveIn(want.Content, "Type")); why != "" {
		return why
	}
	version := f.SidekiqVersion()
	before, after := directiveIn(was.Content, "ExecReload"), directiveIn(want.Content, "ExecReload")
	if version == "" || before == after || before != quietBy("TSTP") && before != quietBy("USR1") || after != quietBy(QuietSignal(version)) {
		return ""
	}
	return fmt.Sprintf("it is told to be quiet by %s now, which Sidekiq %s knows", QuietSignal(version), version)
}

func (s Service) reasonOfType(f Facts, before, after string) string {
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

// directiveIn is the last value of a directive in a unit file, or "" where it
// has none.
func directiveIn(unit, name string) (value string) {
	for l := range systemd.Lines(unit) {
		if l.Name == name {
			value = l.Value
		}
	}
	return value
}
