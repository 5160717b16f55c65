// SPDX-License-Identifier: GPL-3.0-or-later

// Sidekiq_service sets up a host's Sidekiq as a systemd service. It is an
// Ansible binary module: it reads the options of one task as JSON, from the
// file named by its only argument or from standard input for "-", and prints
// one line of JSON. With flags it is a tool for a person at a shell, and
// answers in words.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/ansible"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/host"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/sidekiq"
	"golang.org/x/sys/unix"
)

func main() {
	// The program spends most of its time waiting for systemd. A second
	// processor would gain it nothing, and would be taken from a host that has
	// better things to do.
	runtime.GOMAXPROCS(1)
	unix.Umask(0o022)              // a login shell's may be any, and directories are to be the same for all
	debug.SetMemoryLimit(32 << 20) // rather collect than grow: what it holds at a time is less
	if filepath.Base(os.Args[0]) == filepath.Base(sidekiq.HealthPath) {
		os.Exit(onThisHost().health(os.Args[1:], os.Stdout))
	}
	os.Exit(onThisHost().main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// program is what a run works on and works with.
type program struct {
	// open begins to work on the host.
	open func(context.Context, host.Options) (machine, error)

	// interruptible returns a context that ends when the run should end.
	interruptible func() (ctx context.Context, stop func())

	// dir is the directory that the program is in. It is empty where that
	// cannot be told, as in a chroot without /proc.
	dir string
}

// machine is the host, as far as a run needs it.
type machine interface {
	converge.Host

	// Facts answers a service's questions about the host.
	Facts(context.Context, sidekiq.Questions) (sidekiq.Facts, error)

	// Inspect finds out everything that a report tells about a service.
	Inspect(context.Context, sidekiq.Service) (sidekiq.Report, error)

	// Finds asks a login shell.
	Finds(context.Context, sidekiq.Login) (bool, error)

	// Health finds out what the judgement on a service's health takes.
	Health(context.Context, sidekiq.Service) (sidekiq.Report, error)

	// RestartBySudo has a user restart a service.
	RestartBySudo(ctx context.Context, user, service string, limit time.Duration) (done bool, said string, err error)

	// Lock waits until no other run is at work on the host, and removes what
	// killed runs have left behind beside the paths.
	Lock(ctx context.Context, paths ...string) (release func(), err error)

	// Close ends the work on the host.
	Close()
}

// onThisHost is the program as it is run.
func onThisHost() program {
	p := program{
		open:          func(ctx context.Context, o host.Options) (machine, error) { return host.New(ctx, o) },
		interruptible: interruptible,
	}
	if file, err := os.Executable(); err == nil {
		p.dir = filepath.Dir(file)
	}
	return p
}

// main runs the program: it prints what there is to print and returns the exit
// status.
func (p program) main(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	c, err := parseCommand(args)
	switch {
	case err != nil:
		fmt.Fprintf(stderr, "sidekiq_service: %v\n\n%s", err, usage)
		return 2
	case c.help:
		fmt.Fprint(stdout, usage)
		return 0
	case c.version:
		fmt.Fprintln(stdout, "sidekiq_service", version)
		return 0
	}
	return p.runAndShow(c, stdin, stdout)
}

// runAndShow prints one result whatever happens, even after a panic: anything
// else would reach the user as "module failure" without a reason.
func (p program) runAndShow(c command, stdin io.Reader, stdout io.Writer) (status int) {
	defer func() {
		if r := recover(); r != nil {
			status = show(stdout, c, bug(r))
		}
	}()
	return show(stdout, c, p.run(c, stdin))
}

// bug is the answer of a run that has panicked with r.
func bug(r any) answer {
	return answer{Result: failure(fmt.Errorf("this is a bug in sidekiq_service, please report it: %v\n%s", r, debug.Stack()))}
}

// show prints the answer and returns the exit status for it.
func show(stdout io.Writer, c command, a answer) int {
	if err := write(stdout, c, a); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if a.Failed {
		return 1
	}
	return 0
}

func write(stdout io.Writer, c command, a answer) error {
	switch {
	case a.other != nil:
		return ansible.Write(stdout, a.other)
	case a.failureOnly:
		return ansible.WriteFailure(stdout, a.Msg)
	case c.inWords():
		return writeWords(stdout, a.Result, c.check)
	}
	return ansible.Write(stdout, a.complete())
}
