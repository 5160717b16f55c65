// SPDX-License-Identifier: GPL-3.0-or-later

package fakehost

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/systemd"
)

// Behaviour is what a program does when it is run.
type Behaviour struct {
	Boot     time.Duration // until it is ready, says so and shows it in its title
	Life     time.Duration // until it dies by itself; zero is for ever
	Exit     int           // its exit status then
	Exec     int           // the status with which it cannot even be run, 203 for example
	Stop     time.Duration // until it ends when it is told to
	Untitled bool          // shows nothing in its title
	Mute     bool          // never tells the manager that it is ready
	Behind   bool          // has another process do the work, and passes no signals on to that
	Deaf     bool          // goes on working when it is told to be quiet
	Queued   time.Duration // until another unit has started, which a start of this one waits for: [Ahead]
	Extends  bool          // asks the manager for more time whenever its time is over
}

// Behave reads a behaviour from the X-Fake= line of a unit. The words of that
// line are boot=3s, life=2s, exit=1, exec=203, stop=5s, queued=9s, untitled, mute,
// behind, deaf and extends.
// systemd ignores keys that start with X-. Without the line, a program is ready
// after a second and lives for ever.
func Behave(content string) Behaviour {
	b := Behaviour{Boot: time.Second, Exit: 1}
	for _, word := range strings.Fields(setting(content, "X-Fake", "")) {
		key, value, _ := strings.Cut(word, "=")
		switch key {
		case "boot":
			b.Boot = span(value)
		case "life":
			b.Life = span(value)
		case "stop":
			b.Stop = span(value)
		case "exit":
			b.Exit = number(value)
		case "exec":
			b.Exec = number(value)
		case "queued":
			b.Queued = span(value)
		case "extends":
			b.Extends = true
		case "untitled":
			b.Untitled = true
		case "mute":
			b.Mute = true
		case "behind":
			b.Behind = true
		case "deaf":
			b.Deaf = true
		default:
			panic(fmt.Sprintf("X-Fake= does not know %q", word))
		}
	}
	return b
}

// setting is the value that the last line of a key has in a unit's content.
func setting(content, key, otherwise string) string {
	value := otherwise
	for l := systemd.Lines(content); l.Next(); {
		if l.Name == key {
			value = l.Value
		}
	}
	return value
}

// settings are the words of all lines of a key.
func settings(content, key string) []string {
	var words []string
	for l := systemd.Lines(content); l.Next(); {
		if l.Name == key {
			words = append(words, strings.Fields(l.Value)...)
		}
	}
	return words
}

// span reads a time span as systemd does, as far as units in tests have them:
// seconds without a unit, "infinity", and what Go can read.
func span(text string) time.Duration {
	if text == "infinity" {
		return 1 << 60
	}
	if d, err := time.ParseDuration(text); err == nil {
		return d
	}
	return time.Duration(number(text)) * time.Second
}

func number(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		panic(fmt.Sprintf("not a number: %q", text))
	}
	return n
}
