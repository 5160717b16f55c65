# SPDX-License-Identifier: GPL-3.0-or-later
"""A managed host that would steer the controller: programs whose reply holds every key on which ansible-core acts.

The keys are read from the ansible-core that runs the play, so that one which a newer core has is answered, too.
"""

from __future__ import annotations

import json
import shlex
from typing import Any

# What somebody has done who could run a program, or write a file, on the controller.
MARK = "/root/steered"
TEMPLATE = "{{ lookup('ansible.builtin.pipe', 'touch " + MARK + "') }}"
ESCAPE = "\x1b]0;title\x07\x1b[2J\x9b31m\u202e"

# Prints, as JSON, the names by which the core of this Python takes something out of a task's result, or cleans it. Until 2.20 these are keys
# that the executor, the strategies and the callbacks ask for, from 2.21 on the fields of a class.
KEYS_OF_CORE = """
import ast, json, os
import ansible
from ansible import constants

def texts(node):
    for inner in ast.walk(node):
        if isinstance(inner, ast.Constant) and isinstance(inner.value, str) and inner.value.isidentifier():
            yield inner.value

def keys(tree, everything):
    for node in ast.walk(tree):
        if everything and isinstance(node, (ast.Tuple, ast.List, ast.Set, ast.Dict, ast.AnnAssign)):
            yield from texts(node)
        if everything and isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id
        if isinstance(node, ast.Subscript):
            yield from texts(node.slice)
        elif isinstance(node, ast.Compare):
            yield from texts(node.left)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("get", "pop", "setdefault", "startswith", "_check_key"):
            yield from (text for argument in node.args[:1] for text in texts(argument))

root, found = os.path.dirname(ansible.__file__), set()
files = ["executor/task_executor.py", "executor/task_result.py", "plugins/callback/__init__.py", "plugins/callback/default.py"]
files += ["plugins/strategy/" + name for name in os.listdir(os.path.join(root, "plugins/strategy")) if name.endswith(".py")]
whole = ["vars/clean.py", "_internal/_task.py"]
for file in files + whole:
    if os.path.exists(os.path.join(root, file)):
        with open(os.path.join(root, file)) as source:
            found.update(keys(ast.parse(source.read()), file in whole))
for name in dir(constants):
    if name.endswith("_RESULT_KEYS"):
        found.update(getattr(constants, name))
print("KEYS" + json.dumps(sorted(found)))
"""

OTHER = {
    "host_name": "steered",
    "groups": ["steered_group"],
    "host_vars": {"ansible_connection": "local", "ansible_ssh_common_args": f"-o ProxyCommand='touch {MARK}'"},
}

# What would have an effect, where any text or dictionary would not.
EFFECTS: dict[str, Any] = {
    "add_host": OTHER,
    "add_group": "steered_group",
    "ansible_facts": {"steered_fact": "yes", "ansible_connection": "local", "ansible_python_interpreter": f"touch {MARK};"},
    "ansible_stats": {"data": {"steered": 1}, "per_host": True, "aggregate": True},
    "_ansible_notify": ["Steer"],
    "_ansible_delegated_vars": {"ansible_delegated_host": "localhost", "ansible_host": "localhost"},
    "_ansible_no_log": True,
    "include_file": "/etc/passwd",
    "results": [{"add_host": OTHER, "changed": True}],
    "rc": 1,
    "skipped": True,
    "unreachable": True,
    "failed_when_result": True,
    "ansible_job_id": "1",
    "exception": f"Traceback {ESCAPE}",
    "invocation": {"module_args": {"password": "steered"}},
}

# The keys that a result may have beside the documented ones.
ALLOWED = {"changed", "failed", "msg", "diff", "warnings", "deprecations"}


def reply(keys: list[str], documented: dict[str, Any]) -> dict[str, Any]:
    """A reply with all those keys, and with the same inside of everything that is documented."""
    poison: dict[str, Any] = {key: EFFECTS.get(key, {"add_host": OTHER, "text": TEMPLATE}) for key in keys if key not in ALLOWED}
    poison.update({key: value for key, value in EFFECTS.items() if key not in poison})
    inside = {name: [poison, "text"] if value["type"] == "list" else poison for name, value in documented.items()}
    return {
        **poison,
        **inside,
        "changed": True,
        "msg": ESCAPE + TEMPLATE,
        "diff": [{"before": ESCAPE + TEMPLATE, "after": "", **poison}],
        "warnings": [ESCAPE + TEMPLATE, poison],
        "deprecations": [{"msg": ESCAPE + TEMPLATE, "version": "9.0.0", "date": "soon", **poison}, {"msg": poison}, poison],
        ESCAPE + TEMPLATE: 1,
    }


def program(printed: str, status: int = 0) -> str:
    """A shell script that takes the arguments, prints this, on standard error if it fails, and ends with that status."""
    to = ">&2" if status else ""
    return f"#!/bin/sh\ncase \"$*\" in *-) cat >/dev/null;; esac\nprintf '%s\\n' {shlex.quote(printed)} {to}\nexit {status}\n"


def answering(keys: list[str], documented: dict[str, Any]) -> str:
    return program(json.dumps(reply(keys, documented)))


def failing(status: int) -> str:
    """A program that gives no result."""
    return program(ESCAPE + TEMPLATE, status)
