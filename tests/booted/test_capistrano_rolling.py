# SPDX-License-Identifier: GPL-3.0-or-later
"""Capistrano and two servers: all at once, or one after the other."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from checkouts import APP_HOST, Checkout, is_quiet, push_jobs, running_version, wait_until_done
from conftest import APP, SUITE, Host, booted
from system import NOTIFIES

pytestmark = pytest.mark.long

HOST_OPTIONS = APP_HOST
ROLLING = "set :sidekiq_restart_in, :sequence"
BROKEN = 'raise "this release is broken" if ENV["DAMAGED"]'


@pytest.fixture(scope="module")
def machines(machine: Host) -> Iterator[list[Host]]:
    with booted("capistrano-2", *HOST_OPTIONS) as second:
        yield [machine, second]


@pytest.fixture(scope="module")
def the_checkout(machines: list[Host], tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    return Checkout(tmp_path_factory.mktemp("checkout") / "laevigata", *machines)


@pytest.fixture
def hosts(machines: list[Host], the_checkout: Checkout) -> list[Host]:
    """Both with the service running, in the release "before"."""
    for host in machines:
        host.reset()
        host.converge(timeout_stop_sec=15)
    the_checkout.deploy("before")
    for host in machines:
        result = host.converge(timeout_stop_sec=15)
        assert not result.get("failed") and result["deployed"], result
    return machines


@pytest.fixture
def checkout(hosts: list[Host], the_checkout: Checkout) -> Iterator[Checkout]:
    """The checkout; what a test changes is undone."""
    files = {path: path.read_text() for path in (the_checkout.directory / "config/deploy.rb", the_checkout.directory / "app.rb")}
    version = the_checkout.version
    yield the_checkout
    the_checkout.version = version
    for path, text in files.items():
        path.write_text(text)


@contextmanager
def damaged(host: Host) -> Iterator[None]:
    """Has the host's Sidekiq fail in a release that has the line BROKEN."""
    directory = "/run/systemd/system/sidekiq.service.d"
    host.sh(f"mkdir -p {directory}; printf '[Service]\\nEnvironment=DAMAGED=1\\n' >{directory}/a.conf; systemctl daemon-reload")
    try:
        yield
    finally:
        host.sh(f"rm -r {directory}; systemctl daemon-reload")


def moment(host: Host, what: str) -> float:
    """When systemd last said so of the service, by the clock that all test hosts share."""
    return float(host.out(f"journalctl -q -o short-unix -u sidekiq | grep '{what} sidekiq.service' | tail -n 1").split()[0])


def test_all_at_once(hosts: list[Host], checkout: Checkout) -> None:
    jobs = [push_jobs(host, "flight", 5, 14, 1, 1, 1) for host in hosts]
    checkout.deploy("at once")
    assert [running_version(host) for host in hosts] == ["at once"] * 2
    for host, names in zip(hosts, jobs, strict=True):
        wait_until_done(host, names)


def test_one_after_the_other_the_next_when_the_last_is_up(hosts: list[Host], checkout: Checkout) -> None:
    checkout.set(ROLLING)
    for host in hosts:
        host.sh(f"echo 3 >{APP}/shared/boot_delay")
    jobs = [push_jobs(host, "flight", 5, 14, 1, 1, 1) for host in hosts]
    output = checkout.deploy("rolling")
    assert "systemctl reload" not in output, "none is quiet while it is not its turn"
    assert [running_version(host) for host in hosts] == ["rolling"] * 2
    if NOTIFIES:  # or else the tasks find out
        assert moment(hosts[0], "Started") < moment(hosts[1], "Stopping")
    for host, names in zip(hosts, jobs, strict=True):
        wait_until_done(host, names)


def test_a_server_that_does_not_come_up_ends_a_rolling_deploy_and_the_next_works_on(hosts: list[Host], checkout: Checkout) -> None:
    checkout.set(ROLLING)
    checkout.break_code(BROKEN)
    checkout.commit("broken")
    pid = hosts[1].main_pid()
    with damaged(hosts[0]):
        output = checkout.cap("deploy", check=False)
    assert "this release is broken" in output and output.count("systemctl restart sidekiq") == 1, output
    assert hosts[1].main_pid() == pid and not is_quiet(hosts[1])
    assert running_version(hosts[1]) == "before"


def test_a_server_that_does_not_come_up_keeps_none_of_the_others_quiet(hosts: list[Host], checkout: Checkout) -> None:
    checkout.break_code(BROKEN)
    checkout.commit("broken")
    jobs = push_jobs(hosts[1], "other", 10, 1, 1)  # its restart takes longer than the failure of the first
    with damaged(hosts[0]):
        output = checkout.cap("deploy", check=False)
    assert "this release is broken" in output, output
    assert running_version(hosts[1]) == "broken" and not is_quiet(hosts[1])
    wait_until_done(hosts[1], jobs)


@pytest.mark.parametrize("setting", ["", ROLLING])
def test_how_long_no_job_is_done(hosts: list[Host], checkout: Checkout, setting: str) -> None:
    """With an application that takes 5 s to boot, and a job every 0.2 s on each server."""
    checkout.set(setting)
    for host in hosts:
        host.sh(f"echo 5 >{APP}/shared/boot_delay")
        beats = f"{APP}/shared/tmp/beats"
        host.sh(f"install -d -o deploy {beats}; cat >/tmp/beat.rb", stdin=BEAT)
        host.sh(f"systemd-run --quiet --unit beat --uid deploy ruby -W0 /tmp/beat.rb {beats}")
    time.sleep(2)
    began = time.monotonic()
    checkout.deploy("measured")
    took = time.monotonic() - began
    done = [times(host) for host in hosts]
    gaps = [longest_gap(moments) for moments in done]
    together = longest_gap(sorted(sum(done, [])))
    print(f"{SUITE}, {setting or 'all at once'}: deploy {took:.1f} s, no job for {together:.1f} s, on each {gaps[0]:.1f} and {gaps[1]:.1f} s")
    if setting:
        assert together < 2 < min(gaps), "one works while the other is restarted"


# Pushes a job every 0.2 s until the service beat is stopped, and says how many there were.
BEAT = """
require "sidekiq"
Redis.silence_deprecations = true if defined?(Redis) && Redis.respond_to?(:silence_deprecations=)
Sidekiq.logger.level = Logger::WARN
stop = false
trap("TERM") { stop = true }
pushed = 0
until stop
  Sidekiq::Client.push("class" => "WriteFile", "args" => ["#{ARGV[0]}/#{pushed += 1}"], "retry" => false)
  sleep 0.2
end
File.write("#{ARGV[0]}.pushed", "#{pushed}\\n")
"""


def times(host: Host) -> list[float]:
    """Ends the stream of jobs, sees that none is lost, and returns when each was done."""
    beats = f"{APP}/shared/tmp/beats"
    host.sh("systemctl stop beat")
    pushed = int(host.wait(f"cat {beats}.pushed"))
    host.wait(f"[ $(ls {beats} | wc -l) = {pushed} ]")
    return sorted(map(float, host.out(f"stat -c %.Y {beats}/*").split()))


def longest_gap(moments: list[float]) -> float:
    return max(later - earlier for earlier, later in zip(moments, moments[1:], strict=False))
