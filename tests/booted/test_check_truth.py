# SPDX-License-Identifier: GPL-3.0-or-later
"""Check mode tells the truth: what it announces is what the run then does.

Pairs of a host and of options are made at random from a seed. Of each pair three things are compared: what `--check --diff` announces,
what the real run reports, and what the host itself shows before and after: every unit file, sudoers file and link, with content, mode
and owner, and the processes of the service. CHECK_SEED and CHECK_PAIRS try others.
"""

from __future__ import annotations

import base64
import json
import os
import random
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pytest
from conftest import APP, HEALTH, Host

pytestmark = pytest.mark.long

Options = dict[str, Any]

SEED = int(os.environ.get("CHECK_SEED", "1"))
SHORT = 6
LONG = int(os.environ.get("CHECK_PAIRS", "54"))

SECRET = "hunter2"
VALUES: dict[str, list[Any]] = {
    "name": ["jobs"],
    "enabled": [False, False, True],
    "working_directory": [f"{APP}/current"],
    "user": ["deploy"],
    "group": ["www-data"],
    "umask": ["0022", "0027"],
    "app_env": ["staging", "production"],
    "config_file": ["config/sidekiq.yml"],
    "bundle": ["/usr/local/bin/bundle", "/usr/bin/bundle"],
    "login_shell": [True, False],
    "exec_start": ["/usr/local/bin/bundle exec sidekiq -e production -C config/sidekiq.yml"],
    "queues": [["default", "mail"], ["default,2"]],
    "concurrency": [1, 3],
    "processes": [2, 3],
    "type": ["notify", "simple"],
    "watchdog_sec": [0, 120],
    "restart": ["on-failure"],
    "restart_sec": [2, 5],
    "start_timeout": [120],
    "timeout_stop_sec": [100],
    "env": [{"TOKEN": SECRET}, {"TOKEN": SECRET + "x", "MALLOC_ARENA_MAX": "2"}],
    "env_files": [["/etc/default/laevigata"]],
    "log_file": [f"{APP}/shared/log/sidekiq.log"],
    "redis_unit": ["redis-server.service", "redis-server.service", "none"],
    "after": [["network-online.target"]],
    "wants": [["network-online.target"]],
    "wanted_by": [["default.target"], ["multi-user.target", "default.target"]],
    "hardening": ["basic", "strict"],
    "directives": [{"Service": {"Nice": "5"}}, {"Unit": {"Documentation": "https://example.org"}}],
    "sudo": [False],
    "sudo_users": [["deploy", "admin"]],
    "sudo_groups": [["www-data"]],
    "sudo_commands": [["restart"], ["restart", "status", "kill_tstp"]],
    "sudoers_file": ["/etc/sudoers.d/laevigata"],
    "unit_dir": ["/etc/systemd/system"],
    "restart_on_change": [False, True],
    "on_failure": ["keep"],
    "replace": [True],
}
STATES = ["started"] * 8 + ["stopped", "stopped", "restarted", "quiet", "present", "present", "absent", "absent"]

# What may have happened to a service since it was set up. $u is its unit, $f the unit's file, $s the sudoers file.
EVENTS = {
    "nothing": "true",
    "stopped": "systemctl stop $u",
    "quieted": "systemctl reload $u; sleep 1",
    "disabled": "systemctl disable -q $u",
    "enabled elsewhere": "systemctl add-wants -q default.target $u",
    "edited": "echo '# by hand' >>$f",
    "edited and reloaded": "echo '# by hand' >>$f; systemctl daemon-reload",
    "drop-in": "mkdir -p /etc/systemd/system/$u.d; printf '[Service]\\nNice=1\\n' >/etc/systemd/system/$u.d/nice.conf",
    "unit's mode": "chmod 0600 $f",
    "unit's owner": "chown deploy $f",
    "unit removed": "rm $f",
    "sudoers' mode": "chmod 0600 $s",
    "sudoers removed": "rm $s",
    "crash-looping": (
        "sed -i 's,^ExecStart=.*,ExecStart=/bin/false,; s,^Type=.*,Type=simple,; s,^RestartSec=.*,RestartSec=60,' $f;"
        " systemctl daemon-reload; systemctl restart $u; sleep 1"
    ),
    "environment touched": "sleep 1; touch /etc/default/laevigata",
    "Redis stopped": "systemctl disable -q --now redis-server",
    "old kind of unit": "sed -i '1,/^$/d' $f",
    "masked": "systemctl mask -q --runtime $u",
    "another's unit": "printf '[Service]\\nExecStart=/bin/true\\n' >$f; systemctl daemon-reload",
}


