# SPDX-License-Identifier: GPL-3.0-or-later
"""No job is lost when the service, or the host, is restarted: every job has an id, which it leaves in a ledger when it is done.

Each claim has a control that differs in one directive and has to lose jobs, or the claim would prove nothing.
"""

from __future__ import annotations

import random
import time
from typing import Any

import pytest
from conftest import Host, tool, until
from figures import OURS, SEED, done_jobs, install, push_all, record, waiting_jobs

CONCURRENCY = 5
SIDEKIQ_TIMEOUT = 8  # seconds that running jobs get at a stop, in the application's sidekiq.yml

# A job that waits while Sidekiq takes jobs means that all its threads have one.
ALL_ARE_BUSY = "systemctl is-active -q sidekiq && test $(redis-cli llen queue:default) -gt 0"


class Jobs:
    """Jobs that were pushed, and what has become of them."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.pushed: list[str] = []
        self.random = random.Random(1)

    def push(self, kind: str, *seconds: float) -> None:
        """Pushes jobs that take so long, in any order."""
        jobs = [(kind, f"{kind}-{len(self.pushed) + n}", round(s, 1)) for n, s in enumerate(seconds)]
        self.pushed += [job[1] for job in jobs]
        self.random.shuffle(jobs)
        push_all(self.host, jobs)

    def push_mixed(self, short: int, long: int, longest: float) -> None:
        """Pushes jobs that end within Sidekiq's timeout, and some that do not."""
        uniform = self.random.uniform
        self.push("Sleep", *(uniform(0.1, 4) for dummy in range(short)), *(uniform(SIDEKIQ_TIMEOUT, longest) for dummy in range(long)))

    def wait_until_all_are_busy(self) -> None:
        self.host.wait(f"{ALL_ARE_BUSY} && sleep 1 && {ALL_ARE_BUSY}", timeout=60)

    def outcome(self, timeout: float) -> dict[str, Any]:
        """Waits until nothing happens any more, or all is done, and counts."""
        try:
            until(lambda: len(done_jobs(self.host)) == len(self.pushed), timeout, "the end of all jobs")
        except AssertionError:
            assert waiting_jobs(self.host) == 0, "jobs are still waiting: the time was too short to tell"
        done = done_jobs(self.host)
        assert set(done) <= set(self.pushed)
        return {
            "jobs": len(self.pushed),
            "lost": len(self.pushed) - len(done),
            "done_twice": sorted(name for name, times in done.items() if times > 1),
        }


@pytest.fixture
def jobs(host: Host) -> Jobs:
    return Jobs(host)


def control(host: Host, *directives: str) -> None:
    """Changes the service by a drop-in, which the program leaves alone."""
    lines = "\n".join(("[Service]", *directives, ""))
    host.sh("mkdir -p /etc/systemd/system/sidekiq.service.d && cat >/etc/systemd/system/sidekiq.service.d/control.conf", stdin=lines)
    host.sh("systemctl daemon-reload && systemctl restart sidekiq")


def restart_while_busy(host: Host, jobs: Jobs, times: int, refill: tuple[int, int, float], gap: tuple[float, float]) -> float:
    """Restarts the service as a deploy does, with every thread at work; returns the seconds that the longest restart took."""
    longest = 0.0
    for dummy in range(times):
        time.sleep(jobs.random.uniform(*gap))
        jobs.push_mixed(*refill)
        jobs.wait_until_all_are_busy()
        began = time.monotonic()
        host.sh(f"{ALL_ARE_BUSY} && runuser -u deploy -- sudo -n systemctl restart sidekiq")
        longest = max(longest, time.monotonic() - began)
    return longest


def test_two_restarts_lose_no_job(host: Host, jobs: Jobs) -> None:
    install(host, OURS, concurrency=CONCURRENCY)
    restart_while_busy(host, jobs, times=2, refill=(10, 2, 9), gap=(0, 0))
    outcome = jobs.outcome(timeout=60)
    assert outcome["lost"] == 0, outcome


@pytest.mark.long
def test_twenty_restarts_lose_no_job(host: Host, jobs: Jobs) -> None:
    install(host, OURS, concurrency=CONCURRENCY)
    longest = restart_while_busy(host, jobs, times=20, refill=(12, 1, 40), gap=(0, 15))
    outcome = jobs.outcome(timeout=600)
    record("twenty restarts", OURS, **outcome, longest_restart=round(longest, 1))
    assert outcome["lost"] == 0, outcome


def ended_by_time(host: Host, jobs: Jobs, times: int) -> None:
    """Keeps every thread at work until the service has come to the end of its time so often."""
    for dummy in range(times):
        before = int(host.show("NRestarts")["NRestarts"])
        jobs.push_mixed(30, 6, 12)  # 25 seconds of work for all threads
        jobs.wait_until_all_are_busy()
        host.wait(f"test $(systemctl show -p NRestarts --value sidekiq) -gt {before}", timeout=120)


