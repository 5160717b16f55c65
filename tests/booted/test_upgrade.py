# SPDX-License-Identifier: GPL-3.0-or-later
"""From the first release to this one and back, with jobs at work: what check mode has named is done, each process restarts once at most, no job
is lost, and the next run changes nothing. docs/upgrading.md tells of it."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import released
from conftest import HEALTH, ROOT, SUDOERS, UNIT, Host, upload
from guides import blocks, run
from system import KNOWS_STEPS, NOTIFIES, SIDEKIQ, SIDEKIQ_VERSION, SUITE, TYPE, TYPES
from test_no_job_lost import Jobs
from test_released import Workplace, workplace  # noqa: F401, a fixture; pylint: disable=unused-import

BEHIND = '/bin/sh -c "/usr/local/bin/bundle exec sidekiq -e production; exit"'
PROGRAM = "/root/released_service"
WRAPPER = "/usr/local/bin/jobs-wrapper"
STARTED = "39f53479d3a045ac8e11786248231fbf"  # the journal's word for a unit that has started: sd-messages(3)
TEMPLATE = "/lib/systemd/system/sidekiq@.service"


@pytest.fixture(scope="module")
def both(machine: Host) -> Iterator[Host]:
    """The host, with the first release's program beside this one's."""
    released.first_release()
    upload(machine.name, released.PROGRAM, PROGRAM)
    machine.sh(f"printf '#!/bin/sh\\n/usr/local/bin/bundle exec sidekiq -e production\\n' >{WRAPPER}; chmod 755 {WRAPPER}")
    yield machine


def first(host: Host, check: bool = False, **options: Any) -> dict[str, Any]:
    """A run of the first release, which does not fail."""
    request = {"project_name": "laevigata", "_ansible_check_mode": check, "_ansible_diff": True, **options}
    result = json.loads(host.sh(f"{PROGRAM} -", check=False, stdin=json.dumps(request)).stdout)
    assert not result.get("failed"), result
    return result


def processes(host: Host) -> dict[str, str]:
    """The main processes of the service by their units."""
    shown = host.out("systemctl show --property=Id,MainPID 'sidekiq.service' 'sidekiq@*.service'")
    units = [dict(line.split("=", 1) for line in block.splitlines()) for block in shown.split("\n\n")]
    return {unit["Id"]: unit["MainPID"] for unit in units if unit["MainPID"] != "0"}


# 1.0.0 told an old Sidekiq to be quiet by a signal that it does not know.
QUIET = f": it is told to be quiet by USR1 now, which Sidekiq {SIDEKIQ_VERSION} knows" if SIDEKIQ < (5,) else ""


@dataclass
class Case:
    """A service of the first release, and the files that the upgrade changes. Whether it restarts a process, the guide says."""

    options: dict[str, Any] = field(default_factory=dict)
    files: tuple[str, ...] = (f"change {UNIT}{QUIET}", f"change {SUDOERS}")
    processes: int = 1
    warning: str = ""


IN_ETC = "/etc/systemd/system"
THREE = tuple(f"write /lib/systemd/system/sidekiq@{n}.service" for n in (1, 2, 3))
MOVED = (f"change {UNIT}", f"remove {TEMPLATE}", f"change {SUDOERS}")
CASES = {
    "nothing but `project_name`": Case(),
    "`type: exec`": Case({"type": "exec" if "exec" in TYPES else "simple"}),
    "`processes: 3`": Case({"processes": 3}, (*THREE, *MOVED), 3),
    "`log_file`": Case({"log_file": "log/jobs.log"}),
    "`login_shell: true`": Case({"login_shell": True}),
    "an `exec_start` that does not `exec`": Case({"exec_start": WRAPPER}, warning="does not pass a signal to end on"),
    "such an `exec_start` that names sidekiq, without a watchdog": Case(
        {"exec_start": BEHIND, "watchdog_sec": 0}, warning="no start succeeds" if NOTIFIES else "does not pass a signal to end on"
    ),
    "`processes: 2` with the first of these": Case(
        {"exec_start": WRAPPER, "processes": 2}, (*THREE[:2], *MOVED), 2, warning="does not pass a signal to end on"
    ),
    "`unit_dir: /etc/systemd/system`": Case({"unit_dir": IN_ETC}, (f"change {IN_ETC}/sidekiq.service{QUIET}", f"change {SUDOERS}")),
    "`sudo_commands: [restart, status]`": Case({"sudo_commands": ["restart", "status"]}, (f"change {UNIT}{QUIET}",)),
}


def rows() -> dict[str, str]:
    """What the guide says: whether a process restarts, for each kind of service."""
    table = re.findall(r"^\| (.*?) \| .*? \| (no|each once, .*?) \|$", (ROOT / "docs/upgrading.md").read_text(), re.MULTILINE)
    return dict(table)


def at_work(host: Host, case: Case) -> Jobs:
    """All threads of the processes have a job, and more jobs wait."""
    host.wait(f"[ $(pgrep -u deploy -fc '^sidekiq .* busy]') = {case.processes} ]")
    jobs = Jobs(host)
    jobs.push("Sleep", *[4] * (2 * case.processes + 2))
    host.wait("[ $(redis-cli llen queue:default) = 2 ]")
    return jobs


class Watch:
    """How often each process of the service is started from now on."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.cursor = host.out("journalctl -q -n 1 --show-cursor -o cat | sed -n 's/^-- cursor: //p'")

    def starts(self) -> Counter[str]:
        lines = self.host.out(f"journalctl -q --after-cursor='{self.cursor}' MESSAGE_ID={STARTED} -o json").splitlines()
        return Counter(unit for unit in (json.loads(line).get("UNIT") for line in lines) if unit in processes(self.host))


