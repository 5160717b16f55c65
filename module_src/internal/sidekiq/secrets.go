// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"path"
	"slices"
	"unicode/utf8"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/systemd"
)

// SecretDirectory is where the option secret_env is kept, a file for each
// process. It is root's alone: systemd reads the files as root and hands on
// what is in them.
const SecretDirectory = "/etc/curationexperts.sidekiq"

// leastSecret is how many characters a secret has at least. A shorter one
// could not be hidden in messages without making them unreadable.
const leastSecret = 4

// secretPath is the file with the secrets of a process; instance is empty where
// the service itself is the process.
func secretPath(name, instance string) string {
	if instance != "" {
		name += "@" + instance
	}
	return path.Join(SecretDirectory, name+".env")
}

// secretVariables are variables for a file that only root reads.
func (p *parser) secretVariables(option string) []Variable {
	list := p.variables(option)
	members := p.Dict(option)
	for _, v := range list {
		if members[v.Name] != nil && utf8.RuneCountInString(v.Value) < leastSecret {
			p.Add(option, "the value of %q must have at least %d characters", v.Name, leastSecret)
		}
	}
	return slices.DeleteFunc(list, func(v Variable) bool { return v.Value == "" })
}

// onlyOnce refuses a variable that would be told to everybody, too.
func (p *parser) onlyOnce(s Service) {
	for _, v := range s.Secrets {
		if slices.ContainsFunc(s.Env, func(e Variable) bool { return e.Name == v.Name }) {
			p.Add("secret_env", "%q is given in env, too, which every user of the host can read", v.Name)
		}
	}
}

// secretFiles are the rows of the files with secrets. Where there are no secrets
// the file is absent.
func (w *wanting) secretFiles() []converge.File {
	own := w.Secrets
	if w.several() {
		own = nil
	}
	files := []converge.File{w.secretFile("", own)}
	if w.State != Absent {
		for _, i := range w.Instances {
			files = append(files, w.secretFile(i.Name, i.Own.Secrets))
		}
	}
	for _, name := range w.leaving() {
		files = append(files, w.secretFile(name, nil))
	}
	return files
}

func (w *wanting) secretFile(instance string, secrets []Variable) converge.File {
	unit := w.Unit()
	if instance != "" {
		unit = w.Instance(instance)
	}
	f := converge.File{
		Path: secretPath(w.Name, instance), Kind: converge.PlainFile,
		Secret: true, OwnDirectory: true, Units: []string{unit},
	}
	if w.State == Absent || len(secrets) == 0 {
		return f
	}
	var vars []systemd.EnvVar
	for _, v := range secrets {
		vars = append(vars, systemd.EnvVar{Name: v.Name, Value: v.Value})
	}
	f.Exists, f.Mode, f.Content = true, 0o600, systemd.EncodeEnvironment(marker(w.Project), vars)
	return f
}

// SecretValues are the values of secret_env, and those that the files on the
// host held before.
func (s *Service) SecretValues(have converge.State) []string {
	var values []string
	for _, own := range append(s.owns(), s) {
		for _, v := range own.Secrets {
			values = appendNew(values, v.Value)
		}
	}
	for _, f := range have.Files {
		if f.Secret {
			vars, _ := systemd.Environment(f.Content)
			for _, v := range vars {
				values = appendNew(values, v.Value)
			}
		}
	}
	return slices.DeleteFunc(values, func(v string) bool { return utf8.RuneCountInString(v) < leastSecret })
}
