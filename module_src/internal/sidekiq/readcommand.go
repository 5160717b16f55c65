// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/shell"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/systemd"
)

// command reads the command line into bundle, app_env, config_file, queues and
// concurrency where it is Sidekiq's own, and into exec_start otherwise.
func (r *unitReader) command() {
	lines := r.take("Service", "ExecStart")
	commands, err := systemd.Commands(strings.Join(lines, " ; "))
	if err != nil || len(commands) != 1 {
		r.cannot("its ExecStart is not one command: set exec_start")
		return
	}
	c := commands[0]
	if c.Prefixes != "" {
		r.cannot("the prefix %s of ExecStart", c.Prefixes)
	}
	words, ok := r.commandWords(c)
	if !ok {
		return
	}
	if contains([]string{"bash", "sh"}, words[0]) {
		words[0] = "/bin/" + words[0]
	}
	if becomes := path.Base(words[0]); contains([]string{"sudo", "su", "runuser", "setpriv", "chpst", "setuidgid"}, becomes) {
		r.cannot("ExecStart becomes another user by %s, which only root may: set user, and exec_start without it", becomes)
		return
	}
	if words = r.loginShell(r.ownLog(words)); words != nil && !r.sidekiq(words, false) {
		r.options["exec_start"] = shell.Join(words)
	}
	if words != nil && !path.IsAbs(words[0]) {
		r.cannot("the program of ExecStart, %s, is looked for in directories: name its absolute path", words[0])
		delete(r.options, "exec_start")
	}
}

var variable = regexp.MustCompile(`\$\{([A-Za-z_][A-Za-z0-9_]*)\}`)

// commandWords are the words with their specifiers replaced. Variables that
// systemd would replace are left to a shell: systemd.service(5), "Command
// lines".
func (r *unitReader) commandWords(c systemd.Exec) (words []string, ok bool) {
	script, uses := "exec", false
	for _, word := range c.Words {
		word, ok := r.expand(word)
		if !ok || systemd.CheckText(word) != nil {
			r.cannot("ExecStart holds a specifier that depends on the host, or what cannot be written: set exec_start")
			return nil, false
		}
		if strings.Contains(c.Prefixes, ":") { // systemd replaces nothing
			words = append(words, word)
			continue
		}
		plain := strings.ReplaceAll(word, "$$", "$")
		words = append(words, plain)
		whole := strings.HasPrefix(word, "$") && systemd.IsVariable(strings.TrimPrefix(word, "$")+"_")
		switch {
		case whole && len(word) > 1:
			script, uses = script+" "+word, true
		case variable.MatchString(strings.ReplaceAll(word, "$$", "")):
			script, uses = script+" "+withVariables(word), true
		default:
			script += " " + shell.Word(plain)
		}
	}
	if uses {
		return []string{"/bin/sh", "-c", script}, true
	}
	return words, true
}

// withVariables writes a word for a shell that replaces the variables in it as
// systemd does.
func withVariables(word string) string {
	var b strings.Builder
	at := 0
	for _, m := range variable.FindAllStringSubmatchIndex(word, -1) {
		if m[0] > at {
			b.WriteString(shell.Word(strings.ReplaceAll(word[at:m[0]], "$$", "$")))
		}
		b.WriteString(`"` + word[m[0]:m[1]] + `"`)
		at = m[1]
	}
	if at < len(word) {
		b.WriteString(shell.Word(strings.ReplaceAll(word[at:], "$$", "$")))
	}
	return b.String()
}

// ownLog reads the wrapper that log_file writes.
func (r *unitReader) ownLog(words []string) []string {
	if len(words) > 4 && slices.Equal(words[:3], []string{"/bin/sh", "-c", `exec "$@" >>"$0" 2>&1`}) {
		r.options["log_file"] = words[3]
		return words[4:]
	}
	return words
}

// loginShell reads a command that bash runs as a login shell; the result is nil
// where the options say it all.
func (r *unitReader) loginShell(words []string) []string {
	script, ok := loginScript(words)
	if !ok {
		return words
	}
	script = strings.TrimPrefix(strings.TrimSpace(script), "exec ")
	command, log, appends := strings.Cut(script, ">>")
	inner, err := shell.Split(command)
	if err != nil || len(inner) == 0 {
		return words
	}
	file := ""
	if appends {
		target, both := strings.CutSuffix(strings.TrimSpace(log), "2>&1")
		name, err := shell.Split(target)
		if !both || err != nil || len(name) != 1 || r.options["log_file"] != nil {
			return words
		}
		file = name[0]
	}
	if !r.sidekiq(inner, true) {
		return words
	}
	if r.options["login_shell"] = true; file != "" {
		r.options["log_file"] = file
	}
	return nil
}