def test_the_guide_tells_of_each_kind_of_service() -> None:
    assert rows().keys() == CASES.keys()


@pytest.mark.parametrize("name", [list(CASES)[0], *(pytest.param(name, marks=pytest.mark.long) for name in list(CASES)[1:])])
def test_the_upgrade(both: Host, name: str) -> None:
    host, case = both, CASES[name]
    host.reset()
    host.sh(f"rm {HEALTH}")  # which the first release did not have
    first(host, **case.options)
    jobs, before, watch = at_work(host, case), processes(host), Watch(host)
    told = host.converge(check=True, **case.options)
    result = host.converge(**case.options)
    assert not result.get("failed"), result
    same = ("steps", "diff", "warnings", "changed")
    assert [result.get(key) for key in same] == [told.get(key) for key in same], "check mode has named it all"
    assert case.warning in "".join(result.get("warnings", [])) and bool(result.get("warnings")) == bool(case.warning), result
    restarts = rows()[name] != "no"
    assert watch.starts() == (Counter(before.keys()) if restarts else Counter()), result["steps"]
    assert restarts or (processes(host), result["service"]["after"]["stale"], told["service"]["after"]["stale"]) == (before, False, False)
    files = [step for step in result["steps"] if step.startswith(("write /", "change /", "remove /"))]
    assert sorted(files) == sorted([*case.files, f"write {HEALTH}"]), result["steps"]
    assert all("it is older than" in step for step in result["steps"] if step.startswith("restart ")), result["steps"]
    unit = f"sidekiq{'@1' * (case.processes > 1)}"
    assert host.show("RestartUSec", unit=unit)["RestartUSec"] == ("1s" if KNOWS_STEPS else "25s"), "systemd goes by the new unit"
    outcome = jobs.outcome(timeout=90)
    assert outcome == {"jobs": len(jobs.pushed), "lost": 0, "done_twice": []}
    print(f"{SUITE}: {name}: {outcome['jobs']} jobs, none lost, {sum(watch.starts().values())} restarts")
    again = host.converge(**case.options)
    assert (again["changed"], again["steps"]) == (False, [])


@pytest.mark.long
@pytest.mark.parametrize("name", ["nothing but `project_name`", "`processes: 3`"])
def test_going_back(both: Host, name: str) -> None:
    """By the guide's command, which only several processes need, and a run of the first release."""
    host, case = both, CASES[name]
    host.reset()
    host.converge(**case.options)
    jobs, before, watch = at_work(host, case), processes(host), Watch(host)
    for block in blocks(ROOT / "docs/upgrading.md") if case.processes > 1 else []:
        run(host, block)
    first(host, **case.options)
    assert watch.starts() == Counter(before.keys()), "each process restarts once"
    assert jobs.outcome(timeout=90) == {"jobs": len(jobs.pushed), "lost": 0, "done_twice": []}
    assert len(processes(host)) == case.processes
    made_from = {Path(host.show("FragmentPath", unit=unit)["FragmentPath"]).name for unit in processes(host)}
    assert made_from == {Path(TEMPLATE if case.processes > 1 else UNIT).name}
    assert not first(host, **case.options)["changed"]
    host.sh("runuser -u deploy -- sudo -n systemctl restart sidekiq")
    host.wait(f"[ $(pgrep -u deploy -fc '^sidekiq .* busy]') = {case.processes} ]")
    host.converge(**case.options)
    assert not host.converge(**case.options)["changed"], "and forth again"


