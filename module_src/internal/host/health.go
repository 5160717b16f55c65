// SPDX-License-Identifier: GPL-3.0-or-later

package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/sidekiq"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/systemd"
)

// Health finds out what the judgement on a service's health takes, and starts no
// other program than journalctl.
func (h *Host) Health(ctx context.Context, s sidekiq.Service) (found sidekiq.Report, err error) {
	unit, p, err := h.unitReport(ctx, s.Unit())
	if err != nil {
		return found, err
	}
	found.Service = unit
	if found.Content, err = unitText(unit.Fragment); err != nil {
		return found, err
	}
	for _, name := range s.Started(found.Content) {
		one, own, err := h.unitReport(ctx, s.Instance(name))
		if err != nil {
			return found, err
		}
		found.Processes, p = append(found.Processes, one), own
	}
	if found.Processes == nil && (unit.LoadState != "not-found" || unit.Process.MainPID != 0) {
		found.Processes = []sidekiq.UnitReport{unit}
	}
	for i, one := range found.Processes {
		text, err := unitText(one.Fragment)
		if err != nil {
			return found, err
		}
		found.Processes[i].Untitled, found.Processes[i].Foreign = sidekiq.Untitled(text), sidekiq.OfOthers(text)
	}
	if found.Dir = strings.TrimLeft(p.text("WorkingDirectory"), "!-"); path.IsAbs(found.Dir) {
		found.Release, err = filepath.EvalSymlinks(found.Dir)
		if errors.Is(err, fs.ErrPermission) {
			found.Dir = "" // whether it is there cannot be told
		}
	}
	found.Log = h.latest(ctx, found.Processes)
	return found, nil
}

const (
	latestTime = 15 * time.Second // Sidekiq's heart beats every 5 seconds, and from 7.0 on every 10
	latestWait = time.Second
)

// latest are the last lines that processes have logged in the last seconds. It is
// no failure if they cannot be seen: a user who is in none of the journal's
// groups sees none.
func (h *Host) latest(ctx context.Context, processes []sidekiq.UnitReport) []string {
	path, err := find(journalPaths[:])
	if err != nil || path == "" {
		return nil
	}
	match := []string{fmt.Sprintf("--since=@%d", h.Now().Add(-latestTime).Unix())}
	for _, p := range processes {
		switch {
		case p.Process.MainPID == 0:
		case p.Process.Invocation != "":
			match = append(match, "_SYSTEMD_INVOCATION_ID="+p.Process.Invocation)
		default: // before 232
			match = append(match, fmt.Sprintf("_PID=%d", p.Process.MainPID))
		}
	}
	if len(match) == 1 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, latestWait)
	defer cancel()
	lines, _ := matching(ctx, path, match...)
	return lines
}

// unitText is the content of a unit file that systemd has named; a mask has none.
func unitText(file string) (string, error) {
	if file == "" {
		return "", nil
	}
	text, _, err := regular(file)
	if errors.Is(err, fs.ErrPermission) {
		return "", nil
	}
	return text, err
}

// maxProgram bounds what is read of a program, in bytes; ours has some 6 MB.
const maxProgram = 64 << 20

// healthPlace says whether the health command can be this collection's, and
// which other services of the collection than unit there are. An empty unit asks
// for none.
func healthPlace(unit string) (place sidekiq.HealthPlace, err error) {
	if place.Refused, err = healthRefused(); err != nil || unit == "" {
		return place, err
	}
	stem := strings.TrimSuffix(unit, ".service")
	for _, dir := range systemd.LoadPath() {
		entries, err := entriesIn(dir)
		if err != nil {
			return place, err
		}
		for _, e := range entries {
			name := e.Name()
			if !e.Type().IsRegular() || !strings.HasSuffix(name, ".service") || name == unit || strings.HasPrefix(name, stem+"@") {
				continue
			}
			ours, err := beginsAsOurs(filepath.Join(dir, name))
			if err != nil {
				return place, err
			}
			if ours {
				place.Others = append(place.Others, name)
			}
		}
	}
	return place, nil
}

