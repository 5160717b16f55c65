// SPDX-License-Identifier: GPL-3.0-or-later

package host

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
)

const (
	maxLines   = 1000     // of a log; a backtrace with its causes may have some hundred
	maxLine    = 1000     // bytes of a line
	maxLogTail = 1 << 20  // bytes of a log file
	maxLogRead = 64 << 20 // bytes that are read of one for that, where something writes without an end
)

// tail keeps the last lines written to it, each bounded, printable and not
// empty. However much is written, it never holds more than maxLines lines of
// maxLine bytes.
type tail struct {
	lines []string
	line  []byte // the present line, as far as it is kept
}

func (t *tail) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		part, rest, ended := bytes.Cut(p, []byte("\n"))
		// A line is kept with one byte too many, which shows that it has to be
		// cut off.
		if room := maxLine + 1 - len(t.line); room > 0 {
			t.line = append(t.line, part[:min(room, len(part))]...)
		}
		if ended {
			t.end()
		}
		p = rest
	}
	return n, nil
}

// end ends the present line.
func (t *tail) end() {
	line := strings.TrimRight(clip(printable(withoutColours(string(t.line))), maxLine), " ")
	t.line = t.line[:0]
	if line == "" {
		return // the journal keeps none of these either
	}
	if len(t.lines) == 2*maxLines {
		t.lines = slices.Delete(t.lines, 0, maxLines)
	}
	t.lines = append(t.lines, line)
}

// withoutColours is a line without the sequences that colour it on a terminal,
// which Sidekiq 8 writes to a pipe, too: ESC [ numbers m.
func withoutColours(line string) string {
	before, rest, found := strings.Cut(line, "\x1b[")
	if !found {
		return line
	}
	var b strings.Builder
	for ; found; before, rest, found = strings.Cut(rest, "\x1b[") {
		b.WriteString(before)
		rest = strings.TrimPrefix(strings.TrimLeft(rest, "0123456789;"), "m")
	}
	b.WriteString(before)
	return b.String()
}

// last are the last lines. Nothing may be written to the tail any more.
func (t *tail) last() []string {
	t.end()
	return t.lines[max(0, len(t.lines)-maxLines):]
}

// logFile is the file that a service logs to.
type logFile struct {
	path  string
	who   Identity // reads it
	began int64    // how long it was when the run began
}

// follow makes the last lines of these files appear where their units do not
// come up, as far as they are newer than this call. The files are read as the
// service's user, to whom they belong.
func (h *Host) follow(paths map[string]string, who Identity) {
	h.logs = map[string]logFile{}
	for unit, path := range paths {
		log := logFile{path: path, who: who}
		_ = as(who, func() error { // one that is not there yet is all new
			f, size, err := openLog(path)
			if err == nil {
				log.began = size
				_ = f.Close()
			}
			return err
		})
		h.logs[unit] = log
	}
}

// lastLines are the last lines of the file that are newer than the run, or a
// line that says why there are none.
func (l logFile) lastLines() []string {
	t := &tail{}
	err := as(l.who, func() error { return l.copyTo(t) })
	lines := t.last()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return []string{"(no log: " + l.path + " is not there)"}
	case err != nil:
		return []string{"(no log: cannot read " + l.path + ": " + withoutPath(err).Error() + ")"}
	case len(lines) == 0:
		return []string{"(no log: nothing was written to " + l.path + ")"}
	}
	return lines
}

// openLog opens a log file and tells its size.
func openLog(path string) (f *os.File, size int64, err error) {
	if f, err = openUntrusted(path); err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errIrregular
	}
	if err != nil {
		_ = f.Close()
		return nil, 0, err
	}
	return f, info.Size(), nil
}

// copyTo copies what is newer than the run. A file that is shorter than it was
// has been replaced.
func (l logFile) copyTo(w io.Writer) error {
	f, size, err := openLog(l.path)
	if err != nil {
		return err
	}
	defer f.Close()
	from := l.began
	if size < from {
		from = 0
	}
	if _, err := f.Seek(max(from, size-maxLogTail), io.SeekStart); err != nil {
		return err
	}
	_, err = io.Copy(w, io.LimitReader(f, maxLogRead))
	return err
}
