# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections without ssh, to what is on this machine: a podman container that has booted systemd, and a chroot, where none runs."""

from __future__ import annotations

import hashlib
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT, Host
from plays import CACHE, FAST, play

pytestmark = pytest.mark.long

# An ansible-playbook that has the connection plugins of containers.podman and community.general: `make .cache/bench-venv/complete`.
PLAYBOOK = str(ROOT / ".cache/bench-venv/bin/ansible-playbook")
TASK = {"curationexperts.sidekiq.sidekiq_service": {"project_name": "laevigata"}}
CONTAINER = f"sidekiq-test-{hashlib.sha256(bytes(ROOT)).hexdigest()[:6]}"  # another checkout on this machine has another
IMAGE = f"localhost/{CONTAINER}"

# What podman needs on a machine that has cgroup v1 beside v2, or limits of its own; nothing of it concerns the collection.
MACHINE = ["--runtime", "runc"]
LIMITS = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024", "--env", "SYSTEMD_PROC_CMDLINE=SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1"]


def run(*command: str | Path, **more: Any) -> str:
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, timeout=200, **more).stdout.decode().strip()


@pytest.fixture(scope="module")
def tree(machine: Host, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of a host, as a tar archive."""
    archive = tmp_path_factory.mktemp("tree") / "tree.tar"
    with archive.open("wb") as file:
        pack = "tar --one-file-system --exclude=./proc --exclude=./sys --exclude=./dev --exclude=./run --exclude=./tmp -C / -c ."
        subprocess.run([ROOT / "tests/machines/machine", "ssh", machine.name, pack], stdout=file, check=True, timeout=200)
    return archive


@pytest.fixture(scope="module")
def container(tree: Path) -> Iterator[str]:
    run("podman", "import", tree, IMAGE, stderr=subprocess.DEVNULL)
    try:
        run("podman", *MACHINE, "run", "--detach", "--name", CONTAINER, "--network", "none", "--systemd=always", *LIMITS, IMAGE, "/sbin/init")
        end = time.monotonic() + 60
        while subprocess.run(["podman", "exec", CONTAINER, "systemctl", "is-active", "--quiet", "multi-user.target"], check=False).returncode:
            assert time.monotonic() < end, run("podman", "logs", CONTAINER)
            time.sleep(0.5)
        yield CONTAINER
    finally:
        subprocess.run(["podman", "rm", "--force", CONTAINER], check=False, capture_output=True)
        subprocess.run(["podman", "rmi", "--force", IMAGE], check=False, capture_output=True)


@pytest.fixture(scope="module")
def chroot(tree: Path) -> Path:
    directory = tree.parent / "root"
    directory.mkdir()
    run("tar", "-C", directory, "-xf", tree)
    for name in ("proc", "sys", "dev", "run", "tmp"):
        (directory / name).mkdir(exist_ok=True)
    run("mknod", "-m", "666", directory / "dev/null", "c", "1", "3")
    return directory


def inventory(name: str, **variables: Any) -> dict[str, Any]:
    return {"all": {"hosts": {name: variables}}}


def test_podman(tmp_path: Path, container: str) -> None:
    where = inventory(container, ansible_connection="containers.podman.podman")
    first, second = (play(tmp_path, where, TASK, PLAYBOOK) for dummy in range(2))
    assert first.result.get("changed") is True and not first.result.get("failed"), first.output
    assert second.result["changed"] is False, second.output
    assert run("podman", "exec", container, "systemctl", "is-active", "sidekiq") == "active"
    if first.why_transferred:
        assert "standard input" in first.why_transferred, first.output
    else:
        assert second.remote_commands == FAST


def test_chroot_is_told_that_no_systemd_runs_there(tmp_path: Path, chroot: Path) -> None:
    where = inventory(str(chroot), ansible_connection="community.general.chroot")
    marker = tmp_path / "before"
    marker.touch()
    played = play(tmp_path, where, TASK, PLAYBOOK)
    assert played.result["failed"], played.output
    assert "systemd" in played.result["msg"] and "/run/systemd/system" in played.result["msg"], played.result["msg"]
    changed = run("find", chroot, "-xdev", "-type", "f", "-newer", marker).splitlines()
    assert [path for path in changed if CACHE not in path] == [], "a failed run left files"
