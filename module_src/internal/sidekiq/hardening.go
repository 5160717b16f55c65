// SPDX-License-Identifier: GPL-3.0-or-later

package sidekiq

import (
	"path"
	"strings"

	"github.com/curationexperts/ansible-sidekiq/module_src/internal/systemd"
)

// measure is one directive of a preset and the systemd version that introduced
// it. Of two measures with the same name the later one counts.
type measure struct {
	since       int
	name, value string
}

// harden writes the preset of the option hardening.
func (w *wanting) harden(u *systemd.File) {
	var preset []measure
	switch w.Hardening {
	case "basic":
		preset = basic
	case "strict":
		preset = strict
	}
	for _, m := range preset {
		if w.facts.Systemd >= m.since {
			u.Set("Service", m.name, []string{m.value})
		}
	}
	if w.Hardening == "strict" && w.facts.Systemd >= 232 {
		w.writable(u)
	}
}

// basic holds only what leaves NoNewPrivileges off for a service with a User=,
// so that jobs can still use sudo and sendmail. /tmp is shared, since uploads
// are handed over there, and home directories are readable. systemd.exec(5)
// lists what implies NoNewPrivileges=; nothing on that list is in this preset.
var basic = []measure{
	{214, "ProtectSystem", "full"},
	{232, "ProtectControlGroups", "yes"},
}

// strict is what a Ruby application with ImageMagick and the like can bear. It
// leaves out MemoryDenyWriteExecute (which breaks YJIT and libffi), ProcSubset
// (which hides /proc/meminfo and the CPU count), PrivateUsers, and RemoveIPC.
var strict = []measure{
	{187, "NoNewPrivileges", "yes"},
	{209, "SystemCallArchitectures", "native"},
	{214, "PrivateTmp", "yes"},
	{214, "PrivateDevices", "yes"},
	{214, "ProtectHome", "read-only"},
	{214, "ProtectSystem", "full"},
	{232, "ProtectSystem", "strict"},
	{211, "RestrictAddressFamilies", "AF_UNIX AF_INET AF_INET6 AF_NETLINK"},
	{214, "CapabilityBoundingSet", ""},
	{231, "RestrictRealtime", "yes"},
	{232, "ProtectControlGroups", "yes"},
	{232, "ProtectKernelModules", "yes"},
	{232, "ProtectKernelTunables", "yes"},
	{233, "RestrictNamespaces", "yes"},
	{235, "LockPersonality", "yes"},
	{239, "SystemCallFilter", "@system-service"},
	{239, "SystemCallErrorNumber", "EPERM"},
	{242, "ProtectHostname", "yes"},
	{242, "RestrictSUIDSGID", "yes"},
	{244, "ProtectKernelLogs", "yes"},
	{245, "ProtectClock", "yes"},
	{247, "ProtectProc", "invisible"},
}

// writable names what stays writable under ProtectSystem=strict: the
// application, with what Capistrano keeps beside current, and the directory of
// the log. Each of them may not exist yet.
func (w *wanting) writable(u *systemd.File) {
	paths := []string{strings.TrimSuffix(w.Dir, "/current")}
	if path.IsAbs(w.LogFile) {
		paths = appendNew(paths, path.Dir(w.LogFile))
	}
	for _, p := range paths {
		// systemd keeps backslashes in these words, so quotes cannot be written
		// there: config_parse_namespace_path_strv.
		if strings.ContainsAny(p, `"'\`) {
			w.fail("hardening", "strict cannot keep %q writable, because of its quotes or backslashes", p)
			continue
		}
		u.Add("Service", "ReadWritePaths", systemd.Quote(systemd.Literal("-"+p)))
	}
}