// beginsAsOurs reports whether a unit file has our mark. Only its beginning is
// read: a host has some hundreds of them.
func beginsAsOurs(file string) (bool, error) {
	f, err := os.Open(file)
	if ok, err := seen(file, err); !ok {
		return false, err
	}
	defer f.Close()
	start := make([]byte, 512)
	n, err := io.ReadFull(f, start)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return false, fmt.Errorf("cannot read %s: %w", file, withoutPath(err))
	}
	_, origin := sidekiq.OriginOf(string(start[:n]))
	return origin == sidekiq.Ours, nil
}

// healthRefused says why the health command cannot be written; empty: it can.
func healthRefused() (string, error) {
	dir := filepath.Dir(sidekiq.HealthPath)
	if ok, err := there(dir); !ok {
		return fmt.Sprintf("there is no directory %s; make it (mkdir -m 755 %[1]s), and run this again", dir), err
	}
	if err := trusted(dir); err != nil {
		return err.Error(), nil
	}
	if errors.Is(unix.Access(dir, unix.W_OK), unix.EROFS) {
		return "its file system is read-only", nil
	}
	info, err := os.Lstat(sidekiq.HealthPath)
	if ok, err := seen(sidekiq.HealthPath, err); !ok {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "it is " + describe(sidekiq.HealthPath, info) + "; remove that, and run this again", nil
	}
	if self, err := os.Stat(thisProgram); err == nil && self.Size() == info.Size() {
		return "", nil // whether it is the same is seen when its content is compared
	}
	if ok, err := isHealth(sidekiq.HealthPath, info); ok || err != nil {
		return "", err
	}
	return "something else wrote it; rename that, and run this again", nil
}

// isHealth reports whether a file is a program of this collection's. What is too
// large for that is not read.
func isHealth(file string, info fs.FileInfo) (bool, error) {
	if info.Size() > maxProgram {
		return false, nil
	}
	content, err := boundedFile(file)
	if err != nil {
		return false, fmt.Errorf("cannot read %s: %w", file, withoutPath(err))
	}
	return bytes.HasPrefix(content, []byte("\x7fELF")) && bytes.Contains(content, []byte(sidekiq.HealthMark)), nil
}

// thisProgram is the program that runs, even where its file has gone.
const thisProgram = "/proc/self/exe"

// readProgram is the content of a program, or what stands for the content of the
// one that runs.
func readProgram(file string) (string, error) {
	content, err := boundedFile(file)
	if err != nil {
		return "", err
	}
	self, err := os.Open(thisProgram)
	if err != nil {
		return "", err
	}
	defer self.Close()
	if same, err := isSame(self, content); err != nil || same {
		return sidekiq.ThisProgram, err
	}
	return string(content), nil
}

// isSame compares an open file with a text, piece by piece.
func isSame(f *os.File, text []byte) (bool, error) {
	info, err := f.Stat()
	if err != nil || info.Size() != int64(len(text)) {
		return false, err
	}
	piece := make([]byte, 64<<10)
	for len(text) > 0 {
		n, err := io.ReadFull(f, piece[:min(len(piece), len(text))])
		if err != nil {
			return false, err
		}
		if !bytes.Equal(piece[:n], text[:n]) {
			return false, nil
		}
		text = text[n:]
	}
	return true, nil
}

// boundedFile is the content of a regular file. It does not hang if something
// else has taken its place.
func boundedFile(file string) ([]byte, error) {
	f, err := os.OpenFile(file, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxProgram {
		return nil, errors.New("not a program of this collection's")
	}
	content := make([]byte, info.Size())
	n, err := io.ReadFull(f, content)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil
	}
	return content[:n], err
}

// copyThisProgram writes the program that runs.
func copyThisProgram(to io.Writer) error {
	self, err := os.Open(thisProgram)
	if err != nil {
		return err
	}
	defer self.Close()
	_, err = io.Copy(to, self)
	return err
}
