# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of Sidekiq when something goes wrong around it, under our unit and, as the control, under the one people wrote by hand.

The figures are those of docs/always-running.md; `benchmarks/tables.py measure always_running` has them measured anew.
"""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from conftest import APP, Host, booted, tool
from figures import (
    EVERY_SECOND,
    OURS,
    SEED,
    Watch,
    bring_redis_back,
    hide_redis,
    install,
    now,
    record,
    record_versions,
    seconds_until_back,
)

OUTAGE = int(os.environ.get("SIDEKIQ_OUTAGE", "600"))  # seconds
UNITS = pytest.mark.parametrize("unit", [OURS, SEED])


@pytest.mark.parametrize("unit", [OURS, pytest.param(SEED, marks=pytest.mark.long)])
def test_terminated_from_outside(host: Host, unit: str) -> None:
    install(host, unit)
    killed_from_outside(host, unit, "TERM")
    assert host.show("ActiveState")["ActiveState"] == ("active" if unit == OURS else "inactive")


@pytest.mark.long
@UNITS
def test_killed_from_outside(host: Host, unit: str) -> None:
    install(host, unit)
    killed_from_outside(host, unit, "KILL")
    assert host.show("ActiveState")["ActiveState"] == "active"


def killed_from_outside(host: Host, unit: str, signal: str) -> None:
    watch = Watch.begin(host)
    host.sh(f"kill -{signal} {host.main_pid()}")
    back = seconds_until_back(host, watch.since, limit=40)
    record(f"kill -{signal}", unit, back=back, **watch.figures())
    assert (back is None) == (unit == SEED and signal == "TERM")


@pytest.mark.long
@UNITS
def test_redis_down_while_the_host_boots(host: Host, unit: str) -> None:
    install(host, unit)
    hide_redis(host)
    tool("reboot", host.name, capture_output=True)
    watch = Watch.begin(host)
    time.sleep(60)
    figures = watch.figures()
    back = seconds_until_back(host, bring_redis_back(host), limit=90)
    record("redis down for 60 s at boot", unit, back=back, **figures)
    back_or_given_up(unit, back, figures["state"])


@pytest.mark.long
@UNITS
def test_application_deployed_after_the_boot(host: Host, unit: str) -> None:
    install(host, unit)
    host.sh(f"rm {APP}/current")
    tool("reboot", host.name, capture_output=True)
    watch = Watch.begin(host)
    time.sleep(60)
    figures = watch.figures()
    tool("deploy", host.name)
    back = seconds_until_back(host, now(host), limit=90)
    record("application missing for 60 s at boot", unit, back=back, **figures)
    assert (back is None) == (unit == SEED)


@pytest.mark.long
@UNITS
def test_a_process_that_hangs(host: Host, unit: str) -> None:
    install(host, unit)
    watched = host.show("Type")["Type"] == "notify"  # or this Sidekiq does not speak to systemd, and there is no watchdog
    watch = Watch.begin(host)
    host.sh(f"kill -STOP {host.main_pid()}")
    if watched:
        # systemd sends a CONT after its signal, and the old process may do a job before it ends.
        host.wait("systemctl show -p NRestarts sidekiq | grep -q =1", timeout=150)
    back = seconds_until_back(host, watch.since, limit=200)
    record("a process that hangs", unit, back=back, **watch.figures())
    assert (back is None) != watched


@pytest.mark.long
@UNITS
def test_left_quiet_by_a_deploy_that_died(host: Host, unit: str) -> None:
    """The next run of the play restarts it, once it has been quiet for longer than any stop takes. By hand there is no such run."""
    install(host, unit)
    watch = Watch.begin(host)
    host.sh("systemctl kill -s TSTP --kill-who=main sidekiq")
    # What the next deploy, or a person, would try first.
    host.sh("sleep 1; systemctl start sidekiq && systemctl is-active -q sidekiq")
    assert seconds_until_back(host, watch.since, limit=20) is None, "a quiet Sidekiq takes no jobs"
    if unit == OURS:
        deploying = host.converge()
        assert not deploying["changed"], "a deploy may be under way"
        assert any("quiet" in warning for warning in deploying["warnings"]), deploying
        time.sleep(90)
        mended = host.converge()
        assert [step for step in mended["steps"] if "restart" in step and "quiet" in step], mended
    else:
        time.sleep(90)
    back = seconds_until_back(host, watch.since, limit=20)
    record("left quiet", unit, back=back, **watch.figures())
    assert (back is None) == (unit == SEED)


@pytest.mark.long
def test_a_run_during_a_deploy_leaves_the_quiet_service_alone(host: Host) -> None:
    """Also if the deploy quieted it past systemd, as capistrano-sidekiq does, which then knows nothing of it."""
    install(host, OURS, timeout_stop_sec=20)
    time.sleep(25)
    host.sh("systemctl kill -s TSTP --kill-who=main sidekiq; sleep 6")
    deploying = host.converge(timeout_stop_sec=20)
    assert not deploying["changed"], deploying
    assert any("quiet" in warning for warning in deploying["warnings"]), deploying
    time.sleep(20)
    assert host.converge(timeout_stop_sec=20)["changed"]


# Ten minutes without Redis, on a host for each unit, at the same time.

STARTED_IN_IT = "redis down for 10 minutes, service started meanwhile"
RUNNING = "redis down for 10 minutes below a running service"


@pytest.mark.long
def test_ten_minutes_without_redis() -> None:
    cases = [(STARTED_IN_IT, OURS), (STARTED_IN_IT, SEED), (STARTED_IN_IT, EVERY_SECOND), (RUNNING, OURS), (RUNNING, SEED)]
    with ExitStack() as stack:
        hosts = [stack.enter_context(booted(f"outage-{n}")) for n in range(len(cases))]
        record_versions(hosts[0])
        with ThreadPoolExecutor(len(cases)) as pool:
            backs = list(pool.map(outage, hosts, cases))
    assert backs[0] is not None and backs[3] is not None


def outage(host: Host, case: tuple[str, str]) -> float | None:
    situation, unit = case
    install(host, unit)
    hide_redis(host)
    watch = Watch.begin(host)
    if situation == STARTED_IN_IT:
        host.sh("systemctl restart --no-block sidekiq")
    time.sleep(OUTAGE)
    figures = watch.figures()
    back = seconds_until_back(host, bring_redis_back(host), limit=120)
    record(situation, unit, back=back, **figures)
    back_or_given_up(unit, back, figures["state"])
    return back


def back_or_given_up(unit: str, back: float | None, state: str) -> None:
    """The unit by hand gives up if five attempts fail within ten seconds. Whether they do, depends on the machine and the application."""
    assert (back is None) == (unit == SEED and state == "failed"), (back, state)
