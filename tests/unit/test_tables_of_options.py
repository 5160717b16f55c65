# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables of tests/booted have each option that is documented. Read without a host, so that one is missed in seconds and not in hours."""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
BOOTED = ROOT / "tests/booted"
sys.path.insert(0, str(BOOTED))

import test_hostile_values
import test_options


def documented(module: str) -> dict[str, Any]:
    """The options of a module."""
    for statement in ast.parse((ROOT / f"plugins/modules/{module}.py").read_text()).body:
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "DOCUMENTATION":
            return yaml.safe_load(ast.literal_eval(statement.value))["options"]
    raise AssertionError(f"{module} has no DOCUMENTATION")


OPTIONS = documented("sidekiq_service")


@pytest.mark.parametrize("option", OPTIONS)
def test_an_option_has_a_row_with_what_it_changes(option: str) -> None:
    rows = [row for row in test_options.ROWS.values() if option in row.options]
    file = test_options.ELSEWHERE.get(option)
    assert rows or file, f"tests/booted/test_options.py has no row for {option} in ROWS, and names no other test in ELSEWHERE"
    if file:
        assert option in (BOOTED / file).read_text(), f"tests/booted/{file} does not test {option}, as ELSEWHERE in test_options.py says"
    default = OPTIONS[option].get("default")
    assert not rows or any(row.options[option] != default for row in rows), f"each row of {option} in tests/booted/test_options.py gives its default"


@pytest.mark.parametrize("option", [name for name, declared in OPTIONS.items() if declared["type"] != "bool"])
def test_an_option_is_given_hostile_values(option: str) -> None:
    ways = [way for way in test_hostile_values.WAYS.values() if way.option == option]
    assert ways, f"tests/booted/test_hostile_values.py has no way for {option} in WAYS; only yes or no is not text"


def test_the_tables_have_nothing_but_options() -> None:
    named = {name for row in test_options.ROWS.values() for name in row.options} | set(test_options.ELSEWHERE)
    named |= {way.option for way in test_hostile_values.WAYS.values()}
    assert named <= set(OPTIONS), f"no options: {named - set(OPTIONS)}; see ROWS and ELSEWHERE in test_options.py, WAYS in test_hostile_values.py"
