# SPDX-License-Identifier: GPL-3.0-or-later
"""The golden units of the program's own tests are accepted by systemd-analyze itself, on a system with the systemd that they are made for.

testdata/accepted.txt says on which and when that was last so; with SIDEKIQ_RECORD=1 the rows of this system are written anew.
"""

from __future__ import annotations

import datetime
import os
import re

import pytest
from conftest import ROOT, Host
from system import SUITE, SYSTEMD

DATA = ROOT / "module_src/internal/sidekiq/testdata"
ACCEPTED = DATA / "accepted.txt"
HERE = [line.split()[0] for line in ACCEPTED.read_text().splitlines() if not line.startswith("#") and line.split()[1] == SUITE]
# What is said of a host that lacks the program, a manual or a neighbour, and not of what stands in the unit.
OF_THE_HOST = re.compile("is not executable: No such file|Command 'man |Unit .* not found|Failed to load environment file")

VERIFY = "mkdir -p /root/golden && cat >/root/golden/'{name}' && systemd-analyze verify /root/golden/'{name}' 2>&1; rm -rf /root/golden; true"


def objections(host: Host, name: str, text: str) -> list[str]:
    """What systemd-analyze has against a unit."""
    said = host.sh(VERIFY.format(name=name), stdin=text).stdout.splitlines()
    stem = name.rsplit(".", 1)[0]
    return [line for line in said if stem in line and not OF_THE_HOST.search(line)]


def test_each_system_has_units_of_its_own_systemd() -> None:
    assert {f"plain-{SYSTEMD}.service", f"strict-{SYSTEMD}.service"} <= set(HERE)


@pytest.mark.parametrize("name", HERE)
def test_systemd_analyze_accepts_it(host: Host, name: str) -> None:
    text = (DATA / name).read_text()
    assert objections(host, name, text) == []
    # The control: one more directive that no systemd knows, and a value that none takes.
    assert objections(host, name, text.replace("[Service]\n", "[Service]\nRestartPolicy=always\nUMask=none\n"))
    if os.environ.get("SIDEKIQ_RECORD"):
        record(host, name)


def record(host: Host, name: str) -> None:
    version = host.out("dpkg-query --show --showformat='${Version}' systemd")
    today = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
    row = f"{name} {SUITE} {version} {today}"
    assert version.startswith(str(SYSTEMD)), version
    ACCEPTED.write_text(re.sub(rf"^{re.escape(name)} .*$", row, ACCEPTED.read_text(), flags=re.MULTILINE))
