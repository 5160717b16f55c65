// SPDX-License-Identifier: GPL-3.0-or-later

package sudo

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// listings are what "sudo -ll -U deploy" prints for one and the same policy, by
// version of sudo.
func listings(t *testing.T) map[string]string {
	t.Helper()
	paths, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(paths) == 0 {
		t.Fatal("no listings", err)
	}
	texts := map[string]string{}
	for _, p := range paths {
		text, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		texts[strings.TrimSuffix(filepath.Base(p), ".txt")] = string(text)
	}
	return texts
}

func TestParseSudoListReadsEveryEntryOfRealListings(t *testing.T) {
	for version, text := range listings(t) {
		entries := ParseList(text)
		if got, want := len(entries), strings.Count(text, "Sudoers entry:"); got != want {
			t.Errorf("sudo %s: %d entries, want %d", version, got, want)
		}
		for i, e := range entries {
			if len(e.RunAs) == 0 || len(e.Commands) == 0 {
				t.Errorf("sudo %s: entry %d lacks something: %+v", version, i, e)
			}
			if fromFile := version == "1.9.16p2"; fromFile != (e.Source == "/etc/sudoers.d/t") {
				t.Errorf("sudo %s: entry %d is from %q", version, i, e.Source)
			}
		}
		first := entries[0]
		if !slices.Equal(first.Commands, []string{"/usr/bin/systemctl status sidekiq", "/usr/bin/systemctl status sidekiq.service"}) {
			t.Errorf("sudo %s: the commands are %q", version, first.Commands)
		}
		if !slices.Contains(first.Options, "!authenticate") || slices.Contains(first.Options, "noexec") == strings.HasPrefix(version, "rs") {
			t.Errorf("sudo %s: the options are %q", version, first.Options)
		}
	}
}

// What sudo has from LDAP or SSSD has a heading of its own (its source, display.c
// and, before 1.8.23, ldap.c and sssd.c).
func TestARoleOfADirectoryIsAnEntryOfItsOwn(t *testing.T) {
	for _, role := range []string{"LDAP Role: admins", "SSSD Role: admins"} {
		entries := ParseList("\nSudoers entry: /etc/sudoers.d/x\n    RunAsUsers: root\n    Options: !authenticate\n    Commands:\n\t/usr/bin/systemctl restart sidekiq\n" +
			"\n" + role + "\n    RunAsUsers: ALL\n    Commands:\n\tALL\n")
		rule, _ := list(entries).Decides([]string{"/usr/bin/systemctl", "restart", "sidekiq"})
		if got, want := rule.String(), "(ALL) ALL in "+role; got != want || rule.Lacks(Grant{}) != "asks for a password" {
			t.Errorf("%q decides, want %q", got, want)
		}
		if _, all := list(entries).Root(); all {
			t.Errorf("%s: who is asked for a password is root already", role)
		}
	}
}

func TestTheLastRuleThatIsForRootDecides(t *testing.T) {
	for version, text := range listings(t) {
		entries := ParseList(text)
		for command, want := range map[string]string{
			"/usr/bin/systemctl restart sidekiq": "/usr/bin/systemctl restart *", // (%sudo) and (deploy : adm) come later
			"/usr/bin/cat":                       "ALL",
		} {
			rule, found := list(entries).Decides(strings.Fields(command))
			if !found || rule.Command != want {
				t.Errorf("sudo %s: over %q decides %v, want %q", version, command, rule, want)
			}
		}
	}
}

// list is the list of a host on which each path is a program of its own.
func list(entries []Entry) List {
	return List{Entries: entries, SameFile: func(a, b string) bool { return a == b }}
}

// listing is one entry per rule: RunAsUsers, options, commands.
func listing(rules ...[3]string) []Entry {
	var text strings.Builder
	for _, r := range rules {
		text.WriteString("\nSudoers entry:\n    RunAsUsers: " + r[0] + "\n")
		if r[1] != "" {
			text.WriteString("    Options: " + r[1] + "\n")
		}
		text.WriteString("    Commands:\n\t" + strings.ReplaceAll(r[2], "; ", "\n\t") + "\n")
	}
	return ParseList(text.String())
}

