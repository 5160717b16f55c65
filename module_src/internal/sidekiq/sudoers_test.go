// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/ansible"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/oracle"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/sudo"
)

func quoteJSON(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(text)
}

var (
	sudoersName    = `(%?[a-z_][a-z0-9_.-]*|"%?[ -!#-~]+")`
	sudoersCommand = `(?:/[^\s,:=\\]+)(?: (?:[^\s,:=\\*?\[\]!()"]|\\[,:=\\])+)+`
	sudoersLine    = regexp.MustCompile(`^` + sudoersName + ` ALL=\(root\) NOPASSWD:( NOEXEC:)? (` + sudoersCommand + `(?:, ` + sudoersCommand + `)*)$`)
	sudoersEscape  = regexp.MustCompile(`\\([,:=\\])`)
)

// readSudoers reads a file as both sudo and sudo-rs do (sudoers(5), "User
// Specification"). It fails at whatever one of them could read differently.
func readSudoers(text string) ([]sudo.Grant, error) {
	var grants []sudo.Grant
	for line := range strings.SplitSeq(strings.TrimSuffix(text, "\n"), "\n") {
		if regexp.MustCompile(`^# [^\r\x00]*[^\\]$`).MatchString(line) {
			continue
		}
		m := sudoersLine.FindStringSubmatch(line)
		if m == nil {
			return nil, fmt.Errorf("not a plain user specification: %q", line)
		}
		name := strings.Trim(m[1], `"`)
		if name == "ALL" || name == "Defaults" || m[1] == "sudoedit" || m[1] == "list" || strings.ContainsAny(name[:1], "+#!") {
			return nil, fmt.Errorf("not a name: %q", name)
		}
		for command := range strings.SplitSeq(m[3], ", ") {
			g := sudo.Grant{User: name, NoExec: m[2] != ""}
			if group, ok := strings.CutPrefix(name, "%"); ok {
				g.User, g.Group = "", group
			}
			for word := range strings.SplitSeq(command, " ") {
				g.Args = append(g.Args, sudoersEscape.ReplaceAllString(word, "$1"))
			}
			grants = append(grants, g)
		}
	}
	return grants, nil
}

// FuzzSudoers puts one value into every option that reaches the sudoers file.
// What sudo reads is exactly the grants of the wanted state, and these are
// exactly the grants asked for.
func FuzzSudoers(f *testing.F) {
	for _, v := range oracle.Hostile() {
		f.Add(v)
	}
	f.Fuzz(func(t *testing.T, v string) {
		for option, value := range reachingSudoers(v) {
			task := map[string]any{"project_name": "p", option: value}
			s, err := parse(quoteJSON(task))
			if err != nil {
				if !strings.Contains(err.Error(), `option "`+option+`"`) && !strings.Contains(err.Error(), "arguments") {
					t.Fatalf("%s is refused without its name: %v", option, err)
				}
				continue
			}
			checkSudoers(t, option, s)
		}
	})
}

// reachingSudoers are the options that reach the sudoers file, with v in each.
func reachingSudoers(v string) map[string]any {
	return map[string]any{
		"name": v, "project_name": v, "user": v, "sudo_users": []string{v}, "sudo_groups": []string{v}, "sudoers_file": "/etc/sudoers.d/" + v,
	}
}

func checkSudoers(t *testing.T, option string, s Service) {
	t.Helper()
	want, _, _ := s.Want(debian12())
	file := want.Files[1]
	got, err := readSudoers(file.Content)
	if err != nil {
		t.Fatalf("%s: %v", option, err)
	}
	if d := cmp.Diff(file.Grants, got); d != "" {
		t.Fatalf("%s: sudo reads other grants (-want +read):\n%s", option, d)
	}
	count := (len(s.SudoUsers) + len(s.SudoGroups)) * 6 * 2
	if len(got) != count {
		t.Fatalf("%s: %d grants, want %d", option, len(got), count)
	}
	for _, g := range got {
		who := g.User
		if g.Group != "" {
			who = g.Group
		}
		unit := g.Args[len(g.Args)-1]
		if !contains(append(s.SudoUsers, s.SudoGroups...), who) || g.Args[0] != "/usr/bin/systemctl" ||
			!plainVerb(g.Args[1:len(g.Args)-1]) || unit != s.Name && unit != s.Unit() || g.NoExec != (g.Args[1] == "status") {
			t.Fatalf("%s: grant %+v", option, g)
		}
	}
}

