# SPDX-License-Identifier: GPL-3.0-or-later
"""Every wait has a bound: a run ends in its time whatever systemd waits for, and says what that was."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from conftest import Host
from system import KNOWS_EXTEND
from test_interruption import RUNNING, begin, result_of
from test_rollback import AGAIN, AS_BEFORE, failed, is_settled, mounted, standing

SLOW = "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/sleep 600\n"

# A program that asks systemd for five more seconds every two seconds: while it starts or, with STOPPING, when it is to stop.
ASKS = """\
#!/usr/bin/ruby
require "socket"
$0 = "sidekiq 6.4.1 laevigata [0 of 5 busy]" if ARGV == ["STOPPING"]
systemd = Socket.new(:UNIX, :DGRAM)
systemd.connect(Socket.sockaddr_un(ENV["NOTIFY_SOCKET"].sub(/^@/, "\\0")))
asks = -> { 12.times { systemd.send("EXTEND_TIMEOUT_USEC=5000000", 0); sleep 2 }; exit }
asks.call unless ARGV == ["STOPPING"]
stops = false
trap("TERM") { stops = true }
systemd.send("READY=1", 0)
sleep 0.1 until stops
asks.call
"""


@pytest.fixture
def slow(host: Host) -> Iterator[None]:
    """A unit that takes ten minutes to start."""
    host.sh("cat >/etc/systemd/system/slow.service && systemctl daemon-reload", stdin=SLOW)
    yield
    host.sh("systemctl stop slow; rm /etc/systemd/system/slow.service; systemctl daemon-reload; systemctl reset-failed")


BEHIND: dict[str, Any] = {"after": ["slow.service"], "wants": ["slow.service"], "start_timeout": 4}


@contextmanager
def within(seconds: float) -> Iterator[None]:
    began = time.monotonic()
    yield
    assert time.monotonic() - began < seconds


@pytest.mark.usefixtures("slow")
@pytest.mark.parametrize("kind", ["notify", pytest.param("simple", marks=pytest.mark.long)])
def test_a_start_that_has_to_wait_for_another_unit(host: Host, kind: str) -> None:
    host.converge()
    before = standing(host)
    with within(25):
        result = host.converge(**BEHIND, type=kind, exec_start="/bin/sleep 900" if kind == "notify" else None)
    failed(result, "cannot restart sidekiq.service: it was not ready after 4s (start_timeout)", "first waits for slow.service", AGAIN)
    assert "Likely cause" not in result["msg"]
    assert standing(host) == before
    is_settled(host)


@pytest.mark.usefixtures("slow")
@pytest.mark.parametrize("several", [{}, {"instances": [{"name": "one"}, {"name": "two"}]}], ids=["one", "several"])
def test_a_first_start_that_has_to_wait_for_another_unit(host: Host, several: dict[str, Any]) -> None:
    before = host.snapshot()
    with within(25):
        failed(host.converge(**BEHIND, **several), "not ready after 4s (start_timeout)", "first waits for slow.service", AS_BEFORE)
    assert host.snapshot() == before
    assert host.out("systemctl list-jobs --no-legend; systemctl is-active slow; true") in ("inactive", "failed"), "what was started for it goes, too"


@pytest.mark.usefixtures("slow")
def test_what_is_kept_is_not_started_later(host: Host) -> None:
    failed(host.converge(**BEHIND, on_failure="keep"), "first waits for slow.service", rolled_back=False)
    assert "sidekiq" not in host.out("systemctl list-jobs --no-legend")
    assert host.show("ActiveState")["ActiveState"] == "inactive"


@pytest.fixture
def asks(host: Host) -> str:
    host.sh("cat >/usr/local/bin/asks && chmod 755 /usr/local/bin/asks", stdin=ASKS)
    return "/usr/local/bin/asks"


@pytest.mark.skipif(not KNOWS_EXTEND, reason="systemd knows no EXTEND_TIMEOUT_USEC")
def test_a_start_that_asks_for_more_time(host: Host, asks: str) -> None:
    host.converge()
    before = standing(host)
    with within(25):
        result = host.converge(type="notify", exec_start=asks, start_timeout=5, watchdog_sec=0)
    failed(result, "it was not ready after 5s (start_timeout)", "boot takes longer than start_timeout", AGAIN)
    assert standing(host) == before
    is_settled(host)


@pytest.mark.long
@pytest.mark.skipif(not KNOWS_EXTEND, reason="systemd knows no EXTEND_TIMEOUT_USEC")
def test_a_stop_that_asks_for_more_time(host: Host, asks: str) -> None:
    """It has what its unit gives it, and ten seconds."""
    old = {"type": "notify", "exec_start": f"{asks} STOPPING", "timeout_stop_sec": 2, "watchdog_sec": 0}
    assert not host.converge(**old).get("failed")
    before = standing(host)
    with within(50):
        result = host.converge(start_timeout=20, timeout_stop_sec=2)
    failed(result, "it has not stopped after 12s (its TimeoutStopSec and 10s)", AGAIN)
    assert standing(host) == before


def test_a_signal_ends_a_look_within_a_second(host: Host) -> None:
    before = host.snapshot()
    with mounted(host, "/usr/sbin/visudo", r"printf '#!/bin/sh\nexec sleep 600\n' >/root/hangs && chmod 755 /root/hangs && mount --bind /root/hangs $d"):
        run = begin(host)
        host.wait("pgrep -fx 'sleep 600'")
        host.sh(f"kill $({RUNNING})")
        with within(3):  # with the way there and back
            result = result_of(run)
        assert result["failed"] and "interrupted by signal 15" in result["msg"], result
        assert host.sh("pgrep -fx 'sleep 600'", check=False).returncode == 1
    assert host.snapshot() == before
