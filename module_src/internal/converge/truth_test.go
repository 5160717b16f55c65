// SPDX-License-Identifier: GPL-3.0-or-later

package converge_test

import (
	"context"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge/fakehost"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/sudo"
)

var (
	seed  = flag.Uint64("seed", 1, "of the first random pair of host and wanted state")
	pairs = flag.Int("pairs", 600, "random pairs of host and wanted state to try")
)

// dice makes random hosts and random wishes.
type dice struct{ *rand.Rand }

func one[T any](d dice, of ...T) T { return of[d.IntN(len(of))] }

func (d dice) often() bool { return d.IntN(4) > 0 }

// These are the units of a random host: two of ours, and one of somebody
// else's.
var ours = []string{"sidekiq.service", "mailers.service"}

const redis = "redis-server.service"

func (d dice) text() string {
	return unitText(one(d, "a", "b"), one(d, "simple", "notify"), one(d, "boot=2s", "boot=2s", "boot=1s untitled"))
}

func fileOf(unit string) string { return "/lib/systemd/system/" + unit }

func link(target, unit string) converge.Link {
	return converge.Link{Path: "/etc/systemd/system/" + target + ".wants/" + unit, Target: fileOf(unit)}
}

// host is a host in a random state.
func (d dice) host() *fakehost.Host {
	h := fakehost.New()
	h.ExactTimes, h.Forgetful = one(d, true, false), one(d, true, false)
	for _, u := range append(ours, redis) {
		d.installUnit(h, u)
	}
	for _, u := range ours {
		d.laterChanges(h, u)
	}
	if d.often() {
		h.Write(sudoAt, one(d, "a", "b"), one[fs.FileMode](d, 0o440, 0o440, 0o644))
		h.Own(sudoAt, one(d, 0, 0, 1000), 0)
	}
	h.Pass(3 * time.Second)
	return h
}

func (d dice) installUnit(h *fakehost.Host, u string) {
	if !d.often() {
		return
	}
	content := d.text()
	if d.IntN(8) == 0 {
		content = unitText("dying", "simple", "boot=5s life=2s")
	}
	h.Write(fileOf(u), content, one[fs.FileMode](d, 0o644, 0o644, 0o600))
	h.Own(fileOf(u), 0, one(d, 0, 0, 1000))
	for _, target := range []string{"multi-user.target", "default.target"} {
		if one(d, true, false) {
			h.Link(link(target, u).Path, fileOf(u))
		}
	}
	h.Pass(time.Minute)
	d.activity(h, u)
}

func (d dice) activity(h *fakehost.Host, u string) {
	if !d.often() {
		return
	}
	h.Systemctl(converge.Start, u)
	if d.IntN(8) == 0 {
		return // still booting, perhaps
	}
	h.Pass(time.Minute)
	if f, _ := h.File(context.Background(), fileOf(u)); strings.Contains(f.Content, "dying") {
		return
	}
	switch d.IntN(8) {
	case 0:
		h.Systemctl(converge.Stop, u)
	case 1:
		h.Systemctl(converge.MakeQuiet, u)
	case 2:
		h.Systemctl(converge.MakeQuiet, u)
		h.Pass(time.Hour)
	}
}

// laterChanges are changes of which neither the manager nor the process was
// told.
func (d dice) laterChanges(h *fakehost.Host, u string) {
	f, _ := h.File(context.Background(), fileOf(u))
	if !f.Exists || d.often() {
		return
	}
	switch d.IntN(3) {
	case 0:
		h.Write(fileOf(u), d.text(), 0o644)
	case 1:
		h.Write(path.Join("/etc/systemd/system", u+".d", "extra.conf"), "# extra\n", 0o644)
	case 2:
		h.Write(fileOf(u), d.text(), 0o644)
		h.DaemonReload()
	}
	h.Pass(time.Second)
}