// loginScript is the script of bash -lc in its spellings.
func loginScript(words []string) (script string, ok bool) {
	if len(words) < 3 || words[0] != "/bin/bash" && words[0] != "/usr/bin/bash" {
		return "", false
	}
	flags, script := strings.Join(words[1:len(words)-1], " "), words[len(words)-1]
	return script, contains([]string{"-lc", "-cl", "-l -c", "--login -c"}, flags)
}

// sidekiq reads BUNDLE exec sidekiq with flags that have an option. Nothing is
// noted where it is anything else, or has a flag without an option.
func (r *unitReader) sidekiq(words []string, inShell bool) bool {
	if len(words) < 3 || words[1] != "exec" || words[2] != "sidekiq" || path.Base(words[0]) != "bundle" {
		return false
	}
	if !path.IsAbs(words[0]) && (!inShell || words[0] != "bundle") || strings.ContainsAny(words[0], "$\\\"'") {
		return false
	}
	found, ok := readFlags(words[3:])
	if !ok {
		return false
	}
	if found.env == "" {
		if found.env = r.railsEnv(); found.env == "" {
			return false
		}
	}
	r.unless("app_env", found.env, "production")
	standard := "/usr/local/bin/bundle"
	if inShell {
		standard = "bundle"
	}
	r.unless("bundle", words[0], standard)
	if found.config != "" {
		r.unless("config_file", found.config, ownConfigs()[0])
	}
	if found.concurrency > 0 {
		r.options["concurrency"] = found.concurrency
	}
	if found.queues != nil {
		r.options["queues"] = found.queues
	}
	for _, flag := range found.dropped {
		r.cannot("%s: Sidekiq 6 and newer have no such flag%s", flag, droppedFor(flag))
	}
	return true
}

// droppedFor says what there is in the place of a flag.
func droppedFor(flag string) string {
	if name, ok := strings.CutPrefix(flag, "-L "); ok {
		return "; log_file: " + name + " writes the log there"
	}
	return ""
}

// railsEnv is the environment of the application as the unit's variables say,
// for a command without -e: sidekiq/cli.rb, set_environment.
func (r *unitReader) railsEnv() string {
	vars := map[string]string{}
	for _, line := range r.left.Values("Service", "Environment") {
		for _, a := range assignments(line) {
			name, value, _ := strings.Cut(a, "=")
			vars[name], _ = r.expand(value)
		}
	}
	var names []string
	for _, name := range environmentVariables {
		if v := vars[name]; v != "" {
			names = appendNew(names, v)
		}
	}
	if len(names) == 1 && onlyRunes(names[0], "_.-") && !r.has("Service", "EnvironmentFile") {
		return names[0]
	}
	return ""
}

// flags are what Sidekiq's command line says.
type flags struct {
	env, config string
	concurrency int
	queues      []any
	dropped     []string // with their values: flags of a Sidekiq before version 6
}

// readFlags reads flags that have an option, and those that Sidekiq no longer
// has. With any other, ok is false.
func readFlags(words []string) (found flags, ok bool) {
	for len(words) > 0 {
		name, value, rest, ok := nextFlag(words)
		if !ok {
			return flags{}, false
		}
		switch words = rest; name {
		case "-e":
			found.env = value
		case "-C":
			found.config = value
		case "-c":
			if found.concurrency, _ = strconv.Atoi(value); found.concurrency < 1 || found.concurrency > 1000 {
				return flags{}, false
			}
		case "-q":
			found.queues = append(found.queues, value)
		default:
			found.dropped = append(found.dropped, strings.TrimSpace(name+" "+value))
		}
	}
	return found, found.env == "" || onlyRunes(found.env, "_.-") && found.env[0] != '-'
}

// nextFlag reads -e x, -ex, --environment x and --environment=x.
func nextFlag(words []string) (name, value string, rest []string, ok bool) {
	for _, f := range []struct{ short, long string }{
		{"-e", "--environment"}, {"-C", "--config"}, {"-c", "--concurrency"}, {"-q", "--queue"}, {"-L", "--logfile"}, {"-P", "--pidfile"},
	} {
		if value, rest, ok = flagAt(words, f.short, f.long); ok {
			return f.short, value, rest, value != "" && value[0] != '-'
		}
	}
	if words[0] == "-d" || words[0] == "--daemon" {
		return "-d", "", words[1:], true
	}
	return "", "", nil, false
}
