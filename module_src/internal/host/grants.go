// SPDX-License-Identifier: GPL-3.0-or-later

package host

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/shell"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/sudo"
)

// policy is what visudo has to say against the whole policy, or nothing where
// the policy is in order.
func policy(ctx context.Context, visudo string) ([]string, error) {
	out, err := program{path: visudo, args: []string{"-c"}}.judge(ctx)
	if err != nil || out.status == 0 {
		return nil, err
	}
	var complaints []string
	for _, l := range lines(out.all()) {
		if !strings.HasSuffix(l, "parsed OK") {
			complaints = append(complaints, l)
		}
	}
	return complaints, nil
}

// ProveGrants shows that the installed files give the grants: the whole policy
// has no fault that was not there before, the last rule that matches each command is a right one,
// and one of the commands really runs as the user.
func (h *Host) ProveGrants(ctx context.Context, grants []sudo.Grant, before converge.Verdict) error {
	if len(grants) == 0 {
		return nil
	}
	path, err := find(sudoPaths[:])
	if err != nil {
		return err
	}
	found, err := findSudo()
	if err != nil {
		return err
	}
	if path == "" || found.Visudo == "" {
		return errors.New("cannot find sudo and visudo")
	}
	complaints, err := policy(ctx, found.Visudo)
	if err != nil {
		return err
	}
	for _, c := range complaints {
		if !slices.Contains(before.Faults, c) {
			return fmt.Errorf("visudo rejects the host's whole policy with the new file in it: %s", c)
		}
	}
	if found.RS {
		grants = withoutNoExec(grants)
	}
	for who, theirs := range byWho(grants) {
		if err := h.proveFor(ctx, path, who, theirs); err != nil {
			return err
		}
	}
	return nil
}

// withoutNoExec are the grants as far as sudo-rs can show them: its list of
// rules leaves NOEXEC out (its src/sudoers/entry/verbose.rs).
func withoutNoExec(grants []sudo.Grant) []sudo.Grant {
	shown := slices.Clone(grants)
	for i := range shown {
		shown[i].NoExec = false
	}
	return shown
}

// byWho groups grants by the user or the %group that they are for.
func byWho(grants []sudo.Grant) map[string][]sudo.Grant {
	by := map[string][]sudo.Grant{}
	for _, g := range grants {
		who := g.User
		if who == "" {
			who = "%" + g.Group
		}
		by[who] = append(by[who], g)
	}
	return by
}

// proveFor proves the grants of one user, or proves those of a group by one of
// its members. A group without members grants nothing yet.
func (h *Host) proveFor(ctx context.Context, path, who string, grants []sudo.Grant) error {
	user, found, err := member(ctx, who)
	if err != nil || !found {
		return err
	}
	if err := proveRules(ctx, path, user.name, grants); err != nil {
		return err
	}
	return tryStatus(ctx, path, user, grants)
}

// member is the user that a rule is for, or a member of its %group: a user whom
// the group lists, or one whose primary group it is.
func member(ctx context.Context, who string) (user account, found bool, err error) {
	name, isGroup := strings.CutPrefix(who, "%")
	if !isGroup {
		return lookupUser(ctx, who)
	}
	g, found, err := lookupGroup(ctx, name)
	if err != nil || !found {
		return account{}, false, err
	}
	for _, m := range g.members {
		if user, found, err = lookupUser(ctx, m); err != nil || found {
			return user, found, err
		}
	}
	name, err = primaryMember(g.gid)
	if name == "" || err != nil {
		return account{}, false, err
	}
	return lookupUser(ctx, name)
}

// proveRules asks sudo for the user's rules and finds the rule that decides
// over each command. "sudo -l COMMAND" is no proof: it also succeeds where a
// password is asked for.
func proveRules(ctx context.Context, path, user string, grants []sudo.Grant) error {
	rules, err := sudoRules(ctx, path, user)
	if err != nil {
		return err
	}
	for _, g := range grants {
		command := strings.Join(g.Args, " ")
		rule, found := rules.Decides(g.Args)
		lack := rule.Lacks(g)
		switch {
		case found && lack == "":
			continue
		case !rules.Has(g):
			return fmt.Errorf("sudo does not read our rule that lets %s run %q; %s", user, command, includedQuestion)
		default:
			return fmt.Errorf("another sudo rule wins over ours, since it comes later, and %s: for %q as %s the last matching rule is: %s",
				lack, command, user, rule)
		}
	}
	return nil
}

