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
			"systemctl --user disable --now x.service && rm /home/deploy/.config/systemd/user/x.service, as deploy",
		},
		{
			"a template", laevigata,
			OtherUnit{Path: "/etc/systemd/system/x@.service", Content: capistranoUnit},
			"remove it: systemctl stop 'x@*.service' && systemctl disable x@.service && rm /etc/systemd/system/x@.service",
		},
		{
			"a template of a user", laevigata,
			OtherUnit{Path: "/home/deploy/.config/systemd/user/x@.service", User: "deploy", Content: capistranoUnit},
			"systemctl --user stop 'x@*.service' && systemctl --user disable x@.service && rm /home/deploy/.config/systemd/user/x@.service, as deploy",
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
