# SPDX-License-Identifier: GPL-3.0-or-later
"""What starts Sidekiq without becoming Sidekiq: systemd then tells the launcher to end, and kills Sidekiq in the midst of its jobs.

A launcher that passes the signal on is accepted, and no job is lost at a stop or restart; any other is refused before it has cost a job.
"""

from __future__ import annotations

import time
from typing import Any

import pytest
from conftest import APP, Host, tool, until
from figures import OURS, SEED, done_jobs, push_all, record
from system import TYPE, TYPES

SIDEKIQ = "/usr/local/bin/bundle exec sidekiq -e production -C config/sidekiq.yml"
SHELL = f"/bin/bash -lc 'cd {APP}/current; {SIDEKIQ}; true'"
REFUSED = {
    SHELL: f"/bin/bash -lc 'cd {APP}/current; exec {SIDEKIQ}'",
    f"/usr/bin/flock /tmp/sidekiq.lock {SIDEKIQ}": SIDEKIQ,
    f"/bin/bash -c '{SIDEKIQ} 2>&1 | tee -a log/tee.log'": f"/bin/bash -c 'exec {SIDEKIQ} 2>&1'",
}
TRAP = f"/bin/bash -c 'forward() {{ kill -TERM $pid; }}; trap forward TERM; {SIDEKIQ} & pid=$!; wait; wait'"
ACCEPTED = {
    "timeout": f"/usr/bin/timeout 1d {SIDEKIQ}",
    "exec": f"/bin/bash -lc 'cd {APP}/current; exec {SIDEKIQ}'",
    "trap": TRAP,
}
ALONE = TYPES[1] if TYPE == "notify" else TYPES[0]  # a type with which Sidekiq says nothing to systemd
LAUNCHER = "service: a launcher that passes no signal on, at a restart"  # for docs/security.md
BUSY = "test $(redis-cli llen queue:default) -gt 0"


def pushes_jobs(host: Host, *seconds: float) -> set[str]:
    jobs = [("Sleep", f"job{n}", s) for n, s in enumerate(seconds)]
    push_all(host, jobs)
    return {job[1] for job in jobs}


def all_done(host: Host, jobs: set[str], timeout: float = 60) -> bool:
    try:
        return bool(until(lambda: set(done_jobs(host)) == jobs, timeout, "the end of all jobs"))
    except AssertionError:
        return False


def refused(result: dict[str, Any], command: str) -> None:
    assert result.get("failed"), result
    assert "does not pass a signal to end on" in result["msg"] and f"exec_start: {command}" in result["msg"], result["msg"]


KINDS = [(kind, command) for kind in TYPES for command in REFUSED]


@pytest.mark.parametrize("kind, command", [pytest.param(*k, marks=[] if n == 0 else pytest.mark.long) for n, k in enumerate(KINDS)])
def test_a_launcher_that_passes_nothing_on_is_refused_and_costs_no_job(host: Host, kind: str, command: str) -> None:
    before = host.snapshot()
    jobs = pushes_jobs(host, *[15] * 2, 1, 1)
    began = time.monotonic()
    result = host.converge(type=kind, exec_start=command)
    took = time.monotonic() - began
    refused(result, REFUSED[command])
    assert result["rolled_back"] and took < 30, (took, result)
    assert host.snapshot() == before and not host.out("pgrep -u deploy -f '^sidekiq ' || true")
    host.converge(exec_start=REFUSED[command])
    assert all_done(host, jobs), (jobs, done_jobs(host))
    record(LAUNCHER, OURS, got="refused")


def test_several_processes_behind_a_launcher_are_refused(host: Host) -> None:
    before = host.snapshot()
    refused(host.converge(type=ALONE, exec_start=SHELL, processes=2), REFUSED[SHELL])
    host.sh("systemctl reset-failed")  # what starts the processes was ended in the midst of that
    assert host.snapshot() == before


@pytest.mark.parametrize("launcher", ["timeout", *(pytest.param(name, marks=pytest.mark.long) for name in ("exec", "trap"))])
def test_a_launcher_that_passes_signals_on_is_accepted_and_loses_no_job(host: Host, launcher: str) -> None:
    result = host.converge(type=ALONE, exec_start=ACCEPTED[launcher], start_timeout=20)
    assert not result.get("failed"), result["msg"]
    jobs = pushes_jobs(host, *[15] * 3, 1)
    host.wait(BUSY)
    host.sh("runuser -u deploy -- sudo -n systemctl restart sidekiq")
    host.wait("test $(redis-cli llen queue:default) = 0")
    host.sh("systemctl stop sidekiq && systemctl start sidekiq")
    again = host.converge(type=ALONE, exec_start=ACCEPTED[launcher], start_timeout=20)
    assert not again.get("failed") and not again["changed"], again
    assert all_done(host, jobs), (jobs, done_jobs(host))


@pytest.mark.long
@pytest.mark.parametrize("launcher", ACCEPTED)
def test_a_reboot_loses_no_job_behind_a_launcher_that_passes_signals_on(host: Host, launcher: str) -> None:
    assert not host.converge(type=ALONE, exec_start=ACCEPTED[launcher], start_timeout=20).get("failed")
    jobs = pushes_jobs(host, *[15] * 4)
    host.wait("test $(redis-cli llen queue:default) = 2")  # the application has two threads
    tool("reboot", host.name, capture_output=True)
    host.wait("systemctl is-active sidekiq")
    assert all_done(host, jobs, 150), (jobs, done_jobs(host))


def runs_behind_a_shell(host: Host) -> None:
    """As a service does that was set up before anybody looked."""
    assert not host.converge(type=ALONE, exec_start=REFUSED[SHELL]).get("failed")
    host.sh("sed -i '/^ExecStart=/{s/exec //;s/\"$/; true\"/}' /lib/systemd/system/sidekiq.service && systemctl daemon-reload && systemctl restart sidekiq")
    host.wait("pgrep -u deploy -f '^sidekiq .* busy]'")


def test_one_that_runs_so_is_left_running_and_mended_without_losing_a_job(host: Host) -> None:
    runs_behind_a_shell(host)
    pid = host.main_pid()
    result = host.converge(type=ALONE, exec_start=SHELL)
    assert not result.get("failed") and not result["changed"], result
    assert any("does not pass a signal to end on" in warning for warning in result["warnings"]), result["warnings"]
    for state in ("restarted", "quiet"):
        refused(host.converge(type=ALONE, exec_start=SHELL, state=state), REFUSED[SHELL])
    assert host.main_pid() == pid
    jobs = pushes_jobs(host, *[15] * 3)
    host.wait("test $(redis-cli llen queue:default) = 1")
    result = host.converge(type=ALONE, exec_start=REFUSED[SHELL])
    assert not result.get("failed") and result["changed"], result
    assert all_done(host, jobs), (jobs, done_jobs(host))


@pytest.mark.long
def test_control_by_hand_such_a_restart_loses_the_running_jobs(host: Host) -> None:
    runs_behind_a_shell(host)
    jobs = pushes_jobs(host, *[15] * 3)
    host.wait("test $(redis-cli llen queue:default) = 1")
    host.sh("systemctl restart sidekiq")
    lost = not all_done(host, jobs, timeout=40)
    record(LAUNCHER, SEED, got="running jobs lost" if lost else "unharmed")
    assert lost, "the tests could not tell if jobs were lost"
