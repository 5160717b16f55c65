// SPDX-License-Identifier: GPL-3.0-or-later

// Package scripthost is a fake host that is made from a text and shown as a
// text, for tests that describe whole runs.
//
// [Host.Given] reads what the host is like and what happens on it, one fact a
// line; the table of lines says what can be written. [Host.Show] writes what
// the host is like. Files, links, units and their processes are those of
// package fakehost. Questions about anything else, such as users and deployed
// applications, are answered from the same text.
//
// The package judges nothing: its visudo and its systemd-analyze find no faults
// but those in the text.
package scripthost

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge/fakehost"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/sidekiq"
)

// Host is a host that a text describes.
type Host struct {
	*fakehost.Host
	facts     sidekiq.Facts // of which each service is told what it asks about
	behaviour []behaviour
	notFound  string         // a program that login shells do not find
	runsIn    map[int]string // main process to the directory that it runs in
	said      []string       // by programs, before they end
	sudoSays  string         // in place of a restart
	warning   string         // of Verify
	locked    error          // why Lock waits in vain
	silent    error          // why there are no Facts
	blind     bool           // units cannot be looked at
	closed    error          // why nobody can work on it
	interrupt func(error)    // of the run that is at work
}

// behaviour says what those programs do whose unit file holds a text.
type behaviour struct {
	with  string
	words string // as behind X-Fake=
}

// New is a host with systemd and nothing else.
func New() *Host {
	h := &Host{
		Host: fakehost.New(),
		facts: sidekiq.Facts{
			Systemctl: "/usr/bin/systemctl",
			Users:     map[string]sidekiq.User{}, Groups: map[string]sidekiq.Group{},
			Units: map[string]sidekiq.Installed{}, Packaged: map[string]string{},
		},
		runsIn:    map[int]string{},
		interrupt: func(error) {},
	}
	h.Behave = func(_, content string) fakehost.Behaviour {
		for _, b := range slices.Backward(h.behaviour) {
			if strings.Contains(content, b.with) {
				return fakehost.Behave("X-Fake=" + b.words)
			}
		}
		return fakehost.Behave(content)
	}
	return h
}

// line is one kind of line of a text: the words that it starts with, and what
// the rest of it does.
type line struct {
	start string
	do    func(h *Host, rest string) error
}

const fileLine = "file "

// These are the lines that [Host.Given] knows. The content of a file follows in
// indented lines.
var lines = []line{
	// What the host has.
	{"systemd ", func(h *Host, version string) (err error) { h.facts.Systemd, err = strconv.Atoi(version); return err }},
	{"sudo", func(h *Host, _ string) error {
		h.facts.Sudo = sidekiq.Sudo{Present: true, Visudo: "/usr/sbin/visudo"}
		return nil
	}},
	{"group ", (*Host).group},              // NAME GID
	{"user ", (*Host).user},                // NAME UID GROUP HOME
	{"installed unit ", (*Host).installed}, // NAME [enabled]
	{"package ", (*Host).packaged},         // NAME owns PATH
	{"missing program ", func(h *Host, path string) error { h.facts.Missing = append(h.facts.Missing, path); return nil }},
	{"read-only ", (*Host).readOnly}, // PATH
	{"no health command, since ", func(h *Host, why string) error { h.facts.Health.Refused = why; return nil }},
	{fileLine, (*Host).file}, // PATH [MODE [UID:GID]]
	{"link ", (*Host).link},  // PATH -> TARGET
	{"remove ", func(h *Host, path string) error { h.Remove(path); return nil }},

	// What programs do: those whose unit file holds the text, or all.
	{"programs with ", (*Host).programs}, // TEXT: BEHAVIOUR
	{"programs ", func(h *Host, words string) error { return h.programs(": " + words) }},

	// What somebody else does.
	{"wait ", (*Host).wait},           // DURATION
	{"systemctl ", (*Host).systemctl}, // VERB UNIT
	{"kill ", func(h *Host, unit string) error { h.Kill(unit, int(syscall.SIGKILL)); return nil }},
	{"process of ", (*Host).process}, // UNIT runs in DIRECTORY

	{"no login shell finds ", func(h *Host, program string) error { h.notFound = program; return nil }},
	{"programs log nothing", func(h *Host, _ string) error { h.said = nil; return nil }},
	{"programs log: ", func(h *Host, text string) error { h.said = append(h.said, text); return nil }},

	// What goes wrong in the run that follows.
	{"nobody can work here: ", func(h *Host, why string) error { h.closed = errors.New(why); return nil }},
	{"another run is at work: ", func(h *Host, why string) error { h.locked = errors.New(why); return nil }},
	{"nothing can be asked: ", func(h *Host, why string) error { h.silent = errors.New(why); return nil }},
	{"the files are faulty: ", func(h *Host, why string) error { h.VerifyErr = errors.New(why); return nil }},
	{"the files are odd: ", func(h *Host, why string) error { h.warning = why; return nil }},
	{"sudo says: ", func(h *Host, what string) error { h.sudoSays = what; return nil }},
	{"sudo refuses: ", func(h *Host, why string) error { h.Denied = errors.New(why); return nil }},
	{"fails: ", func(h *Host, what string) error { h.fault(what, func() {}); return nil }},
	{"a bug shows at: ", func(h *Host, what string) error { h.fault(what, func() { panic("out of range") }); return nil }},
	{"interrupted after: ", func(h *Host, what string) error {
		h.after(what, func() { h.interrupt(errors.New("interrupted by signal 15 (terminated)")) })
		return nil
	}},
	{"units cannot be seen after: ", func(h *Host, what string) error { h.after(what, func() { h.blind = true }); return nil }},
	{"units cannot be seen", func(h *Host, _ string) error { h.blind = true; return nil }},
	{"all is well", func(h *Host, _ string) error {
		h.Fault, h.OnEffect, h.Denied, h.VerifyErr, h.warning, h.sudoSays = nil, nil, nil, nil, "", ""
		return nil
	}},
}

