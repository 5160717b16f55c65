# SPDX-License-Identifier: GPL-3.0-or-later
"""On which systems the tests on hosts last passed: the table of the README, from docs/data/systems.json, which `make test-all` writes."""

from __future__ import annotations

import json
import re

from tables import ROOT, Documents, Figures, table

DATA = ROOT / "docs/data/systems.json"
RELEASES = ROOT / "tests/machines/lib/suites.sh"


def render(documents: Documents) -> None:
    documents.fill(ROOT / "README.md", {"systems": systems(json.loads(DATA.read_text()))})


def systems(data: Figures) -> str:
    packages = ["systemd", "sudo", "sidekiq", "redis", "ruby"]
    rows = []
    for suite, name in re.findall(r"^  '(\w+)\|([^|]+)\|", RELEASES.read_text(), re.MULTILINE):
        if not (files := data.get(suite, {}).get("files")):
            rows.append([name, *([""] * len(packages)), "none yet", ""])
            continue
        count = sum(file["passed"] for file in files.values())
        days = sorted({file["on"] for file in files.values()})
        when = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
        rows.append([name, *(data[suite]["versions"][package] for package in packages), f"{count} in {len(files)} files", when])
    return table(["system", *packages, "tests that passed", "on"], rows)