// want is a random wish.
func (d dice) want() converge.State {
	var s converge.State
	for _, u := range ours {
		file := converge.File{Path: fileOf(u), Kind: converge.UnitFile, Units: []string{u}}
		row := converge.Unit{Name: u, Enabled: converge.Off, Links: []converge.Link{}, Activity: converge.Down}
		if d.often() {
			file.Exists, file.Content, file.Mode, file.GID = true, d.text(), one[fs.FileMode](d, 0o644, 0o644, 0o640), one(d, 0, 0, 1000)
			row = d.row(u)
		}
		s.Files, s.Units = append(s.Files, file), append(s.Units, row)
	}
	rules := converge.File{Path: sudoAt, Kind: converge.SudoersFile}
	if d.often() {
		rules.Exists, rules.Content, rules.Mode = true, one(d, "a", "b"), 0o440
		rules.Grants = []sudo.Grant{{User: "deploy"}}
	}
	s.Files = append(s.Files, rules)
	return s
}

func (d dice) row(u string) converge.Unit {
	row := converge.Unit{
		Name:      u,
		Enabled:   one(d, converge.On, converge.On, converge.Off, ""),
		Activity:  one(d, converge.Up, converge.Up, converge.Up, converge.Restarted, converge.Down, converge.Quiet, converge.Any),
		KeepStale: !d.often(),
		Proof:     converge.Proof{Timeout: time.Minute, Window: 10 * time.Second},
	}
	switch {
	case row.Enabled == converge.On && d.often():
		row.Links = []converge.Link{link(one(d, "multi-user.target", "default.target"), u)}
	case row.Enabled == converge.Off && d.often():
		row.Links = []converge.Link{}
	}
	return row
}

// wantRedis adds the row of a unit whose file is somebody else's.
func (d dice) wantRedis(s *converge.State, h *fakehost.Host) {
	if f, _ := h.File(context.Background(), fileOf(redis)); !f.Exists || strings.Contains(f.Content, "dying") || d.often() {
		return
	}
	s.Units = append(s.Units, converge.Unit{
		Name: redis, Enabled: converge.On, Activity: converge.Up, Proof: converge.Proof{Timeout: time.Minute, Window: 10 * time.Second},
	})
}

// alike makes the host as it is wanted, and then may want a little more.
func (d dice) alike(t *testing.T, h *fakehost.Host, want *converge.State) {
	t.Helper()
	_, err := run(context.Background(), t, h, *want, converge.Keep)
	h.Effects = nil
	if err != nil {
		return // a crash: as good a state as any
	}
	if other := d.want(); !d.often() {
		i := d.IntN(len(other.Units))
		if want.Files[i].Exists && other.Files[i].Exists {
			want.Files[i], want.Units[i] = other.Files[i], other.Units[i]
		}
	}
}

// sort names the kind of a step.
func sort(s converge.Step) string {
	switch s := s.(type) {
	case converge.PutFile:
		verb, _, _ := strings.Cut(s.String(), " ")
		return verb + " a file"
	case converge.SetEnabled:
		if s.Was.Enabled == s.Want.Enabled {
			return "move links"
		}
		return "turn enabled " + string(s.Want.Enabled)
	case converge.ReloadManager:
		return "reload"
	case converge.RunUnit:
		return string(s.Verb)
	}
	return "?"
}

func TestThePlanIsWhatTheRunThenDoes(t *testing.T) {
	count := map[string]int{}
	t.Logf("pairs %d, from seed %d on", *pairs, *seed)
	for i := range *pairs {
		n := *seed + uint64(i)
		if !t.Run(fmt.Sprintf("seed %d", n), func(t *testing.T) { truth(t, dice{rand.New(rand.NewPCG(n, 0))}, count) }) {
			break
		}
	}
	for _, k := range slices.Sorted(maps.Keys(count)) {
		t.Logf("%5d %s", count[k], k)
	}
	if *pairs < 500 {
		return
	}
	for _, kind := range []string{
		"write a file", "change a file", "set a file", "remove a file", "turn enabled on", "turn enabled off", "move links",
		"reload", "start", "stop", "restart", "quiet",
	} {
		if count[kind] < 20 {
			t.Errorf("only %d of the pairs %s", count[kind], kind)
		}
	}
	if count["pairs with something to do"] < *pairs/2 || count["pairs with nothing to do"] < *pairs/20 || count["pairs that failed"] > *pairs/20 {
		t.Errorf("too few pairs that say something: %v", count)
	}
}

