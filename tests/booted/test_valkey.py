# SPDX-License-Identifier: GPL-3.0-or-later
"""Valkey in the place of Redis, as Debian 13 and later have it."""

from __future__ import annotations

import pytest
from conftest import SUITE, Host
from test_no_job_lost import Jobs, reboot_at_work

HOST_OPTIONS = ["--with", "valkey-server"]
pytestmark = pytest.mark.long


@pytest.fixture
def host(host: Host) -> Host:
    """A host with Valkey, and a Redis that is installed and not used."""
    host.sh("systemctl mask --now --quiet redis-server; systemctl enable --quiet --now valkey-server; redis-cli flushall")
    assert "valkey_version" in host.out("redis-cli info server")
    return host


@pytest.mark.skipif(SUITE not in ("trixie", "forky", "resolute"), reason="this system has no Valkey")
def test_reboots_lose_no_job(host: Host) -> None:
    jobs = Jobs(host)
    assert not host.converge().get("failed")
    order = host.show("After", "Wants")
    assert all("valkey-server.service" in order[name].split() and "redis-server.service" not in order[name].split() for name in order), order
    for dummy in range(2):
        reboot_at_work(host, jobs)
        host.wait("systemctl is-active valkey-server")
        outcome = jobs.outcome(timeout=150)
        assert outcome["lost"] == 0, outcome
