// SPDX-License-Identifier: GPL-3.0-or-later

package host

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge"
)

// listings are what "sudo -ll -U deploy" prints for one and the same policy,
// by version of sudo.
func listings(t *testing.T) map[string]string {
	t.Helper()
	paths, err := filepath.Glob("testdata/sudo-ll/*.txt")
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
		entries := parseSudoList(text)
		if got, want := len(entries), strings.Count(text, "Sudoers entry:"); got != want {
			t.Errorf("sudo %s: %d entries, want %d", version, got, want)
		}
		for i, e := range entries {
			if len(e.runAs) == 0 || len(e.commands) == 0 {
				t.Errorf("sudo %s: entry %d lacks something: %+v", version, i, e)
			}
			if fromFile := version == "1.9.16p2"; fromFile != (e.source == "/etc/sudoers.d/t") {
				t.Errorf("sudo %s: entry %d is from %q", version, i, e.source)
			}
		}
		first := entries[0]
		if !slices.Equal(first.commands, []string{"/usr/bin/systemctl status sidekiq", "/usr/bin/systemctl status sidekiq.service"}) {
			t.Errorf("sudo %s: the commands are %q", version, first.commands)
		}
		if !slices.Contains(first.options, "!authenticate") || slices.Contains(first.options, "noexec") == strings.HasPrefix(version, "rs") {
			t.Errorf("sudo %s: the options are %q", version, first.options)
		}
	}
}

func TestTheLastRuleThatIsForRootDecides(t *testing.T) {
	for version, text := range listings(t) {
		entries := parseSudoList(text)
		for command, want := range map[string]string{
			"/usr/bin/systemctl restart sidekiq": "/usr/bin/systemctl restart *", // (%sudo) and (deploy : adm) come later
			"/usr/bin/cat":                       "ALL",
		} {
			rule, found := decides(entries, converge.Grant{Args: strings.Fields(command)})
			if !found || rule.command != want {
				t.Errorf("sudo %s: over %q decides %v, want %q", version, command, rule, want)
			}
		}
	}
}

// listing is one entry per rule: RunAsUsers, options, commands.
func listing(rules ...[3]string) []sudoEntry {
	var text strings.Builder
	for _, r := range rules {
		text.WriteString("\nSudoers entry:\n    RunAsUsers: " + r[0] + "\n")
		if r[1] != "" {
			text.WriteString("    Options: " + r[1] + "\n")
		}
		text.WriteString("    Commands:\n\t" + strings.ReplaceAll(r[2], "; ", "\n\t") + "\n")
	}
	return parseSudoList(text.String())
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
			grant := converge.Grant{User: "deploy", Args: strings.Fields(command), NoExec: true}
			rule, found := decides(listing(ours, test.other), grant)
			if !found {
				t.Fatal("no rule decides")
			}
			if got := rule.missing(grant); (got == "") != (test.want == "") || !strings.HasPrefix(got, test.want) {
				t.Errorf("%q, want %q, of %v", got, test.want, rule)
			}
			if rule, _ := decides(listing(test.other, ours), grant); rule.missing(grant) != "" {
				t.Errorf("it counts although it comes first: %v", rule)
			}
		})
	}
	if rule, found := decides(listing(ours), converge.Grant{Args: []string{"/usr/bin/systemctl", "stop", "sidekiq"}}); found {
		t.Errorf("over something that is not granted decides %v", rule)
	}
}

func TestARuleIsNamedAsInSudoers(t *testing.T) {
	rule := sudoRule{sudoEntry: sudoEntry{source: "/etc/sudoers.d/zz", runAs: []string{"root"}, options: []string{"noexec", "!authenticate"}}, command: "/bin/ls"}
	if got, want := rule.String(), "(root) NOEXEC: NOPASSWD: /bin/ls in /etc/sudoers.d/zz"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