func truth(t *testing.T, d dice, count map[string]int) {
	h := d.host()
	want := d.want()
	d.wantRedis(&want, h)
	if d.IntN(3) == 0 {
		d.alike(t, h, &want)
	}

	plan := look(t, h, want)
	if len(h.Effects) > 0 {
		t.Errorf("looking has effects: %q", h.Effects)
	}
	if again := look(t, h, want); !slices.Equal(plan.Words(), again.Words()) {
		t.Errorf("a plan, and another: %q, %q", plan.Words(), again.Words())
	}
	was := h.Snapshot()
	if plan.Changes() {
		count["pairs with something to do"]++
	} else {
		count["pairs with nothing to do"]++
	}
	for _, s := range plan.Steps {
		count[sort(s)]++
	}

	if _, err := plan.Apply(context.Background(), h, converge.Rollback); err != nil {
		// A service that keeps crashing cannot be quieted.
		count["pairs that failed"]++
		if f := failure(t, err); !f.RolledBack {
			t.Error(f)
		}
		return
	}
	is := h.Snapshot()
	announcedEffects(t, plan, h.Effects)
	announcedFiles(t, plan, was, is)
	announcedLinks(t, plan, was, is)
	announcedRuns(t, plan, was, is)
	if t.Failed() {
		t.Logf("plan: %q\neffects: %q", plan.Words(), h.Effects)
	}
	settled(t, h, want)
	second(t, h, want)
	itself(t, h, want)
}

// These are the same pairs, but one effect fails, or the run is killed at it.
func TestARandomRunThatFailsIsRolledBackAndOneThatIsKilledIsHealed(t *testing.T) {
	for i := range *pairs {
		n := *seed + uint64(i)
		t.Run(fmt.Sprintf("seed %d", n), func(t *testing.T) {
			d := dice{rand.New(rand.NewPCG(n, 1))}
			h, want := d.host(), d.want()
			d.wantRedis(&want, h)
			if strings.Contains(fmt.Sprint(h.Snapshot()), "dying") {
				return // it does not stand still
			}
			o, at := one(d, fakehost.Refused, fakehost.Botched, fakehost.KilledBefore, fakehost.KilledAfter), 1+d.IntN(12)
			h.Fault = func(i int, _ string) fakehost.Outcome {
				if i == at {
					return o
				}
				return fakehost.Done
			}
			plan, was := look(t, h, want), h.Snapshot()
			var err error
			survived := fakehost.Survives(func() { _, err = plan.Apply(context.Background(), h, converge.Rollback) })
			if !survived {
				h.Fault = nil
				h.Pass(time.Second)
				mustRun(t, h, want)
			} else if err != nil {
				h.Pass(time.Minute)
				if f := failure(t, err); !f.RolledBack && f.Old == nil {
					t.Error(f)
				}
				afterRollback(t, plan, was, h)
				return
			}
			settled(t, h, want)
		})
	}
}

// afterRollback compares hosts, except for what a rollback cannot or need not
// bring back: if the manager had not read a unit again, a process may now have
// been started from an older file than before.
func afterRollback(t *testing.T, plan converge.Plan, was fakehost.Snapshot, h *fakehost.Host) {
	t.Helper()
	is := h.Snapshot()
	if d := cmp.Diff(was.Files, is.Files) + cmp.Diff(was.Links, is.Links); d != "" {
		t.Errorf("before (-) and after (+):\n%s\n%q\n%q", d, plan.Words(), h.Effects)
	}
	for name, old := range was.Units {
		now := is.Units[name]
		if now.Alive != old.Alive || now.Quiet && !old.Quiet {
			t.Errorf("%s: was %+v, is %+v", name, old, now)
		}
		if old.PID != 0 && now.PID != old.PID && !old.Unread && now.From != now.Loaded {
			t.Errorf("%s: was %+v, is %+v", name, old, now)
		}
	}
}

// announcedEffects compares the plan with what was done, in order.
func announcedEffects(t *testing.T, plan converge.Plan, effects []string) {
	t.Helper()
	var announced []string
	for _, s := range plan.Steps {
		switch s := s.(type) {
		case converge.PutFile:
			verb := "rename to "
			if !s.Want.Exists {
				verb = "remove "
			}
			announced = append(announced, verb+s.Want.Path)
		case converge.ReloadManager:
			announced = append(announced, "daemon-reload")
		case converge.RunUnit:
			if s.Verb == converge.Restart {
				announced = append(announced, "stop "+s.Unit, "start "+s.Unit)
			} else {
				announced = append(announced, string(s.Verb)+" "+s.Unit)
			}
		}
	}
	done := slices.DeleteFunc(slices.Clone(effects), func(e string) bool {
		return strings.HasPrefix(e, "write ") || strings.HasPrefix(e, "link ") || strings.HasPrefix(e, "unlink ")
	})
	if d := cmp.Diff(announced, done, cmpopts.EquateEmpty()); d != "" {
		t.Errorf("announced (-) and done (+):\n%s", d)
	}
}

