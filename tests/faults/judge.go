// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux && amd64

package main

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// outcome is what became of a run that a fault has befallen.
type outcome string

const (
	killed  outcome = "killed"
	done    outcome = "done all the same"
	refused outcome = "failed before the first step"
	undone  outcome = "rolled back"
	halfway outcome = "could not all be undone"
	untold  outcome = "no result"
)

// run is a run of the program that is to be judged.
type run struct {
	transition transition
	effect     string
	fault      fault
	status     int
	late       bool
	printed    string
	result     result

	before, after, wanted sight
}

// judge says what became of the run, and what it said that is not so.
func (r *run) judge() (o outcome, violations []string) {
	if r.late {
		return untold, []string{fmt.Sprintf("it had not ended after %s", runLimit)}
	}
	if r.status == 137 && r.fault.kill {
		return killed, r.whole()
	}
	res, err := readResult(r.printed)
	if err != nil {
		return untold, append(r.whole(), err.Error())
	}
	r.result = res
	o, violations = r.judgeResult()
	if r.fault.signal != 0 && res.Failed && !strings.Contains(res.Msg, "interrupted") {
		violations = append(violations, "it was interrupted, and does not say so: "+clip(res.Msg))
	}
	if !r.fault.lasting {
		for name := range r.after {
			if strings.HasPrefix(name, leftover) {
				violations = append(violations, "it leaves behind: "+name)
			}
		}
	}
	if r.survivable() && o != r.undisturbed() {
		violations = append(violations, "systemd was there again, but the run "+string(o)+": "+clip(res.Msg))
	}
	return o, violations
}

// survivable reports whether the fault is one with which a run goes on: none,
// or that the connection to systemd is lost for a moment.
func (r *run) survivable() bool {
	return r.fault.name == "" || r.fault.reexec || r.fault.errno != 0 && toSystemd.MatchString(r.effect)
}

var toSystemd = regexp.MustCompile("^(tell systemd|ask systemd|connect)")

// undisturbed is what becomes of the run without a fault.
func (r *run) undisturbed() outcome {
	if r.transition.fails {
		return undone
	}
	return done
}

func (r *run) judgeResult() (o outcome, violations []string) {
	switch res := r.result; {
	case !res.Failed:
		return done, append(r.whole(), r.judgeDone()...)
	case res.RolledBack == nil:
		return refused, r.judgeUndone("says nothing of a step")
	case *res.RolledBack:
		return undone, r.judgeUndone("says that all is as it was before")
	}
	return halfway, append(r.whole(), r.judgeHalfway()...)
}

// whole makes sure that no tool sees anything but what was or what is to be.
// What a change that cannot work would make of the files is not known.
func (r *run) whole() (violations []string) {
	names := []string{"visudo -c"}
	if !r.transition.fails {
		names = append(names, "sudo -l")
		for _, s := range []sight{r.before, r.after, r.wanted} {
			for name := range s {
				if strings.HasPrefix(name, ofFile) && strings.Contains(name, "sidekiq") {
					names = append(names, name)
				}
			}
		}
		slices.Sort(names)
		names = slices.Compact(names)
	}
	for _, name := range names {
		if now := r.after[name]; now != r.before[name] && now != r.wanted[name] {
			violations = append(violations, fmt.Sprintf("%s is neither what it was nor what is wanted: %q", name, clip(now)))
		}
	}
	return violations
}

func (r *run) judgeDone() (violations []string) {
	for _, d := range differences(r.wanted.lasting(), r.after.lasting().without(leftover)) {
		violations = append(violations, "it says that all is done, but "+d)
	}
	if differs := len(differences(r.before.without(leftover), r.after.without(leftover))) > 0; differs != r.result.Changed {
		violations = append(violations, fmt.Sprintf("it says changed: %v, but whether the host is another: %v", r.result.Changed, differs))
	}
	return append(violations, r.judgeService()...)
}

// judgeUndone judges a run after which all should be as it was before, but for
// processes that it says to have started again.
func (r *run) judgeUndone(says string) (violations []string) {
	want, have := r.before, r.after.without(leftover)
	for _, unit := range units {
		if strings.Contains(r.result.Msg, "up again") && strings.Contains(r.result.Msg, unit) {
			want, have = want.without(ofProcess+unit), have.without(ofProcess+unit)
		}
	}
	for _, d := range differences(want, have) {
		violations = append(violations, "it "+says+", but "+d)
	}
	if r.result.Changed {
		violations = append(violations, "it "+says+", but changed is true")
	}
	return append(violations, r.judgeService()...)
}

func (r *run) judgeHalfway() (violations []string) {
	if len(differences(r.before, r.after.without(leftover))) == 0 {
		violations = append(violations, "it says that not all could be undone, but all is as it was before")
	}
	return append(violations, r.judgeService()...)
}

// judgeService compares what the result says of the service with what is there.
func (r *run) judgeService() (violations []string) {
	if r.result.Service == nil {
		return nil
	}
	says := r.result.Service.After
	pid, _, _ := strings.Cut(r.after[ofProcess+units[0]], " ")
	enabled := r.after["UnitFileState of "+units[0]] == "enabled"
	if is := r.after["ActiveState of "+units[0]]; says.ActiveState != is {
		violations = append(violations, fmt.Sprintf("service.after says %q, but %s is %q", says.ActiveState, units[0], is))
	}
	if strconv.Itoa(says.MainPID) != pid {
		violations = append(violations, fmt.Sprintf("service.after says that the main process is %d, but it is %s", says.MainPID, pid))
	}
	if says.Enabled != enabled {
		violations = append(violations, fmt.Sprintf("service.after says enabled: %v, but whether it is: %v", says.Enabled, enabled))
	}
	return violations
}

// heal makes the next, ordinary run, and says in what the host is not as it
// wanted it afterwards. A further run has to find nothing to do.
func (m machine) heal(t transition, wanted sight, settled []string) (violations []string) {
	r, err := m.converge(t.next())
	if err == nil && r.Failed {
		err = fmt.Errorf("%s", r.Msg)
	}
	if err != nil {
		return []string{"the next run does not heal it: " + clip(err.Error())}
	}
	now, err := look()
	if err != nil {
		return []string{err.Error()}
	}
	// Between the two runs, systemd may have started by itself what the first
	// left dead; after them, it must have no more reason to.
	for _, d := range differences(wanted.lasting().without(ofRestarts), now.lasting().without(ofRestarts)) {
		violations = append(violations, "after the next run "+d)
	}
	r, err = m.converge(t.next())
	if err != nil || r.Failed || r.Changed || !slices.Equal(r.Warnings, settled) {
		violations = append(violations, fmt.Sprintf("a further run is not content: %v %v %v %v", err, r.Msg, r.Steps, r.Warnings))
	}
	later, err := look()
	if err != nil {
		return append(violations, err.Error())
	}
	for _, d := range differences(now.lasting(), later.lasting()) {
		violations = append(violations, "after a further run "+d)
	}
	return violations
}
