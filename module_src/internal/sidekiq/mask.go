// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"path"
	"slices"
	"strings"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/systemd"
)

// Mask hides the values of variables in whatever is shown: log lines,
// complaints of systemd's, diffs, messages. Each text of a result goes through
// it once, as the last thing that happens to it.
//
// Hidden are whole values, however they are quoted or escaped, also in base64,
// and passwords in URLs; of a value that was cut off, what is left before the
// mark of the cut. Not hidden is what was encrypted, compressed, hashed, or put
// into base64 together with line ends in its midst. A value is not hidden if it
// is short, as "5" is, or if it stands elsewhere in the options or is a path of
// the service: then it is no secret, and hiding it would make messages
// unreadable. Nor is it if it stands in a command line,
// which everybody can see, and which has to be shown as it is to be of use;
// what is given there as a variable or a flag's value, behind =, is hidden.
type Mask struct {
	hidden   map[string]concealment // by a spelling
	starts   map[string][]string    // the spellings that are hidden by their first bytes, shortestSecret of them; nil: to be made
	public   []string
	commands []string
	tree     string // the application's directory
	room     int    // how many more values of environment files are taken
}

// concealment is why a text is hidden.
type concealment struct {
	value  string // what the text spells
	secret bool   // it is known to be one
}

// Bounds of the values of environment files, which may be the deploy user's.
const (
	maxValues  = 2000 // of all files together
	maxSpelled = 4096 // bytes of a value that is looked for in other spellings, too; no line that is shown is as long
)

// These are lengths in bytes from which on values are hidden.
const (
	shortestValue  = 8
	shortestSecret = 4 // of what is known to be a secret, such as a password in a URL
)

// Mask hides the variables of the options, of the environment files and of the
// unit files that are replaced. More can be added as it becomes known.
func (s *Service) Mask() *Mask {
	m := &Mask{hidden: map[string]concealment{}, room: maxValues, commands: []string{strings.Join(s.ExecStart, " ")}}
	for _, own := range s.owns() {
		m.public = appendNew(m.public, own.public()...)
		m.commands = append(m.commands, strings.Join(own.ExecStart, " "))
	}
	m.public = appendNew(m.public, s.public()...)
	if s.Dir != "" {
		m.tree = strings.TrimSuffix(s.Dir, "/current")
	}
	for _, own := range append(s.owns(), s) {
		for _, v := range own.Env {
			m.value(v.Value)
		}
	}
	return m
}

// public are the values of all options but env.
func (s *Service) public() []string {
	words := []string{
		s.Name, s.Project, string(s.State), s.Dir, s.User, s.Group, s.Umask, s.AppEnv, s.ConfigFile, s.Bundle, s.Type, s.Restart, s.LogFile,
		s.RedisUnit, s.Hardening, s.SudoersFile, s.UnitDir, s.Unit(), s.UnitPath(), s.TemplatePath(),
	}
	for _, list := range [][]string{s.ExecStart, s.Queues, s.EnvFiles, s.After, s.Wants, s.WantedBy, s.SudoUsers, s.SudoGroups, s.SudoCommands} {
		words = append(words, list...)
	}
	for _, i := range s.Instances {
		words = append(words, i.Name)
	}
	for _, d := range s.Directives {
		if !strings.HasPrefix(d.Name, "SetCredential") {
			words = append(words, d.Values...)
		}
	}
	return words
}

// Unit adds the variables of a unit file or a drop-in, also of lines that are
// commented out.
func (m *Mask) Unit(content string) {
	m.starts, m.commands = nil, append(m.commands, valuesIn(content, "ExecStart")...)
	for _, value := range environment(content) {
		m.value(value)
	}
	hidden := ""
	for line := range strings.FieldsFuncSeq(content, func(r rune) bool { return r == '\n' || r == '\r' }) {
		text, ok := commentedOut(line, hidden)
		if hidden = ""; ok {
			hidden = line
			for _, a := range assignments(text) {
				_, value, _ := strings.Cut(a, "=")
				m.value(value)
			}
		}
	}
}

// EnvFile adds the variables of an environment file: systemd.exec(5),
// EnvironmentFile=. It takes every line for an assignment that could be one,
// since systemd shows those that it ignores.
func (m *Mask) EnvFile(content string) {
	for line := range strings.FieldsFuncSeq(content, func(r rune) bool { return r == '\n' || r == '\r' }) {
		line = strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(line), `\`))
		if m.room--; m.room < 0 {
			return
		}
		_, value, ok := strings.Cut(line, "=")
		if !ok {
			if !strings.HasPrefix(line, "#") && !strings.HasPrefix(line, ";") {
				m.value(strings.Trim(line, `"'`)) // it continues the value of the line before
			}
			continue
		}
		value = strings.TrimSpace(value)
		m.value(value)
		m.value(strings.Trim(value, `"'`))
		if words, err := systemd.Words(value); err == nil && len(words) == 1 {
			m.value(words[0])
		}
	}
}

// Traces adds what is known of a unit that did not come up.
func (m *Mask) Traces(t converge.Traces) {
	for _, d := range t.DropIns {
		m.Unit(d.Content)
	}
}

