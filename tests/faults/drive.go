// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux && amd64

package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"regexp"
	"slices"
	"syscall"
	"time"
)

// report is what is told of one run, as a line of JSON.
type report struct {
	Transition string   `json:"transition"`
	Effect     string   `json:"effect,omitempty"`
	Nth        int      `json:"nth,omitempty"`
	Fault      string   `json:"fault,omitempty"`
	Outcome    outcome  `json:"outcome"`
	Msg        string   `json:"msg,omitempty"`
	Seconds    float64  `json:"seconds"`
	Violations []string `json:"violations"`
}

func driveCommand(args []string) (status int, err error) {
	var d driver
	flags := flag.NewFlagSet("drive", flag.ExitOnError)
	flags.StringVar(&d.program, "program", "/root/sidekiq_service", "the program to try")
	names := flags.String("transitions", ".", "try only those whose name matches this regular expression")
	minutes := flags.Float64("minutes", 18, "how long to go on; 0: until everything has been tried")
	flags.Uint64Var(&d.seed, "seed", 1, "which faults are tried first")
	only := flags.String("only", ".", "try only effects that match this regular expression")
	fault := flags.String("fault", "", "try only this fault")
	path := flags.String("report", "/dev/stdout", "where the report goes, a line of JSON for each run")
	_ = flags.Parse(args)
	if d.only, err = regexp.Compile(*only); err != nil {
		return 0, err
	}
	which, err := regexp.Compile(*names)
	if err != nil {
		return 0, err
	}
	if *minutes > 0 {
		d.end = time.Now().Add(time.Duration(*minutes * float64(time.Minute)))
	}
	d.fault = *fault
	lock, err := alone()
	if err != nil {
		return 0, err
	}
	defer lock.Close()
	err = logTo(*path, func(w io.Writer) error { d.out = json.NewEncoder(w); return d.drive(chosen(which)) })
	if err == nil && d.violations > 0 {
		status = 1
	}
	return status, err
}

// alone makes sure that nobody else drives on this host, by a lock that ends
// with the program.
func alone() (*os.File, error) {
	f, err := os.OpenFile("/run/faults.lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, fmt.Errorf("somebody else drives on this host: %w", err)
	}
	return f, nil
}

func chosen(names *regexp.Regexp) []transition {
	return slices.DeleteFunc(transitions(), func(t transition) bool { return !names.MatchString(t.name) })
}

// driver tries transitions.
type driver struct {
	machine
	seed       uint64
	only       *regexp.Regexp
	fault      string    // "": any
	end        time.Time // zero: none
	out        *json.Encoder
	violations int
}

// course is a transition, and what is known of it from an undisturbed run.
type course struct {
	transition
	wanted   sight          // what the host is like in the end, after the next run
	settled  []string       // the warnings of a run that finds nothing to do
	effects  map[string]int // and how often each is had
	attempts []attempt
}

// attempt is a fault at an effect.
type attempt struct {
	effect string
	nth    int
	fault  fault
	turn   int    // how many faults are tried at this effect before this one
	chance uint64 // the place within the turn
}

// drive tries each effect of each transition with one fault, then with
// another, until the time is up. It goes round the transitions, so that each
// gets its share of the time.
func (d *driver) drive(list []transition) error {
	var courses []*course
	for _, t := range list {
		c, err := d.undisturbed(t)
		if err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
		courses = append(courses, c)
	}
	for _, c := range courses {
		c.attempts = d.attempts(c, courses)
	}
	for left := true; left; {
		left = false
		for _, c := range courses {
			share := c.attempts[:min(len(c.attempts), 10)]
			c.attempts = c.attempts[len(share):]
			for _, a := range share {
				if !d.end.IsZero() && time.Now().After(d.end) {
					return nil
				}
				if err := d.try(c, a); err != nil {
					return fmt.Errorf("%s: %s at %s: %w", c.name, a.fault.name, a.effect, err)
				}
			}
			left = left || len(c.attempts) > 0
		}
	}
	return nil
}