@dataclass
class Pair:
    """A host and the options of a run."""

    before: Options | None
    events: list[str]
    goal: Options

    def __str__(self) -> str:
        return f"{json.dumps(self.before)}, then {', '.join(self.events)}; wanted: {json.dumps(self.goal)}"

    def prepare(self, host: Host) -> None:
        clean(host)
        if self.before is None:
            return
        result = host.converge(**self.before)
        assert not result.get("failed"), f"{self}: {result['msg']}"
        name = self.before.get("name", "sidekiq")
        names = f"u={name}.service; f={result['unit']}; s={result['sudoers']}; "
        for event in self.events:
            host.sh(f"{{ {names} {EVENTS[event]}; }} 2>/dev/null", check=False)


def draw(dice: random.Random, count: int) -> Options:
    return {name: dice.choice(VALUES[name]) for name in dice.sample(sorted(VALUES), count)}


def possible(options: Options) -> Options:
    """Options without those that would contradict each other."""
    if "exec_start" in options:
        for name in ("bundle", "login_shell", "queues", "concurrency", "app_env", "config_file"):
            options.pop(name, None)
    return options


def random_pair(dice: random.Random) -> Pair:
    before = possible(draw(dice, dice.choice([0, 1, 2, 3])))
    goal = dict(before)
    match dice.randrange(4):
        case 0:
            goal = draw(dice, dice.randrange(8))
        case 1 | 2:
            goal |= draw(dice, dice.choice([1, 2, 4, 6]))
            for name in dice.sample(sorted(goal), min(len(goal), dice.choice([0, 0, 1]))):
                del goal[name]
    state = dice.choice(STATES)
    if state != "started" or dice.randrange(2):
        goal["state"] = state
    events = dice.sample(sorted(EVENTS), dice.choice([1, 1, 2]))
    if "Redis stopped" in events:
        goal["redis_unit"] = "redis-server.service"  # or Sidekiq could not start
    return Pair(None if dice.randrange(6) == 0 else before, events, goal if dice.randrange(12) == 0 else possible(goal))


def clean(host: Host) -> None:
    host.sh(
        'systemctl unmask -q --runtime sidekiq jobs; for n in sidekiq jobs; do systemctl stop $n.service "$n@*.service"; systemctl disable -q $n;'
        " rm -rf /lib/systemd/system/$n.service /lib/systemd/system/$n@.service /etc/systemd/system/$n.* /etc/systemd/system/$n@.*"
        " /etc/systemd/system/*.wants/$n.service /etc/sudoers.d/$n-restart-users; done 2>/dev/null;"
        f" rm -f /etc/sudoers.d/laevigata {APP}/shared/log/*; echo HELLO=1 >/etc/default/laevigata; touch -d yesterday /etc/default/laevigata;"
        " systemctl daemon-reload; systemctl reset-failed; systemctl enable -q --now redis-server 2>/dev/null;"
        " timeout 10 sh -c 'until redis-cli ping >/dev/null 2>&1; do sleep 0.1; done'"
    )


@dataclass
class File:
    mode: int
    owner: str
    time: str
    link: str
    content: str


@dataclass
class World:
    """What the host shows of itself."""

    files: dict[str, File] = field(default_factory=dict)
    units: dict[str, dict[str, str]] = field(default_factory=dict)
    titles: str = ""
    loaded: str = ""


LOOK = r"""
find /lib/systemd/system/ /etc/systemd/system /run/systemd/system /etc/sudoers.d -type l -printf '%p\t0\t-\t-\t%l\t\n'
find /lib/systemd/system/ /etc/systemd/system /run/systemd/system /etc/sudoers.d -type f -printf '%p\t%m\t%U:%G\t%T@\t\t' \
  \( \( -name '*sidekiq*' -o -name '*jobs*' -o -path '/etc/sudoers.d/*' \) -exec base64 -w0 {} \; -o -true \) -printf '\n'
echo ---
systemctl show --property=Id,LoadState,ActiveState,SubState,MainPID,InvocationID,NeedDaemonReload sidekiq.service jobs.service \
  redis-server.service $(systemctl list-units --all --plain --no-legend 'sidekiq@*' 'jobs@*' | cut -d ' ' -f 1)
echo ---
for u in sidekiq jobs $(systemctl list-units --plain --no-legend 'sidekiq@*' 'jobs@*' | cut -d ' ' -f 1); do
  tr '\0' ' ' </proc/$(systemctl show --property=MainPID $u | cut -d = -f 2-)/cmdline | grep -o 'stopping *$' >/dev/null && echo $u
done
echo ---
journalctl --quiet --output=cat _PID=1 | grep -c '^Reloading\.\|^Reload requested'
"""


