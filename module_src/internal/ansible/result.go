// SPDX-License-Identifier: GPL-3.0-or-later

package ansible

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"unicode/utf16"
	"unicode/utf8"
)

// Result is what a run returns to the task.
//
// Some names mean something to ansible-core and are not used here: rc and
// results change whether a task has failed, invocation would repeat the
// arguments with their secrets, and _ansible_ and __ansible_ are its own.
type Result struct {
	Changed bool   `json:"changed"`
	Failed  bool   `json:"failed,omitempty"`
	Msg     string `json:"msg,omitempty"` // what went wrong; always set with Failed

	Diff  []Diff   `json:"diff,omitempty"`
	Steps []string `json:"steps"` // what was done or, in check mode, would be

	Unit    string   `json:"unit,omitempty"`    // path
	Sudoers string   `json:"sudoers,omitempty"` // path
	Service *Service `json:"service,omitempty"` // nil: nothing was looked at

	Deployed       *bool   `json:"deployed,omitempty"` // nil: not known
	SidekiqVersion *string `json:"sidekiq_version"`    // nil: not known
	RolledBack     *bool   `json:"rolled_back,omitempty"`

	Warnings []string `json:"warnings,omitempty"`
}

// Diff is one file before and after, as --diff prints it.
type Diff struct {
	Before       string `json:"before"`
	After        string `json:"after"`
	BeforeHeader string `json:"before_header"`
	AfterHeader  string `json:"after_header"`
}

// Service is one service before and after a run. In check mode After is what
// it would be as far as that can be told.
type Service struct {
	Before ServiceState `json:"before"`
	After  ServiceState `json:"after"`
}

// ServiceState is what was seen of a service.
type ServiceState struct {
	ActiveState   string `json:"active_state"` // org.freedesktop.systemd1(5)
	SubState      string `json:"sub_state"`
	MainPID       int    `json:"main_pid"` // 0: none
	Enabled       bool   `json:"enabled"`  // at boot
	Quiet         bool   `json:"quiet"`    // takes no more jobs
	Stale         bool   `json:"stale"`    // older than what is installed
	ReloadPending bool   `json:"reload_pending"`
	Restarts      int    `json:"restarts"` // automatic ones, since the last start by hand
}

// Failure is the result of a run that failed with err before it changed
// anything.
func Failure(err error) Result {
	return Result{Failed: true, Msg: err.Error()}
}

// Write prints the result as one line of JSON.
//
// The line is plain ASCII: ansible-core looks for it with splitlines, which
// also breaks lines at characters such as U+0085.
func Write(w io.Writer, r Result) error {
	if r.Failed && r.Msg == "" {
		r.Msg = "failed without saying why"
	}
	if r.Steps == nil {
		r.Steps = []string{}
	}
	return writeLine(w, r)
}

func writeLine(w io.Writer, v any) error {
	var line bytes.Buffer
	e := json.NewEncoder(&line)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("cannot encode the result: %w", err)
	}
	if _, err := w.Write(ascii(line.Bytes())); err != nil {
		return fmt.Errorf("cannot print the result: %w", err)
	}
	return nil
}

// ascii escapes what is not ASCII in a JSON text, where it can only stand in
// strings.
func ascii(text []byte) []byte {
	out := make([]byte, 0, len(text))
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		text = text[n:]
		switch {
		case r < 0x7f:
			out = append(out, byte(r))
		case r < 0x10000:
			out = fmt.Appendf(out, `\u%04x`, r)
		default:
			high, low := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u%04x\u%04x`, high, low)
		}
	}
	return out
}
