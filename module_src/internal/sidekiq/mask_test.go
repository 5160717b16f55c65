// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/systemd"
)

func maskOf(t *testing.T, env map[string]string) *Mask {
	t.Helper()
	options, err := json.Marshal(map[string]any{
		"project_name": "laevigata", "env": env, "app_env": "production", "queues": []string{"long_queue_name"}, "env_files": []string{"/etc/laevigata/env"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return mustParse(t, string(options)).Mask()
}

func TestValuesAreHiddenInWhateverIsShown(t *testing.T) {
	m := maskOf(t, map[string]string{"API_TOKEN": "HORSE\"BATTERY%staple", "REDIS_URL": "redis://:secret pass@localhost:6379/0", "P": "x://u:p%40ssw@h"})
	for _, text := range []string{
		`Ignoring invalid environment assignment 'export API_TOKEN=HORSE"BATTERY%staple': /etc/x`,
		`bad URI: "redis://:secret pass@localhost:6379/0" (URI::InvalidURIError)`,
		`String is not UTF-8 clean, ignoring assignment: Environment="API_TOKEN=HORSE\"BATTERY%%staple`,
		`cannot connect to h as u with secret pass, or p@ssw`, `API_TOKEN=HORSE"BATTE…, and more`, `GET /?token=HORSE%22BATTERY%25staple`,
	} {
		got := m.Text(text)
		for _, secret := range []string{"HORSE", "BATTERY", "secret", "p@ssw"} {
			if strings.Contains(got, secret) {
				t.Errorf("%s became %s", text, got)
			}
		}
	}
}

func TestPasswordsInURLsAreHiddenWhereTheyStandAlone(t *testing.T) {
	m := maskOf(t, map[string]string{"A": "amqp://a:HORSE@h,amqp://b:BATTERY@i", "B": "https://STAPLEstapleSTAPLE@h/x", "C": "postgres://postgres@db/x"})
	m.Secret("redis://u:CORRECT%40@h/0")
	for _, secret := range []string{"HORSE", "BATTERY", "STAPLEstapleSTAPLE", "CORRECT%40", "CORRECT@"} {
		if got := m.Text("refused: " + secret); got != "refused: (hidden)" {
			t.Errorf("%s became %s", secret, got)
		}
	}
	if got := m.Text("the user postgres"); got != "the user postgres" {
		t.Errorf("a name became %s", got)
	}
}

func TestWhatIsNoSecretIsNotHidden(t *testing.T) {
	m := maskOf(t, map[string]string{
		"A": "production", "B": "5", "C": "/opt/laevigata/shared/bundle", "D": "long_queue_name", "E": "/etc/laevigata", "F": "/opt/laevigata", "G": "1234567",
	})
	const text = "production 5 /opt/laevigata/shared/bundle/x long_queue_name /etc/laevigata/env 1234567 /opt/laevigata/current…"
	if got := m.Text(text); got != text {
		t.Errorf("got %s", got)
	}
}

func TestWhatACommandShowsIsHiddenOnlyBehindAnEqualsSign(t *testing.T) {
	m := maskOf(t, map[string]string{"PS": "worker.1", "TOKEN": "horse-battery"})
	m.Unit("[Service]\nEnvironment=RBENV_ROOT=/usr/local/rbenv \"URL=redis://:hunter2@db\"\n" +
		"ExecStart=/usr/local/rbenv/bin/rbenv exec bash -c 'exec -a lae-worker.1 sidekiq --token=\"horse-battery\" -r redis://:hunter2@db'\n")
	const want = "/usr/local/rbenv lae-worker.1 (hidden) redis://:(hidden)@db"
	if got := m.Text("/usr/local/rbenv lae-worker.1 horse-battery redis://:hunter2@db"); got != want {
		t.Errorf("got %s", got)
	}
}

func TestVariablesOfFilesAreHidden(t *testing.T) {
	m := maskOf(t, nil)
	m.Unit("[Service]\nEnvironment=A=from_the_unit\n#Environment=\"B=commented_out\" C=commented_too\n")
	m.EnvFile("export D=with_export\n E = 'in quotes, 1' \n#F=not_in_effect\nG=\"first line\nsecond line\"\nH=\"a\\x41bcdefgh\"\n")
	m.Secret("1234")
	const text = "from_the_unit commented_out commented_too with_export in quotes, 1 not_in_effect first line second line aAbcdefgh 1234"
	if got := strings.Trim(m.Text(text), "(hiden) \"'"); got != "" {
		t.Errorf("left: %q", got)
	}
}

func TestADiffShowsNoValueThatIsCommentedOut(t *testing.T) {
	before := "[Service]\n#Environment=\"A=HORSE\"\n ; environment = B=HORSE\nDescription=x\rA=HORSE\nType=simple\\\n#Environment=C=HORSE\n\nEnvironment=D=HORSE\r\n"
	shown, _ := RedactUnit(before, "")
	if strings.Contains(shown, "HORSE") || !strings.Contains(shown, "Type=simple") || !strings.Contains(shown, "Description=x") {
		t.Errorf("got %q", shown)
	}
}

func TestWhatSystemdTakesForNoCharacterIsRefused(t *testing.T) {
	for _, r := range []rune{0xfffe, 0xffff, 0x1fffe, 0x10ffff, 0xfdd0, 0xfdef} {
		if systemd.CheckText("a"+string(r)) == nil {
			t.Errorf("%U is accepted", r)
		}
	}
	for _, r := range []rune{0xfffc, 0xfdcf, 0xfdf0, 0x1f600, 'é'} {
		if err := systemd.CheckText(string(r)); err != nil {
			t.Errorf("%U: %v", r, err)
		}
	}
}

// FuzzMask shows that a value, in any of the ways in which systemd, Ruby and Go
// quote it, is in no text.
func FuzzMask(f *testing.F) {
	for _, v := range []string{"HORSEBATTERY", `a"b\c#{d}%e`, "redis://:p@ss word@h/0", "with a 'quote' in it"} {
		f.Add(v, "before", "after")
	}
	f.Fuzz(func(t *testing.T, value, before, after string) {
		if len(value) < shortestValue || systemd.CheckText(value) != nil || strings.TrimSpace(value) != value || strings.Contains(concealed, value) {
			return
		}
		m := maskOf(t, map[string]string{"X": value})
		if m.isPublic(value) {
			return
		}
		for _, spelling := range []string{value, systemd.Assignment("X", value), strconv.Quote(value), fmt.Sprintf("%v", []string{value})} {
			inside := strings.Trim(spelling, `"`)
			for _, text := range []string{spelling, before + " " + spelling + "\n" + after} {
				if got := m.Text(text); strings.Contains(got, value) || strings.Contains(got, inside) {
					t.Fatalf("%q: %q shows %q", value, text, got)
				}
			}
		}
	})
}