def look(host: Host) -> World:
    files, units, titles, loaded = host.out(LOOK + "true").split("---\n")
    world = World(titles=titles, loaded=loaded)
    for line in files.splitlines():
        path, mode, owner, time, link, content = line.split("\t")
        world.files[path.replace("//", "/")] = File(int(mode, 8), owner, time, link, base64.b64decode(content).decode())
    for block in units.strip().split("\n\n"):
        unit = dict(line.split("=", 1) for line in block.splitlines())
        world.units[unit["Id"]] = unit
    return world


def without_values(unit: str) -> str:
    """A unit file with the names of its environment variables only."""
    return re.sub(r"(?m)^Environment=(.*)$", lambda line: "Environment=" + ",".join(re.findall(r"([A-Z_]+)=", line[1])), unit)


def header(path: str, file: File | None) -> str:
    return f"{path} (absent)" if file is None else f"{path} (mode {file.mode:04o}, owner {file.owner})"


def files_as_announced(result: dict[str, Any], before: World, after: World) -> None:
    """The diffs are the contents that were and are, and nothing else has changed."""
    announced = set()
    for diff in result.get("diff", []):
        if diff["after_header"].endswith("(steps)"):
            continue
        path = diff["after_header"].split(" ")[0]
        announced.add(path)
        was, now = before.files.get(path), after.files.get(path)
        assert (diff["before_header"], diff["after_header"]) == (header(path, was), header(path, now))
        assert without_values(diff["before"]) == without_values(was.content if was else "")
        assert without_values(diff["after"]) == without_values(now.content if now else "")
        assert diff["before"] != diff["after"]
    for step in result["steps"]:
        if step.startswith("set the "):
            path = step.split(" of ")[-1].split(": ")[0]
            announced.add(path)
            was, now = before.files[path], after.files[path]
            assert was.content == now.content and was.time == now.time
            assert ("mode" in step) == (was.mode != now.mode) and ("owner" in step) == (was.owner != now.owner), step
    changed = {path for path in before.files.keys() | after.files.keys() if before.files.get(path) != after.files.get(path)}
    links = {path for path in changed if (before.files.get(path) or after.files[path]).link or (after.files.get(path) or before.files[path]).link}
    assert changed - links == announced, (changed - links, announced)
    enabling = {step.split(" ")[1].rstrip(",") for step in result["steps"] if step.split(" ")[0] in ("enable", "disable")}
    assert {re.sub(r"^redis\.service$", "redis-server.service", os.path.basename(path)) for path in links} <= enabling, (links, enabling)
    for step in result["steps"]:
        links_as_announced(step, after)
    written = {step.split(" ")[1].rstrip(":") for step in result["steps"] if step.split(" ")[0] in ("write", "change", "remove")}
    assert written - {HEALTH} == {d["after_header"].split(" ")[0] for d in result.get("diff", []) if not d["after_header"].endswith("(steps)")}


def links_as_announced(step: str, after: World) -> None:
    """A unit is enabled where it was said, and nowhere where it was disabled."""
    words = re.fullmatch(r"(enable|disable) (\S+?)(?:, no longer in (.+?))?(?: in (.+))?", step)
    if not words:
        return
    verb, unit, gone, came = words.groups()
    dirs = {os.path.basename(os.path.dirname(path)) for path, file in after.files.items() if file.link and os.path.basename(path) == unit}
    if verb == "disable":
        assert not {d for d in dirs if d.endswith(".wants")}, (step, dirs)
    assert not dirs & set((gone or "").split(", ")), (step, dirs)
    assert set(came.split(", ") if came else []) <= dirs, (step, dirs)


def processes_as_announced(result: dict[str, Any], before: World, after: World) -> None:
    """Only what was announced to be started, stopped or restarted has another process, or none."""
    done = {step.split(" ")[1].rstrip(":"): step.split(" ")[0] for step in result["steps"] if step.split(" ")[0] in ("start", "stop", "restart", "quiet")}
    for name in before.units.keys() | after.units.keys():
        was, now = before.units.get(name, {}), after.units.get(name, {})
        runs, ran = now.get("ActiveState") == "active", was.get("ActiveState") == "active"
        another = (runs or ran) and was.get("InvocationID") != now.get("InvocationID")
        match done.get(name):
            case "start" | "restart":
                assert runs and another, (name, was, now)
            case "stop":
                assert not runs, (name, was, now)
            case "quiet":
                assert runs and not another and name.removesuffix(".service") in after.titles
            case _ if was.get("SubState") == "auto-restart" or was.get("ActiveState") == "activating":
                pass  # it changes by itself
            case _:
                assert (runs, another) == (ran, False), (name, result["steps"], was, now)


