// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
)

// version is the version of the collection; scripts/build sets it.
var version = "devel"

const usage = `Keeps Sidekiq running as a systemd service. Reads options as one JSON object, from a file or from standard input, such as

    {"project_name": "laevigata"}

Usage:
  sidekiq_service --check [--diff] [FILE | -]    say what would be done; change nothing
  sidekiq_service --apply [--diff] [FILE | -]    do it, and say what was done
  sidekiq_service FILE | -                       do it, and answer in JSON, as Ansible has it
  sidekiq_service --version | --help

  --diff    show the files before and after

It must run as root. Its status is 0 if all went well, 1 if not, and 2 if the command line is wrong.
The options: ansible-doc curationexperts.sidekiq.sidekiq_service, or, with examples,
https://github.com/curationexperts/ansible-sidekiq/blob/main/plugins/modules/sidekiq_service.py
`

// command is what a command line asks for. The flags are for people, who get
// the result in words. The one exception is --cached=DIGEST, which only the
// action plugin gives, so the usage does not mention it: see
// [host.ReadRequest].
type command struct {
	check, apply, diff bool
	help, version      bool
	file               string // "-" is standard input
	cached             string // the digest under which the options may be beside the program; "" is nowhere
}

// parseCommand reads a command line. The file may stand anywhere in it.
func parseCommand(args []string) (command, error) {
	var c command
	flags := flag.NewFlagSet("sidekiq_service", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // the caller says what is wrong, and how it is meant
	flags.BoolVar(&c.check, "check", false, "")
	flags.BoolVar(&c.apply, "apply", false, "")
	flags.BoolVar(&c.diff, "diff", false, "")
	flags.BoolVar(&c.version, "version", false, "")
	flags.StringVar(&c.cached, "cached", "", "")
	for {
		err := flags.Parse(args)
		switch {
		case errors.Is(err, flag.ErrHelp):
			return command{help: true}, nil
		case err != nil:
			return command{}, err
		case flags.NArg() == 0:
			return c, c.complete()
		case c.file != "":
			return command{}, fmt.Errorf("more than one file: %s and %s", c.file, flags.Arg(0))
		}
		c.file, args = flags.Arg(0), flags.Args()[1:]
	}
}

// complete says what is missing or contradicts itself.
func (c *command) complete() error {
	switch {
	case c.help || c.version:
		return nil
	case c.check && c.apply:
		return fmt.Errorf("--check changes nothing and --apply does: say one of them")
	case c.diff && !c.check && !c.apply:
		return fmt.Errorf("--diff needs --check, which changes nothing, or --apply")
	case c.cached != "" && (!isDigest(c.cached) || c.inWords() || c.file != "-"):
		return fmt.Errorf("--cached is for Ansible, with a digest and with -")
	case c.file == "" && c.inWords():
		c.file = "-"
	case c.file == "":
		return fmt.Errorf("no options: name a file that holds them, or - for standard input")
	}
	return nil
}

// isDigest reports whether s is a SHA-256 in hexadecimal, and so no path.
func isDigest(s string) bool { return len(s) == 64 && strings.Trim(s, "0123456789abcdef") == "" }

// inWords reports whether the result is for a person to read.
func (c command) inWords() bool { return c.check || c.apply }
