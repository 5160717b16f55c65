# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever befalls a run: what it tells is true, and the next run heals what it has left.

`tests/faults` makes the runs on the host, and judges them. It kills the program at its effects, has system calls fail, or fail after they
have done what they should, sends it SIGTERM, and executes systemd anew; and it looks at the host before, after, and after the next run. What
it brings about are changes of files and of what systemd runs, with a stand-in for Sidekiq that is ready at once.

SIDEKIQ_FIGURES names a file into which the figures for docs/faults.md are written. SIDEKIQ_FAULTS_SEED says which faults are tried (1).
"""

from __future__ import annotations

import json
import os
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import APP, ROOT, SUITE, Host, upload
from system import SYSTEMCTL

FAULTS = ROOT / ".cache/faults"
MINUTES = 18  # of the long test
SEED = os.environ.get("SIDEKIQ_FAULTS_SEED", "1")

Report = dict[str, Any]


@pytest.fixture(scope="module")
def faults(machine: Host) -> Iterator[Host]:
    """The host, with the program that meddles."""
    subprocess.run(["go", "build", "-o", FAULTS, "./tests/faults"], cwd=ROOT, env={**os.environ, "CGO_ENABLED": "0"}, check=True)
    upload(machine.name, FAULTS, "/usr/local/bin/faults")
    machine.sh("chmod 755 /usr/local/bin/faults")  # the stand-in is run by deploy
    # The stand-in tells systemd when it is ready, which is refused of an application whose Sidekiq cannot.
    machine.sh(f"sed -i 's/^    sidekiq (.*)/    sidekiq (6.4.1)/' {APP}/current/Gemfile.lock")
    yield machine


def drive(host: Host, *options: str, minutes: float = 0) -> list[Report]:
    """Makes runs, and returns what is to be told of each."""
    words = " ".join(f"'{word}'" for word in options)
    done = host.sh(f"faults drive -seed {SEED} -minutes {minutes} {words} -report /root/report", check=False, timeout=60 * minutes + 600)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    reports = [json.loads(line) for line in host.out("cat /root/report").splitlines()]
    for report in reports:
        print(*(f"{report.get(key, '')};" for key in ("transition", "fault", "effect", "nth", "outcome", "msg")))
        for violation in report["violations"] or []:
            print(f"    {violation}")
    return reports


def no_violation(reports: list[Report], runs: int) -> None:
    """There were at least so many runs, and none of them was wrong."""
    befallen = [report for report in reports if report.get("fault") and report["outcome"] != "not befallen"]
    assert len(befallen) >= runs, f"only {len(befallen)} runs"
    wrong = [report for report in reports if report["violations"]]
    assert not wrong, "\n".join(f"{r['transition']}: {r.get('fault')} at {r.get('effect')} ({r.get('nth')}): {r['violations'][0]}" for r in wrong)


def test_a_run_that_is_killed_is_healed_by_the_next(faults: Host) -> None:
    points = "^(rename to|unlink /lib|tell systemd (Reload|Re?[Ss]tart|Stop)|print the result)"
    no_violation(drive(faults, "-transitions", "^(fresh|change|absent|a failing change)$", "-only", points, "-fault", "kill after"), 15)


def test_a_change_that_fails_leaves_the_host_as_it_was(faults: Host) -> None:
    no_violation(drive(faults, "-transitions", "^change$", "-only", "^(rename to /etc/sudoers.d|fsync /lib/systemd/system$)"), 8)


def test_each_change_is_made_over_the_system_bus_too(faults: Host) -> None:
    reports = drive(faults, "-transitions", "over the system bus$", "-only", "^$")
    assert len(reports) >= 13
    for report in reports:
        fails = report["transition"].startswith("a failing ")
        assert (report["outcome"], report["violations"]) == ("rolled back" if fails else "done all the same", None), report


def test_a_run_goes_on_when_systemd_is_executed_anew_at_any_message(faults: Host) -> None:
    to_systemd = "^(tell systemd (St|Re|Enable)|ask systemd Subscribe)"
    transitions = "^(a failing change|change, over the system bus)$"
    no_violation(drive(faults, "-transitions", transitions, "-only", to_systemd, "-fault", "daemon-reexec"), 8)


LOOKS = [
    "stat /usr/bin/sudo",
    f"stat {SYSTEMCTL}",
    "open /etc/passwd",
    "open /opt/laevigata/current/Gemfile.lock",
    "readlink /etc/systemd/system/multi-user.target.wants/sidekiq.service",
]


def test_a_look_that_fails_ends_the_run_before_its_first_step_and_names_path_and_error(faults: Host) -> None:
    reports = drive(faults, "-transitions", "^change$", "-only", f"^({'|'.join(LOOKS)})$", "-fault", "EIO")
    no_violation(reports, len(LOOKS))
    first = [report for report in reports if report.get("nth") == 1]
    assert len(first) == len(LOOKS)
    for report in first:
        assert report["outcome"] == "failed before the first step", report
        assert report["effect"].split(" ")[1] in report["msg"] and "input/output error" in report["msg"], report


@pytest.mark.long
def test_whatever_befalls_a_run_what_it_tells_is_true_and_the_next_heals_it(faults: Host) -> None:
    reports = drive(faults, minutes=MINUTES)
    write_figures(reports)
    no_violation(reports, 200)


def write_figures(reports: list[Report]) -> None:
    """Writes how often what has become of which transition, and under which fault."""
    path = os.environ.get("SIDEKIQ_FIGURES")
    if not path:
        return
    everything = json.loads(Path(path).read_text()) if Path(path).exists() else {}
    befallen = [report for report in reports if report.get("fault") and report["outcome"] != "not befallen"]
    everything[SUITE] = {
        "seed": int(SEED),
        "minutes": MINUTES,
        "transitions": counted(befallen, "transition"),
        "faults": counted(befallen, "fault"),
    }
    Path(path).write_text(json.dumps(everything, indent=1) + "\n")


def counted(reports: list[Report], key: str) -> dict[str, dict[str, int]]:
    """The outcomes for each value of a key, and the runs with a violation."""
    rows: dict[str, Counter[str]] = {}
    for report in reports:
        row = rows.setdefault(report[key], Counter())
        row[report["outcome"]] += 1
        row["violations"] += bool(report["violations"])
    return {name: dict(row) for name, row in rows.items()}
