// SPDX-License-Identifier: GPL-3.0-or-later

package host

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// These are the programs that are run as children, each with the places where
// distributions have it, the best place first.
var (
	visudoPaths    = [...]string{"/usr/sbin/visudo", "/usr/bin/visudo", "/usr/local/sbin/visudo"}
	sudoPaths      = [...]string{"/usr/bin/sudo", "/usr/local/bin/sudo"}
	analyzePaths   = [...]string{"/usr/bin/systemd-analyze", "/bin/systemd-analyze"}
	journalPaths   = [...]string{"/usr/bin/journalctl", "/bin/journalctl"}
	getentPaths    = [...]string{"/usr/bin/getent", "/bin/getent"}
	systemctlPaths = [...]string{"/usr/bin/systemctl", "/bin/systemctl"}
	logrotatePaths = [...]string{"/usr/sbin/logrotate", "/usr/bin/logrotate", "/sbin/logrotate"}
	rpmPaths       = [...]string{"/usr/bin/rpm", "/bin/rpm"}
	redisPaths     = [...]string{"/usr/bin/redis-server", "/usr/local/bin/redis-server", "/usr/bin/valkey-server"}
)

const (
	programTime = 60 * time.Second // none of them takes a second
	maxOutput   = 64 << 10
)

// errNotEnded is why a program has been ended, with its limit behind it.
var errNotEnded = errors.New("it did not end within")

// find returns the first of paths that is an executable file, or "".
func find(paths []string) (string, error) {
	for _, p := range paths {
		info, err := os.Stat(p)
		ok, err := seen(p, err)
		if err != nil {
			return "", err
		}
		if ok && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return p, nil
		}
	}
	return "", nil
}

// output is what a program has left behind when it ends.
type output struct {
	stdout, stderr string
	status         int            // exit status, or 128 and the signal
	signal         syscall.Signal // by which it was ended; 0: it ended by itself
}

// silent says of a program that has written nothing that it has judged nothing.
func (o output) silent(path string) error {
	return fmt.Errorf("%s ended with the status %d and said nothing, so it has approved nothing", path, o.status)
}

// all is both outputs together, for a message.
func (o output) all() string { return strings.TrimSpace(o.stderr + o.stdout) }

// program is a child process: an absolute path, its arguments, the identity to
// run it with (nil for our own), where its standard output goes (nil for the
// output that it leaves behind), and whether it gets a terminal to read from.
type program struct {
	path string
	args []string
	as   *syscall.Credential
	to   io.Writer
	tty  bool
	env  []string // nil: a small one of ours
	dir  string   // empty: /

	limit time.Duration // what it may take; 0: programTime
}

// run runs a program in a small environment and the C locale, with an empty
// input and a bounded output. The error says that the program could not be run;
// its exit status is no error.
func (p program) run(ctx context.Context) (output, error) {
	limit := cmp.Or(p.limit, programTime)
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("%w %s", errNotEnded, limit))
	defer cancel()
	cmd := exec.CommandContext(ctx, p.path, p.args...)
	cmd.Env = []string{"LC_ALL=C", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "SYSTEMD_COLORS=0", "SYSTEMD_PAGER="}
	cmd.Dir = cmp.Or(p.dir, "/")
	if p.env != nil {
		cmd.Env = p.env
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: p.as, Setsid: true}
	// Its children end with it: it leads a session, and so a group, of its own. A
	// child that has begun another session is a service of somebody's, and stays.
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	stdout, stderr := &bounded{}, &bounded{}
	cmd.Stdout, cmd.Stderr = stdout, stderr
	if p.to != nil {
		cmd.Stdout = p.to
	}
	if p.tty {
		ends, err := terminal()
		if err != nil {
			return output{}, fmt.Errorf("cannot give %s a terminal: %w", p.path, err)
		}
		defer ends.close()
		cmd.Stdin, cmd.SysProcAttr.Setctty = ends.child, true // descriptor 0 of the child
	}
	err := cmd.Run()
	if cmd.Process != nil {
		_ = cmd.Cancel() // also of those that it has left behind
	}
	out := output{stdout: stdout.kept.String(), stderr: stderr.kept.String()}
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return out, fmt.Errorf("cannot run %s: %w", p.path, context.Cause(ctx))
	case errors.As(err, &exit):
		out.status, out.signal = exitStatus(exit)
	case errors.Is(err, exec.ErrWaitDelay):
		return out, fmt.Errorf("cannot run %s: it ended, and a child of it kept its output open", p.path)
	case err != nil:
		return out, fmt.Errorf("cannot run %s: %w", p.path, withoutPath(err))
	}
	return out, nil
}

// judge runs a program whose word counts. It is an error, too, if a signal ended
// the program, which then has judged nothing.
func (p program) judge(ctx context.Context) (output, error) {
	out, err := p.run(ctx)
	if err == nil && out.signal != 0 {
		err = fmt.Errorf("%s was ended by the signal %d (%s), so it has approved nothing", p.path, int(out.signal), out.signal)
	}
	return out, err
}

func exitStatus(exit *exec.ExitError) (status int, signal syscall.Signal) {
	if ws, ok := exit.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return 128 + int(ws.Signal()), ws.Signal()
	}
	return exit.ExitCode(), 0
}

// bounded keeps the first maxOutput bytes written to it and drops the rest. The
// buffer is not embedded: io.Copy would take its ReadFrom, which has no bound.
type bounded struct{ kept bytes.Buffer }

func (b *bounded) Write(p []byte) (int, error) {
	if room := maxOutput - b.kept.Len(); room > 0 {
		b.kept.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}
