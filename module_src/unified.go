// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"strconv"
	"strings"
)

const (
	around  = 3       // unchanged lines shown before and after the changed ones
	maxGrid = 1 << 20 // pairs of lines that are compared; past it, all lines count as changed
)

// unified is the difference of two texts as diff -u prints it, but for the
// headers; "" where there is none. It is one hunk: the files are short.
func unified(before, after string) string {
	a, b := splitLines(before), splitLines(after)
	same := 0
	for same < len(a) && same < len(b) && a[same] == b[same] {
		same++
	}
	tail := 0
	for tail < len(a)-same && tail < len(b)-same && a[len(a)-1-tail] == b[len(b)-1-tail] {
		tail++
	}
	if same+tail == len(a) && same+tail == len(b) {
		return ""
	}
	start, rest := max(0, same-around), max(0, tail-around)
	var out strings.Builder
	out.WriteString("@@ -" + extent(start, len(a)-rest) + " +" + extent(start, len(b)-rest) + " @@\n")
	put(&out, " ", a[start:same])
	changes(&out, a[same:len(a)-tail], b[same:len(b)-tail])
	put(&out, " ", a[len(a)-tail:len(a)-rest])
	return out.String()
}

// extent is the place of the lines from start to before end. It counts from
// 1, and names the line before where there are none.
func extent(start, end int) string {
	lines := end - start
	if lines > 0 {
		start++
	}
	return strconv.Itoa(start) + "," + strconv.Itoa(lines)
}

// changes are the lines of a and b by way of their longest common
// subsequence.
func changes(out *strings.Builder, a, b []string) {
	if len(a)*len(b) > maxGrid {
		put(out, "-", a)
		put(out, "+", b)
		return
	}
	// common[i][j] is the length of that of a[i:] and b[j:].
	common := make([][]int, len(a)+1)
	for i := range common {
		common[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	i, j := 0, 0
	for i < len(a) && j < len(b) {
		switch {
		case a[i] == b[j]:
			put(out, " ", a[i:i+1])
			i, j = i+1, j+1
		case common[i+1][j] >= common[i][j+1]:
			put(out, "-", a[i:i+1])
			i++
		default:
			put(out, "+", b[j:j+1])
			j++
		}
	}
	put(out, "-", a[i:])
	put(out, "+", b[j:])
}

func put(out *strings.Builder, sign string, lines []string) {
	for _, l := range lines {
		out.WriteString(sign + l)
		if !strings.HasSuffix(l, "\n") {
			out.WriteString("\n\\ No newline at end of file\n")
		}
	}
}

// splitLines splits a text after each line's end.
func splitLines(text string) []string {
	lines := strings.SplitAfter(text, "\n")
	if last := len(lines) - 1; lines[last] == "" {
		return lines[:last]
	}
	return lines
}
