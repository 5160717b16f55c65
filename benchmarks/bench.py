# SPDX-License-Identifier: GPL-3.0-or-later
"""bench: measures what a play with this collection takes, beside the smallest task there is and beside ordinary tasks.

Everything is real: booted hosts, ssh, a proxy that adds the distance. The plays of one setting run in turn, RUNS times each, so that what
else the machine does meets all of them. Where several hosts work at once, Ansible has one half of the machine's processors to itself, and the
hosts and the proxy the other: hosts that are other machines take nothing from it either. Writes results.json, of which tables.py makes
RESULTS.md and chart.svg, and fails if a ratio is not what it must be.

Environment: RUNS (10), ROUND_TRIPS in ms ("0 20 50 150", with one host), HOSTS ("5 20", at 0 ms), RESULTS (the file to write). A setting that
is left out stays there as it was measured before. ONLY (plays, as named in CASES, raw among them) needs a RESULTS of its own, and shows figures
without ratios. More than 20 hosts are that many names in the inventory, each with a connection of its own, which share 20 booted hosts; these are
run once, and ordinary tasks, which take seconds of each host, not at all: HOSTS=200 ROUND_TRIPS= make bench.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import speed
import tables
from proxy import Proxy
from speed import BOOTED

RUNS = int(os.environ.get("RUNS", "10"))
ROUND_TRIPS = [int(word) for word in os.environ.get("ROUND_TRIPS", "0 20 50 150").split()]
HOSTS = [int(word) for word in os.environ.get("HOSTS", "5 20").split()]
ONLY = os.environ.get("ONLY", "").split()
HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
RESULTS = Path(os.environ.get("RESULTS", HERE / "results.json"))
HOST_TOOL = ROOT / "tests/machines/machine"
VENV = ROOT / ".cache/bench-venv"
MITOGEN = "import ansible_mitogen, os; print(os.path.dirname(ansible_mitogen.__file__) + '/plugins/strategy')"
# Ansible's own, but that a connection stays open for longer than a minute: the play whose turn it is after a slow one would pay for a new one.
SSH_ARGS = "-C -o ControlMaster=auto -o ControlPersist=10m"
NO_SETTINGS = ROOT / ".cache/bench.cfg"  # empty, so that no ansible.cfg of the user or the checkout counts
CACHE = "/var/cache/curationexperts.sidekiq"
PROCESSORS = sorted(os.sched_getaffinity(0))
HALF = len(PROCESSORS) // 2
CONTROLLERS, HOSTS_OWN = PROCESSORS[HALF:], PROCESSORS[:HALF] or PROCESSORS


@dataclass
class Case:
    """A play, on hosts of a kind, with settings of Ansible."""

    play: str
    kind: str = "ours"
    settings: dict[str, str] = field(default_factory=dict)
    undo_first: bool = False
    when_shared: bool = True  # whether it is measured where many names share the hosts


CASES = {
    "raw": Case("raw"),
    "module": Case("module"),
    "role": Case("role"),
    "unvalidated": Case("unvalidated"),
    "first": Case("module", undo_first=True),
    "ordinary-first": Case("ordinary", "ordinary", undo_first=True),
    "ordinary": Case("ordinary", "ordinary", when_shared=False),
    "pipelining": Case("ordinary", "ordinary", {"ANSIBLE_PIPELINING": "true"}, when_shared=False),
    "mitogen": Case("ordinary", "ordinary", {"ANSIBLE_STRATEGY": "mitogen_linear"}, when_shared=False),
}


@dataclass
class Fleet:
    """Booted hosts of one kind, behind a proxy. Where it has more ports than there are hosts, each is a name in the inventory that shares a host."""

    kind: str
    names: list[str]
    proxy: Proxy

    def inventory(self, count: int) -> Path:
        path = ROOT / f".cache/bench-{self.kind}-{count}.json"
        facts = json.loads(run(VENV / "bin/ansible-inventory", "-i", ROOT / f".cache/bench-{self.kind}.yml", "--list"))["_meta"]["hostvars"]
        hosts = {}
        for number, port in enumerate(self.proxy.ports[:count]):
            name = self.names[number % len(self.names)]
            arguments = f"{facts[name]['ansible_ssh_common_args'].strip()} -o HostKeyAlias={facts[name]['ansible_host']}"
            through = {"ansible_host": "127.0.0.1", "ansible_port": port, "ansible_ssh_common_args": arguments}
            hosts[f"{name}-{number // len(self.names)}"] = facts[name] | through
        path.write_text(json.dumps({"all": {"hosts": hosts}}))
        return path

    def undo(self, count: int) -> None:
        """As if the collection had never been here, but for the application."""
        for name in self.names[:count]:
            files = f"{CACHE} /etc/systemd/system/sidekiq.service /lib/systemd/system/sidekiq.service /etc/sudoers.d/sidekiq*"
            as_root(HOST_TOOL, "ssh", name, f"systemctl disable --now --quiet sidekiq; rm -rf {files}; systemctl daemon-reload")


def run(*command: object, **more: Any) -> str:
    return subprocess.run([str(word) for word in command], check=True, stdout=subprocess.PIPE, text=True, **more).stdout


def as_root(*command: object) -> str:
    return run(*([] if os.geteuid() == 0 else ["sudo"]), *command)


@contextmanager
def fleet(kind: str, count: int) -> Iterator[Fleet]:
    names = [f"bench-{kind}-{number}" for number in range(1, min(count, BOOTED) + 1)]
    as_root(HOST_TOOL, "destroy", *names)
    try:
        for name in names:
            as_root(HOST_TOOL, "create", name, "--with", "python3")
        (ROOT / f".cache/bench-{kind}.yml").write_text(as_root(HOST_TOOL, "inventory", *names))
        addresses = [as_root(HOST_TOOL, "address", name).strip() for name in names]
        yield Fleet(kind, names, Proxy([addresses[number % len(addresses)] for number in range(count)]))
    finally:
        as_root(HOST_TOOL, "destroy", *names)


def playbook(count: int, *arguments: object) -> list[str]:
    """The command that runs a play on so many hosts."""
    processors = CONTROLLERS if count > 1 else PROCESSORS
    return ["taskset", "-c", ",".join(map(str, processors)), str(VENV / "bin/ansible-playbook"), *map(str, arguments)]


def environment(case: Case) -> dict[str, str]:
    return {
        **os.environ,
        "ANSIBLE_FORKS": "20",
        "ANSIBLE_SSH_ARGS": SSH_ARGS,
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".cache"),
        "ANSIBLE_CONFIG": str(NO_SETTINGS),
        "ANSIBLE_STRATEGY_PLUGINS": run(VENV / "bin/python", "-c", MITOGEN).strip() if "ANSIBLE_STRATEGY" in case.settings else "",
        **case.settings,
    }


def measure(case: Case, fleet: Fleet, count: int) -> dict[str, float]:
    """Runs the play once: seconds on the clock and of this machine's processors, MB of memory of its largest process, bytes over ssh."""
    if case.undo_first:
        fleet.undo(count)
    command = playbook(count, "-i", fleet.inventory(count), HERE / "plays" / f"{case.play}.yml")
    settings = environment(case)
    sent, received, start = fleet.proxy.sent, fleet.proxy.received, time.monotonic()
    process = subprocess.Popen(command, env=settings, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout
    output = process.stdout.read()
    dummy, status, usage = os.wait4(process.pid, 0)
    took = time.monotonic() - start
    if status:
        raise SystemExit(f"{case.play} failed:\n{output}")
    check_change(case, output, count)
    return {
        "seconds": round(took, 4),
        "cpu": round(usage.ru_utime + usage.ru_stime, 4),
        "memory": round(usage.ru_maxrss / 1000, 1),
        "sent": fleet.proxy.sent - sent,
        "received": fleet.proxy.received - received,
    }


def check_change(case: Case, output: str, count: int) -> None:
    """Raises if the play did not do what it is measured for: something the first time, nothing after that."""
    changed = [int(number) for number in re.findall(r"changed=(\d+)", output)]
    if len(changed) != count or any((number > 0) != case.undo_first for number in changed):
        raise SystemExit(f"{case.play} changed {changed}:\n{output}")


def remote_commands(case: Case, fleet: Fleet) -> int | None:
    """Counts the commands and transfers of one run on one host. Mitogen has a protocol of its own, and no such thing."""
    if "ANSIBLE_STRATEGY" in case.settings:
        return None
    if case.undo_first:
        fleet.undo(1)
    output = run(*playbook(1, "-vvv", "-i", fleet.inventory(1), HERE / "plays" / f"{case.play}.yml"), env=environment(case))
    return len(re.findall(r"> (?:SSH: EXEC|PUT|FETCH) ", output))


def setting(count: int, round_trip: int, fleets: dict[str, Fleet]) -> dict[str, Any]:
    """All cases in turn, RUNS times, and once before that without looking at the clock: connections are open then, and systemd is calm.

    Where names share hosts, it is one time, since it takes long, and before that the connections are opened, by raw.
    """
    shared = count > BOOTED
    cases = {name: case for name, case in CASES.items() if not (case.undo_first and count > 1) and (not ONLY or name in ONLY)}
    cases = {name: case for name, case in cases.items() if case.when_shared or not shared}
    times = 1 if shared else RUNS
    for one in fleets.values():
        one.proxy.round_trip = round_trip / 1000
    before = os.getloadavg()[1]
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in cases}
    if shared:
        measure(CASES["raw"], fleets["ours"], count)
    for number in range(1 if shared else 0, times + 1):
        for name, case in cases.items():
            figures = measure(case, fleets[case.kind], count)
            if number:
                runs[name].append(figures)
        print(f"{count} hosts, {round_trip} ms: {number} of {times}", file=sys.stderr, flush=True)
    commit = run("git", "-C", ROOT, "rev-parse", "--short", "HEAD").strip()
    return {"hosts": count, "round_trip_ms": round_trip, "commit": commit, "load": [round(before, 1), round(os.getloadavg()[1], 1)], "runs": runs}


