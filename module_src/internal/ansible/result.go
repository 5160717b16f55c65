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

// WriteFailure prints, as [Write] does, that a run failed and why, and nothing
// else.
func WriteFailure(w io.Writer, msg string) error {
	return Write(w, struct {
		Changed bool   `json:"changed"`
		Failed  bool   `json:"failed"`
		Msg     string `json:"msg"`
	}{Failed: true, Msg: msg})
}

// Write prints a result as one line of JSON.
//
// The line is plain ASCII: ansible-core finds it by means of splitlines, which
// also breaks lines at characters such as U+0085.
func Write(w io.Writer, result any) error {
	var line bytes.Buffer
	e := json.NewEncoder(&line)
	e.SetEscapeHTML(false)
	if err := e.Encode(result); err != nil {
		return fmt.Errorf("cannot encode the result: %w", err)
	}
	if _, err := w.Write(ascii(line.Bytes())); err != nil {
		return fmt.Errorf("cannot print the result: %w", err)
	}
	return nil
}

// ascii escapes the characters of a JSON text that are not ASCII. Such
// characters can only stand in strings.
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
