// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"strings"
	"testing"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge"
)

// oldRules4 and oldRules5 are the rules of the old role before and since January
// 2024.
func oldRules4() string {
	var b strings.Builder
	for _, verb := range []string{"start", "stop", "restart", "status"} {
		b.WriteString("deploy ALL=(ALL) NOPASSWD: /bin/systemctl " + verb + " sidekiq\n")
	}
	return b.String()
}

func oldRules5() string {
	return oldRules4() + "deploy ALL=(ALL) NOPASSWD: /bin/systemctl kill -s TSTP sidekiq\n"
}

func TestSudoersOfTheOldRoleAreAdopted(t *testing.T) {
	const other = `cannot write ` + sudoersPath + `: something else wrote it`
	for _, test := range []struct{ name, content, want string }{
		{"four commands", oldRules4(), ""},
		{"five commands", oldRules5(), ""},
		{"another order, another path", "deploy ALL=(ALL) NOPASSWD: /usr/bin/systemctl kill -s TSTP sidekiq\n\n# and\ndeploy ALL=(ALL) NOPASSWD: /bin/systemctl start sidekiq\n", ""},
		{"six, with reload", oldRules5() + "deploy ALL=(ALL) NOPASSWD: /bin/systemctl reload sidekiq\n", ""},
		{"with the type of the unit", "deploy ALL=(root) NOPASSWD: /bin/systemctl start sidekiq.service\ndeploy ALL=NOPASSWD:/bin/systemctl stop sidekiq.service\n", ""},
		{"on one line", "deploy ALL=(ALL) NOPASSWD: /bin/systemctl start sidekiq, /bin/systemctl stop sidekiq\n", ""},
		{"with tabs and a comment", "deploy\tALL=(ALL:ALL)  NOPASSWD:  /bin/systemctl\tstop   sidekiq # by hand\n", ""},
		{"a group's, too", oldRules5() + "%ops ALL=(ALL) NOPASSWD: /bin/systemctl restart sidekiq\n", other},
		{"another service's, too", oldRules5() + "deploy ALL=(ALL) NOPASSWD: /bin/systemctl stop sidekiq-hyrax\n", other},
		{"another user's, too", oldRules5() + "admin ALL=(ALL) NOPASSWD: /bin/systemctl stop sidekiq\n", other},
		{"another user's only", "admin ALL=(ALL) NOPASSWD: /bin/systemctl stop sidekiq\n", other},
		{"another user's by number", oldRules5() + "#1001 ALL=(ALL) NOPASSWD: /bin/systemctl stop sidekiq\n", other},
		{"everything, too", oldRules5() + "deploy ALL=(ALL) NOPASSWD: ALL\n", other},
		{"another signal", oldRules4() + "deploy ALL=(ALL) NOPASSWD: /bin/systemctl kill -s KILL sidekiq\n", other},
		{"a pattern", "deploy ALL=(ALL) NOPASSWD: /bin/systemctl restart sidekiq*\n", other},
		{"a setting", oldRules5() + "Defaults:deploy !requiretty\n", other},
		{"another file", oldRules5() + "#includedir /etc/sudoers.local\n", other},
		{"two files in one line", oldRules5() + "deploy ALL=(ALL) NOPASSWD: /bin/systemctl stop sidekiq, /bin/su\n", other},
		{"a password", "deploy ALL=(ALL) /bin/systemctl stop sidekiq\n", other},
		{"another systemctl", "deploy ALL=(ALL) NOPASSWD: /opt/bin/systemctl stop sidekiq\n", other},
		{"another unit", "deploy ALL=(ALL) NOPASSWD: /bin/systemctl restart nginx\n", other},
		{"nothing", "# Written by hand\n", other},
	} {
		s := mustParse(t, `{"project_name": "laevigata"}`)
		_, err := s.Conflicts(converge.State{}, rulesThere(test.content))
		checkConflict(t, test.name, err, test.want)
	}
	_, err := mustParse(t, `{"project_name": "laevigata", "name": "sidekiq-hyrax", "sudoers_file": "`+sudoersPath+`"}`).Conflicts(converge.State{}, rulesThere(oldRules5()))
	checkConflict(t, "of another service", err, other)
}

// As sudo-rs has them that knows no NOEXEC: but for the mark they are what the
// old role wrote.
func TestRulesOfOursAreOursAlsoWithoutNoexec(t *testing.T) {
	ours := "# " + marker("laevigata") + "\n" + oldRules5()
	for options, want := range map[string]string{
		`{"project_name": "laevigata"}`:                    "",
		`{"project_name": "laevigata", "state": "absent"}`: "",
		`{"state": "absent"}`:                              "",
		`{"project_name": "hyrax"}`:                        `cannot write ` + sudoersPath + `: it is of the project "laevigata"`,
	} {
		_, err := mustParse(t, options).Conflicts(converge.State{}, rulesThere(ours))
		checkConflict(t, options, err, want)
	}
}

func rulesThere(content string) converge.State {
	return converge.State{Files: []converge.File{{Path: sudoersPath, Kind: converge.SudoersFile, Exists: true, Content: content, Mode: 0o644}}}
}

func TestNoRightIsLostInSilence(t *testing.T) {
	for _, test := range []struct{ options, content, want string }{
		{``, oldRules5(), "run systemctl as every user, and from now on as root only"},
		{``, strings.ReplaceAll(oldRules5(), "(ALL)", "(root)"), ""},
		{`, "sudo_commands": ["restart", "status"]`, oldRules5(), "no longer allow: start, stop, kill_tstp; to keep it, set sudo_commands to [start, stop, restart, status, kill_tstp]"},
		{`, "sudo_users": ["bess"]`, oldRules4(), "no longer allow: start, stop, restart, status; to keep it, name deploy in sudo_users"},
		{
			`, "replace": true`, oldRules4() + "# x\n%ops ALL = NOPASSWD: /usr/sbin/service sidekiq restart, \\\n  /bin/systemctl daemon-reload\n",
			"which something else wrote, is replaced, and these of its rules go with it: %ops ALL = NOPASSWD: /usr/sbin/service sidekiq restart, /bin/systemctl daemon-reload",
		},
		{`, "sudo": false`, oldRules4(), "to keep it, set sudo: true"},
	} {
		warnings, err := mustParse(t, `{"project_name": "laevigata"`+test.options+`}`).Conflicts(converge.State{}, rulesThere(test.content))
		got := strings.Join(warnings, "\n")
		if err != nil || (test.want == "") != (got == "") || !strings.Contains(got, test.want) {
			t.Errorf("%s: %q, %v, want %q", test.options, got, err, test.want)
		}
	}
}
