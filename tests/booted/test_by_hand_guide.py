# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/by-hand.md, followed to the letter: every command in it is run here, in its order, as the user that it is for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from conftest import ROOT, Host, booted, tool
from guides import Block, blocks, run
from system import KNOWS_EXEC, KNOWS_STEPS, NOTIFIES, SIDEKIQ, SYSTEMCTL

pytestmark = pytest.mark.skipif(not KNOWS_EXEC or SIDEKIQ < (5,), reason="the guide is for systemd 240 or newer and Sidekiq 5 or newer")

# What the collection would still change in what the guide has one write: what only newer systemds know.
LEFT = {"-RestartSec=25", "+RestartSec=1", "+RestartSteps=5", "+RestartMaxDelaySec=30"} if KNOWS_STEPS else set()


@pytest.fixture
def bare() -> Iterator[Host]:
    with booted("byhand") as host:
        yield host


def test_the_guide(bare: Host) -> None:
    *steps, undo = blocks(ROOT / "docs/by-hand.md")
    for step in steps:
        follow(bare, step)
    told = bare.converge(check=True)
    assert not told.get("failed") and not told.get("warnings"), told
    files = [diff for diff in told.get("diff", []) if diff["before_header"].startswith("/")]
    changes = {line for diff in files for line in changed_lines(diff["before"], diff["after"])}
    assert changes == LEFT, told
    # Its command for monitoring is the collection's own.
    brought = [step for step in told["steps"] if step == "write /usr/local/sbin/sidekiq-health"]
    assert brought and (LEFT or told["steps"] == brought), told
    run(bare, undo)
    assert bare.sh("systemctl cat sidekiq", check=False).returncode, "the service is still there"
    assert "systemctl" not in bare.out("sudo -l -U deploy")


def follow(host: Host, block: Block) -> None:
    if block.when == "where Sidekiq cannot notify" and NOTIFIES:
        return
    if block.when == "after a reboot":
        tool("reboot", host.name, capture_output=True)
        host.wait("systemctl is-active sidekiq")
    # As the guide says, and where sudo looks.
    run(host, replace(block, script=block.script.replace("/usr/bin/systemctl", SYSTEMCTL)))


def changed_lines(before: str, after: str) -> set[str]:
    old, new = before.splitlines(), after.splitlines()
    return {f"-{line}" for line in old if line not in new} | {f"+{line}" for line in new if line not in old}