func announcedFiles(t *testing.T, plan converge.Plan, was, is fakehost.Snapshot) {
	t.Helper()
	files := maps.Clone(was.Files)
	for _, put := range plan.FileSteps() {
		w := put.Want
		if !w.Exists {
			delete(files, w.Path)
			continue
		}
		w.Kind, w.Units, w.Grants = "", nil, nil
		if put.Was.Content != w.Content || !put.Was.Exists {
			w.ModTime = is.Files[w.Path].ModTime
			if !w.ModTime.After(put.Was.ModTime) {
				t.Errorf("%s has the time of the old file", w.Path)
			}
		}
		files[w.Path] = w
	}
	if d := cmp.Diff(files, is.Files); d != "" {
		t.Errorf("announced files (-) and those there are (+):\n%s", d)
	}
}

func announcedLinks(t *testing.T, plan converge.Plan, was, is fakehost.Snapshot) {
	t.Helper()
	links := maps.Clone(was.Links)
	for _, s := range plan.Steps {
		e, ok := s.(converge.SetEnabled)
		if !ok {
			continue
		}
		maps.DeleteFunc(links, func(at, _ string) bool { return path.Base(at) == e.Want.Name })
		if e.Want.Links == nil && e.Want.Enabled == converge.On {
			e.Want.Links = []converge.Link{link("multi-user.target", e.Want.Name)}
		}
		for _, l := range e.Want.Links {
			links[l.Path] = l.Target
		}
	}
	if d := cmp.Diff(links, is.Links); d != "" {
		t.Errorf("announced links (-) and those there are (+):\n%s", d)
	}
}

// announcedRuns compares processes. A process that crashes again and again
// becomes another one by itself.
func announcedRuns(t *testing.T, plan converge.Plan, was, is fakehost.Snapshot) {
	t.Helper()
	runs := map[string]converge.Verb{}
	for _, s := range plan.Steps {
		if r, ok := s.(converge.RunUnit); ok {
			runs[r.Unit] = r.Verb
		}
	}
	for name, now := range is.Units {
		old := was.Units[name]
		dying := old.Alive && old.PID == 0 || strings.Contains(old.Loaded+old.From, "dying")
		var ok bool
		switch runs[name] {
		case converge.Start, converge.Restart:
			ok = now.PID != old.PID && now.PID != 0 && now.From == now.Loaded && !now.Quiet && !now.Activating
		case converge.Stop:
			ok = !now.Alive
		case converge.MakeQuiet:
			ok = now.Quiet && (now.PID == old.PID || dying)
		default:
			ok = now.PID == old.PID && now.From == old.From && now.Quiet == old.Quiet || dying
		}
		if !ok {
			t.Errorf("%s: announced %q, was %+v, is %+v", name, runs[name], old, now)
		}
	}
}

// second is the next run, which does nothing and waits for nothing.
func second(t *testing.T, h *fakehost.Host, want converge.State) {
	t.Helper()
	plan := look(t, h, want)
	if plan.Changes() {
		return // told to restart or to quiet in every run; settled has looked at the rest
	}
	began := h.Now()
	if _, err := plan.Apply(context.Background(), h, converge.Rollback); err != nil || h.Now() != began {
		t.Errorf("the second run takes %s and says %v", h.Now().Sub(began), err)
	}
}

// itself compares states with themselves.
func itself(t *testing.T, h *fakehost.Host, want converge.State) {
	t.Helper()
	have, err := converge.Observe(context.Background(), h, want)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []converge.State{want, have} {
		s.Units = slices.DeleteFunc(slices.Clone(s.Units), func(u converge.Unit) bool {
			return len(u.Stale) > 0 || u.Activity == converge.Restarted || u.Activity == converge.Quiet
		})
		if p := converge.Diff(s, s); len(p.Steps)+len(p.Proofs) > 0 {
			t.Errorf("a state and itself differ: %q", p.Words())
		}
	}
}