@pytest.mark.long
def test_without_restarts_the_next_deploy_takes_the_new_units(both: Host) -> None:
    host, case = both, CASES["`processes: 3`"]
    host.reset()
    first(host, **case.options)
    jobs, before = at_work(host, case), processes(host)
    result = host.converge(**case.options, restart_on_change=False)
    assert not result.get("failed") and processes(host) == before, result
    assert all(any(f"{unit} is still running and is older" in warning for warning in result["warnings"]) for unit in before), result
    assert not host.converge(**case.options, restart_on_change=False)["changed"]
    host.sh("runuser -u deploy -- sudo -n systemctl restart sidekiq")
    assert jobs.outcome(timeout=90) == {"jobs": len(jobs.pushed), "lost": 0, "done_twice": []}
    assert processes(host).keys() == before.keys()
    again = host.converge(**case.options)
    assert (again["steps"], again.get("warnings", [])) == ([], [])


@pytest.mark.long
@pytest.mark.parametrize("seconds", [0.2, 0.6, 1.2, 2.5, 4])
def test_an_upgrade_that_is_killed_is_ended_by_the_next(both: Host, seconds: float) -> None:
    host, case = both, CASES["`processes: 3`"]
    host.reset()
    first(host, **case.options)
    jobs, before = at_work(host, case), processes(host)
    request = json.dumps({"project_name": "laevigata", **case.options})
    killed = host.sh(f"timeout -s KILL {seconds} /root/sidekiq_service -", check=False, stdin=request).returncode
    result = host.converge(**case.options)
    print(f"{SUITE}: after {seconds} s, status {killed}: {result['steps']}")
    assert not result.get("failed"), result
    host.wait("[ $(pgrep -u deploy -fc '^sidekiq .* busy]') = 3 ]")
    assert processes(host).keys() == before.keys()
    assert jobs.outcome(timeout=90) == {"jobs": len(jobs.pushed), "lost": 0, "done_twice": []}
    again = host.converge(**case.options)
    assert (again["steps"], again.get("warnings", [])) == ([], [])


@pytest.mark.long
def test_the_upgrade_by_plays(both: Host, workplace: Workplace, tmp_path: Path) -> None:  # noqa: F811
    """The same by ansible-playbook and the role, as somebody has it who installs both from Galaxy."""
    both.reset()
    (tarball,) = released.first_release().glob("*.tar.gz")
    site = Workplace(tmp_path, str(tarball), both)
    play = [
        {
            "name": "Sidekiq",
            "hosts": "app",
            "become": True,
            "gather_facts": False,
            "roles": [{"role": "curationexperts.sidekiq.sidekiq", "project_name": "laevigata"}],
        }
    ]
    assert "changed=1 " in site.play(play)
    jobs, before, watch = at_work(both, Case()), processes(both), Watch(both)
    (new,) = workplace.directory.glob("*.tar.gz")
    site.run("ansible-galaxy", "collection", "install", "--force", str(new), "-p", str(tmp_path))
    told = site.play(play, "--check", "--diff")
    assert "-NotifyAccess=all" in told or TYPE != "notify"
    assert "changed=1 " in told and "changed=1 " in site.play(play) and "changed=0 " in site.play(play)
    assert processes(both) == before and not watch.starts()
    assert jobs.outcome(timeout=60)["lost"] == 0
    shutil.rmtree(tmp_path / "ansible_collections/curationexperts/sidekiq")
    site.run("ansible-galaxy", "collection", "install", str(tarball), "-p", str(tmp_path))
    assert "changed=1 " in site.play(play) and "changed=0 " in site.play(play), "back to the first release"
    assert len(processes(both)) == 1
