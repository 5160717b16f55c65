// SPDX-License-Identifier: GPL-3.0-or-later

package host

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/sidekiq"
)

// Bounds of one pass over the processes. The deploy user may start as many
// processes as the host lets him, and give each of them any title.
const (
	maxProcesses = 1 << 16                // looked at
	maxRunning   = 1000                   // of the application that are looked at closely
	cmdlineTime  = 100 * time.Millisecond // for a command line, whose reading can hang: see cmdline
	titleTime    = 2 * time.Second        // for the same of a process that matters more
	censusTime   = 2 * time.Second        // for all of it
	maxSmall     = 4096
	maxDepth     = 100 // of a process below another
	maxThreads   = 200 // of one process whose names are read
)

// tree is where an application lies, in the words of the kernel: resolved
// paths, since that is what the links below /proc show.
type tree []string

// treeOf is the tree of an application whose working directory is dir: the
// directory without Capistrano's current, below which all its releases are, as
// it is written and as it resolves. homes are directories that are too wide to
// be an application, as is the root directory.
func treeOf(dir string, homes ...string) tree {
	var t tree
	for _, at := range []string{dir, withoutLinks(dir)} {
		base := filepath.Clean(strings.TrimSuffix(at, "/current"))
		if releases := filepath.Dir(at); filepath.Base(releases) == "releases" {
			base = filepath.Dir(releases)
		}
		for _, path := range []string{base, withoutLinks(base), at} {
			if filepath.IsAbs(path) && path != "/" && !slices.Contains(homes, path) && !slices.Contains(t, path) {
				t = append(t, path)
			}
		}
	}
	return t
}

// withoutLinks is a path as it resolves, or as it is where that cannot be told: the
// census is for a warning only.
func withoutLinks(path string) string {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		return target
	}
	return path
}

// has reports whether a directory lies in the tree.
func (t tree) has(dir string) bool {
	return slices.ContainsFunc(t, func(base string) bool { return dir == base || strings.HasPrefix(dir, base+"/") })
}

// census finds what runs Sidekiq in the tree of an application, by one pass
// over the processes below proc, which is /proc but for tests. Unit files do
// not tell: somebody may have started it from a terminal, from cron, by a unit
// that changes directories, or from another root directory.
//
// A process is told from others by its working directory first, which needs no
// lock of the process's memory; only what lies in the tree is looked at
// closely. A process that ends meanwhile is left out.
func census(proc string, t tree) []sidekiq.Running {
	entries, err := os.ReadDir(proc)
	if err != nil {
		return nil
	}
	var found []sidekiq.Running
	end := time.Now().Add(censusTime)
	for i, e := range entries {
		if i > maxProcesses || len(found) > maxRunning || time.Now().After(end) {
			break
		}
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		dir := filepath.Join(proc, e.Name())
		cwd, err := os.Readlink(dir + "/cwd")
		if cwd = strings.TrimSuffix(cwd, " (deleted)"); err != nil || !t.has(cwd) {
			continue
		}
		if r, ok := closely(dir, pid); ok {
			r.Dir = cwd
			found = append(found, r)
		}
	}
	return found
}

// running is what runs Sidekiq in the application's tree, and whether it is of
// this collection: by its unit, or because it descends from the service's main
// process. A directive such as PAMName= puts that into a session of its own.
// What cannot be asked is not of this collection, which costs a warning.
func (h *Host) running(ctx context.Context, q sidekiq.Questions, home string) []sidekiq.Running {
	all := census("/proc", treeOf(q.Dir, home))
	ours := map[string]bool{}
	var main int
	for i := range all {
		r := &all[i]
		if r.Place.Manager == sidekiq.SystemManager {
			known, asked := ours[r.Place.Unit]
			if !asked {
				known = h.writtenUnit(ctx, r.Place.Unit)
				ours[r.Place.Unit] = known
			}
			r.Ours = known
			continue
		}
		if main == 0 {
			main = max(1, h.mainPID(ctx, q.Unit))
		}
		r.Own = main > 1 && descends("/proc", r.PID, main)
	}
	return all
}

// writtenUnit reports whether a unit's file is of this collection.
func (h *Host) writtenUnit(ctx context.Context, unit string) bool {
	ours, err := written(h.property(ctx, unit, "FragmentPath"))
	return err == nil && ours
}

func (h *Host) mainPID(ctx context.Context, unit string) int {
	p, err := h.properties(ctx, unit)
	if err != nil {
		return 0
	}
	pid, _ := p["MainPID"].(uint32)
	return int(pid)
}

