# SPDX-License-Identifier: GPL-3.0-or-later
"""Every value of the option state, from every state a host may be in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from conftest import HEALTH, SUDOERS, UNIT, Host

QUIET = "tr '\\0' ' ' </proc/$(systemctl show --property=MainPID sidekiq | cut -d = -f 2-)/cmdline | grep stopping"
WRITES = [f"write {UNIT}", f"write {SUDOERS}", f"write {HEALTH}", "enable sidekiq.service", "reload the systemd manager"]
REMOVES = ["disable sidekiq.service", f"remove {UNIT}", f"remove {SUDOERS}", f"remove {HEALTH}", "reload the systemd manager"]


@dataclass
class Turn:
    """One task: the state that is asked for, how its steps begin, and the service afterwards: its process is the same, new, or none."""

    state: str
    steps: list[str]
    process: str = "none"
    quiet: bool = False
    warning: str = ""


# A walk over the states, each turn from where the one before has led.
WALK = [
    Turn("absent", [f"remove {HEALTH}"]),
    Turn("present", WRITES),
    Turn("present", []),
    Turn("stopped", []),
    Turn("quiet", [], warning="is not running, so there is nothing to quiet"),
    Turn("started", ["start sidekiq.service"], "new"),
    Turn("started", [], "same"),
    Turn("present", [], "same"),
    Turn("quiet", ["quiet sidekiq.service"], "same", quiet=True),
    Turn("quiet", ["quiet sidekiq.service"], "same", quiet=True),
    Turn("started", [], "same", quiet=True, warning="quiet"),
    Turn("present", [], "same", quiet=True),
    Turn("restarted", ["restart sidekiq.service"], "new"),
    Turn("restarted", ["restart sidekiq.service"], "new"),
    Turn("stopped", ["stop sidekiq.service"]),
    Turn("stopped", []),
    Turn("restarted", ["restart sidekiq.service"], "new"),
    Turn("quiet", ["quiet sidekiq.service"], "same", quiet=True),
    Turn("absent", ["stop sidekiq.service", *REMOVES]),
    Turn("absent", []),
    Turn("stopped", WRITES),
    Turn("absent", REMOVES),
    Turn("quiet", WRITES, warning="is not running, so there is nothing to quiet"),
    Turn("absent", REMOVES),
]


def test_every_state_from_every_state(host: Host) -> None:
    pid = 0
    for number, turn in enumerate(WALK):
        where = f"turn {number}, {turn}"
        told = host.converge(check=True, state=turn.state)
        result = host.converge(state=turn.state)
        assert not result.get("failed"), f"{where}: {result}"
        assert (told["steps"], told["changed"]) == (result["steps"], result["changed"]), f"{where}: {told}"
        assert len(result["steps"]) == len(turn.steps), f"{where}: {result['steps']}"
        assert all(is_.startswith(wanted) for is_, wanted in zip(result["steps"], turn.steps, strict=True)), f"{where}: {result['steps']}"
        assert result["changed"] is bool(turn.steps)
        warnings = " ".join(result.get("warnings", []))
        assert turn.warning in warnings and bool(turn.warning) == bool(warnings), f"{where}: {warnings}"
        now = host.main_pid()
        assert {"none": now == 0, "same": now == pid, "new": now not in (0, pid)}[turn.process], f"{where}: {pid} {now}"
        if turn.quiet:
            host.wait(QUIET)
        service = result["service"]["after"]
        assert service["active_state"] == ("inactive" if turn.process == "none" else "active"), f"{where}: {service}"
        assert service["enabled"] is (turn.state != "absent"), f"{where}: {service}"
        pid = now


# All files of the host, with mode, owner, link and, where they are small, content; and what systemd and sudo know. Left out: the logs, what
# belongs to Redis and the application, systemd's own notes of sessions, times and units, this module's own,
# and a unit of Ubuntu 16.04 that does nothing for a minute after each boot.
LISTING = r"""
find / -xdev \( -path /var/log -o -path /var/lib/redis -o -path /opt/laevigata/shared -o -path /var/lib/systemd -o -path /root/sidekiq_service \) \
  -prune -o -printf '%p %M %U:%G %l\n' -type f -size -64k -exec md5sum {} + | sort