// indent is what the lines of a file's content start with.
const indent = "    "

// Given makes the host what a text says, line by line. Empty lines and lines
// that start with # mean nothing.
func (h *Host) Given(text string) error {
	said := strings.Split(text, "\n")
	for i := 0; i < len(said); {
		content, next := indentedFrom(said, i+1)
		if l := strings.TrimSpace(said[i]); l != "" && l[0] != '#' {
			if err := h.given(l, content); err != nil {
				return fmt.Errorf("line %d, %q: %w", i+1, l, err)
			}
		}
		i = next
	}
	return nil
}

// indentedFrom is the content in the indented lines from the first on, and the
// index of the line after it.
func indentedFrom(lines []string, first int) (content string, next int) {
	next = first
	for i := first; i < len(lines); i++ {
		line, ok := strings.CutPrefix(lines[i], indent)
		switch {
		case ok:
			content += strings.Repeat("\n", i-next) + line + "\n"
			next = i + 1
		case lines[i] != "":
			return content, next
		}
	}
	return content, next
}

func (h *Host) given(said, content string) error {
	var best line
	for _, l := range lines {
		if strings.HasPrefix(said, l.start) && len(l.start) > len(best.start) {
			best = l
		}
	}
	if best.do == nil {
		return errors.New("nobody knows what that means")
	}
	rest := strings.TrimPrefix(said, best.start)
	if best.start == fileLine {
		rest += "\n" + content
	} else if content != "" {
		return errors.New("only a file has content")
	}
	return best.do(h, rest)
}

func (h *Host) group(rest string) error {
	name, gid, _ := strings.Cut(rest, " ")
	n, err := strconv.Atoi(gid)
	h.facts.Groups[name] = sidekiq.Group{GID: n}
	return err
}

func (h *Host) user(rest string) error {
	words := strings.Fields(rest)
	if len(words) != 4 {
		return errors.New("want a name, an id, a group and a directory")
	}
	uid, err := strconv.Atoi(words[1])
	group, known := h.facts.Groups[words[2]]
	if !known {
		return fmt.Errorf("there is no group %q yet", words[2])
	}
	h.facts.Users[words[0]] = sidekiq.User{UID: uid, GID: group.GID, Group: words[2], Home: words[3]}
	return err
}

func (h *Host) installed(rest string) error {
	name, enabled, _ := strings.Cut(rest, " ")
	h.facts.Units[name] = sidekiq.Installed{Enabled: enabled == "enabled"}
	return nil
}

func (h *Host) packaged(rest string) error {
	name, path, _ := strings.Cut(rest, " owns ")
	h.facts.Packaged[path] = name
	return nil
}

func (h *Host) readOnly(path string) error {
	h.facts.ReadOnly = append(h.facts.ReadOnly, path)
	return nil
}

