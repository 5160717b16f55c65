// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// exception is a Ruby exception as a log shows it: its message and where in
// the log that stands. There are three forms, and none has a mark of its own:
//
//   - Ruby's, of one that nothing has rescued (eval_error.c): the place, the
//     message with its class at the end of the first line, then "\tfrom" and a
//     place for each frame, and then the same for its cause. From 2.3 to 3.3 a
//     method is quoted with a backquote and an apostrophe, from 3.4 with two
//     apostrophes.
//   - Sidekiq 6's, through its logger: "pid=1 tid=x WARN: Class: message".
//   - Sidekiq 7's and 8's: the message alone, then the places. The first
//     versions of Bundler put "Class: " before it.
type exception struct {
	class   string // empty: not told
	message string // without class and place; may have several lines
	start   int    // the line that the message starts in
	frames  int    // the first line after the message
	end     int    // the first line after the frames
	own     bool   // in Ruby's own form
	caused  bool   // it is the cause of the one before
	origin  string // the first frame that is in the application itself, or ""
}

// grammar holds the forms of lines. Ruby quotes what it calls a label, and a
// label holds no quote that is followed by a colon.
type grammar struct {
	frame, head, fatal, prefix, object, class, name, manager, noise form
}

// form is what a line may look like. The log is the deploy user's, so that a
// line is looked at once, and no further than maxForm bytes.
type form struct {
	pattern *regexp.Regexp
	seen    map[string][]string
}

const maxForm = 400

func newForm(pattern string) form { return form{regexp.MustCompile(pattern), map[string][]string{}} }

// find is what the groups of the form are in a line, or nil. What is beyond the
// bound belongs to the last group.
func (f form) find(line string) []string {
	short := line[:min(len(line), maxForm)]
	groups, seen := f.seen[short]
	if !seen {
		groups = f.pattern.FindStringSubmatch(short)
		f.seen[short] = groups
	}
	if rest := line[len(short):]; groups != nil && rest != "" {
		groups = slices.Clone(groups)
		for i, g := range slices.Backward(groups) {
			if g != "" {
				groups[i] += rest
				break
			}
		}
	}
	return groups
}

func (f form) is(line string) bool { return f.find(line) != nil }

func newGrammar() grammar {
	const place = `(?:/|<internal:|\(e(?:val|rb)|-e|\./|[\w.-]+(?:/[\w.-]+)*\.?\w*:).*`
	return grammar{
		frame:   newForm("^(?:\\s*(?:\\d+: )?from (.+(?::\\d+|:in [`'].*'))|\\s*(" + place + "?:\\d+:in [`'].*'))$"),
		head:    newForm("^(" + place + "?:\\d+(?::in [`'].*?')?): (.*)$"),
		fatal:   newForm(`^(/\S+): (.* \((?:NoMemoryError|SystemStackError|fatal)\))$`),
		prefix:  newForm(`^(?:(?:DEBUG|INFO|WARN|ERROR|FATAL)\s+)?(?:\d{4}-\d\d-\d\dT\S+ )?pid=\d+ tid=\S+(?: [^:]*)?: (.*)$|^[DIWEF], \[[^\]]*\]\s+[A-Z]+ -- [^:]*: (.*)$|^\{…\} (.*)$`),
		object:  newForm(`^\{.*"(?:msg|message)":\s*"((?:[^"\\]|\\.)*)`),
		class:   newForm(`^([A-Z]\w*(?:::[A-Z]\w*)*): (.*)$`),
		name:    newForm(`^[A-Z]\w*(?:::[A-Z]\w*)*$`),
		manager: newForm(`^(?:\S+\.service: |kernel: |(?:Starting|Started|Stopping|Stopped|Failed to start|Reloading|Reloaded) .*\S)`),
		noise:   newForm(`^\s*(?:[DIWEF], \[|Ignoring \S+ because its extensions|\[(?:[^!]|$)|\S*\d\d:\d\d:\d\d|(?:DEBUG|INFO|WARN|WARNING|ERROR|FATAL)(?::? [^ ]|\s*\[))|\b(?:DEBUG|INFO|WARN|ERROR|FATAL) -- |\blevel=|: warning: `),
	}
}

