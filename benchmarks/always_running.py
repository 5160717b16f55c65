# SPDX-License-Identifier: GPL-3.0-or-later
"""How a service comes back, and what it loses: the tables of docs/always-running.md, from docs/data/always-running.json."""

from __future__ import annotations

import json

from tables import ROOT, SUITES, Documents, Figures, measured, table
from tables import measure as measure_tests

DATA = ROOT / "docs/data/always-running.json"
TESTS = ["test_always_running.py", "test_no_job_lost.py", "test_out_of_memory.py", "test_remote_redis.py"]


def measure(suites: tuple[str, ...]) -> None:
    """Takes about an hour a suite."""
    measure_tests(TESTS, DATA, suites)


def render(documents: Documents) -> None:
    data = json.loads(DATA.read_text())
    documents.fill(ROOT / "docs/always-running.md", {name: block(data) for name, block in BLOCKS.items()})


BACK = {
    "kill -TERM": "The process gets a TERM from outside systemd",
    "kill -KILL": "The process is killed with -9",
    "redis down for 60 s at boot": "Redis is down for 60 s after a reboot, then up",
    "application missing for 60 s at boot": "The application is not there after a reboot, and deployed 60 s later",
    "a process that hangs": "The process hangs (SIGSTOP)",
    "left quiet": "A deploy quiets Sidekiq and dies; the play runs again",
    "redis down for 10 minutes, service started meanwhile": "A deploy restarts Sidekiq in a Redis outage of 10 minutes",
    "redis down for 10 minutes below a running service": "Redis is away for 10 minutes, Sidekiq keeps running",
}


def back_table(data: Figures) -> str:
    suites = measured(data)
    head = ["what happens", *(f"{SUITES[suite]}, {unit}" for suite in suites for unit in ("ours", "by hand"))]
    rows = []
    for situation, words in BACK.items():
        cells = [back(data[suite].get(situation, {}).get(unit)) for suite in suites for unit in ("ours", "by hand")]
        rows.append([words, *cells])
    return table(head, rows)


def back(figures: Figures | None) -> str:
    if figures is None:
        return "not measured"
    if figures["back"] is None:
        return f"**never** (systemd: {figures['state']})"
    return f"{figures['back']:g} s"


OUTAGE = "redis down for 10 minutes, service started meanwhile"
QUIET_OUTAGE = "redis down for 10 minutes below a running service"


def outage_table(data: Figures) -> str:
    rows = []
    for suite in measured(data):
        for situation, words in ((OUTAGE, "started in the outage"), (QUIET_OUTAGE, "running before it")):
            for unit, name in (("ours", "**ours**"), ("every second", "ours, with RestartSec=1 and no backoff"), ("by hand", "by hand")):
                if f := data[suite].get(situation, {}).get(unit):
                    numbers = [f"{f['restarts']}", f"{f['cpu_seconds']:g}", f"{f['journal_lines']}"]
                    rows.append([SUITES[suite], words, name, *numbers, back(f), f["state"]])
    return table(["Debian", "Sidekiq was", "unit", "restarts", "CPU seconds", "journal lines", "back after", "systemd said"], rows)


BOOT = "a boot of the Rails application"


def remote_table(data: Figures) -> str:
    rows = []
    for suite in measured(data):
        for started in ("started in the outage", "running before it"):
            for outage in ("it is stopped", "packets to it are dropped"):
                if f := data[suite].get(f"remote redis, {outage}, {started}", {}).get("ours"):
                    numbers = [f"{f['seconds']} s", f"{f['restarts']}", f"{f['cpu_seconds']:g}", back(f)]
                    rows.append([SUITES[suite], started, outage, *numbers])
    return table(["Debian", "Sidekiq was", "Redis", "outage", "restarts", "CPU seconds", "back after"], rows)


def boots(data: Figures) -> str:
    """What the application is, and what a boot of it takes."""
    texts = []
    for suite in measured(data):
        if f := data[suite].get(BOOT, {}).get("ours"):
            texts.append(f"{f['seconds']:g} s and {f['cpu_seconds']:g} s of CPU on {SUITES[suite]} (Rails {f['rails']})")
    return f"On this machine, busy as it was, a boot of the application took {' and '.join(texts)}.\n"


SLOW_BOOT = "remote redis, stopped, a boot takes 20 s of CPU"


def slow_boot_table(data: Figures) -> str:
    rows = []
    for suite in measured(data):
        if f := data[suite].get(SLOW_BOOT, {}).get("ours"):
            boot = [f"{f['boot_seconds']:g} s", f"{f['boot_cpu_seconds']:g} s"]
            share = f"{f['cpu_seconds'] / f['seconds']:.2f}"
            rows.append([SUITES[suite], *boot, f"{f['seconds']} s", f"{f['restarts']}", f"{f['cpu_seconds']:g}", share, back(f), f"{f['load']:g}"])
    head = ["Debian", "a boot", "its CPU", "outage", "restarts", "CPU seconds", "of one processor", "back after", "load average"]
    return table(head, rows)


JOBS = {
    "twenty restarts": "20 restarts by the deploy user, every thread at work",
    "RuntimeMaxSec": "restarts as `RuntimeMaxSec` ends, every thread at work",
    "children of jobs": "restart, while jobs wait for child processes",
    "watchdog": "the watchdog ends a process whose lock a job holds",
    "reboot with jobs": "reboot of the host, every thread at work",
}


def job_table(data: Figures) -> str:
    rows = []
    for suite in measured(data):
        for situation, words in JOBS.items():
            for unit, f in sorted(data[suite].get(situation, {}).items(), key=lambda item: item[0] != "ours"):
                name = {"ours": "**ours**", "by hand": "unit by hand"}.get(unit, unit)
                rows.append([SUITES[suite], words, name, f"{f['jobs']}", f"{f['lost']}", f"{len(f['done_twice'])}"])
    return table(["Debian", "what happens", "unit", "jobs", "lost", "done twice"], rows)


def memory_table(data: Figures) -> str:
    rows = []
    for suite in measured(data):
        for unit, f in sorted(data[suite].get("a child killed for memory", {}).items(), key=lambda item: item[0] != "ours"):
            name = {"ours": "**ours**"}.get(unit, unit)
            rows.append([SUITES[suite], name, f["policy"], f"{f['restarts']}", ", ".join(f["lost"]) or "none"])
    return table(["Debian", "unit", "OOMPolicy", "restarts", "other jobs lost"], rows)


def versions_table(data: Figures) -> str:
    packages = ["systemd", "ruby", "sidekiq", "redis"]
    versions = {suite: data[suite]["versions"]["packages"] for suite in measured(data)}
    return table(["Debian", *packages], [[SUITES[suite], *(v[p] for p in packages)] for suite, v in versions.items()])


def load(data: Figures) -> str:
    """How busy the machine was."""
    loads = sorted(f["load"] for suite in data.values() for units in suite.values() for f in units.values() if "load" in f)
    return f"The load average of the machine was {loads[0]:g} to {loads[-1]:g} meanwhile.\n"


BLOCKS = {
    "back": back_table,
    "outage": outage_table,
    "remote": remote_table,
    "boots": boots,
    "slow-boot": slow_boot_table,
    "jobs": job_table,
    "memory": memory_table,
    "versions": versions_table,
    "load": load,
}
