# SPDX-License-Identifier: GPL-3.0-or-later
"""Measured figures for docs/always-running.md: how a service under a certain unit came through something.

The tests write them into the file that SIDEKIQ_FIGURES names; without it they are only compared.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conftest import APP, SUITE, UNIT, Host

OURS = "ours"
SEED = "by hand"  # seed.service
EVERY_SECOND = "every second"  # ours, but for RestartSec=1 without backoff
LEDGER = f"{APP}/shared/tmp/ledger"


def install(host: Host, unit: str, **options: Any) -> None:
    """Has Sidekiq run under one of the units, and waits until it takes jobs. options: of ours."""
    if unit == SEED:
        host.sh(f"cat >{UNIT} && systemctl daemon-reload && systemctl enable -q --now sidekiq", stdin=SEED_UNIT.read_text())
    else:
        result = host.converge(**options, **({"restart_sec": 1} if unit == EVERY_SECOND else {}))
        assert not result.get("failed"), result
    assert seconds_until_back(host, now(host)) is not None, f"Sidekiq does no jobs under the unit {unit}"


SEED_UNIT = Path(__file__).with_name("seed.service")


def now(host: Host) -> float:
    """The host's clock."""
    return float(host.out("date +%s.%N"))


def seconds_until_back(host: Host, since: float, limit: int = 60, redis: str = "") -> float | None:
    """Pushes a job and waits until it is done: the seconds since a moment of the host's clock, None if that takes more than limit from now.

    redis: the URL of a Redis that is not the host's own.
    """
    done = host.sh(
        f"set -e; {f'export REDIS_URL={redis}; ' if redis else ''}mark={APP}/shared/tmp/back; end=$(($(date +%s) + {limit})); rm -f $mark; cd {APP}/current;"
        " in_time() { [ $(date +%s) -lt $end ] || { echo never; exit; }; };"
        " until runuser -u deploy -- bin/push WriteFile $mark >/dev/null 2>&1; do in_time; sleep 0.2; done;"
        " until [ -s $mark ]; do in_time; sleep 0.1; done; stat -c %.Y $mark",
        timeout=limit + 60,
    ).stdout.strip()
    return None if done == "never" else round(float(done) - since, 1)


@dataclass
class Watch:
    """What a service does from a moment on."""

    host: Host
    since: float
    cpu: float

    @classmethod
    def begin(cls, host: Host) -> Watch:
        return cls(host, now(host), cpu_seconds(host))

    def figures(self) -> dict[str, Any]:
        """Seconds of watching, automatic restarts, CPU seconds of the whole host and journal lines about the service."""
        restarts = self.host.show("NRestarts").get("NRestarts")
        return {
            "seconds": round(now(self.host) - self.since),
            "restarts": int(restarts) if restarts else None,  # systemd counts them since version 235
            "cpu_seconds": round(cpu_seconds(self.host) - self.cpu, 1),
            "journal_lines": int(self.host.out(f"journalctl -q -u sidekiq --since=@{self.since:.0f} | wc -l")),
            "state": self.host.show("ActiveState")["ActiveState"],
        }


def cpu_seconds(host: Host) -> float:
    """CPU seconds of everything on the host since its boot: Sidekiq, systemd, the journal. Not a number where the old cgroups do not tell."""
    return float(host.out("awk '/^usage_usec/ { print $2 }' /sys/fs/cgroup/cpu.stat 2>/dev/null || echo nan")) / 1e6


def hide_redis(host: Host) -> None:
    """Stops Redis, and nothing starts it meanwhile, not even a boot."""
    host.sh("systemctl mask -q redis-server && systemctl stop redis-server")


def bring_redis_back(host: Host) -> float:
    """Starts Redis, and returns when it was up."""
    return float(host.out("systemctl unmask -q redis-server && systemctl start redis-server && date +%s.%N"))


def push_all(host: Host, jobs: Iterable[tuple[str, str, float]]) -> None:
    """Pushes jobs, each a class, an id and its seconds, in one go."""
    lines = "".join(f"{kind} {name} {seconds}\n" for kind, name, seconds in jobs)
    host.sh(f"cd {APP}/current && runuser -u deploy -- bin/push", stdin=lines)


def done_jobs(host: Host) -> Counter[str]:
    """How often each job was done."""
    return Counter(host.out(f"cat {LEDGER} 2>/dev/null || true").split())


def waiting_jobs(host: Host) -> int:
    """The jobs in the queue that no thread has taken yet."""
    return int(host.out("redis-cli llen queue:default"))


def record(situation: str, unit: str, **figures: Any) -> None:
    """Keeps the figures of one unit in one situation, and how busy the machine was: seconds until something is back depend on it."""
    figures["load"] = round(os.getloadavg()[1], 1)
    print(f"{SUITE}, {situation}, {unit}: {json.dumps(figures)}")
    if not (path := os.environ.get("SIDEKIQ_FIGURES")):
        return
    with open(path, "a+", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        everything = json.loads(file.read() or "{}")
        everything.setdefault(SUITE, {}).setdefault(situation, {})[unit] = figures
        file.truncate(0)
        file.write(json.dumps(everything, indent=1, sort_keys=True) + "\n")


def record_versions(host: Host) -> None:
    """Keeps which versions the figures are of."""
    record(
        "versions",
        "packages",
        systemd=host.out("systemctl --version | awk 'NR == 1 { print $2 }'"),
        ruby=host.out("ruby -e 'print RUBY_VERSION'"),
        sidekiq=host.out("ruby -e 'print Gem::Specification.find_by_name(%q(sidekiq)).version'"),
        redis=host.out("redis-server --version | sed 's/.*v=//; s/ .*//'"),
    )
