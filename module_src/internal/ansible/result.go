// SPDX-License-Identifier: GPL-3.0-or-later

package ansible

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"strings"
	"unicode"
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
// also breaks lines at characters such as U+0085. And it is printable: Ansible
// shows the texts on a terminal as they are.
func Write(w io.Writer, result any) error {
	var line bytes.Buffer
	e := json.NewEncoder(&line)
	e.SetEscapeHTML(false)
	if err := e.Encode(cleaned(result)); err != nil {
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

// Printable replaces what a terminal would obey in a text, or would let look
// like another text: control characters but line ends and tabs, and those that
// change the direction of writing. Some texts come from the service's user.
func Printable(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r), r == '\u2028', r == '\u2029':
			return '?'
		}
		return r
	}, text)
}

// cleaned is a copy of a result in which every text is printable.
func cleaned(result any) any {
	v := reflect.ValueOf(result)
	if !v.IsValid() {
		return result
	}
	clean := reflect.New(v.Type()).Elem()
	clean.Set(v)
	cleanValue(clean)
	return clean.Interface()
}

// cleanValue cleans a value in its place. Slices, maps and what pointers lead
// to are copied first, since they may belong to somebody else.
func cleanValue(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(Printable(v.String()))
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Field(i).CanSet() {
				cleanValue(v.Field(i))
			}
		}
	case reflect.Slice:
		if v.IsNil() {
			return
		}
		own := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		reflect.Copy(own, v)
		for i := range own.Len() {
			cleanValue(own.Index(i))
		}
		v.Set(own)
	case reflect.Map:
		if v.IsNil() {
			return
		}
		own := reflect.MakeMap(v.Type())
		for _, key := range v.MapKeys() {
			own.SetMapIndex(reflect.ValueOf(cleaned(key.Interface())), reflect.ValueOf(cleaned(v.MapIndex(key).Interface())))
		}
		v.Set(own)
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return
		}
		if v.Kind() == reflect.Interface {
			v.Set(reflect.ValueOf(cleaned(v.Elem().Interface())))
			return
		}
		own := reflect.New(v.Type().Elem())
		own.Elem().Set(v.Elem())
		cleanValue(own.Elem())
		v.Set(own)
	}
}