// isFrame reports whether a line is a place in a backtrace.
func (g grammar) isFrame(line string) bool {
	return len(line) <= maxForm && g.frame.is(g.withoutPrefix(line))
}

// withoutPrefix is a line without what Sidekiq's logger puts before it.
func (g grammar) withoutPrefix(line string) string {
	if m := g.prefix.find(line); m != nil {
		return m[1] + m[2] + m[3] // one of them is not empty
	}
	return line
}

// exceptions finds the exceptions in a log, in the order in which they stand
// there.
func (g grammar) exceptions(log []string) []exception {
	var found []exception
	end := 0 // of the exception before
	for i := 0; i < len(log); i++ {
		var e exception
		switch {
		case g.isFrame(log[i]):
			e = g.withFramesAt(log, end, i)
		case g.isHead(log[i]):
			e = exception{start: i, frames: g.messageEnd(log, i)}
			if g.isFrame(at(log, e.frames)) {
				i = e.frames - 1 // its frames come next
				continue
			}
		default:
			continue
		}
		g.read(log, &e)
		e.caused = len(found) > 0 && g.causes(log, e, found[len(found)-1])
		found = append(found, e)
		end, i = e.end, e.end-1
	}
	return found
}

// isHead reports whether a line is the first of an exception in Ruby's form.
func (g grammar) isHead(line string) bool {
	m := g.parts(line)
	if m == nil {
		return false
	}
	_, class := g.classAtEnd(m[2])
	return class != "" || m[2] == "unhandled exception"
}

// classAtEnd parts the first line of a message in Ruby's form from the class at
// its end, which is "" where there is none.
func (g grammar) classAtEnd(line string) (message, class string) {
	i := strings.LastIndex(line, " (")
	if i < 0 || !strings.HasSuffix(line, ")") || !g.name.is(line[i+2:len(line)-1]) {
		return line, ""
	}
	return line[:i], line[i+2 : len(line)-1]
}

// parts are the place and the text of a line that is the first of an exception
// in Ruby's form, or nil. Where there is no line of a file, as where memory was
// used up, the place is the program.
func (g grammar) parts(line string) []string {
	if m := g.head.find(line); m != nil {
		return m
	}
	return g.fatal.find(line)
}

// messageEnd is the index of the first line after a message in Ruby's form that
// is not followed by frames at once: the first line that is not indented,
// empty, or a mark below code.
func (g grammar) messageEnd(log []string, head int) int {
	for i := head + 1; i < len(log) && i < head+maxMessage; i++ {
		if g.isFrame(log[i]) {
			return i
		}
		if g.isHead(log[i]) {
			break
		}
	}
	return head + 1
}

// maxMessage is how many lines of a message are looked at.
const maxMessage = 60

// withFramesAt is the exception whose frames begin at a line and whose message
// is somewhere after the line least.
func (g grammar) withFramesAt(log []string, least, frames int) exception {
	least = max(least, frames-maxMessage)
	e := exception{start: frames, frames: frames}
	switch {
	case g.prefix.is(log[frames]):
		e.start = lastOf(log, least, frames, g.prefix.is)
	case strings.HasPrefix(strings.TrimSpace(log[frames]), "from "):
		e.start = lastOf(log, least, frames, g.isHead)
		if e.start == frames { // of a class without a name
			e.start = lastOf(log, least, frames, g.head.is)
		}
	}
	if e.start < frames {
		return e
	}
	for i := frames - 1; i >= least && !g.noise.is(log[i]); i-- {
		e.start = i
		if !goesOn(log, i) {
			break
		}
	}
	return e
}

