// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"slices"
	"strings"
	"testing"
)

// TestPlaceOf has control groups as they were seen on hosts of both versions.
func TestPlaceOf(t *testing.T) {
	for cgroup, want := range map[string]Place{
		"0::/system.slice/sidekiq.service":                                          {Manager: SystemManager, Unit: "sidekiq.service"},
		"0::/system.slice/system-worker.slice/worker@3.service":                     {Manager: SystemManager, Unit: "worker@3.service"},
		"0::/system.slice/cron.service":                                             {Manager: CronDaemon, Unit: "cron.service"},
		"0::/system.slice/crond.service":                                            {Manager: CronDaemon, Unit: "crond.service"},
		"0::/user.slice/user-1000.slice/session-3.scope":                            {Manager: LoginSession, Unit: "session-3.scope"},
		"0::/user.slice/user-1000.slice/user@1000.service/app.slice/x.service":      {Manager: UserManager, UID: 1000, Unit: "x.service"},
		"0::/user.slice/user-1000.slice/user@1000.service/app.slice/$(id).service":  {Manager: UserManager, UID: 1000},
		"0::/user.slice/user-1000.slice/user@1000.service/user@0.service/a.service": {Manager: UserManager, UID: 1000, Unit: "a.service"},
		"0::/":  {},
		"0::/x": {},
		"12:pids:/a\n1:name=systemd:/system.slice/b.service\n0::/":             {Manager: SystemManager, Unit: "b.service"},
		"1:name=systemd:/\n0::/system.slice/c.service":                         {Manager: SystemManager, Unit: "c.service"},
		"0::/user.slice/user-1000.slice/user@1000.service/a.slice/-rf.service": {Manager: UserManager, UID: 1000},
	} {
		got := PlaceOf(cgroup)
		got.Path = ""
		if got != want {
			t.Errorf("%q: got %+v, want %+v", cgroup, got, want)
		}
	}
}

func TestRunningKind(t *testing.T) {
	for _, c := range []struct {
		comm, title string
		threads     []string
		want        Kind
	}{
		{"ruby", "sidekiq 7.3.2 app [0 of 5 busy]", nil, Titled},
		{"sidekiq", "sidekiq 6.4.1 app [1 of 5 busy] stopping", nil, Titled},
		{"sidekiq", "ruby3.1 /usr/bin/bundle exec sidekiq -e production", nil, Booting},
		{"sidekiq", "/opt/rbenv/bin/bundle exec sidekiq", nil, Booting},
		{"sidekiqswarm", "sidekiqswarm, managing 2 processes", nil, Swarm},
		{"puma", "sidekiq 6.4.1  [0 of 2 busy]", nil, Embedded},
		{"bash", "bash -c tail -f log/sidekiq.log", nil, NotRunning},
		{"vim", "vim config/sidekiq.yml", nil, NotRunning},
		{"sidekiq", "sleep 100", nil, NotRunning},
		{"ruby", "puma 6.4.2 (tcp://0.0.0.0:3000) [app]", []string{"puma srv", "sidekiq.default"}, Embedded},
		{"ruby", "puma 5.6.5 (tcp://0.0.0.0:3000) [app]", []string{"puma", "processor", "heartbeat", "scheduler"}, Embedded},
		{"ruby", "puma 6.4.2 (tcp://0.0.0.0:3000) [app]", []string{"puma srv", "puma reactor"}, NotRunning},
		{"ruby", "", nil, NotRunning},
	} {
		words := strings.Split(c.title, " ")
		if got := RunningKind(c.comm, words, c.title, func() []string { return c.threads }); got != c.want {
			t.Errorf("%s, %q: got %q, want %q", c.comm, c.title, got, c.want)
		}
	}
}

func TestNamesThatAUserMayHaveChosenAreNeverPartOfACommand(t *testing.T) {
	evil := Running{PID: 7, UID: 1000, Place: PlaceOf("0::/user.slice/user-1000.slice/user@1000.service/app.slice/reboot.service")}
	if strings.Contains(evil.Removal(), "reboot") {
		t.Errorf("the advice is %q", evil.Removal())
	}
}

func TestOneOfEachControlGroupAndNoneOfOurs(t *testing.T) {
	in := func(group string, r Running) Running { r.Place = PlaceOf("0::" + group); return r }
	got := rivalsAmong([]Running{
		in("/system.slice/a.service", Running{PID: 1, Kind: Booting}),
		in("/system.slice/a.service", Running{PID: 2, Kind: Titled}),
		in("/system.slice/sidekiq.service", Running{PID: 3, Kind: Titled, Ours: true}),
		in("/user.slice/user-1000.slice/session-1.scope", Running{PID: 4, Kind: Titled, Own: true}),
		in("/machine.slice/c.scope", Running{PID: 5, Kind: Titled, OtherRoot: true}),
		in("/system.slice/cron.service", Running{PID: 6, Kind: Titled}),
		in("/system.slice/cron.service", Running{PID: 7, Kind: Titled}),
		in("/user.slice/user-1000.slice/session-2.scope", Running{PID: 8, Kind: Titled}),
		in("/user.slice/user-1000.slice/session-2.scope", Running{PID: 9, Kind: Swarm}),
		in("/user.slice/user-1000.slice/session-2.scope", Running{PID: 10, Parent: 9, Kind: Titled}),
	})
	var pids []int
	for _, r := range got {
		pids = append(pids, r.PID)
	}
	if want := []int{2, 6, 7, 8, 9}; !slices.Equal(pids, want) {
		t.Errorf("got %v, want %v", pids, want)
	}
}

