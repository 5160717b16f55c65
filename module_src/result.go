// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/ansible"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/results"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/shell"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/sidekiq"
)

// result is what is known, in the form that Ansible gets.
func (r *progress) result() results.Result {
	out := results.Result{
		Changed:  r.plan.Changes(),
		Steps:    r.plan.Words(),
		Unit:     r.service.UnitPath(),
		Sudoers:  r.service.SudoersFile,
		Service:  r.states(),
		Warnings: r.warnings,

		BackupDir: r.backup,
	}
	if r.request.Diff {
		out.Diff = r.diffs()
	}
	if r.facts != nil && r.service.State != sidekiq.Absent {
		out.Deployed = &r.facts.Deployed
		out.SidekiqVersion = orNull(r.facts.SidekiqVersion())
	}
	if r.failed != nil {
		r.fail(&out)
	}
	r.hide(&out)
	return out
}

// hide takes the values of variables out of every text of the result.
func (r *progress) hide(out *results.Result) {
	mask := r.service.Mask()
	for _, value := range r.service.SecretValues(r.have) {
		mask.Secret(value)
	}
	for _, f := range r.have.Files {
		if f.Kind == converge.UnitFile {
			mask.Unit(f.Content)
		}
	}
	if r.facts != nil {
		for _, path := range ansible.SortedKeys(r.facts.EnvFiles) {
			mask.EnvFile(r.facts.EnvFiles[path].Content)
		}
	}
	var f *converge.Failure
	if errors.As(r.failed, &f) {
		mask.Traces(f.Traces)
		mask.Traces(f.OldTraces)
	}
	out.Msg = mask.Text(out.Msg)
	for _, list := range [][]string{out.Steps, out.Warnings} {
		for i, text := range list {
			list[i] = mask.Text(text)
		}
	}
	for i, d := range out.Diff {
		out.Diff[i].Before, out.Diff[i].After = mask.Text(d.Before), mask.Text(d.After)
	}
}

// fail says in the result what went wrong. A run that fails before its first
// step has changed nothing, whatever it had planned.
func (r *progress) fail(out *results.Result) {
	var f *converge.Failure
	if errors.As(r.failed, &f) {
		f.Alike = alike(f)
	}
	out.Failed, out.Msg, out.Changed = true, r.failed.Error(), false
	if f == nil || f.Untouched || f.RolledBack {
		out.BackupDir = "" // it was not made, or what it held is in its place again
	}
	if f == nil || f.Untouched {
		out.Steps = nil
	} else {
		out.RolledBack, out.Changed = &f.RolledBack, !f.RolledBack
	}
	if f == nil {
		return
	}
	var notUp *converge.NotUp
	errors.As(r.failed, &notUp)
	var last converge.Process
	if notUp != nil {
		last = notUp.Process
	}
	if notUp != nil && len(notUp.Ahead) > 0 {
		return // it was not even started, so that nothing it has logged is the reason
	}
	if cause := r.service.Explain(*r.facts, f.Traces, last); cause != "" {
		out.Msg += ". Likely cause: " + cause
	}
	out.Msg += r.lastWords(f)
}

// alike reports whether the previous program failed for the same reason as the
// new one.
func alike(f *converge.Failure) bool {
	var dead *converge.NotUp
	return f.Old != nil && errors.As(f.Err, &dead) && dead.Process.Ending() == f.Old.Process.Ending() &&
		sidekiq.SameFailure(f.Traces.Log, f.OldTraces.Log)
}

// lastWords are the last log lines of a unit that did not come up, and where to
// find more of them.
func (r *progress) lastWords(f *converge.Failure) string {
	words := sidekiq.LastWords(f.Traces.Log)
	if len(words) == 0 {
		return ""
	}
	file, more := "", "journalctl -u "+strings.TrimSuffix(f.Unit, ".service")
	if strings.HasPrefix(f.Unit, r.service.Name+"@") {
		more += ", and of all processes: journalctl -u " + shell.Word(r.service.Name+"@*")
	}
	if f.Traces.LogFile != "" {
		file, more = " in "+f.Traces.LogFile+" and the journal", f.Traces.LogFile+" and "+more
	}
	return fmt.Sprintf("\nThe last log lines of %s%s:\n  %s\nMore of them: %s", f.Unit, file, strings.Join(words, "\n  "), more)
}

