// SPDX-License-Identifier: GPL-3.0-or-later

package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/systemd"
)

// Verify has systemd-analyze judge unit files and visudo sudoers files, on
// copies that nobody but root can reach.
func (h *Host) Verify(ctx context.Context, files []converge.File, deployed bool) (converge.Verdict, error) {
	var v converge.Verdict
	if len(files) == 0 {
		return v, nil
	}
	if err := makeRunDir(); err != nil {
		return v, err
	}
	dir := filepath.Join(RunDir, verifyPrefix+strconv.Itoa(os.Getpid()))
	_ = os.RemoveAll(dir) // of an earlier process with this id, which was killed
	if err := os.Mkdir(dir, 0o700); err != nil {
		return v, fmt.Errorf("cannot make a directory to verify files in: %w", withoutPath(err))
	}
	defer func() {
		if os.RemoveAll(dir) != nil {
			_ = os.RemoveAll(dir) // it is worth a second try, since no later run in check mode would make one
		}
	}()

	units, sudoers, rules, err := lay(dir, files)
	if err != nil {
		return v, err
	}
	unitErr := analyze(ctx, units, deployed, &v)
	sudoersErr := h.visudo(ctx, sudoers, &v)
	return v, errors.Join(unitErr, sudoersErr, rejectedRules(ctx, rules))
}

// copied is a file and where its copy lies.
type copied struct {
	converge.File
	at string
}

// lay copies files into dir. Each copy has the name of its file, which
// systemd-analyze needs in order to know what it looks at.
func lay(dir string, files []converge.File) (units, sudoers, rules []copied, err error) {
	for _, f := range files {
		if f.Kind == converge.PlainFile || f.Kind == converge.ProgramFile {
			continue
		}
		c := copied{File: f, at: filepath.Join(dir, filepath.Base(f.Path))}
		if err := os.WriteFile(c.at, []byte(f.Content), 0o400); err != nil {
			return nil, nil, nil, fmt.Errorf("cannot write a copy of %s to verify it: %w", f.Path, withoutPath(err))
		}
		switch f.Kind {
		case converge.SudoersFile:
			sudoers = append(sudoers, c)
		case converge.LogrotateFile:
			rules = append(rules, c)
		default:
			units = append(units, c)
		}
	}
	return units, sudoers, rules, nil
}

// analyze judges unit files by what systemd-analyze says of them and not by its
// exit status. Up to systemd 247 that status is 0 for an unknown key, and in
// all versions it is 1 for a program that is yet to be deployed. What
// systemd-analyze says of other units does not count.
func analyze(ctx context.Context, units []copied, deployed bool, v *converge.Verdict) error {
	if len(units) == 0 {
		return nil
	}
	path, err := find(analyzePaths[:])
	if err != nil {
		return err
	}
	if path == "" {
		v.Warnings = append(v.Warnings, "systemd-analyze is not there, so the unit could not be verified before it was written.")
		return nil
	}
	args := []string{"verify", "--man=no"}
	for _, u := range units {
		args = append(args, u.at)
	}
	out, err := program{path: path, args: args}.judge(ctx)
	if err != nil {
		return err
	}
	said := lines(out.all())
	if len(said) == 0 && out.status != 0 {
		return out.silent(path)
	}
	var bad []error
	for _, line := range said {
		u, ok := about(units, line)
		if !ok {
			if !aboutAnother(line) {
				bad = append(bad, fmt.Errorf("systemd-analyze has not judged the unit: %s", line))
			}
			continue
		}
		line = named(strings.ReplaceAll(line, u.at, u.Path), u)
		switch severityOf(withoutValues(line, u), deployed) {
		case fatal:
			bad = append(bad, fmt.Errorf("systemd-analyze rejects %s: %s", u.Path, line))
		case worthSaying:
			v.Warnings = append(v.Warnings, "systemd-analyze: "+line)
		}
	}
	return errors.Join(bad...)
}

// named adds to a complaint about a line of the unit which directive stands in
// that line: "Failed to parse resource value" does not tell, and the file with
// that line is not on the host.
func named(complaint string, u copied) string {
	_, rest, _ := strings.Cut(complaint, u.Path+":")
	number, _, _ := strings.Cut(rest, ":")
	n, err := strconv.Atoi(number)
	text := strings.Split(u.Content, "\n")
	if err != nil || n < 1 || n > len(text) {
		return complaint
	}
	name, _, ok := strings.Cut(text[n-1], "=")
	if !ok || strings.Contains(complaint, name) {
		return complaint
	}
	return complaint + " (in " + name + "=)"
}

// about returns the unit that a line of systemd-analyze is about.
func about(units []copied, line string) (copied, bool) {
	for _, u := range units {
		if strings.Contains(line, u.at) || strings.HasPrefix(line, filepath.Base(u.at)) {
			return u, true
		}
	}
	return copied{}, false
}

