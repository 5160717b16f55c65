// SPDX-License-Identifier: GPL-3.0-or-later

package systemd

import "testing"

func TestWhatAReloadIsEnoughFor(t *testing.T) {
	const unit = "# x\n[Unit]\nDescription=a\n[Service]\nExecStart=/bin/a\nRestartSec=1\nNotifyAccess=all\nEnvironment=A=1\n[Install]\nWantedBy=b.target\n"
	for want, enough := range map[string]bool{
		unit: true,
		"# y\n[Unit]\nDescription=b\n[Service]\nExecStart=/bin/a\nRestartSec=9\nRestartSteps=5\nNotifyAccess=main\nEnvironment=A=1\n": true,
		"[Unit]\nDescription=a\n[Service]\nExecStart=/bin/b\nRestartSec=1\nNotifyAccess=all\nEnvironment=A=1\n":                       false,
		"[Unit]\nDescription=a\n[Service]\nExecStart=/bin/a\nRestartSec=1\nNotifyAccess=all\n":                                        false,
		"[Unit]\nDescription=a\n[Service]\nExecStart=/bin/a\nEnvironment=A=1\nNice=5\n":                                               false,
		"[Unit]\nDescription=a\nRestartSec=1\n[Service]\nExecStart=/bin/a\nEnvironment=A=1\n":                                         false,
		"": false,
	} {
		if got := OnlyReload(unit, want); got != enough {
			t.Errorf("%q: got %v", want, got)
		}
	}
}
