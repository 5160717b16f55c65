# SPDX-License-Identifier: GPL-3.0-or-later
"""In which ways Ansible reaches a host, and what the program does in each: docs/connections.md, from docs/data/ways.json."""

from __future__ import annotations

import json
import os
import subprocess

from tables import ROOT, Documents, Figures, table

DATA = ROOT / "docs/data/ways.json"
KINDS = {
    "connection": "Connections", "become method": "Become methods", "shell": "Shells", "setting": "Settings and hosts", "keyword": "Keywords of a task",
    "strategy": "Strategies",
}  # fmt: skip
CONTROL = {True: "works", False: "does not work", "hangs": "never ends"}


def measure(suites: tuple[str, ...]) -> None:
    """Has every way tried anew. Which Debian the host has is not chosen here."""
    assert not suites, "the ways are tried on one Debian only"
    environment = {**os.environ, "SIDEKIQ_FIGURES": str(DATA)}
    subprocess.run([ROOT / ".venv/bin/pytest", "tests/cores/test_ways.py"], cwd=ROOT, env=environment, check=True)


def render(documents: Documents) -> None:
    documents.fill(ROOT / "docs/connections.md", {"ways": ways(json.loads(DATA.read_text()))})


def ways(data: Figures) -> str:
    cores = sorted(data, key=lambda core: [int(part) for part in core.split(".")])
    blocks = []
    for kind, title in KINDS.items():
        names = dict.fromkeys(name for core in cores for name, seen in data[core].items() if seen["kind"] == kind)
        rows = [row(name, [data[core].get(name) for core in cores]) for name in names]
        head = ["", *(f"`command`, {core}" for core in cores), *(f"ours, {core}" for core in cores)]
        blocks.append(f"### {title}\n\n{table(head, rows)}")
    return "\n".join(blocks)


def row(name: str, seen: list[Figures | None]) -> list[str]:
    return [name, *(CONTROL[one["control"]] if one else "not tried" for one in seen), *(taken(one) if one else "not tried" for one in seen)]


def taken(one: Figures) -> str:
    if one["takes"] == "refused":
        return "refused"
    first, again = one["commands"]
    return f"{one['takes']}: {first}, {again}"
