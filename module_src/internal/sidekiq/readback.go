// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/systemd"
)

// Reading is what a unit file says, whoever wrote it, in the module's options.
// A task with these options runs the same command, as the same user, in the
// same environment.
type Reading struct {
	Options  map[string]any // as a task gives them; env holds the true values
	NoOption []string       // what no option reproduces, in words
}

// noDirectory is said of a unit that leaves the directory to its command.
const noDirectory = "it names no WorkingDirectory: set project_name or working_directory"

// runsAsRoot is said of a unit that root runs.
const runsAsRoot = "it runs as root, which the module refuses: set user to the one who deploys the application"

// rootsOwn is what has to be done to a file before env_files takes it.
const rootsOwn = "env_files takes files below directories of root's: move it into one, such as /etc/sidekiq, and name it there"

// HiddenValue stands for the value of a variable in what is shown to people.
const HiddenValue = "(hidden)"

// Shown are the options with the values of variables hidden.
func (r Reading) Shown() map[string]any {
	return hidden(r.Options)
}

func hidden(options map[string]any) map[string]any {
	shown := map[string]any{}
	for name, value := range options {
		switch v := value.(type) {
		case map[string]any:
			if name == "env" || name == "secret_env" {
				names := map[string]any{}
				for name := range v {
					names[name] = HiddenValue
				}
				value = names
			}
		case []any:
			if name == "instances" {
				var each []any
				for _, own := range v {
					each = append(each, hidden(own.(map[string]any)))
				}
				value = each
			}
		}
		shown[name] = value
	}
	return shown
}

// ReadUnit reads the unit file that describes the unit of that full name, which
// may be an instance. What the file does not say, and the module does
// differently by default, is no option: the module's way to restart, to stop
// and to be quiet is an improvement that every unit gets.
func ReadUnit(unit, content string) Reading {
	r := newUnitReader(unit, content)
	r.amongSeveral()
	r.application()
	r.command()
	r.environment()
	r.identity()
	r.supervision()
	r.dependencies()
	r.output()
	r.hardening()
	r.install()
	r.rest()
	return Reading{Options: r.options, NoOption: r.noOption}
}

// unitReader reads a unit file by taking its directives away one after the
// other; what is left in the end has no option of its own.
type unitReader struct {
	stem     string // the name of the unit without .service
	ours     bool
	among    bool            // it is one process of ours among several
	saw      map[string]bool // the directives that the file has, as Section.Name
	left     systemd.File
	options  map[string]any
	noOption []string
}

func newUnitReader(unit, content string) *unitReader {
	_, origin := OriginOf(content)
	r := &unitReader{stem: strings.TrimSuffix(unit, ".service"), ours: origin == Ours, saw: map[string]bool{}, options: map[string]any{}, noOption: []string{}}
	for l := systemd.Lines(content); l.Next(); {
		if l.Name != "" {
			r.left.Add(l.Section, l.Name, l.Value)
			r.saw[l.Section+"."+l.Name] = true
		}
	}
	return r
}

// cannot notes what has no option.
func (r *unitReader) cannot(format string, args ...any) {
	r.noOption = appendNew(r.noOption, fmt.Sprintf(format, args...))
}

// take takes a list away. An empty value resets it: systemd.syntax(7).
func (r *unitReader) take(section, name string) []string {
	var values []string
	for _, v := range r.left.Values(section, name) {
		if v == "" {
			values = nil
			continue
		}
		values = append(values, v)
	}
	r.left.Set(section, name, nil)
	return values
}

// last takes a directive away of which the last value counts.
func (r *unitReader) last(section, name string) string {
	all := r.left.Values(section, name)
	r.left.Set(section, name, nil)
	if len(all) == 0 {
		return ""
	}
	return all[len(all)-1]
}

// has reports whether a directive is there and left.
func (r *unitReader) has(section, name string) bool { return r.left.Values(section, name) != nil }

