# Copyright (c) curationexperts
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds variables of the role that are misspelt: Ansible takes any name for a variable, and so the option keeps its default in silence.

Not done here: parameters given to the role itself, which Ansible compares with the role's argument_specs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

_PREFIX = "sidekiq_"
_OPTION = re.compile(r"^  ([a-z_]+):$", re.MULTILINE)
# Up to this length names are alike that mean different things, such as home and name.
_SHORT = 5


def options() -> list[str]:
    """The names of the options of sidekiq_service."""
    text = (Path(__file__).parent.parent / "modules" / "sidekiq_service.py").read_text(encoding="utf-8")
    documented = text.partition("\noptions:\n")[2].partition("\nattributes:\n")[0]
    return _OPTION.findall(documented)


def misspelt(variables: Iterable[str], known: Iterable[str]) -> list[tuple[str, str]]:
    """Variables that are at most two letters from one of the role's, each with that one."""
    known = list(known)
    # sidekiq_service_fast is a variable of the plugin's own.
    names = sorted(v for v in variables if v.startswith(_PREFIX) and v.removeprefix(_PREFIX) not in known and v != "sidekiq_service_fast")
    found = []
    for name in names:
        given = name.removeprefix(_PREFIX)
        near = min(known, key=lambda option: _distance(given, option))
        if given and _distance(given, near) <= (2 if len(near) > _SHORT or sorted(given) == sorted(near) else 1):
            found.append((name, _PREFIX + near))
    return found


def _distance(a: str, b: str) -> int:
    """The Levenshtein distance; 3 stands for more."""
    if abs(len(a) - len(b)) > 2:
        return 3
    row = list(range(len(b) + 1))
    for i, letter in enumerate(a):
        above, row = row, [i + 1]
        for j, other in enumerate(b):
            row.append(min(above[j] + (letter != other), above[j + 1] + 1, row[j] + 1))
    return min(row[-1], 3)
