// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"strings"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/systemd"
)

// RedactUnit hides the values of environment variables in a unit file before
// and after a change, as a diff shows it. The names stay, and the line of a
// variable that changes still differs.
func RedactUnit(before, after string) (string, string) {
	was, is := environment(before), environment(after)
	return redact(before, is, "(hidden, before)"), redact(after, was, "(hidden, after)")
}

// redact rewrites each Environment= line. A value that is not the same in the
// other file is shown as changed. What follows a bare carriage return is hidden:
// before systemd 245 it belongs to the line before, and so maybe to a value.
func redact(content string, other map[string]string, changed string) string {
	var b strings.Builder
	var broken bool // by a bare carriage return or a NUL
	for l := systemd.Lines(redactComments(content)); l.Next(); {
		continues := broken
		broken = strings.HasSuffix(l.Raw, "\r") || strings.HasSuffix(l.Raw, "\x00")
		switch {
		case continues:
			b.WriteString(concealed + "\n")
			continue
		case l.Name != "Environment":
			b.WriteString(l.Raw)
			continue
		}
		var shown []string
		for _, a := range assignments(l.Value) {
			name, value, _ := strings.Cut(a, "=")
			hidden := "(hidden)"
			if was, ok := other[name]; !ok || was != value {
				hidden = changed
			}
			shown = append(shown, `"`+safeName(name)+"="+hidden+`"`)
		}
		b.WriteString("Environment=" + strings.Join(shown, " ") + "\n")
	}
	return b.String()
}

// redactComments hides the values of variables that are commented out, also
// between the lines of a directive that goes over several.
func redactComments(content string) string {
	var b strings.Builder
	hidden := ""
	for line := range strings.Lines(content) {
		if _, ok := commentedOut(line, hidden); ok {
			hidden, line = line, "# Environment="+concealed+"\n"
		} else {
			hidden = ""
		}
		b.WriteString(line)
	}
	return b.String()
}

// commentedOut is the value of an Environment= that is commented out, or what is
// in a line behind one that ended in a backslash: to systemd no part of it, but
// to who wrote it. before is the line before, if it was such a one.
func commentedOut(line, before string) (value string, ok bool) {
	line = strings.TrimLeft(line, " \t")
	text := strings.TrimLeft(line, " \t#;")
	name, value, ok := strings.Cut(text, "=")
	if strings.HasSuffix(strings.TrimSpace(before), `\`) {
		value, ok = text, true
	} else {
		ok = ok && text != line && strings.EqualFold(strings.TrimSpace(name), "Environment")
	}
	return strings.TrimSuffix(strings.TrimSpace(value), `\`), ok
}

// safeName is the name of a variable. It is a stand-in where a file that is not
// ours has something in that place that may be part of a value.
func safeName(name string) string {
	if systemd.IsVariable(name) {
		return name
	}
	return "(unreadable)"
}

// environment are the variables of a unit file by name, each with its value as
// systemd reads it. Of several with the same name the last one counts.
func environment(content string) map[string]string {
	vars := map[string]string{}
	for _, line := range valuesIn(content, "Environment") {
		for _, a := range assignments(line) {
			name, value, _ := strings.Cut(a, "=")
			vars[name] = value
		}
	}
	return vars
}

// assignments splits the value of Environment= into its assignments. Where
// quotes are not closed, systemd ignores the line, but all of it may be secret.
// So what cannot be read counts as one assignment without a name.
func assignments(value string) []string {
	words, err := systemd.Words(value)
	if err != nil {
		words = append(words, "="+value)
	}
	return words
}

// secrets warns of variables that look as if nobody else should read them:
// systemd shows the environment of a service to every user of the host.
func (w *wanting) secrets() {
	var names []string
	for _, own := range w.owns() {
		for _, v := range own.Env {
			if secret(v) {
				names = appendNew(names, v.Name)
			}
		}
	}
	if len(names) > 0 {
		w.warn("every user of the host can read the variables in env, and these look secret: %s; give them in secret_env instead",
			strings.Join(names, ", "))
	}
}

// secret judges a variable by its name and by whether its value is a URL with a
// password in it.
func secret(v Variable) bool {
	if v.Value == "" {
		return false
	}
	name := strings.ToUpper(v.Name)
	for _, part := range []string{"PASSWORD", "PASSWD", "PASSPHRASE", "TOKEN", "SECRET", "CREDENTIAL", "APIKEY", "DATABASE_URL"} {
		if strings.Contains(name, part) {
			return true
		}
	}
	for part := range strings.SplitSeq(name, "_") {
		if part == "KEY" || part == "PASS" {
			return true
		}
	}
	_, rest, url := strings.Cut(v.Value, "://")
	login, _, at := strings.Cut(rest, "@")
	return url && at && strings.Contains(login, ":") && !strings.Contains(login, "/")
}
