# SPDX-License-Identifier: GPL-3.0-or-later
"""What came of each attack: the tables of docs/security.md, from docs/data/attacks.json."""

from __future__ import annotations

import json

from tables import ROOT, SUITES, Documents, Figures, measured, table
from tables import measure as measure_tests

DATA = ROOT / "docs/data/attacks.json"

# What the tests call the kinds of attacks, and what they are headed with.
KINDS = {
    "sudo": "Command lines that sudo should refuse: how many it let through",
    "pager": "The pager of `sudo systemctl status`, on a terminal of six rows",
    "file": "Files of the service",
    "sidekiq.yml": "In place of sidekiq.yml, while the program runs as root",
    "Gemfile.lock": "In place of Gemfile.lock, likewise",
    "directory": "In place of a directory, likewise",
    "race": "A race with the program",
    "place": "Where the program writes",
    "service": "What root does for the service",
    "flood": "Much to read, while the program runs as root",
}
GOOD = {"no shell", "not written", "not read", "unharmed", "refused", "nothing read", "cleaned"}


def measure(suites: tuple[str, ...]) -> None:
    measure_tests(["test_attacks.py", "test_attacks_service.py", "test_attacks_bounds.py", "test_launchers.py"], DATA, suites)


def render(documents: Documents) -> None:
    data = json.loads(DATA.read_text())
    documents.fill(ROOT / "docs/security.md", {"versions": versions(data), "attacks": attacks(data)})


def versions(data: Figures) -> str:
    packages = ["systemd", "sudo", "less"]
    versions_of = {suite: data[suite]["versions"]["packages"] for suite in measured(data)}
    return table(["host", *packages], [[SUITES[suite], *(v[p] for p in packages)] for suite, v in versions_of.items()])


def attacks(data: Figures) -> str:
    blocks = []
    for kind, title in KINDS.items():
        names = dict.fromkeys(name for suite in measured(data) for name in data[suite] if name.startswith(f"{kind}: "))
        if not names:
            continue
        rows = [[name.removeprefix(f"{kind}: "), cell(data, name, "by hand"), cell(data, name, "ours")] for name in names]
        blocks.append(f"**{title}**\n\n" + table(["attack", "by hand", "this collection"], rows))
    return "\n".join(blocks)


def cell(data: Figures, name: str, way: str) -> str:
    """What came of an attack; by host where they differ, or where not all were tried."""
    by_suite = {SUITES[suite]: outcome(data[suite][name][way]) for suite in SUITES if way in data.get(suite, {}).get(name, {})}
    kinds = set(by_suite.values())
    if len(kinds) < 2 and len(by_suite) in (0, len(measured(data))):
        return next(iter(kinds), "")
    return "; ".join(f"{suite}: {text}" for suite, text in by_suite.items())


def outcome(figures: Figures) -> str:
    if "tried" in figures:
        text = f"{figures['passed']} of {figures['tried']}"
        return f"**{text}**" if figures["passed"] else text
    return figures["got"] if figures["got"] in GOOD or " MB held" in figures["got"] else f"**{figures['got']}**"