// plainVerb reports whether words are a verb of systemctl, or the one signal.
func plainVerb(words []string) bool {
	return len(words) == 1 || slices.Equal(words, []string{"kill", "-s", "TSTP"})
}

func TestSudoersNamesNobodyElse(t *testing.T) {
	for _, name := range []string{
		"ALL", "root:x", "%wheel", "+net", "#0", "#1000", "!deploy", "1000", "-x", "a\"b", `DOM\joe`, "a,b", "a:b", "a=b", "a(b", "a*", "@include x", "Defaults", "User_Alias", "'", "$x", ";", "~", "a b;c", strings.Repeat("x", 256), "a\nb ALL=(ALL) ALL", "ä", "",
	} {
		if _, err := parse(quoteJSON(map[string]any{"project_name": "p", "sudo_users": []string{name}})); err == nil && name != "" {
			t.Errorf("%q is accepted", name)
		}
	}
}

func TestUserThatIsNotForSudoersIsFineWithoutSudo(t *testing.T) {
	if _, err := parse(`{"project_name": "p", "user": "DOM\\joe"}`); err == nil || !strings.Contains(err.Error(), "sudo_users") {
		t.Errorf("got %v, want an error that names a way out", err)
	}
	mustParse(t, `{"project_name": "p", "user": "DOM\\joe", "sudo": false}`)
	mustParse(t, `{"project_name": "p", "user": "DOM\\joe", "sudo_users": ["deploy"]}`)
}

func TestANameWithADotIsRefusedOnlyWhereSudoWouldSkipItsFile(t *testing.T) {
	if _, err := parse(`{"project_name": "p", "name": "app.example"}`); err == nil || !strings.Contains(err.Error(), `option "name": sudo ignores files with a dot`) {
		t.Errorf("got %v", err)
	}
	mustParse(t, `{"project_name": "p", "name": "app.example", "sudo": false}`)
	mustParse(t, `{"project_name": "p", "name": "app.example", "sudoers_file": "/etc/sudoers.d/app"}`)
	mustParse(t, `{"name": "app.example", "state": "absent"}`)
	if _, err := HealthService("app.example"); err != nil {
		t.Error(err)
	}
	if _, err := ParseVerify(ansible.Request{Args: map[string]any{"name": "app.example"}}); err != nil {
		t.Error(err)
	}
}

func TestSudoersIsReadBySudoRS(t *testing.T) {
	f := on(257)
	f.Sudo.RS = true
	if text := sudoersOf(t, `{"project_name": "p"}`, f); strings.Contains(text, "NOEXEC") {
		t.Errorf("NOEXEC, which sudo-rs before 0.2.7 does not know:\n%s", text)
	}
}

// TestASudoRSThatKnowsNoExecIsGivenIt has what sudo-rs prints for --version.
func TestASudoRSThatKnowsNoExecIsGivenIt(t *testing.T) {
	for said, knows := range map[string]bool{
		"sudo-rs 0.2.13-0ubuntu1\n": true, "sudo-rs 0.2.5-5+b1\n": false, "sudo-rs 0.2.13\n": true, "sudo-rs 0.2.7\n": true, "sudo-rs 0.3.0\n": true, "sudo-rs 1.0\n": true,
		"sudo-rs 0.2.6\n": false, "sudo-rs 0.2.5\nx": false, "Sudo version 1.9.13p3\n": false, "": false, "sudo-rs ": false,
	} {
		f := debian12()
		f.Sudo.RS, f.Sudo.NoExec = true, RSNoExec(said)
		text := sudoersOf(t, `{"project_name": "p"}`, f)
		if strings.Contains(text, " NOEXEC: ") != knows {
			t.Errorf("%q:\n%s", said, text)
		}
	}
}

