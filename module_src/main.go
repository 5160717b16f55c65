// SPDX-License-Identifier: GPL-3.0-or-later

// Sidekiq_service brings a host's Sidekiq under systemd. It is an Ansible
// binary module: it reads the options of one task as JSON, from the file named
// by its only argument or from standard input for "-", and prints one line of
// JSON.
package main

import (
	"fmt"
	"io"
	"os"
	"runtime/debug"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/ansible"
)

func main() { os.Exit(mainStatus(os.Args[1:], os.Stdin, os.Stdout)) }

// mainStatus prints one result whatever happens, a panic included: anything
// else would reach the user as "module failure" without a reason.
func mainStatus(args []string, stdin io.Reader, stdout io.Writer) (status int) {
	defer func() {
		if r := recover(); r != nil {
			status = show(stdout, ansible.Failure(fmt.Errorf("this is a bug in sidekiq_service, please report it: %v\n%s", r, debug.Stack())))
		}
	}()
	ctx, stop := interruptible()
	defer stop()
	return show(stdout, run(ctx, args, stdin))
}

// show prints the result and returns the exit status for it.
func show(stdout io.Writer, r ansible.Result) int {
	if err := ansible.Write(stdout, r); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if r.Failed {
		return 1
	}
	return 0
}
