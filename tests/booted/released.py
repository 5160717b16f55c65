# SPDX-License-Identifier: GPL-3.0-or-later
"""The first release, 1.0.0: its tarball made anew from the commit that it was made from, and installed as a user installs it."""

from __future__ import annotations

import fcntl
import os
import platform
import shutil
import subprocess
from pathlib import Path

from conftest import ROOT

COMMIT = "e9ddfebbd196f27e62183bcf2dfb6adfc22aa9b5"
VERSION = "1.0.0"
WHERE = ROOT / ".cache/released" / VERSION
COLLECTION = WHERE / "ansible_collections/curationexperts/sidekiq"
ARCH = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
PROGRAM = COLLECTION / f"plugins/plugin_utils/_bin/sidekiq_service_linux_{ARCH}"
TASKS_FILE = COLLECTION / "playbooks/files/sidekiq.rake"


def first_release() -> Path:
    """The directory in which the first release is installed, which holds its tarball, too. Made once, for this machine's architecture."""
    WHERE.parent.mkdir(parents=True, exist_ok=True)
    with (WHERE.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not PROGRAM.exists():
            make()
    return WHERE


def make() -> None:
    """Makes and installs the tarball, as its own scripts and ansible-galaxy do."""
    new, source = WHERE.with_suffix(".new"), WHERE.with_suffix(".source")
    for directory in (new, source, WHERE):
        shutil.rmtree(directory, ignore_errors=True)
    new.mkdir()
    run("git", "clone", "--quiet", "--shared", "--no-checkout", str(ROOT), str(source))
    run("git", "-C", str(source), "checkout", "--quiet", "--detach", COMMIT)
    run("scripts/build", "plugins/plugin_utils/_bin", ARCH, cwd=source)
    run("scripts/collection", str(new), cwd=source)
    (tarball,) = new.glob("*.tar.gz")
    assert tarball.name.endswith(f"-{VERSION}.tar.gz"), tarball
    run("ansible-galaxy", "collection", "install", str(tarball), "-p", str(new), cwd=new)  # away from this checkout's ansible.cfg
    shutil.rmtree(source)
    new.rename(WHERE)


def run(*command: str, cwd: Path = ROOT) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    path = f"{ROOT}/.venv/bin:{os.environ['PATH']}"
    done = subprocess.run(command, cwd=cwd, env=kept | {"PATH": path}, text=True, capture_output=True, check=False)
    assert done.returncode == 0, f"{command} ended with {done.returncode}; the history of git has to be there:\n{done.stdout}{done.stderr}"
