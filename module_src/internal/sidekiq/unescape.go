// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"encoding/base64"
	"regexp"
	"strconv"
	"strings"
)

// A value may be escaped in many ways before it is shown: by Ruby's inspect, in
// JSON, in a URL, in HTML, in a unit file, and by several of them one after the
// other. To write it in all of these ways would always leave one out, such as
// lower-case hexadecimal digits. So the escaping is taken off both the value and
// the text, as one compares words without regard to case.

// escaped are the sequences that stand for something else, and the mark of a
// cut with what it has left of such a sequence.
var escaped = regexp.MustCompile(
	`(?:\\+(?:x[[:xdigit:]]?|u\{?[[:xdigit:]]{0,6}|U[[:xdigit:]]{0,7}|[0-7]{0,2})|%+(?:25)*[[:xdigit:]]?|&(?:amp;)*#?[[:alnum:]]{0,6})(…)|` +
		`(?:\\+x|%+(?:25)*)([[:xdigit:]]{2})|\\+(?:([0-7]{3})|u([[:xdigit:]]{4})|U([[:xdigit:]]{8})|u\{([[:xdigit:]]{1,6})\})|` +
		`&(?:amp;)*(?:#[xX]([[:xdigit:]]{1,6})|#([0-9]{1,7})|(amp|lt|gt|quot|apos));`)

// bases are those of the numbers in the groups of escaped.
var bases = [...]int{0, 0, 16, 8, 16, 16, 16, 16, 10, 0}

var entities = map[string]string{"amp": "&", "lt": "<", "gt": ">", "quot": `"`, "apos": "'", cut: cut}

// stretch is a part of a text.
type stretch struct{ begin, end int }

// unescaping is a text without its escaping. It is made to be compared only:
// backslashes are left out, a blank is a plus sign as in URLs, a line end is the
// letter that stands for it behind a backslash, doubled percent and dollar signs
// are one, and so are the two alphabets of base64.
type unescaping struct {
	plain []byte
	from  []stretch // where in the text each byte comes from
}

const from, to = " \n\r\t\x1b-_", "+nrte+/"

func (u *unescaping) add(bytes string, at stretch) {
	for _, b := range []byte(bytes) {
		if i := strings.IndexByte(from, b); i >= 0 {
			b = to[i]
		}
		last := len(u.plain) - 1
		if b != '\\' && (b != '%' && b != '$' || last < 0 || u.plain[last] != b) {
			u.plain, u.from = append(u.plain, b), append(u.from, at)
		}
	}
}

// unescape takes the escaping off a text.
func unescape(text string) (u unescaping) {
	begin := 0
	for _, g := range append(escaped.FindAllStringSubmatchIndex(text, -1), []int{len(text), len(text)}) {
		for ; begin < g[0]; begin++ {
			u.add(text[begin:begin+1], stretch{begin, begin + 1})
		}
		for n := 1; n < len(g)/2; n++ {
			if g[2*n] < 0 {
				continue
			}
			digits := text[g[2*n]:g[2*n+1]]
			stands, ok := entities[digits]
			if !ok {
				number, _ := strconv.ParseUint(digits, bases[n], 32)
				if stands = string(rune(number)); n < 4 {
					stands = string([]byte{byte(number)})
				}
			}
			u.add(stands, stretch{g[0], g[1]})
		}
		begin = g[1]
	}
	return u
}

// inBase64 is what a value becomes in base64: as a whole, and in the midst of
// something else, of which the characters that have bits of what stands before
// or behind it are left out.
func inBase64(value string) []string {
	texts := []string{base64.RawStdEncoding.EncodeToString([]byte(value))}
	for before := range 3 {
		text := base64.RawStdEncoding.EncodeToString([]byte("  "[:before] + value))
		texts = append(texts, text[(8*before+5)/6:8*(before+len(value))/6])
	}
	return texts
}
