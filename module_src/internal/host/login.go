// SPDX-License-Identifier: GPL-3.0-or-later

package host

import (
	"context"
	"fmt"
	"time"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/shell"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/sidekiq"
)

// loginTime bounds what the user's own files may do.
const loginTime = 5 * time.Second

// Finds asks a login shell, which runs as the user and with the environment that
// systemd would give it: systemd.exec(5), "Environment Variables in Spawned
// Processes". A shell that cannot be asked, or that takes too long, is an error
// and has found nothing out.
func (h *Host) Finds(ctx context.Context, l sidekiq.Login) (bool, error) {
	user, found, err := lookupUser(ctx, l.User)
	if err != nil || !found {
		return true, err // that there is no such user is said elsewhere
	}
	who, err := user.credential()
	if err != nil {
		return false, err
	}
	dir := "/"
	if ok, err := there(l.Dir); err != nil {
		return false, err
	} else if ok {
		dir = l.Dir
	}
	env := []string{"HOME=" + user.home, "USER=" + user.name, "LOGNAME=" + user.name, "SHELL=/bin/sh", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
	for _, v := range l.Env {
		env = append(env, v.Name+"="+v.Value)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, loginTime, fmt.Errorf("it did not end within %s", loginTime))
	defer cancel()
	out, err := program{path: "/bin/bash", args: []string{"-lc", "command -v " + shell.Word(l.Program) + " >/dev/null"}, as: who, env: env, dir: dir}.judge(ctx)
	if err != nil {
		return false, fmt.Errorf("a login shell of %s could not be asked for %s: %w", l.User, l.Program, err)
	}
	return out.status == 0, nil
}