func TestARightThatIsWithdrawnIsGone(t *testing.T) {
	facts := debian12()
	old, _ := want(t, `{"project_name": "p", "sudoers_file": "/etc/sudoers.d/old"}`, facts)
	second, _ := want(t, `{"project_name": "p", "name": "second"}`, facts)
	another, _ := want(t, `{"project_name": "q", "sudoers_file": "/etc/sudoers.d/another"}`, facts)
	for _, state := range []converge.State{old, second, another} {
		for _, f := range state.Files {
			if f.Kind == converge.SudoersFile {
				facts.Sudoers = append(facts.Sudoers, FileText{Path: f.Path, Content: f.Content})
			}
		}
	}
	for _, options := range []string{`{"project_name": "p"}`, `{"project_name": "p", "sudo": false}`, `{"project_name": "p", "state": "absent"}`} {
		state, _ := want(t, options, facts)
		var gone []string
		for _, f := range state.Files {
			if f.Kind == converge.SudoersFile && !f.Exists && f.Path != "/etc/sudoers.d/sidekiq-restart-users" {
				gone = append(gone, f.Path)
			}
		}
		if strings.Join(gone, " ") != "/etc/sudoers.d/old" {
			t.Errorf("%s: %v are to go", options, gone)
		}
	}
}

func TestRulesOfOthersForTheSameServiceAreNamed(t *testing.T) {
	for content, named := range map[string]bool{
		"deploy ALL=(ALL) NOPASSWD: /bin/systemctl restart sidekiq, \\\n  /bin/systemctl daemon-reload\n# x\n": true,
		"Defaults:deploy !requiretty\ndeploy ALL = NOPASSWD: /usr/sbin/service sidekiq *\n":                    true,
		"deploy ALL=(ALL) NOPASSWD: /bin/systemctl restart sidekiq, /bin/systemctl restart puma\n":             false,
		"%deploy ALL= NOPASSWD: /bin/systemctl restart sidekiq\n":                                              true,
		"Cmnd_Alias S = /bin/systemctl stop sidekiq, /etc/init.d/sidekiq\ndeploy ALL=NOPASSWD:S\n":             true,
		"Cmnd_Alias W = /bin/systemctl stop puma\ndeploy ALL=NOPASSWD:W, /bin/systemctl stop sidekiq\n":        false,
		"%ops ALL=(ALL) NOPASSWD: /bin/systemctl restart sidekiq\n":                                            false,
		"deploy ALL=(ALL) NOPASSWD: /bin/systemctl daemon-reload\n":                                            false,
		"deploy ALL=(ALL) NOPASSWD: /bin/systemctl restart sidekiq-hyrax\n":                                    false,
		"# sudoers\n": false,
		"deploy\tALL=(root) NOPASSWD: /bin/systemctl restart sidekiq # by hand\n":                         true,
		"deploy ALL=NOPASSWD: /bin/systemctl stop sidekiq\n#1001 ALL=(ALL) NOPASSWD: ALL\n":               false,
		"deploy ALL=NOPASSWD: /bin/systemctl stop sidekiq\n#includedir /etc/more\n":                       false,
		"deploy ALL=NOPASSWD: /bin/systemctl stop sidekiq : web=NOPASSWD: /bin/systemctl start sidekiq\n": false,
		"# " + marker("p") + "\ndeploy ALL=(root) NOPASSWD: /bin/systemctl restart sidekiq\n":             false,
	} {
		for _, options := range []string{`{"project_name": "p"}`, `{"state": "absent", "name": "sidekiq"}`} {
			f := debian12()
			f.Sudoers = []FileText{{Path: "/etc/sudoers.d/other", Content: content}}
			_, warnings, err := mustParse(t, options).Want(f)
			said := strings.Contains(strings.Join(warnings, "\n"), "removed with: rm /etc/sudoers.d/other")
			if err != nil || said != named {
				t.Errorf("%q with %s: %v, %q", content, options, err, warnings)
			}
		}
	}
}
