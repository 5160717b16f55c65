// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux && amd64

// Faults meddles with the system calls of the program on a test host, and says
// whether what the program then tells, and what its next run makes of the
// host, is true. It is for throw-away hosts of tests/host only: it stops
// services and removes files.
//
//	faults trace [-fault FAULT [-at EFFECT] [-nth N]] [-only PATTERN] [-log FILE] PROGRAM [ARGUMENT...]
//	faults drive [-program PROGRAM] [-transitions PATTERN] [-minutes N] [-seed N] [-only PATTERN] [-report FILE]
//	faults stand-in
//
// trace runs a program, and one fault befalls one of its effects: a change of
// the host, a look at it, or a message to systemd. drive does that again and
// again with runs of the program that bring the host from one state to
// another, and judges each. stand-in is what runs in the place of Sidekiq.
//
// strace can inject errors into programs of one thread. It counts for each
// thread, though, and a Go program goes from thread to thread as it likes.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
)

func main() {
	if strings.HasPrefix(os.Args[0], titleStart) {
		idle()
		return
	}
	status, err := command(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "faults:", err)
		os.Exit(125)
	}
	os.Exit(status)
}

func command(args []string) (status int, err error) {
	if len(args) == 0 {
		return 0, errors.New("say trace, drive or stand-in")
	}
	switch args[0] {
	case "trace":
		return traceCommand(args[1:])
	case "drive":
		return driveCommand(args[1:])
	case "stand-in":
		return 0, standIn()
	}
	return 0, fmt.Errorf("unknown command %q", args[0])
}

func traceCommand(args []string) (status int, err error) {
	var t tracer
	flags := flag.NewFlagSet("trace", flag.ExitOnError)
	name := flags.String("fault", "", "the fault: "+strings.Join(faultNames(), ", "))
	flags.StringVar(&t.at, "at", "", "the effect that it befalls; empty: any")
	flags.IntVar(&t.nth, "nth", 1, "which of those effects")
	only := flags.String("only", changesOnly, "count and log only effects that match this regular expression")
	log := flags.String("log", "/dev/stderr", "where the effects are written, one a line")
	_ = flags.Parse(args)
	if t.only, err = regexp.Compile(*only); err != nil {
		return 0, err
	}
	if *name != "" {
		if t.fault, err = faultNamed(*name); err != nil {
			return 0, err
		}
	}
	t.stdin, t.stdout = os.Stdin, os.Stdout
	err = logTo(*log, func(w io.Writer) error {
		t.log = func(effect string) { fmt.Fprintln(w, effect) }
		status, err = t.run(flags.Args())
		return err
	})
	return status, err
}

func logTo(path string, do func(io.Writer) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return do(f)
}
