# SPDX-License-Identifier: GPL-3.0-or-later
"""Plays with this checkout's collection, run by a real ansible-playbook over a connection that the test chooses."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from conftest import ROOT, tool

CACHE = "/var/cache/curationexperts.sidekiq"
FAST, TRANSFER_SOME = 1, 6  # remote commands of a warm task; a transfer has at least so many


@dataclass
class Played:
    """How a play went."""

    status: int
    output: str

    @property
    def results(self) -> list[dict[str, Any]]:
        """What the tasks registered, in the order of the hosts' reports."""
        return [json.loads(base64.b64decode(text)) for text in re.findall(r"RESULT<([A-Za-z0-9+/=]*)>", self.output)]

    @property
    def result(self) -> dict[str, Any]:
        assert self.results, self.output
        return self.results[0]

    @property
    def remote_commands(self) -> int:
        """Commands and transfers, of all connection plugins that tests use."""
        return len(re.findall(r"(?:> (?:SSH: )?EXEC |> PUT |> EXEC |\bPUT .* TO )", self.output))

    @property
    def why_transferred(self) -> str:
        reason = re.search(r"ordinary transfer of the program: (.*)", self.output)
        return reason[1] if reason else ""


def inventory_of(*names: str, **variables: Any) -> dict[str, Any]:
    """The inventory of hosts of tests/machines, with more variables."""
    inventory = yaml.safe_load(tool("inventory", *names, capture_output=True).stdout)
    for name in names:
        inventory["all"]["hosts"][name].update(variables)
    return inventory


def play(directory: Path, inventory: dict[str, Any], task: dict[str, Any], playbook: str = "", environment: dict[str, str] | None = None) -> Played:
    """Runs a play of one task, whose result is registered, with -vvv. playbook: the command, if it is not this checkout's."""
    shown = {"ansible.builtin.debug": {"msg": "RESULT<{{ registered | to_json | b64encode }}>"}, "when": "registered is defined"}
    tasks = [{"name": "The task", "register": "registered", "ignore_errors": True, **task}, {"name": "Its result", **shown}]
    (directory / "play.yml").write_text(yaml.safe_dump([{"name": "A play", "hosts": "all", "gather_facts": False, "tasks": tasks}]))
    (directory / "inventory.yml").write_text(yaml.safe_dump(inventory))
    command = [playbook or str(ROOT / ".venv/bin/ansible-playbook"), "-vvv", "-i", "inventory.yml", "play.yml"]
    settings = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".cache"), "ANSIBLE_NOCOLOR": "1", **(environment or {})}
    done = subprocess.run(
        command, cwd=directory, env=settings, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=300
    )
    return Played(done.returncode, done.stdout)
