// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"fmt"
	"path"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge"
)

// Login is a question to a login shell of the service's user: does it find a
// program?
type Login struct {
	User, Dir string
	Program   string
	Env       []Variable // of the service, in addition to what systemd gives it

	// Unsure says that the service gets more of an environment than that, from
	// files, so that it may find the program all the same.
	Unsure bool

	advice string
}

// Logins are what is worth asking before a plan is applied: where a login shell
// is to find Bundler, and the command is new or changes. Otherwise the shell has
// found it before.
func (s *Service) Logins(plan converge.Plan) []Login {
	var logins []Login
	for _, own := range s.owns() {
		if !own.LoginShell || own.ExecStart != nil || s.State == Absent {
			continue
		}
		for _, put := range plan.FileSteps() {
			if path.Base(put.Want.Path) == own.Unit() && directiveIn(put.Was.Content, "ExecStart") != directiveIn(put.Want.Content, "ExecStart") {
				logins = append(logins, Login{
					User: own.User, Dir: own.Dir, Program: own.Bundle, Env: own.Env,
					Unsure: len(own.EnvFiles)+len(own.Secrets) > 0, advice: own.bundleAdvice(),
				})
			}
		}
	}
	return logins
}

// NotLooked says in check mode that the shell was not asked.
func (l Login) NotLooked() string {
	return fmt.Sprintf("whether a login shell of %s finds %s was not looked for, since that runs the files of %[1]s", l.User, l.Program)
}

// NotFound says that the shell has not found the program, in its own words, and
// what to do.
func (l Login) NotFound() string {
	return fmt.Sprintf("a login shell of %s says %q (bash -lc %[3]q, asked before anything was changed). "+
		"Likely cause: bundle is not where the service looks for it: %[4]s", l.User, l.Program+": not found", "command -v "+l.Program, l.advice)
}
