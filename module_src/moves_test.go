// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"flag"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge/fakehost"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/results"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/scripthost"
)

// This file moves a service between one process and several, in every way, on a
// fake host on which each of the moves fails or is killed at each effect. In the
// end there is never one Sidekiq too many or too few.

const application = `
systemd 252
sudo
group deploy 1000
user deploy 1000 deploy /home/deploy
file /opt/laevigata/current/Gemfile 0644 1000:1000
    gem "sidekiq"
file /opt/laevigata/current/Gemfile.lock 0644 1000:1000
    GEM
      specs:
        sidekiq (7.3.2)
file /opt/laevigata/current/config/sidekiq.yml 0644 1000:1000
    timeout: 25
programs boot=3s stop=2s
`

const away = `
remove /opt/laevigata/current/Gemfile
remove /opt/laevigata/current/Gemfile.lock
remove /opt/laevigata/current/config/sidekiq.yml
`

// released is what the first release wrote for three processes.
const released = `
file /lib/systemd/system/sidekiq@.service
    # Written by curationexperts.sidekiq for laevigata; changes here are overwritten.
    [Unit]
    PartOf=sidekiq.service
    After=sidekiq.service
    [Service]
    Type=notify
    WorkingDirectory=/opt/laevigata/current
    ExecStart=/usr/local/bin/bundle exec sidekiq
    Restart=always
file /lib/systemd/system/sidekiq.service
    # Written by curationexperts.sidekiq for laevigata; changes here are overwritten.
    [Service]
    Type=oneshot
    RemainAfterExit=yes
    ExecStart=-/usr/bin/systemctl start --job-mode=ignore-dependencies sidekiq@1.service sidekiq@2.service sidekiq@3.service
    [Install]
    WantedBy=multi-user.target
systemctl enable sidekiq.service
systemctl start sidekiq.service
wait 1h
`

// stranger is a template of somebody else's, with three of its instances at
// work.
const stranger = `
file /etc/systemd/system/sidekiq@.service
    [Service]
    Type=notify
    WorkingDirectory=/opt/laevigata/current
    ExecStart=/usr/local/bin/bundle exec sidekiq -i %i
    Restart=always
    [Install]
    WantedBy=multi-user.target
link /etc/systemd/system/multi-user.target.wants/sidekiq@1.service -> /etc/systemd/system/sidekiq@.service
link /etc/systemd/system/multi-user.target.wants/sidekiq@2.service -> /etc/systemd/system/sidekiq@.service
link /etc/systemd/system/multi-user.target.wants/sidekiq@3.service -> /etc/systemd/system/sidekiq@.service
systemctl start sidekiq@1.service
systemctl start sidekiq@2.service
systemctl start sidekiq@3.service
wait 1h
`

// move is a way from one form of the service to another.
type move struct {
	name, before string
	from, to     string   // options; nothing is done before where from is empty
	up           []string // what runs Sidekiq in the end
}

const (
	one     = `{"project_name": "laevigata"`
	three   = `{"project_name": "laevigata", "processes": 3`
	two     = `{"project_name": "laevigata", "processes": 2`
	named   = `{"project_name": "laevigata", "instances": [{"name": "critical", "queues": ["critical"]}, {"name": "2"}]`
	changed = `{"project_name": "laevigata", "instances": [{"name": "critical", "queues": ["critical", "high"]}, {"name": "2"}]`
)

func instancesOf(names ...string) []string {
	var units []string
	for _, n := range names {
		units = append(units, "sidekiq@"+n+".service")
	}
	return units
}

var moves = []move{
	{"one to several", "", one, three, instancesOf("1", "2", "3")},
	{"several to one", "", three, one, []string{"sidekiq.service"}},
	{"fewer", "", three, two, instancesOf("1", "2")},
	{"more", "", two, three, instancesOf("1", "2", "3")},
	{"other names", "", three, named, instancesOf("2", "critical")},
	{"settings of one", "", named, changed, instancesOf("2", "critical")},
	{"from the release", released, "", three, instancesOf("1", "2", "3")},
	{"from the release to names", released, "", named, instancesOf("2", "critical")},
	{"from the release to one", released, "", one, []string{"sidekiq.service"}},
	{"from a stranger's template", stranger, "", two + `, "replace": true`, instancesOf("1", "2")},
	{"to nothing", "", three, one + `, "state": "absent"`, nil},
	{"to nothing from the release", released, "", one + `, "state": "absent"`, nil},
	{"stopped", "", three, two + `, "state": "stopped"`, nil},
}

