// SPDX-License-Identifier: GPL-3.0-or-later

package host

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/sidekiq"
)

// Bounds of a look at the processes of one unit, which belong to the deploy
// user.
const (
	maxInUnit  = 1000
	behindTime = time.Second
)

// behind finds the processes of a unit that say in their titles that they are
// Sidekiq, where the main process does not say so and would not pass SIGTERM on
// to them. proc and cgroups are /proc and /sys/fs/cgroup but for tests.
//
// A child of Sidekiq by fork keeps its parent's title, so the main process is
// looked at once more in the end. Whether a main process that does something at
// SIGTERM passes it on cannot be seen; timeout, sudo and scripts with a trap do.
func behind(proc, cgroups, group string, main int, mainTitle string) (pids []int) {
	if group == "" || titled(mainTitle) || sidekiq.StartsOthers(mainTitle) {
		return nil
	}
	end := time.Now().Add(behindTime)
	for i, pid := range members(cgroups, group) {
		if i >= maxInUnit || time.Now().After(end) {
			break
		}
		if pid == main {
			continue
		}
		if _, title := cmdline(filepath.Join(proc, strconv.Itoa(pid)), cmdlineTime); titled(title) {
			pids = append(pids, pid)
		}
	}
	at := filepath.Join(proc, strconv.Itoa(main))
	if pids == nil || takesTERM(at) {
		return nil
	}
	if _, title := cmdline(at, titleTime); title == "" || titled(title) {
		return nil
	}
	return pids
}

func titled(title string) bool {
	said := sidekiq.ReadTitle(title)
	return said.Ready || said.Quiet
}

// members are the processes of a control group: of the unified hierarchy, of
// systemd's own beside others, or of the unified one beside those.
func members(cgroups, group string) (pids []int) {
	for _, hierarchy := range []string{"", "systemd", "unified"} {
		for _, word := range strings.Fields(string(readAtMost(filepath.Join(cgroups, hierarchy, group, "cgroup.procs"), 16*maxInUnit))) {
			if pid, err := strconv.Atoi(word); err == nil && pid > 0 {
				pids = append(pids, pid)
			}
		}
		if pids != nil {
			break
		}
	}
	return pids
}

// takesTERM reports whether SIGTERM has a process do something: it catches the
// signal, or it blocks it to wait for it. One that ends of it, or that ignores it,
// passes nothing on, and neither does one that blocks it and waits for a child,
// as unshare --fork. While a process such as tini is in sigtimedwait(2), the
// kernel does not show the signal as blocked. What cannot be read is not held
// against a process.
func takesTERM(dir string) bool {
	status := readSmall(dir + "/status")
	call, _, _ := strings.Cut(readSmall(dir+"/syscall"), " ")
	switch call {
	case strconv.Itoa(unix.SYS_RT_SIGTIMEDWAIT):
		return true
	case strconv.Itoa(unix.SYS_WAIT4), strconv.Itoa(unix.SYS_WAITID):
		status = strings.Replace(status, "\nSigBlk:", "\nSigBlk:\t0\n", 1)
	}
	for _, name := range []string{"SigCgt:", "SigBlk:"} {
		_, rest, found := strings.Cut(status, "\n"+name)
		mask, err := strconv.ParseUint(strings.TrimSpace(strings.SplitN(rest, "\n", 2)[0]), 16, 64)
		if !found || err != nil || mask&(1<<(unix.SIGTERM-1)) != 0 {
			return true
		}
	}
	return false
}

// startedBehind looks at the main process of a unit and, where it stands for
// others, at theirs. The second result is not nil where one of them works
// behind its main process.
func (h *Host) startedBehind(ctx context.Context, unit string) (converge.Process, *converge.BehindError, error) {
	props, err := h.properties(ctx, unit)
	if err != nil {
		return converge.Process{}, nil, err
	}
	p := props.process()
	if p.Behind != 0 {
		return p, behindOf(unit, p), nil
	}
	for _, name := range props.texts("ConsistsOf") {
		if part, err := h.Process(ctx, name); err == nil && part.Behind != 0 {
			return p, behindOf(name, part), nil
		}
	}
	return p, nil, nil
}

func behindOf(unit string, p converge.Process) *converge.BehindError {
	if p.Behind == 0 {
		return nil
	}
	return &converge.BehindError{Unit: unit, Process: p}
}

// endBehind tells what works behind the main process of a unit, or of those that
// the unit stands for, to end, and waits until it has, for as long as the unit
// gives its process: systemd would kill it as soon as the main process has
// ended.
func (h *Host) endBehind(ctx context.Context, unit string) error {
	props, err := h.properties(ctx, unit)
	if err != nil {
		return nil // stopping it will say so
	}
	end := h.Now().Add(min(props.span("TimeoutStopUSec"), maxEndBehind))
	told := map[int]bool{}
	for {
		_, found, err := h.startedBehind(ctx, unit)
		if err != nil || found == nil || h.Now().After(end) {
			return err
		}
		if pid := found.Process.Behind; !told[pid] {
			told[pid] = true
			if err := unix.Kill(pid, unix.SIGTERM); err != nil && err != unix.ESRCH {
				return fmt.Errorf("cannot tell process %d of %s to end: %w", pid, found.Unit, err)
			}
		}
		if err := h.Sleep(ctx, 100*time.Millisecond); err != nil {
			return fmt.Errorf("interrupted while waiting for process %d of %s to end: %w", found.Process.Behind, found.Unit, context.Cause(ctx))
		}
	}
}

// maxEndBehind bounds that wait.
const maxEndBehind = 10 * time.Minute