// includedQuestion asks for the usual reason why sudo does not know a rule.
const includedQuestion = `is the directory of the sudoers file (option "sudoers_file") included by /etc/sudoers ("@includedir /etc/sudoers.d")?`

// sudoRules are the rules that sudo has for a user.
func sudoRules(ctx context.Context, path, user string) (sudo.List, error) {
	list := program{path: path, args: []string{"-ll", "-U", user}}
	out, err := list.run(ctx)
	if err == nil && out.status != 0 && wantsTerminal(out) { // also of root, whatever it allows the user
		list.tty = true
		out, err = list.run(ctx)
	}
	if err != nil {
		return sudo.List{}, err
	}
	if out.status != 0 && !strings.Contains(out.all(), " is not allowed to run sudo on ") { // how an old sudo says that there are none
		return sudo.List{}, fmt.Errorf("cannot list what %s may do by sudo; %s: %s", user, includedQuestion, strings.Join(lines(out.all()), "; "))
	}
	settings := sudo.Defaults(out.stdout)
	return sudo.List{Entries: sudo.WithDefaults(sudo.ParseList(out.stdout), settings), Settings: settings, SameFile: sameFile}, nil
}

// wantsTerminal reports whether sudo has refused since it has no terminal: the
// option requiretty of sudoers(5).
func wantsTerminal(o output) bool { return strings.Contains(o.stderr, "must have a tty") }

// sameFile reports whether two paths lead to the same file, as far as that can
// be seen.
func sameFile(a, b string) bool {
	a, aErr := resolved(a)
	b, bErr := resolved(b)
	return aErr == nil && bErr == nil && a == b
}

// otherRules warns of what else sudo has for those to whom a sudoers file that is
// yet to be installed grants something. Where sudo does not list it, the proof of
// the grants will say why.
func (h *Host) otherRules(ctx context.Context, file converge.File) (warnings []string) {
	path, err := find(sudoPaths[:])
	if err != nil {
		return []string{"could not look: " + err.Error()}
	}
	for who, theirs := range byWho(file.Grants) {
		user, found, err := member(ctx, who)
		if err != nil || !found || path == "" {
			continue
		}
		rules, err := sudoRules(ctx, path, user.name)
		if err != nil {
			continue
		}
		warnings = append(warnings, rootAlready(rules, user)...)
		if h.Check {
			warnings = append(warnings, overruled(rules, user, file.Path, theirs)...)
		}
	}
	slices.Sort(warnings)
	return warnings
}

// rootAlready warns of a user whom other rules make root without a password, so
// that no rule of ours restricts that user.
func rootAlready(rules sudo.List, user account) (warnings []string) {
	if setting := rules.Preloads(); setting != "" {
		warnings = append(warnings, fmt.Sprintf("by sudo's setting %s %s may give LD_PRELOAD to what root runs, so that each rule, also of this service, "+
			"makes root; take it out of Defaults, which grep -r Defaults /etc/sudoers /etc/sudoers.d shows, with visudo -f", shell.Word(setting), user.name))
	}
	rules.Theirs = func(path string) bool { return changeable(path, user) }
	if root := rules.RootRules(); len(root) > 0 {
		warnings = append(warnings, fmt.Sprintf("%s can become root without a password by other rules of sudo, "+
			"so it restricts nothing that this service grants only a few; it needs none of these, so take them away, fix their arguments, or make their files root's; visudo -f and the name of the file: %s", user.name, someOf(withSources(root, user.name))))
	}
	return warnings
}

// overruled warns of rules in files that sudo reads after one that is yet to be
// installed, and that would decide over its grants. It is for check mode only: in
// a real run the grants are proven. Before 1.9.14 sudo does not tell files, and
// they are looked for.
func overruled(rules sudo.List, user account, file string, grants []sudo.Grant) (warnings []string) {
	if strings.Contains(rules.Settings, "requiretty") && !strings.Contains(rules.Settings, "!requiretty") {
		warnings = append(warnings, "the real run would fail: "+fmt.Sprintf(noTerminal, user.name))
	}
	later := sudo.List{SameFile: rules.SameFile}
	for _, rule := range withSources(rules.Rules(), user.name) {
		if filepath.Dir(rule.Source) == filepath.Dir(file) && rule.Source > file {
			rule.Commands = []string{rule.Command}
			later.Entries = append(later.Entries, rule.Entry)
		}
	}
	for _, g := range grants {
		if rule, found := later.Decides(g.Args); found && rule.Lacks(g) != "" {
			return append(warnings, fmt.Sprintf("another sudo rule would win over ours, since sudo reads %s after %s, and the real run would fail: for %q as %s: %s; "+
				"set sudoers_file to a name that sorts behind it", rule.Source, file, strings.Join(g.Args, " "), user.name, rule.Text()))
		}
	}
	return warnings
}