// undisturbed learns the effects of a transition, and judges it, too.
func (d *driver) undisturbed(t transition) (*course, error) {
	c := &course{transition: t, effects: map[string]int{}}
	if err := d.learn(c); err != nil {
		return nil, err
	}
	if err := d.prepare(t); err != nil {
		return nil, err
	}
	return c, d.tryWith(c, attempt{}, func(effect string) { c.effects[effect]++ })
}

// learn learns what a host is like that is as wanted.
func (d *driver) learn(c *course) error {
	if err := d.prepare(c.transition); err != nil {
		return err
	}
	for range 2 {
		r, err := d.converge(c.next())
		if err != nil {
			return err
		}
		if r.Failed {
			return fmt.Errorf("an undisturbed run fails: %s", r.Msg)
		}
		c.settled = r.Warnings
	}
	wanted, err := look()
	c.wanted = wanted
	return err
}

// attempts are the faults at the effects of a course, in an order that is by
// chance but the same for the same seed: one fault at each effect, then
// another. A look that several courses make is tried in one of them, and what
// has nothing to do with systemd not once more over the other bus.
func (d *driver) attempts(c *course, courses []*course) []attempt {
	var all []attempt
	for effect, times := range c.effects {
		if c.systemBus && !toSystemd.MatchString(effect) {
			continue // the same as without it
		}
		most := 4
		if !changes(effect) {
			most = 2
		}
		if !changes(effect) && !toSystemd.MatchString(effect) {
			with := slices.DeleteFunc(slices.Clone(courses), func(o *course) bool { return o.systemBus || o.effects[effect] == 0 })
			if with[d.chance(effect)%uint64(len(with))] != c {
				continue
			}
		}
		for nth := 1; nth <= min(times, most) && d.only.MatchString(effect); nth++ {
			all = append(all, d.faultsAt(c, effect, nth)...)
		}
	}
	slices.SortFunc(all, func(a, b attempt) int { return cmp.Or(cmp.Compare(a.turn, b.turn), cmp.Compare(a.chance, b.chance)) })
	return all
}

func (d *driver) faultsAt(c *course, effect string, nth int) []attempt {
	list := slices.DeleteFunc(faultsAt(effect), func(f fault) bool { return d.fault != "" && f.name != d.fault })
	chance := d.chance(c.name, effect, nth)
	all := make([]attempt, len(list))
	for i := range list {
		all[i] = attempt{effect: effect, nth: nth, fault: list[(i+int(chance%97))%len(list)], turn: i, chance: chance}
	}
	return all
}

// chance is a number that these words and the seed give.
func (d *driver) chance(words ...any) uint64 {
	h := fnv.New64a()
	fmt.Fprint(h, d.seed)
	fmt.Fprint(h, words...)
	return h.Sum64()
}

func (d *driver) try(c *course, a attempt) error {
	if err := d.prepare(c.transition); err != nil {
		return err
	}
	return d.tryWith(c, a, func(string) {})
}

// tryWith makes a run that a fault befalls, judges it, and has the next run
// heal what it has left.
func (d *driver) tryWith(c *course, a attempt, log func(string)) error {
	began := time.Now()
	r := &run{transition: c.transition, effect: a.effect, fault: a.fault, wanted: c.wanted}
	var err error
	if r.before, err = look(); err != nil {
		return err
	}
	if c.fails && c.before != nil {
		r.wanted = r.before
	}
	var stdout bytes.Buffer
	t := tracer{
		only: regexp.MustCompile("."), fault: a.fault, at: a.effect, nth: a.nth, systemBus: c.systemBus,
		limit: runLimit, stdin: request(c.goal), stdout: &stdout, log: log,
	}
	if r.status, err = t.run([]string{d.program, "-"}); err != nil {
		return err
	}
	r.late, r.printed = t.late, stdout.String()
	if r.after, err = look(); err != nil {
		return err
	}
	o, violations := r.judge()
	violations = append(violations, d.heal(c.transition, c.wanted, c.settled)...)
	d.violations += len(violations)
	if a.fault.name != "" && !t.hit {
		o = "not befallen"
	}
	return d.out.Encode(report{
		Transition: c.name, Effect: a.effect, Nth: a.nth, Fault: a.fault.name, Outcome: o, Msg: clip(r.result.Msg),
		Seconds: time.Since(began).Seconds(), Violations: violations,
	})
}