func TestWhatAnotherRuleTakesAwayIsSaid(t *testing.T) {
	const command = "/usr/bin/systemctl status sidekiq"
	ours := [3]string{"root", "noexec, !authenticate", command}
	for _, test := range []struct {
		name  string
		other [3]string
		want  string
	}{
		{"asks for a password", [3]string{"ALL", "", "ALL"}, "asks for a password"},
		{"forbids", [3]string{"ALL", "!authenticate", "ALL; !/usr/bin/systemctl"}, "forbids it"},
		{"forbids by its arguments", [3]string{"root", "", "!/usr/bin/systemctl * sidekiq"}, "forbids it"},
		{"forbids a directory", [3]string{"root", "", "!/usr/bin/"}, "forbids it"},
		{"forbids all letters but one", [3]string{"root", "", "!/usr/bin/systemctl [!r]* sidekiq"}, "forbids it"},
		{"a class of characters", [3]string{"root", "", "/usr/bin/systemctl s[[:alpha:]]* sidekiq"}, "asks for a password"},
		{"a class that cannot be judged", [3]string{"root", "", "/usr/bin/systemctl s[[:graph:]]* sidekiq"}, "asks for a password"},
		{"a class of other characters", [3]string{"root", "", "/usr/bin/systemctl s[[:digit:]]* sidekiq"}, ""},
		{"another program by a class", [3]string{"root", "", "/usr/bin/job[[:digit:]]"}, ""},
		{"a regular expression", [3]string{"root", "", "/usr/bin/systemctl ^status .*$"}, "asks for a password"},
		{"a digest", [3]string{"root", "", "sha224:d14a028c, sha256:e3b0c442 /usr/bin/systemctl"}, "asks for a password"},
		{"without NOEXEC", [3]string{"root", "!authenticate", command}, "lets it start other programs"},
		{"an alias that sudo-rs does not spell out", [3]string{"ADMINS", "", "ALL"}, "asks for a password"},
		{"everything without a password", [3]string{"ALL", "!authenticate", "ALL"}, ""},
		{"another command", [3]string{"ALL", "", "/usr/bin/systemctl status sidekiq.service"}, ""},
		{"an argument more", [3]string{"ALL", "", command + " --no-pager"}, ""},
		{"another program of the same name", [3]string{"ALL", "", "/opt/bin/systemctl"}, ""},
		{"another user", [3]string{"www-data", "", "ALL"}, ""},
		{"everybody but root", [3]string{"ALL, !root", "", "ALL"}, ""},
		{"a group's members", [3]string{"%admin", "", "ALL"}, ""},
		{"an editor", [3]string{"ALL", "", "sudoedit /etc/motd"}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			grant := Grant{User: "deploy", Args: strings.Fields(command), NoExec: true}
			rule, found := list(listing(ours, test.other)).Decides(grant.Args)
			if !found {
				t.Fatal("no rule decides")
			}
			if got := rule.Lacks(grant); (got == "") != (test.want == "") || !strings.HasPrefix(got, test.want) {
				t.Errorf("%q, want %q, of %v", got, test.want, rule)
			}
			if rule, _ := list(listing(test.other, ours)).Decides(grant.Args); rule.Lacks(grant) != "" {
				t.Errorf("it counts although it comes first: %v", rule)
			}
		})
	}
	if rule, found := list(listing(ours)).Decides([]string{"/usr/bin/systemctl", "stop", "sidekiq"}); found {
		t.Errorf("over something that is not granted decides %v", rule)
	}
}

func TestAProgramIsKnownByItsOtherPaths(t *testing.T) {
	l := List{Entries: listing([3]string{"root", "", "/bin/systemctl"}), SameFile: func(a, b string) bool { return true }}
	if _, found := l.Decides([]string{"/usr/bin/systemctl", "stop", "x"}); !found {
		t.Error("/bin/systemctl is not taken for /usr/bin/systemctl")
	}
	if _, found := l.Decides([]string{"/usr/bin/other"}); found {
		t.Error("/bin/systemctl is taken for /usr/bin/other")
	}
}

func TestARuleIsNamedAsInSudoers(t *testing.T) {
	rule := Decision{Entry: Entry{Source: "/etc/sudoers.d/zz", RunAs: []string{"root"}, Options: []string{"noexec", "!authenticate"}}, Command: "/bin/ls"}
	if got, want := rule.String(), "(root) NOEXEC: NOPASSWD: /bin/ls in /etc/sudoers.d/zz"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// FuzzParseList: whatever sudo prints, each rule that decides is one that was
// printed, and nothing is allowed that no line says.
func FuzzParseList(f *testing.F) {
	f.Add("Sudoers entry: /etc/sudoers.d/x\n    RunAsUsers: root\n    Options: !authenticate\n    Commands:\n\t/bin/systemctl restart x\n")
	f.Add("Sudoers entry:\n    RunAsUsers: ALL\n    Commands:\n\tALL\n\t!sha224:x /bin/sh a*\n")
	f.Fuzz(func(t *testing.T, text string) {
		list := List{Entries: ParseList(text), SameFile: func(a, b string) bool { return a == b }}
		args := []string{"/usr/bin/systemctl", "restart", "sidekiq"}
		rule, found := list.Decides(args)
		if found && (rule.Command == "" || !strings.Contains(text, rule.Command)) {
			t.Errorf("%q decides, which nobody printed", rule.Command)
		}
		grant := Grant{User: "deploy", Args: args, NoExec: true}
		if found && rule.Lacks(grant) == "" && !strings.Contains(text, "!authenticate") {
			t.Error("a password is not asked for, and no line says so")
		}
		_, _ = list.Root()
		_ = list.RootRules()
	})
}