find /run \( -path /run/curationexperts.sidekiq -o -path /run/systemd/sessions -o -path /run/systemd/users -o -path /run/systemd/journal \
  -o -path /run/systemd/units -o -path /run/log -o -path /run/user -o -path /run/systemd/transient \
  -o -path '/run/systemd/system/session-*' -o -path /run/redis \) -prune \
  -o -printf '%p %M %U:%G %l\n' | sort
passing='ondemand|session-|user@|user-|run-|[.]scope|[.]device|ssh@|system-.*[.]slice'
systemctl list-unit-files --no-legend --no-pager --plain | grep -Ev $passing | sort
systemctl list-units --all --no-legend --no-pager --plain | awk '{ print $1, $2, $3, $4 }' | grep -Ev $passing | sort
sudo -l -U deploy | sed 's/ on [^ ]*:$//'
"""


def listing(host: Host) -> set[str]:
    return set(host.out(LISTING).splitlines())


LEAVES: dict[str, dict[str, Any]] = {
    "nothing else": {},
    "everything": {
        "name": "jobs",
        "unit_dir": "/etc/systemd/system",
        "sudoers_file": "/etc/sudoers.d/zz-jobs",
        "wanted_by": ["graphical.target", "jobs-of-all-kinds.target"],
        "directives": {"Install": {"Alias": "work.service"}},
        "processes": 2,
    },
}


@pytest.mark.parametrize("name", LEAVES)
def test_absent_leaves_a_host_that_never_had_it(host: Host, name: str) -> None:
    options = LEAVES[name]
    host.converge(state="present")  # the program's own directory in /run
    host.converge(state="absent")
    before = listing(host)
    started = host.converge(**options)
    assert not started.get("failed"), started
    assert len(listing(host) - before) >= 6, "the listing shows what comes"
    gone = host.converge(**{key: value for key, value in options.items() if key in ("name", "unit_dir", "sudoers_file")}, state="absent")
    assert not gone.get("failed"), gone
    assert sorted(listing(host) ^ before) == []


def test_absent_ends_a_crash_loop(host: Host) -> None:
    host.converge(on_failure="keep", exec_start="/bin/false", type="simple", restart_sec=100)
    assert host.show("SubState")["SubState"] == "auto-restart"
    gone = host.converge(state="absent")
    assert not gone.get("failed"), gone
    assert host.show("LoadState", "ActiveState") == {"LoadState": "not-found", "ActiveState": "inactive"}
    assert host.out("systemctl list-units --all --no-legend 'sidekiq*'") == ""


FOREIGN: dict[str, tuple[str, str, list[str]]] = {
    "unit of somebody else": (UNIT, "[Service]\nExecStart=/bin/sleep 1000\n", ["something else wrote it"]),
    "sudoers file of somebody else": (SUDOERS, "deploy ALL=(root) NOPASSWD: /bin/true\n", ["something else wrote it"]),
    "unit of another project": (
        UNIT,
        "# Written by curationexperts.sidekiq for hyrax; changes here are overwritten.\n[Service]\nExecStart=/bin/sleep 1000\n",
        ["hyrax"],
    ),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_absent_leaves_a_file_of_somebody_else(host: Host, name: str) -> None:
    path, content, words = FOREIGN[name]
    host.sh(f"cat >{path}; chmod 440 {path}; systemctl daemon-reload", stdin=content)
    if path == UNIT:
        host.sh("systemctl start sidekiq")
    before = host.snapshot()
    result = host.converge(state="absent")
    assert result.get("failed") and result["changed"] is False, result
    for word in ["cannot remove " + path, "replace: true", *words]:
        assert word in result["msg"], result["msg"]
    assert host.snapshot() == before
    assert not host.converge(state="absent", replace=True).get("failed")
    assert host.sh(f"test -e {path}", check=False).returncode == 1
    assert host.main_pid() == 0
