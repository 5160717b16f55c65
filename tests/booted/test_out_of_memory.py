# SPDX-License-Identifier: GPL-3.0-or-later
"""What one job's child that is killed for memory means for the service and for its other jobs.

The limit needs the kernel's memory controller in the version 2 tree. A container has only what the machine it runs on gives it, so here
the file system of a test host is booted under a kernel of its own: User Mode Linux, an ordinary program (Debian: user-mode-linux).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import APP, ROOT, UNIT, booted, tool
from figures import OURS, SEED, SEED_UNIT, record

pytestmark = pytest.mark.long

LINUX = shutil.which("linux.uml")
LIMIT = "MemoryMax=250M"

RUN_AND_POWER_OFF = """\
[Unit]
After=multi-user.target
[Service]
Type=oneshot
ExecStart=/root/out_of_memory.sh {unit}
StandardOutput=append:/root/outcome
StandardError=inherit
ExecStopPost=/bin/systemctl --no-block poweroff
[Install]
WantedBy=graphical.target
"""


@pytest.mark.skipif(LINUX is None, reason="user-mode-linux is not installed")
@pytest.mark.parametrize("unit", [OURS, SEED])
def test_a_child_killed_for_memory_does_not_end_the_other_jobs(unit: str) -> None:
    with booted(f"oom-{unit.replace(' ', '-')}") as host:
        host.sh("cat >/root/out_of_memory.sh && chmod 755 /root/out_of_memory.sh", stdin=(ROOT / "tests/booted/out_of_memory.sh").read_text())
        host.sh("cat >/root/request.json", stdin=json.dumps({"project_name": "laevigata", "start_timeout": 900}))
        host.sh("mkdir /etc/systemd/system/sidekiq.service.d; cat >/etc/systemd/system/sidekiq.service.d/limit.conf", stdin=f"[Service]\n{LIMIT}\n")
        host.sh("cat >/etc/systemd/system/outcome.service", stdin=RUN_AND_POWER_OFF.format(unit=unit.split()[0]))
        host.sh(f"sed -i 's/:concurrency: .*/:concurrency: 3/' {APP}/shared/config/sidekiq.yml")
        if unit == SEED:
            host.sh(f"cat >{UNIT}", stdin=SEED_UNIT.read_text())
        host.sh("systemctl daemon-reload; systemctl enable -q outcome; systemctl mask -q ssh; sync")
        tool("kill", host.name)
        root = Path(tool("root", host.name, capture_output=True).stdout.strip())
        boot(root)
        outcome = json.loads((root / "root/outcome").read_text().splitlines()[-1])
    record("a child killed for memory", unit, **outcome)
    assert outcome["state"] == "active"
    if unit == OURS:
        assert (outcome["restarts"], outcome["lost"]) == (0, []), outcome
    else:
        assert outcome["restarts"] == 1 and "with-a-child" in outcome["lost"], outcome


def boot(root: Path) -> None:
    """Boots a file system under User Mode Linux, and waits until it powers itself off."""
    assert LINUX is not None
    subprocess.run(
        [LINUX, "mem=1G", "rootfstype=hostfs", f"rootflags={root}", "rw", "init=/lib/systemd/systemd", "con=null", "con0=null,fd:1", "quiet"],
        env={**os.environ, "TMPDIR": "/dev/shm"},
        stdin=subprocess.DEVNULL,
        stdout=(root.parent / "console.log").open("ab"),
        timeout=900,
        check=True,
    )
