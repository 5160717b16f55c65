# SPDX-License-Identifier: GPL-3.0-or-later
"""A Rails application whose Redis is on another host, and an outage of three minutes: Redis is stopped, or its packets are dropped on the way.
And one of ten minutes, with an application that takes 20 seconds of a processor to boot.

The figures are those of docs/always-running.md, as in test_always_running.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import APP, Host, booted, tool
from figures import OURS, Watch, bring_redis_back, cpu_seconds, hide_redis, now, record, seconds_until_back
from test_rails import HOST_OPTIONS, SECRET  # noqa: F401, of the same hosts; pylint: disable=unused-import
from test_rails import pytestmark as on_its_systems

pytestmark = pytest.mark.long

OUTAGE = int(os.environ.get("SIDEKIQ_OUTAGE", "180"))  # seconds
LONG_OUTAGE = int(os.environ.get("SIDEKIQ_OUTAGE", "600"))
CPU = 20  # seconds of a processor that a boot takes, in the long outage
LIMIT = 30  # seconds until Sidekiq takes jobs, beside the time that the application takes to boot


@dataclass
class Remote:
    """A host with Redis, as another host reaches it."""

    host: Host
    url: str

    def drop(self) -> None:
        """Has packets of the client answered by nothing, as a firewall does: what Redis answers is not passed on."""
        pass_on(self.host, "0")

    def pass_again(self) -> float:
        pass_on(self.host)
        return now(self.host)


def address(host: Host) -> str:
    return tool("address", host.name, capture_output=True).stdout.strip()


def pass_on(host: Host, switch: str = "1") -> None:
    """Has this machine pass on what comes from a host, or not. The switch is its interface's own, and goes with it."""
    interface = f"skq{address(host).split('.')[2]}"
    Path(f"/proc/sys/net/ipv4/conf/{interface}/forwarding").write_text(switch, encoding="ascii")


@pytest.fixture(scope="module")
def remote(machine: Host) -> Iterator[Remote]:
    with booted("redis") as host:
        for end in (machine, host):
            pass_on(end)
        host.sh("printf 'bind 0.0.0.0\\nprotected-mode no\\n' >>/etc/redis/redis.conf && systemctl restart redis-server")
        yield Remote(host, f"redis://{address(host)}:6379/0")


@pytest.fixture
def boot(host: Host, remote: Remote) -> float:
    """Has Sidekiq run with that Redis alone, and measures a boot of the application: its seconds."""
    hide_redis(host)
    result = host.converge(secret_env={**SECRET["secret_env"], "REDIS_URL": remote.url})
    assert not result.get("failed"), result["msg"]
    seconds, cpu = boot_once(host)
    version = host.out("ruby -e 'print Gem::Specification.find_by_name(%q(rails)).version'")
    record("a boot of the Rails application", OURS, seconds=seconds, cpu_seconds=cpu, rails=version)
    return seconds


def boot_once(host: Host) -> tuple[float, float]:
    """Stops Sidekiq and starts it: the seconds that the start takes, and the CPU seconds of the whole host."""
    host.sh("systemctl stop sidekiq")
    began, cpu = now(host), cpu_seconds(host)
    host.sh("systemctl start sidekiq")
    return round(now(host) - began, 1), round(cpu_seconds(host) - cpu, 1)


@on_its_systems
@pytest.mark.parametrize("dropped", [False, True], ids=["stopped", "dropped"])
@pytest.mark.parametrize("started", [True, False], ids=["started in it", "running before it"])
def test_an_outage(host: Host, remote: Remote, boot: float, dropped: bool, started: bool) -> None:
    if dropped:
        remote.drop()
    else:
        hide_redis(remote.host)
    watch = Watch.begin(host)
    if started:
        host.sh("systemctl restart --no-block sidekiq")
    time.sleep(OUTAGE)
    figures = watch.figures()
    again = remote.pass_again() if dropped else bring_redis_back(remote.host)
    back = seconds_until_back(host, again, limit=90, redis=remote.url)
    kind = "packets to it are dropped" if dropped else "it is stopped"
    record(f"remote redis, {kind}, {'started in the outage' if started else 'running before it'}", OURS, back=back, **figures)
    assert back is not None and back < LIMIT + boot + 10, (back, boot)


@on_its_systems
def test_ten_minutes_with_an_application_that_takes_long_to_boot(host: Host, remote: Remote, boot: float) -> None:
    """The pauses are as long as they are so that this costs less than half of one processor."""
    host.sh(
        f"cd {APP}/current/config && cp -p environment.rb /root/ && cat >>environment.rb",
        stdin=f"nil while Process.clock_gettime(Process::CLOCK_PROCESS_CPUTIME_ID) < {CPU}\n",
    )
    try:
        # First in line for a processor: on a machine that does other things as well, boots would take longer, and be fewer in ten minutes.
        result = host.converge(secret_env={**SECRET["secret_env"], "REDIS_URL": remote.url}, directives={"Service": {"Nice": "-10"}})
        assert not result.get("failed"), result["msg"]
        slow, cpu = boot_once(host)
        hide_redis(remote.host)
        watch = Watch.begin(host)
        host.sh("systemctl restart --no-block sidekiq")
        time.sleep(LONG_OUTAGE)
        figures = watch.figures()
        back = seconds_until_back(host, bring_redis_back(remote.host), limit=round(LIMIT + 3 * slow + 60), redis=remote.url)
    finally:
        host.sh(f"cp -p /root/environment.rb {APP}/current/config/")
    record("remote redis, stopped, a boot takes 20 s of CPU", OURS, back=back, boot_seconds=slow, boot_cpu_seconds=cpu, **figures)
    assert figures["cpu_seconds"] <= figures["seconds"] / 2, figures
    assert back is not None and back < LIMIT + 2 * slow, (back, slow)  # the machine may be busier than it was at the first boot
