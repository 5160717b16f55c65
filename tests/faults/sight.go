// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux && amd64

package main

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// sight is the host as others see it: what is looked at, and what it is. What
// differs from run to run, which is times and process ids, is looked at under
// names of its own.
type sight map[string]string

// The parts of a sight, by which its names begin.
const (
	ofFile     = "file "
	ofTime     = "time of "
	ofLink     = "link "
	ofProcess  = "process of " // main process id and invocation
	ofRestarts = "NRestarts of "
	leftover   = "leftover " // a temporary file
	orphan     = "process outside of all units "
	tool       = "tool that still runs "
)

// directories are those in which the program writes.
var directories = []string{
	"/lib/systemd/system", "/etc/systemd/system", "/run/systemd/system", "/etc/sudoers.d",
	"/run/curationexperts.sidekiq", "/etc/curationexperts.sidekiq", "/var/lib/curationexperts.sidekiq",
}

// units are those whose processes are looked at.
var units = []string{
	"sidekiq.service", "sidekiq@1.service", "sidekiq@2.service", "sidekiq@3.service",
	"sidekiq@critical.service", "sidekiq@rest.service", "sidekiq@low.service",
}

// look sees what the host is like now.
func look() (sight, error) {
	s := sight{}
	for _, dir := range directories {
		if err := s.files(dir); err != nil {
			return nil, err
		}
	}
	mains, err := s.units()
	if err != nil {
		return nil, err
	}
	s["visudo -c"] = output("visudo", "-c")
	s["sudo -l"] = output("sudo", "-l", "-U", "deploy")
	s.lock()
	return s, s.processes(mains)
}

func output(command ...string) string {
	out, err := exec.Command(command[0], command[1:]...).CombinedOutput()
	if err != nil {
		return fmt.Sprintf("%s (%v)", out, err)
	}
	return string(out)
}

func (s sight) files(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if os.IsNotExist(err) || err == nil && (path == dir || path == runLock) {
			return nil
		}
		if err != nil {
			return err
		}
		return s.file(path)
	})
}

const runLock = "/run/curationexperts.sidekiq/lock"

func (s sight) file(path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if strings.HasPrefix(filepath.Base(path), ".sidekiq") || strings.HasPrefix(path, "/run/curationexperts.sidekiq/") {
		s[leftover+path] = info.Mode().String()
		return nil
	}
	stat := info.Sys().(*syscall.Stat_t)
	text := fmt.Sprintf("%v %d:%d", info.Mode(), stat.Uid, stat.Gid)
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		target, err := os.Readlink(path)
		s[ofLink+path] = strings.TrimPrefix(target, "/usr")
		return err
	case info.IsDir() && strings.HasSuffix(path, ".wants"):
		return nil // it comes with a link, and says nothing without one
	case info.Mode().IsRegular() && strings.Contains(path, "sidekiq"):
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		text += fmt.Sprintf(" %x", sha256.Sum256(content))
		s[ofTime+path] = info.ModTime().String()
	}
	s[ofFile+path] = text
	return nil
}

// units looks at the units and returns their main processes.
func (s sight) units() (mains []int, err error) {
	args := append([]string{"show", "--property=Id,LoadState,ActiveState,SubState,MainPID,InvocationID,NeedDaemonReload,UnitFileState,NRestarts"}, units...)
	out, err := exec.Command("systemctl", args...).Output()
	if err != nil {
		return nil, fmt.Errorf("cannot ask systemctl: %w", err)
	}
	for block := range strings.SplitSeq(strings.TrimSpace(string(out)), "\n\n") {
		p := map[string]string{}
		for line := range strings.Lines(block) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
			p[name] = value
		}
		id := p["Id"]
		pid, _ := strconv.Atoi(p["MainPID"])
		mains = append(mains, pid)
		s[ofProcess+id] = p["MainPID"] + " " + p["InvocationID"]
		s["umask of "+id] = umask(pid)
		for _, name := range []string{"LoadState", "ActiveState", "SubState", "NeedDaemonReload", "UnitFileState"} {
			s[name+" of "+id] = p[name]
		}
		s[ofRestarts+id] = p["NRestarts"]
	}
	return mains, nil
}

// umask is that of a process, which tells from which file it was started.
func umask(pid int) string {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, "Umask:"); ok {
			return strings.TrimSpace(value)
		}
	}
	return "none"
}

// lock tries the lock of the host.
func (s sight) lock() {
	f, err := os.OpenFile(runLock, os.O_RDWR, 0)
	if err != nil {
		return
	}
	defer f.Close()
	if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
		s["lock"] = "held"
	}
}

// tools are what the program runs.
var tools = []string{"visudo", "systemd-analyze", "journalctl", "getent", "sudo", "systemctl", "sidekiq_service"}

// processes looks for those that nobody is left to end: of Sidekiq outside of
// its units, and of tools.
func (s sight) processes(mains []int) error {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return err
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || slices.Contains(mains, pid) {
			continue
		}
		words, _ := os.ReadFile("/proc/" + e.Name() + "/cmdline")
		name, _ := os.ReadFile("/proc/" + e.Name() + "/comm")
		switch comm := strings.TrimSpace(string(name)); {
		case strings.HasPrefix(string(words), titleStart):
			s[orphan+e.Name()] = "alive"
		case slices.Contains(tools, comm):
			s[tool+comm+" "+e.Name()] = "alive"
		}
	}
	return nil
}

// without is the sight without what has one of these beginnings.
func (s sight) without(beginnings ...string) sight {
	left := sight{}
	for name, text := range s {
		if !slices.ContainsFunc(beginnings, func(b string) bool { return strings.HasPrefix(name, b) }) {
			left[name] = text
		}
	}
	return left
}

// lasting is the sight without what differs from run to run.
func (s sight) lasting() sight { return s.without(ofTime, ofProcess) }

// differences says in words in what two sights differ.
func differences(want, have sight) []string {
	var list []string
	for name, text := range want {
		if other, ok := have[name]; !ok {
			list = append(list, name+" is missing")
		} else if other != text {
			list = append(list, fmt.Sprintf("%s is %q and not %q", name, clip(other), clip(text)))
		}
	}
	for name, text := range have {
		if _, ok := want[name]; !ok {
			list = append(list, fmt.Sprintf("%s is %q and was not to be there", name, clip(text)))
		}
	}
	slices.Sort(list)
	return list
}