// expand replaces the specifiers that the unit's name decides:
// systemd.unit(5), "Specifiers". With any other, ok is false.
func (r *unitReader) expand(value string) (text string, ok bool) {
	var b strings.Builder
	for i := 0; i < len(value); i++ {
		if value[i] != '%' {
			b.WriteByte(value[i])
			continue
		}
		if i+1 == len(value) {
			return "", false
		}
		i++
		v := r.specifier(value[i])
		if v == "" || value[i] == 'I' && strings.ContainsAny(v, `-\`) {
			return "", false
		}
		b.WriteString(v)
	}
	return b.String(), true
}

// specifier is what a specifier stands for, or "" where the unit's name does not
// decide it.
func (r *unitReader) specifier(letter byte) string {
	prefix, instance, _ := strings.Cut(r.stem, "@")
	switch letter {
	case '%':
		return "%"
	case 'n':
		return r.stem + ".service"
	case 'N':
		return r.stem
	case 'p':
		return prefix
	case 'i', 'I':
		return instance
	}
	return ""
}

// literal is the last value of a directive that is taken as it stands.
func (r *unitReader) literal(section, name string) string {
	value := r.last(section, name)
	text, ok := r.expand(value)
	if !ok {
		r.cannot("%s=%s: no option replaces such a specifier", name, value)
	}
	return text
}

// amongSeveral takes away what makes a unit of ours one process among several.
func (r *unitReader) amongSeveral() {
	name, instance, ok := strings.Cut(r.stem, "@")
	if !r.ours || !ok {
		return
	}
	r.among = true
	service := name + ".service"
	r.without("PartOf", service)
	r.without("ReloadPropagatedFrom", service)
	r.without("Description", name+" process "+instance)
	after := slices.DeleteFunc(r.left.List("Unit", "After"), func(u string) bool { return u == service })
	r.left.Set("Unit", "After", []string{strings.Join(after, " ")})
	if post := r.left.Values("Service", "ExecStartPost"); len(post) > 0 && strings.Contains(post[0], `grep -qs`) && strings.Contains(post[0], "busy]") {
		r.left.Set("Service", "ExecStartPost", post[1:]) // see untilUp
	}
}

// without takes one value of a directive of [Unit] away.
func (r *unitReader) without(directive, value string) {
	r.left.Set("Unit", directive, slices.DeleteFunc(r.left.Values("Unit", directive), func(v string) bool { return v == value }))
}

// application reads where the application is.
func (r *unitReader) application() {
	dir := r.literal("Service", "WorkingDirectory")
	bare := strings.TrimPrefix(dir, "-")
	switch {
	case dir == "":
		r.cannot(noDirectory)
		return
	case !path.IsAbs(bare):
		r.cannot("WorkingDirectory=%s is no path: set project_name or working_directory", dir)
		return
	case bare != dir:
		r.cannot("WorkingDirectory= may be missing by its -; the module waits for the first deploy instead")
	}
	bare = path.Clean(bare)
	if project := projectOf(bare); project != bare {
		r.options["project_name"] = project
		return
	}
	r.options["working_directory"] = bare
}

// identity reads who runs the service.
func (r *unitReader) identity() {
	user, group := r.literal("Service", "User"), r.literal("Service", "Group")
	if user == "" || user == "root" || user == "0" {
		r.cannot(runsAsRoot)
	} else if r.account("User", user) {
		r.options["user"] = user
	}
	switch {
	case group == "root" || group == "0":
		r.cannot("Group=%s, which the module refuses: its default is the user's own group", group)
	case group != "" && r.account("Group", group):
		r.options["group"] = group
	}
	umask := cmp.Or(r.last("Service", "UMask"), "0022") // systemd.exec(5)
	n, err := strconv.ParseUint(umask, 8, 32)
	if err != nil || n > 0o777 {
		r.cannot("UMask=%s is no umask", umask)
		return
	}
	if !r.ours || umask[0] != '0' {
		umask = fmt.Sprintf("%04o", n)
	}
	r.unless("umask", umask, "0002")
}

// account reports whether the module takes such a name.
func (r *unitReader) account(directive, name string) bool {
	err := accountName(name)
	if err != nil {
		r.cannot("%s=%s: %v", directive, name, err)
	}
	return err == nil
}

// unless notes an option that is not its default.
func (r *unitReader) unless(option string, value, standard any) {
	if value != standard {
		r.options[option] = value
	}
}

// environment reads the variables. Of several assignments of the same name the
// last one counts.
func (r *unitReader) environment() {
	env := map[string]any{}
	for _, line := range r.take("Service", "Environment") {
		for _, a := range assignments(line) {
			name, value, _ := strings.Cut(a, "=")
			text, ok := r.expand(value)
			switch {
			case !systemd.IsVariable(safeName(name)):
				r.cannot("a line of Environment= cannot be read")
			case !ok || systemd.CheckText(text) != nil:
				r.cannot("Environment=: the value of %s cannot be given in env", name)
			default:
				env[name] = text
			}
		}
	}
	if len(env) > 0 {
		r.options["env"] = env
	}
	var files []any
	for _, f := range r.take("Service", "EnvironmentFile") {
		text, ok := r.expand(f)
		if bare := strings.TrimPrefix(text, "-"); !ok || !path.IsAbs(bare) || strings.ContainsAny(bare, `*?[\`) {
			r.cannot("EnvironmentFile=%s: env_files takes absolute paths, and no patterns", f)
			continue
		} else if r.ours && path.Dir(bare) == SecretDirectory {
			continue // it holds secret_env, which nobody is shown
		}
		if !r.ours && isOfTheApplication(text) {
			r.cannot("EnvironmentFile=%s: %s", f, rootsOwn)
		}
		files = append(files, text)
	}
	if files != nil {
		r.options["env_files"] = files
	}
}

// isRedis reports whether redis_unit: auto finds a unit by itself.
func (r *unitReader) isRedis(unit string) bool { return slices.Contains(redisUnits(), unit) }

// dependencies reads what it is started after and with. redis_unit is left to
// itself where it would find the same unit.
func (r *unitReader) dependencies() {
	redis := false
	for _, d := range []struct{ name, option string }{{"After", "after"}, {"Wants", "wants"}} {
		var units []any
		for _, line := range r.take("Unit", d.name) {
			for u := range strings.FieldsSeq(line) {
				full, err := systemd.UnitName(u)
				switch {
				case err != nil:
					r.cannot("%s=%s: %v", d.name, u, err)
				case r.isRedis(full):
					redis = true
				case d.name == "After" && (full == "network.target" || full == "syslog.target"):
				default:
					units = append(units, full)
				}
			}
		}
		if units != nil {
			r.options[d.option] = units
		}
	}
	if !redis && r.ours {
		r.options["redis_unit"] = "none"
	}
}

// output reads where the log goes.
func (r *unitReader) output() {
	file := ""
	for _, name := range []string{"StandardOutput", "StandardError"} {
		value := r.last("Service", name)
		scheme, rest, _ := strings.Cut(value, ":")
		switch {
		case contains([]string{"", "syslog", "journal", "inherit", "kmsg"}, value):
		case contains([]string{"append", "file"}, scheme) && path.IsAbs(rest) && (file == "" || file == rest):
			file = rest
		default:
			r.cannot("%s=%s: the journal has it, or log_file", name, value)
		}
	}
	if file != "" && r.options["log_file"] == nil {
		text, ok := r.expand(file)
		if !ok {
			r.cannot("StandardOutput=%s: no option replaces such a specifier", file)
			return
		}
		r.options["log_file"] = text
	}
	if id := r.last("Service", "SyslogIdentifier"); id != "" {
		if text, _ := r.expand(id); text != r.stem {
			r.left.Add("Service", "SyslogIdentifier", id)
		}
	}
}

// install reads what starts it at boot.
func (r *unitReader) install() {
	if r.among {
		return
	}
	var by []any
	for _, line := range r.take("Install", "WantedBy") {
		for u := range strings.FieldsSeq(line) {
			by = append(by, u)
		}
	}
	installs := slices.ContainsFunc(r.left, func(e systemd.Entry) bool { return e.Section == "Install" && e.Name != "Also" })
	switch {
	case len(by) == 1 && by[0] == "multi-user.target":
	case len(by) == 0:
		r.options["wanted_by"] = []any{}
		if !installs {
			r.options["enabled"] = false
		}
	default:
		r.options["wanted_by"] = by
	}
}

// rest puts what is left into directives, as far as the module takes it there.
func (r *unitReader) rest() {
	sections := map[string]any{}
	seen := map[systemd.Entry]bool{}
	for _, e := range r.left {
		key := systemd.Entry{Section: e.Section, Name: e.Name}
		if seen[key] {
			continue
		}
		seen[key] = true
		if value, ok := r.directive(e.Section, e.Name); ok {
			put(sections, value, e.Section, e.Name)
		}
	}
	for _, e := range r.removed() {
		put(sections, nil, e.Section, e.Name)
	}
	if len(sections) > 0 {
		r.options["directives"] = sections
	}
}

// directive is the value of a directive as the option of that name takes it.
func (r *unitReader) directive(section, name string) (value any, ok bool) {
	if !contains([]string{"Unit", "Service", "Install"}, section) {
		r.cannot("%s= in the section [%s], which is none of the module's", name, section)
		return nil, false
	}
	var values []any
	for _, v := range r.left.Values(section, name) {
		values = append(values, v)
	}
	if _, err := newDirective(section, name, values); err != nil {
		r.cannot("%s=: %v", name, err)
		return nil, false
	}
	if len(values) == 1 {
		return values[0], true
	}
	return values, true
}