// kinds are how the systemd of the move knows that Sidekiq is up, and whether
// what is running may be restarted.
var kinds = map[string]string{"notify": "}", "exec": `, "type": "exec"}`, "left alone": `, "restart_on_change": false}`, "present": `, "state": "present"}`}

func (m move) options(kind string) string {
	if strings.Contains(m.to, `"state"`) && kind == "present" {
		return m.to + "}"
	}
	return m.to + kinds[kind]
}

// host is the host before the move.
func (m move) host(t *testing.T, kind string) *scripthost.Host {
	t.Helper()
	h := scripthost.New()
	if err := h.Given(application + m.before); err != nil {
		t.Fatal(err)
	}
	if m.from != "" {
		end := "}"
		if kind == "exec" {
			end = kinds[kind]
		}
		if r := runOn(h, m.from+end); r.Failed {
			t.Fatal(r.Msg)
		}
	}
	h.Pass(time.Hour)
	return h
}

func runOn(h *scripthost.Host, options string) results.Result {
	ctx, stop := h.Interruptible()
	defer stop()
	return onHost(h).answerOf(ctx, command{file: "-"}, strings.NewReader(options), func() error { return nil }).Result
}

// sidekiqs are the units that run Sidekiq.
func sidekiqs(h *scripthost.Host) []string {
	var up []string
	for name, u := range h.Snapshot().Units {
		if u.PID != 0 || u.Alive && u.Activating {
			up = append(up, name)
		}
	}
	slices.Sort(up)
	return up
}

// check fails the test unless exactly those units run that should, each from its
// present file, and nothing else would be started at boot.
func (m move) check(t *testing.T, h *scripthost.Host, what string) {
	t.Helper()
	if got := sidekiqs(h); !slices.Equal(got, m.up) {
		t.Fatalf("%s: %s: Sidekiq runs in %q, want %q\n%s\n%s", m.name, what, got, m.up, h.Show(), strings.Join(h.Effects, "\n"))
	}
	now := h.Snapshot()
	for _, name := range m.up {
		if u := now.Units[name]; u.Unread || u.Loaded == "" || now.Files["/lib/systemd/system/"+name].Content != u.Loaded {
			t.Fatalf("%s: %s: %s is not of its own file: %+v", m.name, what, name, u)
		}
	}
	for at := range now.Links {
		if strings.Contains(at, "sidekiq@") {
			t.Fatalf("%s: %s: %s is left", m.name, what, at)
		}
	}
	for at, f := range now.Files {
		if strings.HasPrefix(at, "/lib/systemd/system/sidekiq@") && !slices.Contains(m.up, at[len("/lib/systemd/system/"):]) && m.up != nil {
			t.Fatalf("%s: %s: %s is left: %s", m.name, what, at, f.Content)
		}
	}
}

// ends makes the ordinary runs after one that something happened to: the next
// one makes everything as it should be, and the one after that finds nothing to
// do.
func (m move) ends(t *testing.T, h *scripthost.Host, options, what string) {
	t.Helper()
	h.Fault = nil
	h.Pass(time.Minute)
	if r := runOn(h, options); r.Failed {
		t.Fatalf("%s: %s: the next run: %s\n%s", m.name, what, r.Msg, strings.Join(h.Effects, "\n"))
	}
	// What is old may stay, and what a run was killed at may be down, where that is how it was asked for.
	if !strings.Contains(options, "restart_on_change") && !(strings.Contains(options, `"present"`) && strings.HasSuffix(what, "kills")) {
		m.check(t, h, what)
	}
	if r := runOn(h, options); r.Failed || r.Changed {
		t.Fatalf("%s: %s: the run after the next: %v %q\n%s", m.name, what, r.Msg, r.Steps, strings.Join(h.Effects, "\n"))
	}
}

