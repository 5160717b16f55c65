// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"strings"
	"testing"
)

// capistranoUnit is what capistrano-sidekiq 3 writes, shortened.
const capistranoUnit = `[Unit]
Description=sidekiq for laevigata (production)
After=syslog.target network.target
[Service]
Type=notify
WatchdogSec=10
WorkingDirectory=/opt/laevigata/current
ExecStart=/usr/local/bin/bundle exec sidekiq -e production
Restart=on-failure
[Install]
WantedBy=default.target
`

func TestRivals(t *testing.T) {
	const laevigata = `{"project_name": "laevigata"}`
	for _, test := range []struct {
		name, options string
		unit          OtherUnit
		want          string // in the warning; "": there is none
	}{
		{
			"a system unit", laevigata,
			OtherUnit{Path: "/etc/systemd/system/laevigata_sidekiq_production.service", Content: capistranoUnit},
			"remove it: systemctl disable --now laevigata_sidekiq_production.service && rm /etc/systemd/system/laevigata_sidekiq_production.service",
		},
		{
			"a user unit", laevigata,
			OtherUnit{Path: "/home/deploy/.config/systemd/user/x.service", User: "deploy", Content: capistranoUnit},
			"/home/deploy/.config/systemd/user/x.service runs the Sidekiq",
		},
		{
			"a template", laevigata,
			OtherUnit{Path: "/etc/systemd/system/x@.service", Content: capistranoUnit},
			"remove it: systemctl stop 'x@*.service' && systemctl disable x@.service && rm /etc/systemd/system/x@.service",
		},
		{
			"a template of a user", laevigata,
			OtherUnit{Path: "/home/deploy/.config/systemd/user/x@.service", User: "deploy", Content: capistranoUnit},
			"remove it: disable and stop that unit by `sudo -u deploy XDG_RUNTIME_DIR=/run/user/",
		},
		{
			"a name for a terminal and a shell", laevigata,
			OtherUnit{Path: "/home/deploy/.config/systemd/user/\x1b[2J\n;id>pwn;.service", User: "deploy", Content: capistranoUnit},
			`"/home/deploy/.config/systemd/user/\x1b[2J\n;id>pwn;.service" runs the Sidekiq of /opt/laevigata/current, too, so that there are more ` +
				`processes than wanted, and some of them run old code after a deploy; name it in known_services if it is meant, or remove it: disable and stop that unit by ` +
				"`sudo -u deploy XDG_RUNTIME_DIR=/run/user/1000 systemctl --user`, which needs no login session, and remove its file",
		},
		{
			"a name of root's for a shell", laevigata,
			OtherUnit{Path: "/etc/systemd/system/a b;id.service", Content: capistranoUnit},
			"remove it: systemctl disable --now 'a b;id.service' && rm '/etc/systemd/system/a b;id.service'",
		},
		{"another application", `{"project_name": "hyrax"}`, OtherUnit{Path: "/etc/systemd/system/x.service", Content: capistranoUnit}, ""},
		{
			"no Sidekiq", laevigata,
			OtherUnit{Path: "/etc/systemd/system/puma.service", Content: strings.ReplaceAll(capistranoUnit, "sidekiq", "puma")},
			"",
		},
		{"our own second service", laevigata, OtherUnit{Path: "/etc/systemd/system/x.service", Content: "# " + marker("laevigata") + "\n" + capistranoUnit}, ""},
		{
			"the file that is adopted", `{"project_name": "laevigata", "unit_dir": "/etc/systemd/system"}`,
			OtherUnit{Path: "/etc/systemd/system/sidekiq.service", Content: capistranoUnit},
			"",
		},
		{
			"one that is meant", `{"project_name": "laevigata", "known_services": ["x"]}`,
			OtherUnit{Path: "/home/deploy/.config/systemd/user/x.service", User: "deploy", Content: capistranoUnit},
			"",
		},
		{
			"a template of one that is meant", `{"project_name": "laevigata", "known_services": ["x.service"]}`,
			OtherUnit{Path: "/etc/systemd/system/x@.service", Content: capistranoUnit},
			"",
		},
		{
			"one of another name than what is meant", `{"project_name": "laevigata", "known_services": ["x@2", "xx"]}`,
			OtherUnit{Path: "/etc/systemd/system/x.service", Content: capistranoUnit},
			"name it in known_services if it is meant",
		},
		{"not when it goes", `{"project_name": "laevigata", "state": "absent"}`, OtherUnit{Path: "/etc/systemd/system/x.service", Content: capistranoUnit}, ""},
	} {
		f := debian12()
		f.OtherUnits = []OtherUnit{test.unit}
		_, warnings, err := mustParse(t, test.options).Want(f)
		said := strings.Join(warnings, "\n")
		if err != nil || (test.want == "") != (said == "") || !strings.Contains(said, test.want) {
			t.Errorf("%s: %v %q, want %q", test.name, err, said, test.want)
		}
	}
}

func TestAUnitThatOpensRootsRightsIsToldOfFirst(t *testing.T) {
	asDeploy := strings.Replace(capistranoUnit, "[Service]\n", "[Service]\nUser=deploy\n", 1)
	for _, test := range []struct {
		unit OtherUnit
		want string // the first warning; "": only that it runs Sidekiq, too
	}{
		{OtherUnit{Content: capistranoUnit, UID: 1000}, " has root run Sidekiq, since it has no User=, and belongs to the user with the id 1000, who so can have root run anything"},
		{OtherUnit{Content: capistranoUnit}, " has root run Sidekiq, and with it the application's code, since it has no User="},
		{OtherUnit{Content: asDeploy, UID: 1000}, " belongs to the user with the id 1000, who so can have root run anything"},
		{OtherUnit{Content: asDeploy}, ""},
		{OtherUnit{Content: capistranoUnit, User: "deploy", UID: 1000}, ""},
	} {
		f := debian12()
		test.unit.Path = "/etc/systemd/system/x.service"
		f.OtherUnits = []OtherUnit{test.unit}
		_, warnings, err := mustParse(t, `{"project_name": "laevigata"}`).Want(f)
		if err != nil || !strings.Contains(warnings[len(warnings)-1], "runs the Sidekiq") || (test.want == "") != (len(warnings) == 1) ||
			test.want != "" && warnings[0] != test.unit.Path+test.want {
			t.Errorf("%v %q, want %q", err, warnings, test.want)
		}
	}
}

func TestAnIdleSystemdOfAUserIsStartedFirst(t *testing.T) {
	f := debian12()
	f.OtherUnits = []OtherUnit{{Path: "/home/deploy/.config/systemd/user/x.service", User: "deploy", Content: capistranoUnit, Idle: true}}
	_, warnings, _ := mustParse(t, `{"project_name": "laevigata"}`).Want(f)
	if len(warnings) != 1 || !strings.Contains(warnings[0], "start that user's systemd by `systemctl start user@1000.service`, disable and stop") {
		t.Errorf("%q", warnings)
	}
}