// aboutAnother reports whether a line of systemd-analyze is about a file or a
// unit, which then is none of ours: it starts with its path or its name, or
// holds a path. It may be the second half of one that does: systemd 237 says in
// two lines that the kernel has no firewall for the units that want one.
func aboutAnother(line string) bool {
	if strings.HasPrefix(line, "Proceeding WITHOUT firewalling in effect!") {
		return true
	}
	first, _, _ := strings.Cut(line, ":")
	if word, _, _ := strings.Cut(first, " "); word == first && isUnit(first) {
		return true
	}
	return slices.ContainsFunc(strings.Fields(line), func(w string) bool {
		return strings.HasPrefix(strings.Trim(w, `"'`), "/") || isUnit(strings.Trim(w, `"',.:`))
	})
}

// isUnit reports whether a word is the full name of a unit.
func isUnit(word string) bool {
	full, err := systemd.UnitName(word)
	return err == nil && full == word
}

// excuses are words of systemd's that make of a complaint a remark.
var excuses = []string{"is obsolete", "is deprecated", "compatibility", "is not executable", "EnvironmentFile"}

// withoutValues takes out of a complaint what the unit's name and its values
// bring into it, as far as that could be taken for systemd's own words.
func withoutValues(complaint string, u copied) string {
	complaint = strings.ReplaceAll(complaint, u.Path, "")
	complaint = strings.ReplaceAll(complaint, filepath.Base(u.Path), "")
	for l := systemd.Lines(u.Content); l.Next(); {
		words, _ := systemd.Words(l.Value)
		for _, value := range append(words, l.Value) {
			if slices.ContainsFunc(excuses, func(words string) bool { return strings.Contains(value, words) }) {
				complaint = strings.ReplaceAll(complaint, value, "")
			}
		}
	}
	return complaint
}

type severity int

const (
	harmless severity = iota
	worthSaying
	fatal
)

func severityOf(line string, deployed bool) severity {
	switch {
	case strings.Contains(line, "is not executable"), strings.Contains(line, "Failed to open") && strings.Contains(line, "EnvironmentFile"):
		if deployed {
			return fatal
		}
		return worthSaying
	case strings.Contains(line, "is obsolete"), strings.Contains(line, "is deprecated"), strings.Contains(line, "compatibility"):
		return worthSaying
	}
	return fatal
}

// visudo judges sudoers files, each on its own, and notes what is wrong with
// the whole policy before they are installed. A foreign file with a wrong mode
// is enough for such a fault, which is none of our making.
func (h *Host) visudo(ctx context.Context, sudoers []copied, v *converge.Verdict) error {
	if len(sudoers) == 0 {
		return nil
	}
	found, err := findSudo()
	if err != nil {
		return err
	}
	path := found.Visudo
	if path == "" {
		return h.unverified("sudo is not installed on this host (no visudo), so what the sudoers file grants has no effect; "+
			"install sudo, or set the option \"sudo\" to false", v)
	}
	if err := rejected(ctx, path, sudoers); err != nil {
		return err
	}
	faults, err := policy(ctx, path)
	if err != nil {
		return err
	}
	v.Faults = faults
	for _, fault := range ofOthers(faults, sudoers) {
		v.Warnings = append(v.Warnings, "visudo has a complaint about this host's sudoers that was there before: "+fault)
	}
	for _, s := range sudoers {
		v.Warnings = append(v.Warnings, h.otherRules(ctx, s.File)...)
	}
	return nil
}

// ofOthers are the complaints of visudo about other files than those that are
// about to be replaced. A line that names no file goes on with the one before.
func ofOthers(faults []string, replaced []copied) []string {
	var others []string
	ours := false
	for _, fault := range faults {
		if strings.Contains(fault, "/") {
			ours = slices.ContainsFunc(replaced, func(s copied) bool {
				_, rest, found := strings.Cut(fault, s.Path)
				return found && strings.Trim(rest[:min(1, len(rest))], `:;, "'`) == ""
			})
		}
		if !ours {
			others = append(others, fault)
		}
	}
	return others
}

// rejected are those of the sudoers files that visudo rejects, with its words;
// nil where it has approved all of them, which every version, sudo-rs's too,
// says in a line of its own.
func rejected(ctx context.Context, visudo string, sudoers []copied) error {
	var bad []error
	for _, s := range sudoers {
		out, err := program{path: visudo, args: []string{"-cf", s.at}}.judge(ctx)
		if err != nil {
			return err
		}
		said := lines(out.all())
		words := strings.ReplaceAll(strings.Join(said, "; "), s.at, s.Path)
		switch {
		case out.status == 0 && slices.Contains(said, s.at+": parsed OK"):
		case words == "":
			bad = append(bad, out.silent(visudo))
		case strings.Contains(words, s.Path):
			bad = append(bad, fmt.Errorf("visudo rejects %s: %s", s.Path, words))
		default:
			bad = append(bad, fmt.Errorf("visudo has not judged %s, and ended with the status %d: %s", s.Path, out.status, words))
		}
	}
	return errors.Join(bad...)
}

// unverified says why something could not be verified: as a warning in check
// mode, where an earlier task of the same play may be going to install what is
// missing, and as an error otherwise.
func (h *Host) unverified(why string, v *converge.Verdict) error {
	if !h.Check {
		return errors.New(why)
	}
	v.Warnings = append(v.Warnings, "could not verify: "+why)
	return nil
}