// lastOf is the index of the last line from least on and before end for which
// is holds, or end where there is none.
func lastOf(log []string, least, end int, is func(string) bool) int {
	for i := end - 1; i >= least; i-- {
		if is(log[i]) {
			return i
		}
	}
	return end
}

// goesOn reports whether a line continues the message of the line before: it is
// indented or empty, a suggestion, or code with a mark below it.
func goesOn(log []string, i int) bool {
	line := log[i]
	trimmed := strings.TrimSpace(line)
	marked := strings.Trim(strings.TrimSpace(at(log, i+1)), "^~") == "" && strings.TrimSpace(at(log, i+1)) != ""
	return trimmed == "" || line[0] == ' ' || line[0] == '\t' || strings.Trim(trimmed, "^~") == "" ||
		strings.HasPrefix(line, "Did you mean?") || marked
}

func at(log []string, i int) string {
	if i < len(log) {
		return log[i]
	}
	return ""
}

// read fills in what stands in the lines of an exception.
func (g grammar) read(log []string, e *exception) {
	lines := append([]string{}, log[e.start:e.frames]...)
	if len(lines) > 0 {
		lines[0] = g.withoutPrefix(lines[0])
		if m := g.parts(lines[0]); m != nil {
			lines[0], e.own = m[2], true
			e.originFrom(m[1])
		}
		if e.own {
			lines[0], e.class = g.classAtEnd(lines[0])
		} else if m := g.class.find(lines[0]); m != nil {
			e.class, lines[0] = m[1], m[2]
		}
	}
	e.message = strings.TrimSpace(strings.Join(lines, "\n"))
	for e.end = e.frames; e.end < len(log) && (g.isFrame(log[e.end]) || isLevels(log[e.end])); e.end++ {
		m := g.frame.find(g.withoutPrefix(log[e.end]))
		if m != nil {
			e.originFrom(m[1] + m[2])
		}
	}
}

// isLevels reports whether a line stands for frames that Ruby left out.
func isLevels(line string) bool {
	line = strings.TrimSpace(line)
	return strings.HasPrefix(line, "... ") && strings.HasSuffix(line, " levels...")
}

// originFrom notes the first place that belongs to no gem and not to Ruby.
func (e *exception) originFrom(place string) {
	if e.origin != "" || !strings.HasPrefix(place, "/") {
		return
	}
	for _, foreign := range []string{"/usr/", "/gems/", "/vendor/", "/lib/ruby/", "/.rbenv/", "/.rvm/", "/.asdf/", "/bin/"} {
		if strings.Contains(place, foreign) {
			return
		}
	}
	e.origin, _, _ = strings.Cut(place, ":in ")
}

// causes reports whether an exception is the cause of the one before, rather
// than one that the process met later; Ruby prints both alike. An exception
// that is raised while another is rescued comes from a line further down in the
// same file. Up to Ruby 3.3, the frames show it.
func (g grammar) causes(log []string, e, before exception) bool {
	if !e.own || !before.own || before.end != e.start {
		return false
	}
	for _, line := range log[before.start:before.end] {
		if strings.Contains(line, "rescue in ") {
			return true
		}
	}
	first, second := g.places(log, before), g.places(log, e)
	for len(first) > 0 && len(second) > 0 {
		a, b := first[len(first)-1], second[len(second)-1]
		if a != b {
			return a.file != b.file || b.line <= a.line
		}
		first, second = first[:len(first)-1], second[:len(second)-1]
	}
	return true
}

// place is a line of a file.
type place struct {
	file string
	line int
}

// places are those of an exception in Ruby's own form, innermost first.
func (g grammar) places(log []string, e exception) []place {
	var list []place
	for i, line := range append([]string{log[e.start]}, log[e.frames:e.end]...) {
		text := ""
		if m := g.head.find(line); i == 0 && m != nil {
			text = m[1]
		} else if m := g.frame.find(line); i > 0 && m != nil {
			text = m[1] + m[2]
		}
		text, _, _ = strings.Cut(text, ":in ")
		file, number, _ := cutLast(text, ":")
		n, _ := strconv.Atoi(number)
		list = append(list, place{file, n})
	}
	return list
}