// diffs are the planned changes as --diff prints them: first the files, and
// then, in words, what the files do not show.
func (r *progress) diffs() []results.Diff {
	var diffs []results.Diff
	var words strings.Builder
	for _, s := range r.plan.Steps {
		put, ok := s.(converge.PutFile)
		if !ok || put.Was.Content == put.Want.Content || put.Want.Kind == converge.ProgramFile {
			fmt.Fprintln(&words, s)
			continue
		}
		before, after := sidekiq.RedactUnit(put.Was.Content, put.Want.Content)
		if put.Want.Secret {
			before, after = hidden(put.Was, "before"), hidden(put.Want, "after")
		}
		diffs = append(diffs, results.Diff{
			Before: before, After: after,
			BeforeHeader: header(put.Was), AfterHeader: header(put.Want),
		})
	}
	if words.Len() > 0 {
		name := r.service.Unit()
		diffs = append(diffs, results.Diff{After: words.String(), BeforeHeader: name, AfterHeader: name + " (steps)"})
	}
	return diffs
}

// hidden stands for the content of a file that nobody is to see.
func hidden(f converge.File, when string) string {
	if !f.Exists {
		return ""
	}
	return "(hidden, " + when + ")\n"
}

// header names a file as the header of a diff does, with its mode and owner.
func header(f converge.File) string {
	if !f.Exists {
		return f.Path + " (absent)"
	}
	return fmt.Sprintf("%s (mode %04o, owner %d:%d)", f.Path, f.Mode, f.UID, f.GID)
}

// states are what was seen of the service before and after the run, and nil
// where one of them could not be seen. In check mode the second is what would
// be, and a run that has begun no step has left what it found.
func (r *progress) states() *results.Service {
	before, ok := r.have.Unit(r.service.Unit())
	if !ok || r.applied && r.after == nil {
		return nil
	}
	s := &results.Service{Before: stateOf(&before)}
	s.After = s.Before
	switch {
	case r.after != nil:
		s.After = stateOf(r.after)
	case r.request.Check && r.failed == nil:
		s.After = r.expected(s.Before)
	}
	return s
}

func stateOf(u *converge.Unit) results.ServiceState {
	return results.ServiceState{
		ActiveState:   u.Process.ActiveState,
		SubState:      u.Process.SubState,
		MainPID:       u.Process.MainPID,
		Enabled:       u.Enabled == converge.On,
		Quiet:         isQuiet(u),
		Stale:         len(u.Stale) > 0,
		ReloadPending: u.Reload,
		Restarts:      counted(u.Process),
	}
}

// isQuiet reports whether a unit's process takes no more jobs.
func isQuiet(u *converge.Unit) bool {
	return u.Activity == converge.Quiet || u.Activity == converge.Quieting
}

// expected is what a service would be like after the plan, as far as that can
// be told without carrying the plan out.
func (r *progress) expected(s results.ServiceState) results.ServiceState {
	for _, step := range r.plan.Steps {
		switch step := step.(type) {
		case converge.PutFile:
			anew := step.Was.Content != step.Want.Content && step.Want.ModTime.IsZero() // and not with a time that makes nothing stale
			if s.MainPID != 0 && anew && slices.Contains(step.Want.Units, r.service.Unit()) {
				s.Stale = true // until a restart, if one is planned
			}
		case converge.SetEnabled:
			if step.Want.Name == r.service.Unit() {
				s.Enabled = step.Want.Enabled == converge.On
			}
		case converge.ReloadManager:
			s.ReloadPending = false
		case converge.RunUnit:
			if step.Unit == r.service.Unit() {
				s = expectedRun(s, step)
			}
		}
	}
	return s
}

func expectedRun(s results.ServiceState, step converge.RunUnit) results.ServiceState {
	switch step.Verb {
	case converge.Start, converge.Restart:
		s.ActiveState, s.SubState, s.MainPID, s.Quiet, s.Stale = "active", "running", 0, false, false
		if s.Restarts != nil {
			s.Restarts = new(int)
		}
		if len(step.Parts) > 0 {
			s.SubState = "exited"
		}
	case converge.Stop:
		s.ActiveState, s.SubState, s.MainPID, s.Quiet, s.Stale = "inactive", "dead", 0, false, false
	case converge.MakeQuiet:
		s.Quiet = true
	}
	return s
}
