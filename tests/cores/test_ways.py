# SPDX-License-Identifier: GPL-3.0-or-later
"""Every way to reach a host, with the oldest and the newest ansible-core, and core's own `command` as a control.

What was seen is written into the file that SIDEKIQ_FIGURES names, and from there into docs/connections.md: benchmarks/tables.py measure ways.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT, Host
from plays import Played
from ways import AS_BEFORE, PYTHON, WAYS, Way, try_way

pytest.register_assert_rewrite("controllers")
from controllers import CORES, MANY_WAYS, Controller, send

pytest_plugins = ["controllers"]


def version(text: str) -> list[int]:
    return [int(part) for part in text.split(".")]


OLDEST, NEWEST = min(CORES, key=version), max(CORES, key=version)
# What the plugins of other collections need, of the package that has them all.
OTHERS = re.compile(
    r"ansible_collections/(community/general/(meta|plugins/(become|module_utils))|ansible/(posix|netcommon|utils)"
    r"|vyos/vyos/(meta|plugins/(cliconf|module_utils|terminal)))/|.*/(MANIFEST|FILES)\.json$"
)
SHOWN = {"ansible.builtin.debug": {"msg": "RESULT<{{ registered | to_json | b64encode }}>"}, "when": "registered is defined"}


@pytest.fixture(scope="session")
def other_collections(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """community.general, ansible.posix and ansible.netcommon, as far as plugins for connections go."""
    directory = tmp_path_factory.mktemp("others")
    pinned = re.search(r"^ansible==.*?(?=^\S)", (ROOT / "requirements/bench.txt").read_text(), re.MULTILINE | re.DOTALL)[0]
    (directory / "ansible.txt").write_text(pinned)
    fetch = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes", "--only-binary", ":all:"]
    subprocess.run([*fetch, "--dest", directory, "--requirement", directory / "ansible.txt"], check=True)
    with zipfile.ZipFile(next(directory.glob("*.whl"))) as wheel:
        wheel.extractall(directory / "content", [name for name in wheel.namelist() if OTHERS.match(name)])
    return directory / "content"


@pytest.fixture(scope="session")
def seen() -> Iterator[dict[str, Any]]:
    """What was seen, by ansible-core and way."""
    found: dict[str, Any] = {}
    yield found
    if path := os.environ.get("SIDEKIQ_FIGURES"):
        Path(path).write_text(json.dumps(found, indent=1) + "\n")


@pytest.fixture(scope="session", params=[OLDEST, NEWEST])
def equipped(request: pytest.FixtureRequest, controllers: dict[str, Controller], other_collections: Path) -> Controller:
    controller = controllers[request.param]
    send(other_collections, controller.host, "/root/others")
    return replace(controller, other_collections=f"{controller.collections}:/root/others")


@pytest.fixture
def host(managed: dict[str, Host]) -> Iterator[Host]:
    """A host as it was made, but for Python."""
    found = managed[MANY_WAYS]
    found.reset()
    found.sh(AS_BEFORE)
    yield found
    found.sh(AS_BEFORE)


def play(controller: Controller, way: Way, task: dict[str, Any]) -> Played:
    controller = replace(controller, settings=way.environment)
    controller.write("way.json", json.dumps({**PYTHON, **way.variables}))
    tasks = [{"name": "The task", "register": "registered", "ignore_errors": True, **task}, {"name": "Its result", **SHOWN}]
    output = controller.play(MANY_WAYS, tasks, "-vvv -e @way.json", check=False)
    assert not re.search(r"\[DEPRECATION WARNING\]:[^[]*sidekiq", output), output
    return Played(0, output)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_way(equipped: Controller, host: Host, seen: dict[str, Any], way: Way) -> None:
    if version(equipped.core) > version(way.until):
        pytest.skip(f"the pinned collections do not have it with ansible-core {equipped.core}")
    if way.prepare:
        host.sh(way.prepare)
    # sshd keeps the login shell and its own settings as they were when a connection began, and ssh keeps connections.
    equipped.host.sh("rm -rf /root/.ansible/cp")
    seen.setdefault(equipped.core, {})[way.name] = try_way(way, lambda task: play(equipped, way, task))