// Secret adds a value that is known to be a secret.
func (m *Mask) Secret(value string) { m.parts(value, shortestSecret, true) }

func (m *Mask) value(value string) { m.parts(value, shortestValue, false) }

// parts adds a value and what may be shown of it alone: the passwords in its
// URLs, and each line without blanks around it, which the journal does not keep.
func (m *Mask) parts(value string, shortest int, secret bool) {
	m.add(value, shortest, secret)
	for _, password := range passwordsOf(value) {
		m.add(password, shortestSecret, true)
	}
	for line := range strings.Lines(value) {
		if line = strings.TrimSpace(line); line != value {
			m.add(line, shortest, secret)
		}
	}
}

func (m *Mask) add(value string, shortest int, secret bool) {
	if len(value) < shortest || m.isPublic(value) {
		return
	}
	m.starts = nil
	m.spell(value, concealment{value, secret})
	if len(value) > maxSpelled {
		return
	}
	// What looks like an escape sequence in the value is none once a URL's
	// escaping has been taken off.
	inURL := strings.NewReplacer("%", "%25", `\`, "%5C", "&", "%26").Replace(value)
	for _, spelling := range append(inBase64(value), value, inURL, strings.ReplaceAll(inURL, "%", "%25")) {
		if plain := unescape(spelling).plain; len(plain) >= shortestSecret {
			m.spell(string(plain), concealment{value, secret})
		}
	}
}

func (m *Mask) spell(spelling string, why concealment) {
	why.secret = why.secret || m.hidden[spelling].secret
	m.hidden[spelling] = why
}

// spellings are the texts to hide that start with these bytes.
func (m *Mask) spellings(start string) []string {
	if m.starts == nil {
		m.starts = map[string][]string{}
		for text, why := range m.hidden {
			if why.secret || !slices.ContainsFunc(m.commands, func(command string) bool { return standsIn(command, why.value) }) {
				m.starts[text[:shortestSecret]] = append(m.starts[text[:shortestSecret]], text)
			}
		}
	}
	return m.starts[start]
}

// isPublic reports whether a value is another option's, too, or a path of the
// service.
func (m *Mask) isPublic(value string) bool {
	if path.IsAbs(value) && m.tree != "" && (value == m.tree || strings.HasPrefix(value, m.tree+"/")) {
		return true
	}
	return slices.ContainsFunc(m.public, func(p string) bool {
		return p == value || path.IsAbs(value) && strings.HasPrefix(p, strings.TrimSuffix(value, "/")+"/")
	})
}

// standsIn reports whether a command line holds a value that is not behind =.
func standsIn(command, value string) bool {
	for before, rest, ok := strings.Cut(command, value); ok; before, rest, ok = strings.Cut(rest, value) {
		if !strings.HasSuffix(strings.TrimRight(before, `"'`), "=") {
			return true
		}
	}
	return false
}

// leastToken is how long a login without a password is at least that is taken
// for a token, as in https://TOKEN@host/.
const leastToken = 16

// passwordsOf are the passwords in the URLs of a value. What stands between a
// scheme and the last @ is taken for the login, also where the URL is not well
// formed, and so is what stands between a scheme and the last @ before the next.
func passwordsOf(value string) []string {
	var passwords []string
	_, rest, _ := strings.Cut(value, "://")
	for _, part := range append(strings.Split(rest, "://"), rest) {
		at := strings.LastIndex(part, "@")
		if at < 0 {
			continue
		}
		user, password, ok := strings.Cut(part[:at], ":")
		if !ok && len(user) >= leastToken {
			password = user
		}
		passwords = append(passwords, password)
	}
	return passwords
}

// concealed stands for what is hidden.
const concealed = "(hidden)"

// Text is a text without the values.
func (m *Mask) Text(text string) string {
	hide := make([]bool, len(text))
	mark := func(begin, end int) {
		for i := begin; i < end; i++ {
			hide[i] = true
		}
	}
	m.find(text, mark)
	u := unescape(text)
	plain := string(u.plain)
	m.find(plain, func(begin, end int) {
		if strings.HasPrefix(plain[end:], cut) {
			mark(u.from[begin].begin, max(u.from[end].begin, u.from[end].end-len(cut))) // with what is left of an escape sequence
		} else {
			mark(u.from[begin].begin, u.from[end-1].end)
		}
	})
	var shown strings.Builder
	for i := range len(text) {
		if !hide[i] {
			shown.WriteByte(text[i])
		} else if i == 0 || !hide[i-1] {
			shown.WriteString(concealed)
		}
	}
	return shown.String()
}

// cut stands in a text where the rest of it was left out.
const cut = "…"

// find finds the values in a text, and their beginnings before a cut.
func (m *Mask) find(text string, found func(begin, end int)) {
	until := strings.Index(text, cut)
	for i := range max(len(text)-shortestSecret+1, 0) {
		if until >= 0 && until < i {
			if until = strings.Index(text[i:], cut); until >= 0 {
				until += i
			}
		}
		for _, h := range m.spellings(text[i : i+shortestSecret]) {
			if strings.HasPrefix(text[i:], h) {
				found(i, i+len(h))
			} else if until >= i+shortestSecret && strings.HasPrefix(h, text[i:until]) {
				found(i, until)
			}
		}
	}
}
