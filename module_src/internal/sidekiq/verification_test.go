// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"strings"
	"testing"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/ansible"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge"
)

func parseVerify(t *testing.T, args string) (*Verification, error) {
	t.Helper()
	r, err := ansible.ReadRequest("-", strings.NewReader(args))
	if err != nil {
		t.Fatal(err)
	}
	return ParseVerify(r)
}

func TestTheFirstOfSudoUsersVerifies(t *testing.T) {
	for args, want := range map[string]string{
		`{}`:                                                "",
		`{"user": "deploy"}`:                                "deploy",
		`{"sudo_users": "bess, deploy"}`:                    "bess",
		`{"sudo_users": ["bess"]}`:                          "bess",
		`{"user": "app", "sudo_users": ""}`:                 "app",
		`{"user": "app", "sudo_users": []}`:                 "app",
		`{"user": "app", "sudo_users": ["bess", "deploy"]}`: "bess",
	} {
		v, err := parseVerify(t, args)
		if err != nil || v.User != want {
			t.Errorf("%s: got %+v, %v", args, v, err)
		}
	}
}

func TestWhatSudoMayHaveRefused(t *testing.T) {
	v, err := parseVerify(t, `{}`)
	if err != nil {
		t.Fatal(err)
	}
	found := Report{User: "deploy", Rules: []string{"(ALL) ALL"}}
	for said, want := range map[string]string{
		"sudo: a password is required":                                                                                 "without a password: sudo: a password is required. Run the role, which grants it, or where it has, take away the rule behind it that asks. The rules that sudo has for deploy, of which the last that fits counts: (ALL) ALL.",
		"sudo: interactive authentication is required":                                                                 "without a password",
		"sudo: I'm sorry deploy. I'm afraid I can't do that":                                                           "without a password",
		"Sorry, user deploy is not allowed to execute '/bin/systemctl restart sidekiq' as root on host.":               "without a password",
		"deploy is not in the sudoers file.  This incident will be reported.":                                          "without a password",
		"sudo: sorry, you must have a tty to run sudo":                                                                 `"Defaults:deploy !requiretty" in a file of`,
		"sudo: Account expired or PAM config lacks an \"account\" section for sudo, contact your system administrator": "the account has expired",
		"sudo: account validation failure, is your account locked?":                                                    "See chage -l deploy on the host.",
		"sudo: unable to resolve host x\nFailed to restart sidekiq.service: Unit sidekiq.service is masked.":           "",
		"": "",
	} {
		got := v.Refusal(&found, said)
		if got != "" && want == "" || !strings.Contains(got, want) {
			t.Errorf("%q: got %q", said, got)
		}
	}
}

func process(name string, pid, restarts int) UnitReport {
	state := "active"
	if pid == 0 {
		state = "activating"
	}
	return UnitReport{Unit: converge.Unit{Name: name, Process: converge.Process{ActiveState: state, MainPID: pid, Restarts: restarts}}}
}

func TestWhatIsUpAgain(t *testing.T) {
	before := []UnitReport{process("s@1.service", 7, 0), process("s@2.service", 8, 0)}
	for _, test := range []struct {
		after []UnitReport
		up    bool
	}{
		{[]UnitReport{process("s@1.service", 9, 0), process("s@2.service", 10, 0)}, true},
		{[]UnitReport{process("s@1.service", 9, 0), process("s@2.service", 8, 0)}, false},
		{[]UnitReport{process("s@1.service", 9, 0), process("s@2.service", 10, 1)}, false},
		{[]UnitReport{process("s@1.service", 9, 0), process("s@2.service", 0, 0)}, false},
		{nil, false},
	} {
		v, err := parseVerify(t, `{"name": "s"}`)
		if err != nil {
			t.Fatal(err)
		}
		up, text := v.Judge(&Attempt{Before: Report{Processes: before}, After: Report{User: "deploy", Processes: test.after}})
		if up != test.up || strings.Contains(text, "does not stay up") == up {
			t.Errorf("%+v: got %t, %s", test.after, up, text)
		}
	}
}
