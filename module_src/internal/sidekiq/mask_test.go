// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"net/url"
	"regexp"
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

var lower = regexp.MustCompile("%..")

// escapings are ways in which programs write a value into a log.
func escapings(value string) []string {
	js := func(v string) string { text, _ := json.Marshal(v); return string(text) }
	inRuby := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "#{", `\#{`, "#$", `\#$`, "\n", `\n`).Replace(value)
	inC := "" // the locale, in which Ruby takes a text for bytes
	for _, b := range []byte(inRuby) {
		if b >= 0x80 {
			inC += fmt.Sprintf(`\x%X`, b)
		} else {
			inC += string(b)
		}
	}
	return []string{
		value, systemd.Assignment("X", value), systemd.Command([]string{value}), strconv.Quote(value), strconv.QuoteToASCII(value), inRuby, inC,
		js(value), js(js(value)), strings.ReplaceAll(js(value), "/", `\/`), js(inRuby), url.PathEscape(value), url.QueryEscape(value),
		url.QueryEscape(url.QueryEscape(value)), lower.ReplaceAllStringFunc(url.QueryEscape(value), strings.ToLower), js(url.QueryEscape(value)), url.QueryEscape(inRuby),
		html.EscapeString(value), html.EscapeString(html.EscapeString(value)), html.EscapeString(inRuby), fmt.Sprintf("%v", []string{value}),
	}
}

// inSomeBase64 are a value in base64, alone and with something before and behind
// it, and four characters that must not be shown.
func inSomeBase64(value string) map[string]string {
	all := map[string]string{}
	for _, alphabet := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
		for before := range 4 {
			text := alphabet.EncodeToString([]byte("user:"[:before] + value + "more"[before:]))
			at := (before+len(value)/2)*4/3 - 2
			all[text] = text[at : at+4]
		}
	}
	return all
}

// leftOf says what a mask shows of a value in some spelling.
func leftOf(m *Mask, value, before, behind string) string {
	// What stands before and behind may itself hold a part of the value.
	inTheMidst := func(got string) string { return strings.TrimSuffix(strings.TrimPrefix(got, before), behind) }
	for _, text := range escapings(value) {
		inside := strings.TrimSuffix(strings.Trim(text, `"[]`), `\`)
		if got := m.Text(before + text + behind); strings.Contains(inTheMidst(got), inside) || strings.Contains(inTheMidst(got), value) {
			return got
		}
	}
	for text, inside := range inSomeBase64(value) {
		for _, text := range []string{text, url.QueryEscape(text), strings.ReplaceAll(text, "/", `\/`)} {
			if got := m.Text(before + text + behind); strings.Contains(inTheMidst(got), inside) {
				return got
			}
		}
	}
	return ""
}

func TestValuesAreHiddenInAnyEscaping(t *testing.T) {
	for _, value := range []string{"HORSEbattery", `"HORSE" & <battery>`, `p@ss/w\ord+?~%41$1`, "käse-HORSE-ñ", "HORSE#{x}'y'", "redis://:p%40ss@h/0", "über+100%"} {
		m := maskOf(t, map[string]string{"X": value})
		short := maskOf(t, nil)
		short.Secret(value)
		for _, m := range []*Mask{m, short} {
			if got := leftOf(m, value, "it got ", " and died"); got != "" {
				t.Errorf("%s: %s", value, got)
			}
		}
		if value[0] < 'A' || value[0] > 'z' {
			continue // where it begins in the escaped text is not as easily seen
		}
		for _, text := range escapings(value) {
			begun := text[max(strings.Index(text, value[:1]), 0):]
			for n := range len(begun) {
				if len(unescape(begun[:n]+cut).plain) < shortestSecret+len(cut) {
					continue
				}
				if got := m.Text("it got " + begun[:n] + "…"); strings.Contains(got, begun[:n]) {
					t.Errorf("the beginning of %s as %s: %s", value, begun, got)
				}
			}
		}
	}
}

func TestAWholeValueBeforeACutIsHiddenToItsEnd(t *testing.T) {
	m := maskOf(t, map[string]string{"X": `pass"word12345678`})
	for _, text := range []string{`it got pass\"word12345678…`, `it got pass"word12345678…`, `it got pass\"word123…`} {
		if got := m.Text(text); got != "it got (hidden)…" {
			t.Errorf("%s: %s", text, got)
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
		if len(value) < shortestValue || systemd.CheckText(value) != nil || strings.TrimSpace(value) != value || strings.Contains(concealed, value) || len(unescape(value).plain) < shortestSecret {
			return
		}
		m := maskOf(t, map[string]string{"X": value})
		if m.isPublic(value) {
			return
		}
		if got := leftOf(m, value, before+" ", "\n"+after); got != "" {
			t.Fatalf("%q: %q is shown", value, got)
		}
	})
}