func (h *Host) file(rest string) error {
	head, content, _ := strings.Cut(rest, "\n")
	words := append(strings.Fields(head), "0644", "0:0")
	mode, err := strconv.ParseUint(words[1], 8, 12)
	if err != nil {
		return err
	}
	h.Write(words[0], content, fs.FileMode(mode))
	var uid, gid int
	if len(words) > 4 {
		_, err = fmt.Sscanf(words[2], "%d:%d", &uid, &gid)
	}
	h.Own(words[0], uid, gid)
	return err
}

func (h *Host) link(rest string) error {
	name, target, ok := strings.Cut(rest, " -> ")
	if !ok {
		return errors.New("want PATH -> TARGET")
	}
	h.Link(name, target)
	return nil
}

func (h *Host) programs(rest string) error {
	with, words, ok := strings.Cut(rest, ": ")
	if !ok {
		return errors.New("want TEXT: BEHAVIOUR")
	}
	h.behaviour = append(h.behaviour, behaviour{with: with, words: words})
	return nil
}

func (h *Host) process(rest string) error {
	unit, dir, ok := strings.Cut(rest, " runs in ")
	if !ok {
		return errors.New("want UNIT runs in DIRECTORY")
	}
	u, err := h.Host.Unit(context.Background(), unit)
	h.runsIn[u.Process.MainPID] = dir
	return err
}

func (h *Host) wait(rest string) error {
	d, err := time.ParseDuration(rest)
	h.Pass(d)
	return err
}

func (h *Host) systemctl(rest string) error {
	verb, unit, _ := strings.Cut(rest, " ")
	switch verb {
	case "daemon-reload":
		h.DaemonReload()
	case "enable":
		h.Link("/etc/systemd/system/multi-user.target.wants/"+unit, path.Join("/lib/systemd/system", unit))
	case "reload":
		h.Systemctl(converge.MakeQuiet, unit)
	default:
		h.Systemctl(converge.Verb(verb), unit)
	}
	return nil
}

// fault makes an effect fail, and makes something happen then.
func (h *Host) fault(effect string, happens func()) {
	h.Fault = func(_ int, what string) fakehost.Outcome {
		if what != effect {
			return fakehost.Done
		}
		happens()
		return fakehost.Refused
	}
}

// after makes something happen after an effect.
func (h *Host) after(effect string, happens func()) {
	h.OnEffect = func(_ int, what string) {
		if what == effect {
			happens()
		}
	}
}

// Open begins to work on the host.
func (h *Host) Open() (*Host, error) { return h, h.closed }

// Close ends the work on the host.
func (h *Host) Close() {}

// RestartBySudo restarts the service, unless the text has sudo say something.
func (h *Host) RestartBySudo(_ context.Context, _, service string, _ time.Duration) (done bool, said string, err error) {
	if h.sudoSays == "" {
		h.Systemctl(converge.Restart, service+".service")
	}
	return h.sudoSays == "", h.sudoSays, nil
}

// Lock has nobody to wait for, unless the text speaks of another run.
func (h *Host) Lock(context.Context, ...string) (release func(), err error) {
	return func() {}, h.locked
}

// Traces are what programs log and how they ended.
func (h *Host) Traces(ctx context.Context, unit string, run converge.Process, since time.Time) converge.Traces {
	left := h.Host.Traces(ctx, unit, run, since)
	left.Log = append(slices.Clone(h.said), left.Log...)
	return left
}

// Interruptible returns a context that ends where the text says that a run is
// interrupted.
func (h *Host) Interruptible() (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(context.Background())
	h.interrupt = cancel
	return ctx, func() { cancel(nil) }
}

// Unit looks at a unit.
func (h *Host) Unit(ctx context.Context, name string) (converge.Unit, error) {
	if h.blind {
		return converge.Unit{}, fmt.Errorf("cannot ask systemd about %s: the connection is broken", name)
	}
	u, err := h.Host.Unit(ctx, name)
	u.RunsIn = h.runsIn[u.Process.MainPID]
	return u, err
}

// Verify finds the faults that the text tells of.
func (h *Host) Verify(ctx context.Context, files []converge.File, installed bool) (converge.Verdict, error) {
	v, err := h.Host.Verify(ctx, files, installed)
	if h.warning != "" {
		v.Warnings = append(v.Warnings, h.warning)
	}
	return v, err
}