@pytest.mark.long
def test_a_restart_when_its_time_is_over_loses_no_job(host: Host, jobs: Jobs) -> None:
    install(host, OURS, concurrency=CONCURRENCY, directives={"Service": {"RuntimeMaxSec": 20}})
    ended_by_time(host, jobs, times=5)
    host.converge(concurrency=CONCURRENCY)
    outcome = jobs.outcome(timeout=180)
    record("RuntimeMaxSec", OURS, **outcome, restarts=5)
    assert outcome["lost"] == 0, outcome


@pytest.mark.long
def test_a_restart_when_its_time_is_over_that_is_cut_short_loses_jobs(host: Host, jobs: Jobs) -> None:
    install(host, OURS, concurrency=CONCURRENCY, directives={"Service": {"RuntimeMaxSec": 20}})
    control(host, "TimeoutStopSec=2")
    ended_by_time(host, jobs, times=2)
    host.sh("rm -r /etc/systemd/system/sidekiq.service.d")
    host.converge(concurrency=CONCURRENCY)
    outcome = jobs.outcome(timeout=60)
    record("RuntimeMaxSec", "TimeoutStopSec=2, 2 restarts only", **outcome)
    assert outcome["lost"] > 0, "the test could not tell if jobs were lost"


@pytest.mark.long
def test_a_stop_that_is_cut_short_loses_jobs(host: Host, jobs: Jobs) -> None:
    install(host, OURS, concurrency=CONCURRENCY)
    control(host, "TimeoutStopSec=2")
    restart_while_busy(host, jobs, times=2, refill=(5, 8, 10), gap=(0, 1))
    outcome = jobs.outcome(timeout=60)
    record("twenty restarts", "TimeoutStopSec=2, 2 restarts only", **outcome)
    assert outcome["lost"] > 0, "the test could not tell if jobs were lost"


@pytest.mark.long
@pytest.mark.parametrize("kill_mode", ["mixed", "control-group"])
def test_the_children_of_jobs_may_end_too(host: Host, jobs: Jobs, kill_mode: str) -> None:
    install(host, OURS, concurrency=CONCURRENCY)
    if kill_mode != "mixed":
        control(host, f"KillMode={kill_mode}")
    jobs.push("Child", *[6] * (CONCURRENCY + 1), *[12] * 3)
    jobs.wait_until_all_are_busy()
    host.sh("runuser -u deploy -- sudo -n systemctl restart sidekiq")
    outcome = jobs.outcome(timeout=40)
    record("children of jobs", OURS if kill_mode == "mixed" else f"KillMode={kill_mode}", **outcome)
    assert (outcome["lost"] > 0) == (kill_mode == "control-group"), outcome


@pytest.mark.long
@pytest.mark.parametrize("signal", ["SIGTERM", "SIGABRT"])
def test_the_watchdog_ends_a_locked_up_process_without_losing_its_jobs(host: Host, jobs: Jobs, signal: str) -> None:
    install(host, OURS, concurrency=CONCURRENCY, watchdog_sec=5)
    if host.show("Type")["Type"] != "notify":
        pytest.skip("this Sidekiq does not speak to systemd, so there is no watchdog")
    if signal != "SIGTERM":
        control(host, f"WatchdogSignal={signal}")
    jobs.push("Sleep", 20, 30, 30, 3)
    host.wait("test $(redis-cli llen queue:default) = 0")
    jobs.push("Hold", 12)
    host.wait("systemctl show -p NRestarts sidekiq | grep -q =1", timeout=60)
    outcome = jobs.outcome(timeout=90)
    record("watchdog", OURS if signal == "SIGTERM" else f"WatchdogSignal={signal}", **outcome)
    assert (outcome["lost"] > 0) == (signal == "SIGABRT"), outcome


def reboot_at_work(host: Host, jobs: Jobs) -> None:
    """Reboots a host on which every thread is at work and more jobs wait."""
    jobs.push("Sleep", *[20] * 4)
    host.wait("test $(redis-cli llen queue:default) = 2")  # the application has two threads
    jobs.push("Sleep", *[0.1] * 3, *[2] * 3)
    tool("reboot", host.name, capture_output=True)
    host.wait("systemctl is-active sidekiq")


@pytest.mark.long
@pytest.mark.parametrize("unit", [OURS, SEED])
def test_a_reboot_of_the_host_loses_no_job(host: Host, jobs: Jobs, unit: str) -> None:
    install(host, unit)
    host.sh("redis-cli config get save | grep -q 00")  # as Debian sets it: Redis keeps what it has when it is stopped
    reboot_at_work(host, jobs)
    outcome = jobs.outcome(timeout=120)
    record("reboot with jobs", unit, **outcome)
    assert (outcome["lost"] > 0) == (unit == SEED), outcome
