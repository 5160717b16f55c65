#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""tables.py render: writes every table and figure of the documents that was measured, from what was measured. tables.py check: fails if a
document is not that. tables.py measure
always_running|architectures|attacks|faults|parts|ways [SUITE...]: measures one anew, and renders; for architectures, name some of those.

A module of this directory knows one kind of figures: where they are kept, and what is made of them. A document has a place for each block,
between `<!-- NAME: begin -->` and `<!-- NAME: end -->`.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SUITES = {"bullseye": "Debian 11", "bookworm": "Debian 12", "trixie": "Debian 13"}

Figures = dict[str, Any]


class Documents:
    """The documents as they are to be. They are read when they are first asked for, and written by nobody before all are done."""

    def __init__(self) -> None:
        self.texts: dict[Path, str] = {}

    def text(self, path: Path) -> str:
        return self.texts.setdefault(path, path.read_text() if path.exists() else "")

    def put(self, path: Path, text: str) -> None:
        """A document of which all is made here."""
        self.texts[path] = text

    def fill(self, path: Path, blocks: Mapping[str, str]) -> None:
        """Writes blocks of a document anew."""
        for name, block in blocks.items():
            pattern = re.compile(rf"(<!-- {name}: begin -->\n).*?(<!-- {name}: end -->)", re.DOTALL)
            text, found = pattern.subn(lambda mark, block=block: mark[1] + "\n" + block + "\n" + mark[2], self.text(path))
            assert found == 1, f"{path} has no place for {name}"
            self.texts[path] = text


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def measured(data: Figures) -> list[str]:
    """The suites that there are figures of, oldest first."""
    return [suite for suite in SUITES if suite in data]


def measure(tests: list[str], figures: Path, suites: tuple[str, ...]) -> None:
    """Has tests on hosts write their figures."""
    for suite in suites or tuple(SUITES):
        environment = {**os.environ, "SIDEKIQ_SUITE": suite, "SIDEKIQ_FIGURES": str(figures)}
        files = [f"tests/booted/{test}" for test in tests]
        subprocess.run([ROOT / ".venv/bin/pytest", "-m", "long or not long", *files], cwd=ROOT, env=environment, check=True)


def main(action: str = "", kind: str = "", *suites: str) -> int:
    import always_running
    import architectures
    import attacks
    import faults
    import parts
    import speed
    import systems
    import ways

    measures: dict[str, Callable[[tuple[str, ...]], None]] = {
        "always_running": always_running.measure,
        "architectures": architectures.measure,
        "attacks": attacks.measure,
        "faults": faults.measure,
        "parts": parts.measure,
        "ways": ways.measure,
    }
    if action == "measure" and kind in measures:
        measures[kind](suites)
        action = "render"
    if action not in ("render", "check"):
        print(__doc__)
        return 2
    documents = Documents()
    for module in (speed, parts, always_running, architectures, attacks, faults, systems, ways):
        module.render(documents)
    stale = [path for path, text in documents.texts.items() if not path.exists() or path.read_text() != text]
    if action == "render":
        for path in stale:
            path.write_text(documents.texts[path])
    elif stale:
        print(f"{', '.join(map(str, stale))}: not what was measured: run benchmarks/tables.py render")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
