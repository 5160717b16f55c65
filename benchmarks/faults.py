# SPDX-License-Identifier: GPL-3.0-or-later
"""What became of runs that a fault has befallen: the tables of docs/faults.md, from docs/data/faults.json."""

from __future__ import annotations

import json

from tables import ROOT, SUITES, Documents, Figures, table
from tables import measure as measure_tests

DATA = ROOT / "docs/data/faults.json"
NAMES = {**SUITES, "noble": "Ubuntu 24.04"}
OUTCOMES = ["killed", "rolled back", "failed before the first step", "done all the same", "could not all be undone", "no result"]


def measure(suites: tuple[str, ...]) -> None:
    measure_tests(["test_faults.py"], DATA, suites)


def render(documents: Documents) -> None:
    data = json.loads(DATA.read_text())
    documents.fill(ROOT / "docs/faults.md", {key: tables(data, key) for key in ("transitions", "faults")})


def tables(data: Figures, key: str) -> str:
    """The outcomes for each transition, or for each fault, with a table for each suite."""
    return "\n".join(f"{NAMES[suite]}:\n\n" + outcomes(data[suite][key], key.removesuffix("s")) for suite in NAMES if suite in data)


def outcomes(rows: dict[str, dict[str, int]], what: str) -> str:
    everything = {key: sum(row.get(key, 0) for row in rows.values()) for key in [*OUTCOMES, "violations"]}
    lines = [cells(name, rows[name]) for name in sorted(rows)]
    return table([what, "runs", *OUTCOMES, "violations"], [*lines, cells("**all**", everything)])


def cells(name: str, counts: dict[str, int]) -> list[str]:
    outcomes = [counts.get(outcome, 0) for outcome in OUTCOMES]
    return [name, *map(str, [sum(outcomes), *outcomes, counts["violations"]])]