func TestMovesEndWithWhatIsWanted(t *testing.T) {
	for kind := range kinds {
		for _, m := range moves {
			h := m.host(t, kind)
			began := len(h.Effects)
			before := h.Snapshot()
			if r := runOn(h, m.options(kind)); r.Failed {
				t.Fatalf("%s, %s: %s", m.name, kind, r.Msg)
			}
			starts := map[string]int{}
			for _, effect := range h.Effects[began:] {
				starts[effect]++
			}
			for effect, n := range starts {
				if strings.HasPrefix(effect, "stop ") && n > 1 {
					t.Errorf("%s, %s: %s %d times", m.name, kind, effect, n)
				}
			}
			for name, u := range h.Snapshot().Units {
				if old := before.Units[name]; old.PID != 0 && old.PID == u.PID && kind == "notify" && old.From != u.Loaded && slices.Contains(m.up, name) {
					t.Errorf("%s, %s: %s goes on as it was", m.name, kind, name)
				}
			}
			m.ends(t, h, m.options(kind), kind+", without a fault")
		}
	}
}

// TestMovesThatFailLeaveNothingBehind makes each effect of each move fail, and
// kills the run at it.
func TestMovesThatFailLeaveNothingBehind(t *testing.T) {
	outcomes := map[string]fakehost.Outcome{
		"fails": fakehost.Refused, "is done and fails": fakehost.Botched, "kills": fakehost.KilledBefore, "is done and kills": fakehost.KilledAfter,
	}
	tried := 0
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		for i, m := range moves {
			for j, how := range slices.Sorted(maps.Keys(outcomes)) {
				for n := 1; ; n++ {
					if !*every && (n+i+j)%4 > 0 {
						continue
					}
					if !m.tryAt(t, kind, n, how, outcomes[how]) {
						break
					}
					tried++
				}
			}
		}
	}
	t.Logf("%d moves with a fault", tried)
	if tried < 500 {
		t.Error("that shows little")
	}
}

var every = flag.Bool("every", false, "make the moves fail at every effect, and not at one of four")

// tryAt makes the move with a fault at its n-th effect, and reports whether it
// has so many.
func (m move) tryAt(t *testing.T, kind string, n int, how string, outcome fakehost.Outcome) bool {
	t.Helper()
	h := m.host(t, kind)
	files, running, began, at := h.Files(), sidekiqs(h), len(h.Effects), ""
	h.Fault = func(i int, what string) fakehost.Outcome {
		if i != began+n {
			return fakehost.Done
		}
		at = what
		return outcome
	}
	var r results.Result
	survived := fakehost.Survives(func() { r = runOn(h, m.options(kind)) })
	if at == "" {
		return false
	}
	what := kind + ": " + at + " " + how
	if survived && r.Failed {
		if r.RolledBack == nil || !*r.RolledBack {
			t.Fatalf("%s: %s: %s\n%s", m.name, what, r.Msg, strings.Join(h.Effects[began:], "\n"))
		}
		h.Pass(time.Minute)
		if got := sidekiqs(h); !slices.Equal(got, running) || h.Files() != files {
			t.Fatalf("%s: %s: %s\nSidekiq ran in %q and runs in %q\n%s\n%s", m.name, what, r.Msg, running, got, h.Show(), strings.Join(h.Effects[began:], "\n"))
		}
	}
	m.ends(t, h, m.options(kind), what)
	return true
}

// TestMovesWhileTheApplicationIsAway shows that nothing dies that could not come
// back, and that the first run with the application does the rest.
func TestMovesWhileTheApplicationIsAway(t *testing.T) {
	for _, kind := range []string{"notify", "exec", "present"} {
		for _, m := range moves {
			if strings.Contains(m.to, `"state"`) {
				continue // which is meant to stop it
			}
			h := m.host(t, kind)
			running := sidekiqs(h)
			if err := h.Given(away); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if r := runOn(h, m.options(kind)); r.Failed || len(r.Warnings) == 0 {
					t.Fatalf("%s, %s: %s %q", m.name, kind, r.Msg, r.Warnings)
				}
				for _, unit := range running {
					if u := h.Snapshot().Units[unit]; u.PID == 0 || u.Loaded == "" {
						t.Fatalf("%s, %s: %s does not run any more, or has no file: %+v", m.name, kind, unit, u)
					}
				}
			}
			if err := h.Given(application); err != nil {
				t.Fatal(err)
			}
			m.ends(t, h, m.options(kind), kind+", after the application was away")
		}
	}
}