// cutLast is strings.Cut at the last separator.
func cutLast(s, separator string) (before, after string, found bool) {
	i := strings.LastIndex(s, separator)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(separator):], true
}

// isBoot reports whether the frames of an exception lead back to the program
// that starts Sidekiq, which then ends: bin/sidekiq.
func (g grammar) isBoot(log []string, e exception) bool {
	for _, line := range log[e.frames:e.end] {
		if strings.Contains(line, "/sidekiq:") || strings.Contains(line, "/sidekiq/cli.rb:") {
			return true
		}
	}
	return false
}

// decisive are the exception that ended the process and its causes, or nil
// where no exception ended it.
//
// Ruby prints an exception that nothing has rescued as the very last thing:
// only lines of the manager come after it. An exception that Sidekiq has
// rescued may be followed by whatever gems do at the end. The process has
// survived any other.
func (g grammar) decisive(log []string) []exception {
	if crash := g.crash(log); crash != nil {
		return crash
	}
	all := g.exceptions(log)
	for i := len(all) - 1; i >= 0; i-- {
		e := all[i]
		if e.own && !g.isLast(log, e) || !e.own && !g.isBoot(log, e) && !g.isLast(log, e) {
			continue
		}
		first := i
		for all[first].caused {
			first--
		}
		return withoutAtExit(all[first : i+1])
	}
	return nil
}

// withoutAtExit takes from a chain what was raised while the process ended, by
// at_exit. Ruby gives that the exception which the process ends with as its
// cause: the exit (SystemExit) after Sidekiq has rescued one and printed it,
// which has that for a cause, or the exception itself, which is then printed
// again, with its causes.
func withoutAtExit(chain []exception) []exception {
	same := func(a, b exception) bool { return a.class == b.class && a.message == b.message }
	for half := len(chain) / 2; half > 0; half-- {
		if end := chain[len(chain)-half:]; slices.EqualFunc(end, chain[len(chain)-2*half:len(chain)-half], same) {
			chain = end
			break
		}
	}
	exit := func(e exception) bool { return e.class == "SystemExit" }
	if i := slices.IndexFunc(chain, exit); i >= 0 {
		chain = chain[min(i+1, len(chain)-1):] // abort puts its message into the exit
	}
	return chain
}

// isLast reports whether the process says nothing after an exception.
func (g grammar) isLast(log []string, e exception) bool {
	return !slices.ContainsFunc(log[e.end:], func(line string) bool { return strings.TrimSpace(line) != "" })
}

// split separates what the process has said from what the manager says about
// it. The two arrive by different ways, and either may come first.
func (g grammar) split(log []string) (said, manager []string) {
	for _, line := range log {
		if g.manager.is(line) {
			manager = append(manager, line)
		} else {
			said = append(said, g.message(line)...)
		}
	}
	return said, manager
}

// message takes the message out of a line that a logger has written as JSON,
// which may have been cut off.
func (g grammar) message(line string) []string {
	m := g.object.find(line)
	if m == nil {
		return []string{line}
	}
	text := strings.NewReplacer(`\n`, "\n", `\t`, " ", `\"`, `"`, `\\`, `\`, `\u0026`, "&", `\u003c`, "<", `\u003e`, ">").Replace(m[1])
	return strings.Split("{…} "+text, "\n")
}

// crash is the dump that Ruby prints when it crashes, as an exception, or nil.
func (g grammar) crash(log []string) []exception {
	for i, line := range log {
		if place, message, found := strings.Cut(line, "[BUG] "); found {
			return []exception{{message: "[BUG] " + message, start: i, frames: i + 1, end: len(log), own: true, origin: strings.TrimSuffix(place, ": ")}}
		}
	}
	return nil
}