// maxShown is how many rules a warning shows.
const maxShown = 5

// someOf names the first few rules.
func someOf(rules []sudo.Decision) string {
	var texts []string
	for _, r := range rules[:min(len(rules), maxShown)] {
		texts = append(texts, r.String())
	}
	if more := len(rules) - len(texts); more > 0 {
		texts = append(texts, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(texts, "; ")
}

const noTerminal = "requiretty is set in the host's sudoers, so sudo works with a terminal only, and a deploy has none; " +
	"add \"Defaults:%s !requiretty\" to a file in /etc/sudoers.d (with Capistrano's \"set :pty, true\" a deploy has one, and this proof has not)"

// tryStatus runs the status command as the user and without a terminal, as a
// deploy does; the command changes nothing. It is run as people type it: sudo
// finds systemctl by secure_path of sudoers(5), where that is set. sudo exits
// with 1 when it refuses. When it does not refuse, it may complain of other
// things, such as a host name that does not resolve.
func tryStatus(ctx context.Context, path string, user account, grants []sudo.Grant) error {
	for _, g := range grants {
		if len(g.Args) < 2 || g.Args[1] != "status" {
			continue
		}
		who, err := user.credential()
		if err != nil {
			return err
		}
		typed := append([]string{filepath.Base(g.Args[0])}, g.Args[1:]...)
		out, err := program{path: path, args: append([]string{"-n", "--"}, typed...), as: who}.run(ctx)
		if err != nil {
			return err
		}
		if out.status == 1 && wantsTerminal(out) {
			return fmt.Errorf("cannot run %q as %s by sudo: "+noTerminal+": %s",
				strings.Join(g.Args, " "), user.name, user.name, strings.Join(lines(out.stderr), "; "))
		}
		if refuses(out) {
			whole, err := program{path: path, args: append([]string{"-n", "--"}, g.Args...), as: who}.run(ctx)
			if err == nil && !refuses(whole) {
				dir := filepath.Dir(g.Args[0])
				return fmt.Errorf("sudo lets %s run %q, and not %q, since it looks for the program elsewhere: have %s in secure_path before what has "+
					"another %s (grep -r secure_path /etc/sudoers /etc/sudoers.d; visudo changes it): %s", user.name, strings.Join(g.Args, " "),
					strings.Join(typed, " "), dir, typed[0], strings.Join(lines(out.stderr), "; "))
			}
			return fmt.Errorf("cannot run %q as %s by sudo without a password: %s", strings.Join(g.Args, " "), user.name, strings.Join(lines(out.stderr), "; "))
		}
		return nil
	}
	return nil
}

// refuses reports whether it was sudo that ended a command.
func refuses(o output) bool { return o.status == 1 && strings.Contains("\n"+o.stderr, "\nsudo") }

// credential is the identity to run a program with as that user.
func (a account) credential() (*syscall.Credential, error) {
	c := &syscall.Credential{Uid: uint32(a.uid), Gid: uint32(a.gid)}
	groups, err := groupsOf(a.name)
	for _, g := range groups {
		c.Groups = append(c.Groups, uint32(g))
	}
	return c, err
}

// RestartBySudo has a user restart a service by sudo, as a deploy does: without a
// terminal, a password or what sudo remembers of one. It tells whether that was
// done, and what was said.
func (h *Host) RestartBySudo(ctx context.Context, user, service string, limit time.Duration) (done bool, said string, err error) {
	path, err := find(sudoPaths[:])
	if err != nil {
		return false, "", err
	}
	account, found, err := lookupUser(ctx, user)
	if err != nil || !found || path == "" {
		return false, "", cmp.Or(err, errors.New("cannot find sudo and the user "+user))
	}
	who, err := account.credential()
	if err != nil {
		return false, "", err
	}
	out, err := program{path: path, args: []string{"-n", "-k", "systemctl", "restart", service}, as: who, limit: limit}.run(ctx)
	if errors.Is(err, errNotEnded) {
		return false, "systemctl did not end within " + limit.String(), nil
	}
	return out.status == 0, out.all(), err
}
