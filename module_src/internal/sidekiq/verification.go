// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/ansible"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/shell"
)

// Verification is a task that has the deploy user restart a service by sudo, as
// a deploy does, and looks whether the service comes up. What is shown to be up,
// and how, the service's own unit files say, whoever wrote them.
//
// It does not show that the user may do anything else by sudo.
type Verification struct{ ByName }

// ParseVerify makes a Verification of a task's options.
func ParseVerify(r ansible.Request) (*Verification, error) {
	p := &parser{}
	p.Values = VerifyOptions().Decode(r, &p.Problems)
	name, user, limit := p.unitStem("name"), p.user("user"), p.Int("start_timeout")
	if users := p.sudoNames("sudo_users"); len(users) > 0 {
		user = users[0]
	}
	if err := p.Err(); err != nil {
		return nil, err
	}
	s, err := HealthService(name)
	s.State, s.User = Restarted, user
	s.StartTimeout = cmp.Or(time.Duration(limit)*time.Second, converge.UnprovenTime)
	return &Verification{ByName{Service: s, limited: limit > 0}}, err
}

// NotTried is what there is to be said in check mode.
func (v *Verification) NotTried() string {
	return v.Name + " was not restarted, since this is check mode: whether a restart by sudo succeeds is not known."
}

// Obstacle says why there is nothing to be tried; empty: there is.
func (v *Verification) Obstacle(found *Report) string {
	switch {
	case len(found.UnitFiles) == 0:
		return "There is no service " + v.Name + " on the host. Run the role first."
	case found.Dir != "" && !found.Facts.Deployed:
		return found.Dir + " is not there yet, so " + v.Name + " cannot start. Deploy the application first."
	case !found.Asked:
		return "There is nobody to restart " + v.Name + " by sudo. " + cmp.Or(strings.Join(found.Warnings, " "), "The host has no sudo.")
	}
	return ""
}

// Read takes over what the service's unit files say of how it is started.
func (v *Verification) Read(found *Report) {
	v.read(found.Content)
	for i := range found.ProcessFiles {
		f := &found.ProcessFiles[i]
		if name, ok := v.InstanceOf(f.Unit); ok {
			v.ReadInstance(name, f.Content)
		}
	}
	v.Dir = cmp.Or(v.Dir, found.Dir)
}

// Limit is what the restart may take: the end of the present processes as long as
// systemd leaves them, and then the start.
func (v *Verification) Limit(found *Report) time.Duration {
	var stop time.Duration
	for i := range found.Processes {
		stop = max(stop, min(found.Processes[i].Process.StopLimit, converge.Endless))
	}
	return stop + v.StartTimeout + 15*time.Second
}

// These are words of sudo's and of PAM's in the C locale, and of sudo-rs's.
var (
	accountOver = regexp.MustCompile(`(?i)(account|password).*expired|account validation failure`)
	noTerminal  = regexp.MustCompile(`must have a tty`)
	notGranted  = regexp.MustCompile(`(password|authentication) is required|not allowed|may not run|not in the sudoers file|afraid I can't do that`)
)

// Refusal says why sudo has not let the user restart the service; empty: it has,
// and it was systemctl that failed.
func (v *Verification) Refusal(found *Report, said string) string {
	said, user := inOneLine(said), found.User
	switch {
	case accountOver.MatchString(said):
		return fmt.Sprintf("sudo refuses %s whatever its rules are, since the account has expired or is locked: %s. See chage -l %[1]s on the host.", user, said)
	case noTerminal.MatchString(said):
		return fmt.Sprintf("sudo wants a terminal of %s, which a deploy has not: %s. requiretty is set in the host's sudoers; "+
			`"Defaults:%[1]s !requiretty" in a file of /etc/sudoers.d takes that back.`, user, said)
	case notGranted.MatchString(said):
		return fmt.Sprintf(`%s may not run "sudo systemctl restart %s" without a password: %s. Run the role, which grants it, or where it has, `+
			"take away the rule behind it that asks. The rules that sudo has for %[1]s, of which the last that fits counts: %[4]s.", user, v.Name, said, cmp.Or(strings.Join(found.Rules, "; "), "none"))
	}
	return ""
}

func inOneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// Attempt is what was seen of a service that the user was let restart.
type Attempt struct {
	Before, After Report
	Said          string           // by systemctl, which failed; empty: it did not fail
	Dead          *converge.NotUp  // what was seen not to come up; nil: nothing
	Left          converge.Traces  // by the unit that is not up, if one is not
	Last          converge.Process // of that unit, the last look
}

// Down is the unit that is not up, if one is not; Last is what was seen of it.
func (r *Attempt) Down() (unit string) {
	if r.Dead != nil {
		r.Last = r.Dead.Process
		return r.Dead.Unit
	}
	for i := range r.After.Processes {
		if p := &r.After.Processes[i]; p.Process.ActiveState != "active" || p.Process.Restarts > 0 {
			r.Last = p.Process
			return p.Name
		}
	}
	return ""
}

// Judge says whether the service is up again, and in words what was seen.
func (v *Verification) Judge(r *Attempt) (up bool, text string) {
	user, was, is := r.After.User, mainPIDs(r.Before.Processes), mainPIDs(r.After.Processes)
	before := "(" + cmp.Or(strings.Join(was, ", "), "none") + " before)"
	restarts := 0
	for i := range r.After.Processes {
		restarts += r.After.Processes[i].Process.Restarts
	}
	same := slices.ContainsFunc(is, func(pid string) bool { return contains(was, pid) })
	if r.Said == "" && r.Down() == "" && !same && len(is) > 0 && len(is) == len(r.After.Processes) {
		return true, fmt.Sprintf("%s restarted %s without a password, and it is up again: process %s %s, Sidekiq %s in %s.", user, v.Name,
			strings.Join(is, ", "), before, cmp.Or(r.After.Facts.SidekiqVersion(), "of an unknown version"), r.After.Release)
	}
	text = fmt.Sprintf("%s may restart %s, but it does not come up: %s.", user, v.Name, strings.TrimSuffix(inOneLine(r.Said), "."))
	if r.Said == "" {
		why := ""
		if r.Dead != nil {
			why = r.Dead.Why + "; "
		}
		state := &r.After.Service.Process
		text = fmt.Sprintf("%s restarted %s without a password, but it does not stay up: %sit is %s (%s), its process is %s %s, "+
			"and systemd has started it %d more times.", user, v.Name, why, state.ActiveState, state.SubState,
			cmp.Or(strings.Join(is, ", "), "gone"), before, restarts)
	}
	return false, text + v.reason(r) + " The log says why: " + v.logged(r.Left.LogFile)
}

// reason is the likely cause and what the log ends with, where something of it
// is known. It is one line, as everything here.
func (v *Verification) reason(r *Attempt) (text string) {
	if cause := v.Explain(r.Before.Facts, r.Left, r.Last); cause != "" {
		text = " Likely cause: " + strings.TrimSuffix(cause, ".") + "."
	}
	if words := LastWords(r.Left.Log); len(words) > 0 && len(r.Left.Unmet) == 0 { // or they are those of the process before
		text += " The last log lines: " + strings.TrimSuffix(inOneLine(strings.Join(words, " | ")), ".") + "."
	}
	return text
}

// logged is where the log tells of the service: in the journal and, perhaps, in a
// file.
func (v *Verification) logged(file string) string {
	unit := v.Name
	if len(v.Instances) > 0 {
		unit = shell.Word(v.Name + "@*")
	}
	if file != "" {
		file += " and "
	}
	return file + "journalctl -u " + unit
}

// mainPIDs are the processes that run.
func mainPIDs(processes []UnitReport) (pids []string) {
	for i := range processes {
		if pid := processes[i].Process.MainPID; pid != 0 {
			pids = append(pids, strconv.Itoa(pid))
		}
	}
	return pids
}
