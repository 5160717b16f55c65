# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/migrating.md: from copies of a unit to one service of several processes, by its commands, while jobs are being done."""

from __future__ import annotations

from pathlib import Path

from conftest import APP, ROOT, Host
from guides import blocks, run

SEED_UNIT = (Path(__file__).parent / "seed.service").read_text()
LEDGER = f"{APP}/shared/tmp/ledger"
COPIES = ["sidekiq-1", "sidekiq-2"]
JOBS = [f"job-{n}" for n in range(12)]


def test_several_copies_become_one_service_and_no_job_is_lost(host: Host) -> None:
    for name in COPIES:
        host.sh(f"cat >/lib/systemd/system/{name}.service", stdin=SEED_UNIT.replace("SyslogIdentifier=sidekiq", f"SyslogIdentifier={name}"))
        host.sh(f"systemctl daemon-reload; systemctl enable -q --now {name}")
    host.sh(f"cd {APP}/current && for job in {' '.join(JOBS)}; do runuser -u deploy -- bin/push Sleep $job 5 {LEDGER}; done")
    host.wait("[ $(pgrep -u deploy -fc 'sidekiq .*[12] of 2 busy') = 2 ]")
    forgotten = host.converge(check=True, processes=2)
    for name in COPIES:
        assert any(f"disable --now {name}.service" in warning for warning in forgotten["warnings"]), forgotten
    for block in blocks(ROOT / "docs/migrating.md"):
        run(host, block)
    result = host.converge(processes=2)
    assert result["changed"] and not result.get("failed") and not result.get("warnings"), result
    assert host.out("pgrep -u deploy -fc '^sidekiq [0-9]'") == "2"
    host.wait(f"test $(sort -u {LEDGER} | wc -l) = {len(JOBS)}", timeout=120)
    assert host.out("systemctl list-unit-files --no-legend 'sidekiq*' | awk '{print $1}' | sort").split() == ["sidekiq.service", "sidekiq@.service"]
    assert not host.converge(processes=2)["changed"]