// property is one property of a unit, or "" where it cannot be told.
func (h *Host) property(ctx context.Context, unit, name string) string {
	var text string
	_ = h.ask(ctx, func(ctx context.Context, c connection) error {
		p, err := c.GetUnitPropertyContext(ctx, unit, name)
		if err == nil {
			text, _ = p.Value.Value().(string)
		}
		return err
	})
	return text
}

// descends reports whether a process is the ancestor or descends from it.
func descends(proc string, pid, ancestor int) bool {
	for range maxDepth {
		if pid == ancestor {
			return true
		}
		if pid <= 1 {
			return false
		}
		pid = parent(filepath.Join(proc, strconv.Itoa(pid)))
	}
	return false
}

// closely looks at one process, and reports whether it runs Sidekiq.
func closely(dir string, pid int) (sidekiq.Running, bool) {
	words, title := cmdline(dir, cmdlineTime)
	r := sidekiq.Running{
		PID: pid, Title: title,
		Kind: sidekiq.RunningKind(readSmall(dir+"/comm"), words, title, func() []string { return threads(dir) }),
	}
	if r.Kind == sidekiq.NotRunning {
		return r, false
	}
	info, err := os.Stat(dir)
	if err != nil {
		return r, false
	}
	r.UID = int(info.Sys().(*syscall.Stat_t).Uid)
	r.Parent = parent(dir)
	r.Place = sidekiq.PlaceOf(readSmall(dir + "/cgroup"))
	r.OtherRoot = inOtherRoot(dir)
	return r, true
}

// cmdline is the command line of a process: its words, and as one text. The
// kernel reads it from the process's memory, and waits for a lock of it that
// the process's owner can hold for long; then the answer is that there is none.
func cmdline(dir string, wait time.Duration) (words []string, title string) {
	c := make(chan []byte, 1)
	go func() {
		c <- readAtMost(dir+"/cmdline", maxTitle)
	}()
	var raw []byte
	select {
	case raw = <-c:
	case <-time.After(wait):
	}
	raw = bytes.TrimRight(raw, "\x00")
	text := strings.ToValidUTF8(string(raw), "?")
	return strings.Split(text, "\x00"), strings.ReplaceAll(text, "\x00", " ")
}

// threads are the names of the threads of a process.
func threads(dir string) []string {
	entries, err := os.ReadDir(dir + "/task")
	if err != nil {
		return nil
	}
	var names []string
	for _, e := range entries[:min(len(entries), maxThreads)] {
		names = append(names, readSmall(filepath.Join(dir, "task", e.Name(), "comm")))
	}
	return names
}

// parent is the process's parent: proc(5), the fourth field of stat. The second
// one, the name in parentheses, may hold blanks and parentheses of its own.
func parent(dir string) int {
	stat := readSmall(dir + "/stat")
	fields := strings.Fields(stat[strings.LastIndex(stat, ")")+1:])
	if len(fields) < 2 {
		return 0
	}
	pid, _ := strconv.Atoi(fields[1])
	return pid
}

// inOtherRoot reports whether a process sees another file system than we do at
// the same path: a container that runs the same application is none of this
// host's business. The same directory seen from another PID namespace is.
func inOtherRoot(dir string) bool {
	theirs, err := os.Stat(dir + "/cwd")
	if err != nil {
		return false
	}
	path, err := os.Readlink(dir + "/cwd")
	if err != nil || strings.HasSuffix(path, " (deleted)") {
		return otherRoot(dir)
	}
	ours, err := os.Stat(path)
	return err != nil && otherRoot(dir) || err == nil && !os.SameFile(theirs, ours)
}

// otherRoot reports whether a process has another root directory than we have.
func otherRoot(dir string) bool {
	theirs, err := os.Stat(dir + "/root")
	if err != nil {
		return false
	}
	ours, err := os.Stat("/")
	return err == nil && !os.SameFile(theirs, ours)
}

// readSmall is the content of a small file below /proc, or "".
func readSmall(path string) string {
	return strings.TrimSpace(strings.ToValidUTF8(string(readAtMost(path, maxSmall)), "?"))
}

// readAtMost is the beginning of a file below /proc, at most so many bytes, and
// nothing where the process is gone.
func readAtMost(path string, most int64) []byte {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	content, _ := io.ReadAll(io.LimitReader(f, most))
	return content
}