def as_announced(said: dict[str, Any], done: dict[str, Any], before: World, after: World) -> None:
    for part in ("steps", "diff", "changed", "failed", "deployed", "unit", "sudoers"):
        assert said.get(part) == done.get(part), part
    warnings = {warning for warning in said.get("warnings", []) if "was not looked for" not in warning}
    assert warnings <= set(done.get("warnings", []))
    assert said["changed"] == bool(said["steps"])
    files_as_announced(done, before, after)
    processes_as_announced(done, before, after)
    assert ("reload the systemd manager" in done["steps"]) == (before.loaded != after.loaded)
    expected, found = said["service"]["after"], done["service"]["after"]
    for part in ("enabled", "quiet", "stale", "reload_pending"):
        assert expected[part] == found[part], part
    # A service that is stopped is failed if its program ends with an error, which nobody can know before.
    found_state = "inactive" if found["active_state"] == "failed" and any(step.startswith("stop ") for step in done["steps"]) else found["active_state"]
    assert expected["active_state"] == found_state


@dataclass
class Counts:
    pairs: int = 0
    refused: int = 0
    changing: int = 0
    steps: Counter[str] = field(default_factory=Counter)
    options: Counter[str] = field(default_factory=Counter)
    events: Counter[str] = field(default_factory=Counter)

    def add(self, pair: Pair, result: dict[str, Any]) -> None:
        self.pairs += 1
        self.refused += bool(result.get("failed"))
        self.changing += result["changed"]
        self.steps.update(kind(step) for step in result.get("steps") or [])
        self.options.update(list(pair.goal))
        self.events.update(pair.events if pair.before is not None else ["a host without the service"])

    def __str__(self) -> str:
        lines = [f"{self.pairs} pairs, {self.changing} of them with something to do, {self.refused} refused"]
        for what in ("steps", "options", "events"):
            lines.append(f"{what}: " + ", ".join(f"{name} {n}" for name, n in sorted(getattr(self, what).items())))
        return "\n".join(lines)


def kind(step: str) -> str:
    words = step.split(" ")
    if words[0] == "set":
        return "set mode or owner"
    if words[0] in ("write", "change", "remove"):
        return words[0] + (" a sudoers file" if "sudoers" in step else " a unit")
    return words[0] + (" Redis" if "redis" in step else "")


def try_pair(host: Host, pair: Pair, counts: Counts) -> None:
    pair.prepare(host)
    before = look(host)
    said = host.converge(check=True, **pair.goal)
    unchanged = look(host)
    assert unchanged.files == before.files and unchanged.loaded == before.loaded
    if "crash-looping" not in pair.events:
        assert unchanged.units == before.units
    done = host.converge(**pair.goal)
    after = look(host)
    counts.add(pair, done)
    for result in (said, done):
        assert SECRET not in json.dumps(result)
    if said.get("failed"):
        assert (done["failed"], done["msg"], after.files) == (True, said["msg"], before.files)
        return
    assert not done.get("failed"), done["msg"]
    as_announced(said, done, before, after)
    again = host.converge(**pair.goal)
    assert again["changed"] == (pair.goal.get("state") == "restarted" or pair.goal.get("state") == "quiet" and again["changed"]), again["steps"]


def try_pairs(host: Host, seed: int, number: int) -> None:
    counts, wrong = Counts(), []
    for i in range(seed, seed + number):
        pair = random_pair(random.Random(i))
        try:
            try_pair(host, pair, counts)
        except (AssertionError, KeyError) as err:
            wrong.append(f"seed {i}: {pair}:\n{err}")
            print(wrong[-1])
    print(counts)
    clean(host)
    assert not wrong, "\n\n".join(wrong)
    assert counts.changing > number / 3


def test_check_mode_announces_what_the_run_then_does(host: Host) -> None:
    try_pairs(host, SEED, SHORT)


def test_a_quiet_service_shows_it_when_the_run_is_over(host: Host) -> None:
    host.converge()
    host.wait("tr '\\0' ' ' </proc/$(systemctl show --property=MainPID sidekiq | cut -d = -f 2-)/cmdline | grep busy")
    said, done = host.converge(check=True, state="quiet"), host.converge(state="quiet")
    assert said["service"]["after"]["quiet"] and done["service"]["after"]["quiet"]


@pytest.mark.long
def test_check_mode_announces_what_the_run_then_does_for_many_hosts(host: Host) -> None:
    try_pairs(host, SEED + SHORT, LONG)