func TestWhatRunsBesideTheServiceIsWarnedOfOnce(t *testing.T) {
	in := func(group string) Running {
		return Running{PID: 7, UID: 1000, Kind: Titled, Place: PlaceOf("0::" + group)}
	}
	user := "/user.slice/user-1000.slice/user@1000.service/app.slice/"
	for _, c := range []struct {
		name    string
		running Running
		units   []OtherUnit
		want    string // in the only warning; "": there is none
	}{
		{"a session", in("/user.slice/user-1000.slice/session-3.scope"), nil, "kill -TERM 7"},
		{"cron", in("/system.slice/cron.service"), nil, "crontab of the user with the id 1000, and kill -TERM 7"},
		{"a supervisor", in("/system.slice/supervisor.service"), nil, "which supervisor.service has started runs the Sidekiq of /opt/laevigata/current, too"},
		{"what monit would start again", in("/system.slice/monit.service"), nil, "take it out of what monit.service runs, and kill -TERM 7"},
		{"a unit that may run more", in("/system.slice/procs.service"), nil, "or to end it, with whatever else that service runs: systemctl disable --now procs.service"},
		{"a unit of another name", in("/system.slice/worker@3.service"), nil, "systemctl disable --now worker@3.service"},
		{"the user's own systemd", in(user + "x.service"), nil, "sudo -u '#1000' XDG_RUNTIME_DIR=/run/user/1000 systemctl --user status 7"},
		{"no unit at all", in("/"), nil, "kill -TERM 7"},
		{"the unit that is taken over", in("/system.slice/sidekiq.service"), nil, ""},
		{"an instance that is not the service's", in("/system.slice/sidekiq@1.service"), nil, "systemctl disable --now sidekiq@1.service"},
		{
			"an instance of a template of the service's name", in("/system.slice/sidekiq@1.service"),
			[]OtherUnit{{Path: "/etc/systemd/system/sidekiq@.service", Content: capistranoUnit}},
			"remove them: systemctl disable --now sidekiq@1.service sidekiq@3.service && rm /etc/systemd/system/sidekiq@.service",
		},
		{"a unit whose file is warned of", in("/system.slice/x.service"), []OtherUnit{{Path: "/etc/systemd/system/x.service", Content: capistranoUnit}}, "remove it"},
		{"an instance whose file is", in("/system.slice/x@2.service"), []OtherUnit{{Path: "/etc/systemd/system/x@.service", Content: capistranoUnit}}, "remove it"},
		{"a user's unit whose file is", in(user + "x.service"), []OtherUnit{{Path: "/home/deploy/x.service", User: "deploy", Content: capistranoUnit}}, "sudo -u deploy"},
		{"an instance of a service that is meant", in("/system.slice/known@2.service"), nil, ""},
		{"a user's unit that is meant", in(user + "known.service"), nil, ""},
		{"cron, of which no unit is meant", in("/system.slice/cron.service"), nil, "run old code after a deploy; to end it: "},
		{"a web server that embeds it", Running{PID: 7, Kind: Embedded, Place: PlaceOf("0::/system.slice/puma.service")}, nil, ""},
	} {
		f := debian12()
		f.Running, f.OtherUnits = []Running{c.running}, c.units
		f.Instances = []FoundInstance{{Name: "1"}, {Name: "2", Ours: true}, {Name: "3"}}
		_, warnings, err := mustParse(t, `{"project_name": "laevigata", "known_services": ["known"]}`).Want(f)
		if err != nil {
			t.Fatal(err)
		}
		warned := strings.Join(warnings, "\n")
		if c.want == "" && strings.Contains(warned, "runs the Sidekiq") || !strings.Contains(warned, c.want) || strings.Count(warned, "runs the Sidekiq") > 1 {
			t.Errorf("%s: got %q, want %q", c.name, warned, c.want)
		}
	}
}

func TestAWebServerThatEmbedsItIsToldOfByTheReportOnly(t *testing.T) {
	f := debian12()
	f.Running = []Running{{PID: 7, Kind: Embedded, Place: PlaceOf("0::/system.slice/puma.service")}}
	s := mustParse(t, `{"project_name": "laevigata"}`)
	if told := s.Rivals(f); len(told) != 1 || !strings.HasPrefix(told[0], "process 7, of puma.service runs the Sidekiq of /opt/laevigata/current within a web server") {
		t.Errorf("%q", told)
	}
	if s.Known = []string{"puma"}; len(s.Rivals(f)) != 0 {
		t.Errorf("%q", s.Rivals(f))
	}
}

func TestInstancesOfOthersStayWhenTheServiceGoesAndThatIsSaid(t *testing.T) {
	f := debian12()
	f.Instances = []FoundInstance{{Name: "1"}, {Name: "2", Ours: true}}
	want, warnings, err := mustParse(t, `{"state": "absent"}`).Want(f)
	if err != nil || len(warnings) != 1 || !strings.Contains(warnings[0], "to end them: systemctl disable --now sidekiq@1.service") {
		t.Errorf("%v %q", err, warnings)
	}
	var units []string
	for _, u := range want.Units {
		units = append(units, u.Name)
	}
	if strings.Join(units, " ") != "sidekiq.service sidekiq@2.service" {
		t.Errorf("%v", units)
	}
}
