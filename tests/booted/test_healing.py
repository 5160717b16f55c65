# SPDX-License-Identifier: GPL-3.0-or-later
"""A run that is killed anywhere is healed by the next; one in which a system call fails leaves the host as it was.

`nth` counts the effects of a run: its changes of the file system and what it tells systemd. A plan is run undisturbed once, to learn
its effects; then it is killed, or fails, at each of them. The short tests take those effects after which the host is another.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from conftest import ROOT, SUDOERS, UNIT, Host

NTH = ROOT / ".cache/nth"

Options = dict[str, Any]


@dataclass
class Plan:
    """What the host is made like before, what the run is told to bring about, and what the next run is told after it was killed."""

    before: Options | None
    goal: Options
    next: Options

    def prepare(self, host: Host) -> None:
        if self.before is None:
            host.reset()
            return
        result = host.converge(**self.before)
        assert not result.get("failed"), result

    def with_options(self, options: Options) -> Plan:
        return Plan(None if self.before is None else options | self.before, options | self.goal, options | self.next)


CHANGED = {"umask": "0022", "sudo_commands": ["restart", "status"], "wanted_by": ["default.target"]}
LESS = {"umask": "0077", "sudo": False, "enabled": False}
ABSENT = {"state": "absent"}
DIES = {"umask": "0022", "sudo_commands": ["restart", "status"], "exec_start": "/bin/false", "type": "simple"}

PLANS = {
    "create": Plan(None, {}, {}),
    "change": Plan({}, CHANGED, CHANGED),
    "shrink": Plan({}, LESS, LESS),
    "remove": Plan({}, ABSENT, ABSENT),
    "roll back": Plan({}, DIES, {}),
    "roll back to nothing": Plan(None, DIES, {}),
}

# Stands in for Sidekiq where a test starts it hundreds of times: it is ready at once.
STAND_IN = {"exec_start": "/bin/sh -c 'systemd-notify --ready; exec sleep infinity'", "type": "notify", "watchdog_sec": 0}


@pytest.fixture(scope="module")
def nth(machine: Host) -> Iterator[None]:
    """The program that meddles with the n-th effect, on the host."""
    subprocess.run(["go", "build", "-o", NTH, "./tests/booted/nth"], cwd=ROOT, env={**os.environ, "CGO_ENABLED": "0"}, check=True)
    with NTH.open("rb") as program:
        subprocess.run([ROOT / "tests/machines/machine", "ssh", machine.name, "cat >/root/nth && chmod 700 /root/nth"], stdin=program, check=True)
    yield


def meddle(host: Host, options: Options, words: str = "") -> tuple[int, list[str], dict[str, Any]]:
    """Runs the program under nth. Returns its status, its effects, and its result if it printed one."""
    request = {"project_name": "laevigata", "_ansible_diff": False, **options}
    script = f"/root/nth {words} -log /root/effects /root/sidekiq_service -; echo; echo $?; cat /root/effects"
    lines = host.out(script.replace("; echo; echo $?", "; s=$?; echo; echo $s"), stdin=json.dumps(request)).splitlines()
    result = json.loads(lines.pop(0)) if lines[0].startswith("{") else {}
    lines = [line for line in lines if line]
    return int(lines[0]), [plain(line) for line in lines[1:]], result


def plain(effect: str) -> str:
    """An effect without what is by chance: the number of a temporary file, and through which spelling it was reached."""
    return re.sub(r"(verify-|/\.sidekiq.*?)\d+", r"\1*", effect.replace("/usr/lib/", "/lib/"))


PARTS = {
    "unit": f"cat {UNIT} 2>/dev/null",
    "sudoers": f"cat {SUDOERS} 2>/dev/null",
    "attributes": f"stat -c '%n %a %u:%g' {UNIT} {SUDOERS} 2>/dev/null",
    "temporary": "ls -Ad /lib/systemd/system/.sidekiq* /etc/sudoers.d/.sidekiq* /run/curationexperts.sidekiq/v* 2>/dev/null",
    "links": "find /etc/systemd/system /run/systemd/system -name 'sidekiq*' -printf '%p -> %l\\n' | sed 's,/usr/lib/,/lib/,' | sort",
    "enabled": "systemctl is-enabled sidekiq 2>&1",
    "state": "systemctl show --property=LoadState,ActiveState,SubState,NeedDaemonReload sidekiq",
    "umask": "grep -h ^Umask: /proc/$(systemctl show --property=MainPID --value sidekiq)/status 2>/dev/null",
    "cat": "systemctl cat --no-pager sidekiq 2>/dev/null | grep -v '^# /'",
    "analyze": f"[ ! -e {UNIT} ] || systemd-analyze verify {UNIT} 2>&1 | grep sidekiq",
    "visudo": "visudo -c 2>&1",
    "sudo": "sudo -l -U deploy 2>&1 | sed 's/ on [^ ]*:$//'; echo",
}


def look(host: Host) -> dict[str, str]:
    """The host as its own tools see it. It leaves out what differs from run to run: times, and process ids."""
    marker = "----8<----"
    script = "; ".join(f"{{ {command}; }}; echo '{marker}'" for command in PARTS.values())
    texts = host.out(script).split(marker)
    return {part: text.strip() for part, text in zip(PARTS, texts, strict=False)}


def whole(now: dict[str, str], before: dict[str, str], after: dict[str, str]) -> None:
    """No tool sees anything but what was or what is to be."""
    for part in ("unit", "sudoers", "sudo"):
        assert now[part] in (before[part], after[part]), f"{part} is neither the old nor the new one:\n{now[part]}"
    assert now["cat"] in (before["unit"], after["unit"]), now["cat"]
    assert not now["analyze"], now["analyze"]
    assert all(line.endswith("parsed OK") for line in now["visudo"].splitlines()), now["visudo"]


def heals(host: Host, plan: Plan, where: str, before: dict[str, str], after: dict[str, str], wanted: dict[str, str]) -> None:
    """The next, ordinary run brings the host to what is wanted, the process included, and the one after that finds nothing to do."""
    whole(look(host), before, after)
    first = host.converge(**plan.next)
    assert not first.get("failed"), f"{where}: {first}"
    assert look(host) == wanted, f"{where}: {first['steps']}"
    second = host.converge(**plan.next)
    assert (second["changed"], second.get("warnings", [])) == (False, []), f"{where}: {second}"


# The effects at which the short tests kill, and when.
SHORT = {
    "create": [("after", f"rename to {UNIT}"), ("after", "tell systemd StartUnit")],
    "change": [
        ("before", "write /run/curationexperts.sidekiq/verify-*/sidekiq.service"),
        ("after", "write /lib/systemd/system/.sidekiq.service*"),
        ("after", f"rename to {UNIT}"),
        ("after", f"rename to {SUDOERS}"),
        ("after", "tell systemd Reload"),
        ("after", "tell systemd RestartUnit"),
        ("before", "print the result"),
    ],
    "remove": [("after", "tell systemd StopUnit"), ("after", f"unlink {UNIT}")],
    "roll back": [("after", "tell systemd RestartUnit"), ("before", "print the result")],
}


def kill_at(host: Host, name: str, plan: Plan, points: list[tuple[str, str]] | None) -> None:
    """Kills the plan at these points, or before every effect and after every word to systemd."""
    plan.prepare(host)
    before = look(host)
    status, effects, result = meddle(host, plan.goal)
    assert effects, (status, result)
    after = look(host) if not result.get("rolled_back") else before | {"unit": "", "sudoers": ""}
    if result.get("failed"):
        assert result["rolled_back"], result
        assert look(host) == before
        # What it was to be is seen in a run that does not roll back.
        host.converge(**plan.goal, on_failure="keep")
        after = look(host)
    last = host.converge(**plan.next)
    assert not last.get("failed"), last
    wanted = look(host)
    kills = 0
    for n, effect in enumerate(effects, start=1):
        for when in ("before", "after"):
            if points is None and when == "after" and not effect.startswith("tell systemd"):
                continue
            if points is not None and (when, effect) not in points:
                continue
            plan.prepare(host)
            where = f"{name}: killed {when} effect {n}, {effect}"
            status, seen, result = meddle(host, plan.goal, f"-n {n} -kill {when}")
            assert (status, seen[-1]) == (137, effect), f"{where}: {status} {seen} {result}"
            print(where)
            heals(host, plan, where, before, after, wanted)
            kills += 1
    print(f"{name}: {len(effects)} effects, killed {kills} times")
    assert kills >= len(points or effects)


@pytest.mark.parametrize("name", SHORT)
def test_the_next_run_heals_one_that_was_killed(nth: None, host: Host, name: str) -> None:
    kill_at(host, name, PLANS[name], SHORT[name])


@pytest.mark.long
@pytest.mark.parametrize("name", PLANS)
def test_the_next_run_heals_one_that_was_killed_at_any_effect(nth: None, host: Host, name: str) -> None:
    kill_at(host, name, PLANS[name].with_options(STAND_IN), None)


# errno(3)
ERRORS = {"EIO": 5, "ENOSPC": 28, "EROFS": 30}


def fail_at(host: Host, name: str, plan: Plan, only: str, errors: list[str]) -> None:
    """Has each effect that matches fail with each error: the run then leaves the host as it was, or does without the effect."""
    plan.prepare(host)
    dummy, effects, result = meddle(host, plan.goal, f"-only '{only}'")
    assert effects and not result.get("failed"), result
    stops = any(step.startswith("stop ") for step in result["steps"])
    wanted = look(host)
    rolled_back = refused = overlooked = 0
    for n, effect in enumerate(effects, start=1):
        for error in errors:
            plan.prepare(host)
            before, snapshot = look(host), host.snapshot()
            where = f"{name}: {error} at effect {n}, {effect}"
            status, dummy, result = meddle(host, plan.goal, f"-n {n} -fail {ERRORS[error]} -only '{only}'")
            print(f"{where}: {result.get('msg', 'done all the same').splitlines()[0]}")
            if not result.get("failed"):
                assert (status, look(host)) == (0, wanted), where
                overlooked += 1
                continue
            assert (status, result["changed"], result.get("rolled_back", True)) == (1, False, True), (where, result)
            assert look(host) == before, where
            if not stops:
                assert host.snapshot() == snapshot, where
            refused += "rolled_back" not in result
            rolled_back += "rolled_back" in result
            healed = host.converge(**plan.next)
            assert not healed.get("failed") and look(host) == wanted, (where, healed)
    print(f"{name}: {len(effects)} effects, {rolled_back} times rolled back, {refused} times refused, {overlooked} times without need of it")


def test_an_effect_that_fails_leaves_the_host_as_it_was(nth: None, host: Host) -> None:
    fail_at(host, "change", PLANS["change"], f"rename to {SUDOERS}|fsync /usr/lib/systemd/system$", ["EIO"])


@pytest.mark.long
@pytest.mark.parametrize("name", ["create", "change", "shrink", "remove"])
def test_any_effect_that_fails_leaves_the_host_as_it_was(nth: None, host: Host, name: str) -> None:
    fail_at(host, name, PLANS[name].with_options(STAND_IN), "^(mkdir|create|write|chown|chmod|fsync|rename|unlink /(usr/|etc|lib))", list(ERRORS))
