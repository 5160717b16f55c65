# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables of tests/booted have each option that is documented. Read without a host, so that one is missed in seconds and not in hours."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

BOOTED = Path(__file__).resolve().parents[1] / "booted"
sys.path.insert(0, str(BOOTED))

import test_hostile_values
import test_options

OPTIONS = test_options.documented()


@pytest.mark.parametrize("option", OPTIONS)
def test_an_option_has_a_row_with_what_it_changes(option: str) -> None:
    rows = [row for row in test_options.ROWS.values() if option in row.options]
    file = test_options.ELSEWHERE.get(option)
    assert rows or file, f"tests/booted/test_options.py has no row for {option} in ROWS, and names no other test in ELSEWHERE"
    if file:
        assert option in (BOOTED / file).read_text(), f"tests/booted/{file} does not test {option}, as ELSEWHERE in test_options.py says"
    default = OPTIONS[option].get("default")
    assert not rows or any(row.options[option] != default for row in rows), f"each row of {option} in tests/booted/test_options.py gives its default"


@pytest.mark.parametrize("option", test_options.documented(of_text=True))
def test_an_option_is_given_hostile_values(option: str) -> None:
    ways = [way for way in test_hostile_values.WAYS.values() if way.option == option]
    if file := test_hostile_values.ELSEWHERE.get(option):
        assert "PAYLOADS" in (BOOTED / file).read_text(), f"tests/booted/{file} gives no hostile values, as ELSEWHERE in test_hostile_values.py says"
        return
    assert ways, f"tests/booted/test_hostile_values.py has no way for {option} in WAYS: it takes text"


def test_the_tables_have_nothing_but_options() -> None:
    named = {name for row in test_options.ROWS.values() for name in row.options} | set(test_options.ELSEWHERE)
    named |= {way.option for way in test_hostile_values.WAYS.values()}
    assert named <= set(OPTIONS), f"no options: {named - set(OPTIONS)}; see ROWS and ELSEWHERE in test_options.py, WAYS in test_hostile_values.py"