def machine(host: str) -> dict[str, str]:
    """What was measured, and on what."""
    model = re.search(r"^model name\s*:\s*(.*)", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    installed = {package["name"]: package["version"] for package in json.loads(run(VENV / "bin/pip", "list", "--format", "json"))}
    general = next(VENV.glob("lib/*/site-packages/ansible_collections/community/general/MANIFEST.json"))
    on_host = as_root(HOST_TOOL, "ssh", host, "systemctl --version | sed 1q; sudo --version | sed 1q; sidekiq --version; . /etc/os-release; echo $PRETTY_NAME")
    systemd, sudo, sidekiq, system = on_host.strip().split("\n")
    return {
        "processor": f"{model[1] if model else platform.machine()}, {len(PROCESSORS)} cores",
        "kernel": platform.release(),
        "python": platform.python_version(),
        "ansible-core": installed["ansible-core"],
        "mitogen": installed["mitogen"],
        "community.general": json.loads(general.read_text())["collection_info"]["version"],
        "hosts": f"{system}, {systemd.split(' (')[0]}, {sudo}, {sidekiq}",
    }


ALONE = """
import glob, json, os, statistics, subprocess, time
runs = []
for dummy in range(21):
    start = time.monotonic()
    child = subprocess.Popen([glob.glob("/var/cache/curationexperts.sidekiq/" + 64 * "?")[0], "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    child.stdin.write(json.dumps({"project_name": "laevigata"}).encode())
    child.stdin.close()
    result = json.loads(child.stdout.read())
    dummy, status, usage = os.wait4(child.pid, 0)
    assert not status and not result["changed"], result
    runs.append((time.monotonic() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss))
print(json.dumps([statistics.median(one) for one in zip(*runs[1:])]))
"""


def alone(host: str) -> dict[str, float]:
    """The program itself on its host, with nothing to change: medians of 20 runs, without Ansible and ssh."""
    wall, cpu, memory = json.loads(as_root(HOST_TOOL, "ssh", host, f"python3 -c {shlex.quote(ALONE)}"))
    return {"ms": round(wall * 1000, 1), "cpu_ms": round(cpu * 1000, 1), "memory_mb": round(memory / 1000, 1)}


def keep(about: dict[str, str], once: dict[str, Any], measured: dict[str, Any]) -> None:
    """Puts what was measured in place of an earlier measurement of the same setting. Those of other versions are forgotten."""
    known = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    others = known.get("settings", []) if known.get("machine") == about else []
    place = ("hosts", "round_trip_ms")
    settings = [measured, *(other for other in others if any(other[key] != measured[key] for key in place))]
    settings.sort(key=lambda one: [one[key] for key in place])
    RESULTS.write_text(json.dumps({"machine": about, **once, "settings": settings}, indent=1) + "\n")


def main() -> int:
    if ONLY and RESULTS == speed.RESULTS:
        raise SystemExit("ONLY would leave out what results.json has of the other plays: set RESULTS to another file.")
    NO_SETTINGS.write_text("")
    as_root(HOST_TOOL, "setup")
    # A single host is measured while there is no other: even idle ones take time.
    for places in ([(1, round_trip) for round_trip in ROUND_TRIPS], [(count, 0) for count in HOSTS]):
        if places:
            measure_all(places)
    return tell()


def tell() -> int:
    """Prints what was measured, all of it with the ratios; and renders, where it is what the documents show."""
    results, settings = speed.read(RESULTS)
    if ONLY:
        print("\n".join(speed.tables(settings, results["commands"])))
        return 0
    if RESULTS == speed.RESULTS:
        tables.main("render")
    print(speed.document(results, settings))
    missed = speed.missed(RESULTS)
    for name in missed:
        print(f"MISSED: {name}")
    return 1 if missed else 0


def measure_all(places: list[tuple[int, int]]) -> None:
    """Measures with so many hosts at such a round trip, in ms; there are as many hosts of each kind as the largest number of them."""
    most = max(count for count, dummy in places)
    os.sched_setaffinity(0, HOSTS_OWN if most > 1 else PROCESSORS)
    kinds = {case.kind for name, case in CASES.items() if (not ONLY or name in ONLY) and (case.when_shared or most <= BOOTED)}
    of_each = {kind: most if kind in kinds else 1 for kind in ("ours", "ordinary")}
    with fleet("ours", of_each["ours"]) as ours, fleet("ordinary", of_each["ordinary"]) as ordinary:
        fleets = {"ours": ours, "ordinary": ordinary}
        about = machine(ours.names[0])
        for name in ("role", "ordinary"):  # the state that the others find
            kind = CASES[name].kind
            run(*playbook(most, "-i", fleets[kind].inventory(min(of_each[kind], BOOTED)), HERE / f"plays/{name}.yml"), env=environment(CASES[name]))
        once = {"commands": {name: remote_commands(case, fleets[case.kind]) for name, case in CASES.items()}}
        run(*playbook(1, "-i", ours.inventory(1), HERE / "plays/role.yml"), env=environment(CASES["role"]))
        once["program"] = alone(ours.names[0])
        for count, round_trip in places:
            keep(about, once, setting(count, round_trip, fleets))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except subprocess.CalledProcessError as error:
        sys.exit(f"{error}\n{error.stdout or ''}")
