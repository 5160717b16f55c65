# Copyright (c) curationexperts
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a host's reply reaches the controller.

A managed host may have been taken over, and ansible-core acts on what a task returns: a result with `add_host` puts a host, with variables
that start programs on the controller, into the inventory. So a result is not what the host sent but what the module documents, made anew:
the keys of RETURN, each of its documented type, and the few of Ansible's own that are named here. Everything else is left out, with a
warning. All text is made harmless for a terminal by clean, results and errors alike.

Not promised: that what a host says is true.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.module_utils.common.yaml import yaml_load

_MODULES = Path(__file__).parent.parent / "modules"

_TEXT = {"type": "str"}
_TEXTS = {"type": "list", "elements": "str"}

# What every module may return, in the words of RETURN. The documentation of a module tells of its own `diff` and `warnings`.
# "deprecations" has fewer keys than Ansible knows: `removed` ends a play, and `collection_name` blames another collection.
_ANSIBLES_OWN: dict[str, Any] = {
    "changed": {"type": "bool"},
    "failed": {"type": "bool"},
    "msg": _TEXT,
    "diff": {"type": "list", "elements": "dict", "contains": dict.fromkeys(("before", "after", "before_header", "after_header"), _TEXT)},
    "warnings": _TEXTS,
    "deprecations": {"type": "list", "elements": "dict", "contains": dict.fromkeys(("msg", "version", "date"), _TEXT)},
}

_LEFT_OUT = object()

# The types of RETURN, as JSON has them. JSON's true would be an int to isinstance.
_PYTHON = {"bool": (bool,), "float": (float, int), "int": (int,), "path": (str,), "str": (str,), "list": (list,), "dict": (dict,)}

# What a terminal, or somebody who reads it, would take for something else than text: control characters but newline and tab, those that
# end a line in other places, those that turn the direction of writing, and halves of characters, which cannot be printed at all.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u206f\ud800-\udfff\ufeff]")

_DEPTH = 8  # of a value of which the documentation does not tell what it holds
_PLAIN_KEY = re.compile("(?!_|ansible_)[A-Za-z0-9_]{1,100}")  # none of those that ansible-core itself gives a meaning

_STARTS = 20  # how many places of a line are tried for the beginning of the result
_NAMES, _NAME = 5, 60  # how many names of what was left out a warning has, and how many characters of each


class NoResult(Exception):
    """A reply without a result; its text says why it is none."""


def clean(text: str) -> str:
    """text as it may be shown to a person: control characters are spelled out, as in \\x1b."""
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def clean_output(text: str) -> str:
    """What a host printed, as it may be shown to a person. A terminal ends lines in its own way."""
    return clean(text.replace("\r\n", "\n"))


def is_harmless(text: str) -> bool:
    """Whether text can be the text of an error, whoever wrote it: clean, and no template."""
    return text == clean_output(text) and not re.search("{[{%#]", text)


def end_of(text: str, most: int = 2000) -> str:
    """The last of what a host printed, as it may be shown to a person."""
    text = clean_output(text.strip())
    return (text if len(text) <= most else f"... {text[-most:]}") or "(nothing)"


def read_result(module: str, printed: str) -> dict[str, Any]:
    """What the module documents of the result in what the program printed. Raises NoResult."""
    found = _find(printed)
    if any(not isinstance(found[key], bool) for key in ("changed", "failed") if key in found):
        raise NoResult('"changed" or "failed" of its reply is neither true nor false')
    left_out: list[str] = []
    returns = {**_ANSIBLES_OWN, **documented_returns(module)}
    result = _documented_keys({key: found[key] for key in found if found[key] is not None or key not in _ANSIBLES_OWN}, returns, "", left_out)
    if "deprecations" in result:
        result["deprecations"] = [item for item in result["deprecations"] if item.get("msg")]
    if left_out:
        warning = f"The host answered with what {module} does not return, and it was left out: {_listed(left_out)}."
        result["warnings"] = [*result.get("warnings", []), warning]
    return result


@lru_cache(maxsize=None)
def documented_returns(module: str) -> dict[str, Any]:
    """RETURN of the module's documentation."""
    for statement in ast.parse((_MODULES / f"{module}.py").read_text(encoding="utf-8")).body:
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "RETURN":
            return yaml_load(ast.literal_eval(statement.value))
    raise AnsibleActionFail(f"The documentation of {module} does not tell what it returns. Install the collection anew.")


def _find(printed: str) -> dict[str, Any]:
    """The last object that is a result. A terminal puts standard error, and login shells what they say, before it, on the same line, too."""
    what = "the host printed nothing that can be read as one"
    for line in reversed(printed.split("\n")):
        for start in list(re.finditer(r'\{"', line))[:_STARTS]:
            try:
                found = json.JSONDecoder().raw_decode(line, start.start())[0]
            except (ValueError, RecursionError):
                continue
            if "changed" in found or "failed" in found:
                return found
            what = 'the host sent a reply without "changed" and "failed"'
            break
    raise NoResult(what)


def _documented_keys(found: dict[str, Any], returns: Mapping[str, Any], place: str, left_out: list[str]) -> dict[str, Any]:
    """What is documented of a dictionary. The names of the rest are added to left_out. Null is what the host does not know."""
    result = {}
    for key, value in found.items():
        name = f"{place}.{key}" if place else key
        if key not in returns:
            left_out.append(name)
        elif value is None:
            result[key] = None
        elif (kept := _documented(value, returns[key], name, left_out)) is not _LEFT_OUT:
            result[key] = kept
    return result


def _documented(value: Any, described: Mapping[str, Any], name: str, left_out: list[str]) -> Any:
    """What is documented of a value; _LEFT_OUT if it is of another type."""
    if type(value) not in _PYTHON.get(described["type"], ()):
        left_out.append(name)
        return _LEFT_OUT
    if isinstance(value, dict):
        return _documented_keys(value, described["contains"], name, left_out) if "contains" in described else _open(value, name, left_out)
    if isinstance(value, list):
        item = {**described, "type": described.get("elements", "str")}
        return [kept for one in value if (kept := _documented(one, item, f"{name}[]", left_out)) is not _LEFT_OUT]
    return clean(value) if isinstance(value, str) else value


def _open(value: Any, name: str, left_out: list[str], depth: int = 0) -> Any:
    """What is safe of a value of which the documentation does not tell what it holds, such as options of the module."""
    if isinstance(value, str):
        return clean(value)
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if depth == _DEPTH:
        left_out.append(name)
        return None
    if isinstance(value, list):
        return [_open(item, f"{name}[]", left_out, depth + 1) for item in value]
    left_out += [f"{name}.{key}" for key in value if not _PLAIN_KEY.fullmatch(key)]
    return {key: _open(item, f"{name}.{key}", left_out, depth + 1) for key, item in value.items() if _PLAIN_KEY.fullmatch(key)}


def _listed(names: list[str]) -> str:
    """Names from a host, as they may be shown to a person, and not more than he reads."""
    different = list(dict.fromkeys(clean(name if len(name) <= _NAME else f"{name[:_NAME]}...").replace("\n", "\\n") for name in names))
    listed = ", ".join(f'"{name}"' for name in different[:_NAMES])
    return listed + (f" and {len(different) - _NAMES} more" if len(different) > _NAMES else "")
