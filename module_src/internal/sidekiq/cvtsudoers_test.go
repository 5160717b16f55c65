// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/oracle"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/sudo"
)

// cvtsudoers is the part that the test needs of what cvtsudoers(1) prints.
type cvtsudoers struct {
	Specs []struct {
		Users    []map[string]string `json:"User_List"`
		Hosts    []map[string]string `json:"Host_List"`
		Commands []struct {
			RunAs    []map[string]string `json:"runasusers"`
			Groups   []map[string]string `json:"runasgroups"`
			Options  []map[string]bool   `json:"Options"`
			Commands []map[string]string `json:"Commands"`
		} `json:"Cmnd_Specs"`
	} `json:"User_Specs"`
	Defaults       any
	UserAliases    any `json:"User_Aliases"`
	HostAliases    any `json:"Host_Aliases"`
	RunAsAliases   any `json:"Runas_Aliases"`
	CommandAliases any `json:"Command_Aliases"`
}

// readBySudo makes sudo's own parser read a sudoers file. It returns arguments
// joined by blanks, so a grant's words are compared as one.
func readBySudo(t *testing.T, text string) []sudo.Grant {
	t.Helper()
	program, err := exec.LookPath("cvtsudoers")
	if err != nil {
		t.Skip("no cvtsudoers here, which comes with sudo")
	}
	file := filepath.Join(t.TempDir(), "sudoers")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(program, "-f", "json", file).Output()
	if err != nil {
		t.Fatalf("cvtsudoers: %v\n%s", err, out)
	}
	var read cvtsudoers
	if err := json.Unmarshal(out, &read); err != nil {
		t.Fatal(err)
	}
	if read.Defaults != nil || read.UserAliases != nil || read.HostAliases != nil || read.RunAsAliases != nil || read.CommandAliases != nil {
		t.Fatalf("sudo reads more than grants: %s", out)
	}
	return grantsOf(t, read)
}

func grantsOf(t *testing.T, read cvtsudoers) []sudo.Grant {
	t.Helper()
	var grants []sudo.Grant
	for _, spec := range read.Specs {
		if len(spec.Users) != 1 || len(spec.Users[0]) != 1 || !cmp.Equal(spec.Hosts, []map[string]string{{"hostname": "ALL"}}) {
			t.Fatalf("not one user on all hosts: %+v", spec)
		}
		for _, c := range spec.Commands {
			options := map[string]bool{}
			for _, o := range c.Options {
				for name, value := range o {
					options[name] = value
				}
			}
			noExec := options["noexec"]
			delete(options, "noexec")
			if !cmp.Equal(c.RunAs, []map[string]string{{"username": "root"}}) || c.Groups != nil || !cmp.Equal(options, map[string]bool{"authenticate": false}) {
				t.Fatalf("not as root without a password: %+v", c)
			}
			for _, command := range c.Commands {
				grants = append(grants, sudo.Grant{
					User: spec.Users[0]["username"], Group: spec.Users[0]["usergroup"], Args: []string{command["command"]}, NoExec: noExec,
				})
			}
		}
	}
	return grants
}

// TestSudoItselfReadsExactlyTheGrants puts many names where they reach the
// sudoers file. Whatever is not refused, sudo reads as it was meant.
func TestSudoItselfReadsExactlyTheGrants(t *testing.T) {
	values := oracle.Hostile()
	r := rand.New(rand.NewPCG(1, 2))
	for range 4000 {
		values = append(values, oracle.Name(r))
	}
	for _, option := range []string{"name", "sudo_users", "sudo_groups"} {
		t.Run(option, func(t *testing.T) {
			var text strings.Builder
			var want []sudo.Grant
			taken := 0
			for _, v := range values {
				task := map[string]any{"project_name": "p", "sudoers_file": "/etc/sudoers.d/x", option: []string{v}}
				if option == "name" {
					task[option] = v
				}
				s, err := parse(quoteJSON(task))
				if err != nil {
					continue
				}
				state, _, _ := s.Want(debian12())
				taken++
				text.WriteString(state.Files[1].Content)
				for _, g := range state.Files[1].Grants {
					g.Args = []string{strings.Join(g.Args, " ")}
					want = append(want, g)
				}
			}
			if taken < 1000 {
				t.Errorf("only %d of %d names were taken", taken, len(values))
			}
			if d := cmp.Diff(want, readBySudo(t, text.String())); d != "" {
				t.Errorf("sudo reads other grants (-want +read):\n%s", d[:min(len(d), 3000)])
			}
		})
	}
}
