// SPDX-License-Identifier: GPL-3.0-or-later

package converge_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge"
	"github.com/curationexperts/ansible-sidekiq/module_src/internal/converge/fakehost"
)

// patient is what a start with this behaviour is wanted to be within.
func patient(kind, fake string, timeout time.Duration) converge.State {
	want := wanted(converge.Up, unitFile(unitText("new", kind, fake)))
	want.Units[0].Proof.Timeout = timeout
	want.Units[0].Proof.Window = min(timeout, 10*time.Second)
	return want
}

func TestAStartIsBoundedWhateverItWaitsFor(t *testing.T) {
	cases := []struct {
		name, kind, fake string
		timeout, waited  time.Duration
		want             []string
	}{
		{"behind another unit", "notify", "queued=600s", 10 * time.Second, 12 * time.Second, []string{
			"art sidekiq.service: it was not ready after 10s (patience), since systemd first waits for slow.service",
		}},
		{"behind another unit, simple", "simple", "queued=600s", 10 * time.Second, 12 * time.Second, []string{"slow.service"}},
		{"behind another unit, no proof", "notify", "queued=600s", 0, 302 * time.Second, []string{"not ready after 5m0s, since systemd first waits for slow.service"}},
		{"asks for more time", "notify", "mute extends", 5 * time.Second, 7 * time.Second, []string{"it was not ready after 5s (patience)"}},
		{"behind another unit and slow", "simple", "queued=8s boot=500s", 10 * time.Second, 10 * time.Second, []string{"it was not ready after 10s (patience)"}},
	}
	for _, c := range cases {
		for _, b := range befores[:2] {
			t.Run(c.name+", "+b.name, func(t *testing.T) {
				h := b.host(c.kind, managers[0])
				was := h.Snapshot()
				began, undone := h.Now(), time.Time{}
				h.OnEffect = func(_ int, what string) {
					if (what == "stop "+service || what == "cancel "+service) && h.Now().Sub(began) > 3*time.Second && undone.IsZero() {
						undone = h.Now()
					}
				}
				_, err := run(context.Background(), t, h, patient(c.kind, c.fake, c.timeout), converge.Rollback)
				f := failure(t, err)
				for _, w := range c.want {
					if !strings.Contains(f.Error(), w) {
						t.Errorf("message %q, want %q", f, w)
					}
				}
				var dead *converge.NotUp
				if !errors.As(f, &dead) || !dead.TimedOut || strings.Contains(c.fake, "queued=600s") != (len(dead.Ahead) > 0) {
					t.Errorf("%+v", dead)
				}
				if waited := undone.Sub(began); waited < c.waited || waited > c.waited+time.Second {
					t.Errorf("it was undone after %s, want %s", waited, c.waited)
				}
				if !f.RolledBack {
					t.Error(f)
				}
				if d := differences(was, h.Snapshot(), b.name != "absent"); d != "" {
					t.Errorf("before (-) and after (+):\n%s", d)
				}
			})
		}
	}
}

func TestAStartThatIsKeptIsNotDoneLater(t *testing.T) {
	h := fakehost.New()
	_, err := run(context.Background(), t, h, patient("notify", "queued=60s", 10*time.Second), converge.Keep)
	failure(t, err)
	h.Pass(time.Hour)
	if u, _ := h.Unit(context.Background(), service); u.Activity != converge.Down {
		t.Errorf("it is %s", u.Activity)
	}
}

// The jobs of the old program may take longer to end than the new one to start.
func TestAStopHasTheTimeThatItsUnitGivesIt(t *testing.T) {
	for _, c := range []struct {
		stop, want string
	}{
		{"85s", ""},
		{"1000s", "cannot restart sidekiq.service: it takes too long: it has not stopped after 1m40s (its TimeoutStopSec and 10s)"},
	} {
		h := running("notify", "stop="+c.stop)
		began := h.Now()
		_, err := run(context.Background(), t, h, patient("notify", "boot=2s", 5*time.Second), converge.Keep)
		if c.want == "" {
			if err != nil {
				t.Error(err)
			}
			continue
		}
		if f := failure(t, err); !strings.Contains(f.Error(), c.want) {
			t.Errorf("message %q, want %q", f, c.want)
		}
		if waited := h.Now().Sub(began); waited < 99*time.Second || waited > 102*time.Second {
			t.Errorf("waited %s", waited)
		}
	}
}

func TestAStopOfWhatGoesIsBoundedToo(t *testing.T) {
	h := running("notify", "stop=1000s")
	want := wanted(converge.Down, absent(unitFile("")))
	want.Units[0].Enabled, want.Units[0].Links = converge.Off, []converge.Link{}
	_, err := run(context.Background(), t, h, want, converge.Keep)
	if f := failure(t, err); !strings.Contains(f.Error(), "cannot stop sidekiq.service: it takes too long: it has not stopped after 1m40s") {
		t.Error(f)
	}
}

// The limit in a message about the old program is the one that it had.
func TestAnOldProgramIsSaidToHaveHadItsOwnTime(t *testing.T) {
	h := running("notify", "boot=3s")
	slow := false
	h.Behave = func(_, content string) fakehost.Behaviour {
		if slow || strings.Contains(content, "# new") {
			slow = true
			return fakehost.Behaviour{Mute: true, Boot: time.Second}
		}
		return fakehost.Behave(content)
	}
	_, err := run(context.Background(), t, h, patient("notify", "", 6*time.Second), converge.Rollback)
	f := failure(t, err)
	if f.Old == nil || !strings.Contains(f.Old.Why, "within 1m0s (TimeoutStartSec of its unit)") || strings.Contains(f.Old.Why, "patience") {
		t.Errorf("%v: %v", f.Old, f)
	}
}

// hanging is a host on which no reload ends.
type hanging struct{ *fakehost.Host }

func (h hanging) Run(ctx context.Context, unit string, v converge.Verb, look func(converge.Process) error) error {
	for v == converge.MakeQuiet {
		p, err := h.Process(ctx, unit)
		if err == nil {
			err = look(p)
		}
		if err != nil {
			return err
		}
		h.Pass(time.Second)
	}
	return h.Host.Run(ctx, unit, v, look)
}

func TestAReloadThatNeverEndsIsNotWaitedForForEver(t *testing.T) {
	h := befores[1].host("notify", managers[0])
	began := h.Now()
	want := wanted(converge.Quiet, unitFile(unitText("old", "notify", "boot=3s")))
	have, err := converge.Observe(context.Background(), h, want)
	if err != nil {
		t.Fatal(err)
	}
	plan := converge.Diff(want, have)
	_, err = plan.Apply(context.Background(), hanging{h}, converge.Keep)
	if f := failure(t, err); !strings.Contains(f.Error(), "cannot quiet sidekiq.service: it takes too long: what its ExecReload says has not ended after 2m0s") {
		t.Error(f)
	}
	if waited := h.Now().Sub(began); waited > 125*time.Second {
		t.Errorf("waited %s", waited)
	}
}
