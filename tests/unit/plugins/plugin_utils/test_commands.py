# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The text of commands. tests/booted/ways.py tells of the shells that they really go through."""

from __future__ import annotations

import shlex

import pytest

from ansible_collections.curationexperts.sidekiq.plugins.plugin_utils import commands

CACHE = "/var/cache/curationexperts.sidekiq"
FORGET = f"rm -f {CACHE}/*.request {CACHE}/.*.request*; "
COMMANDS = {
    "run_kept": commands.run_kept(CACHE, {"0" * 64: 5000000, "1" * 64: 5000001}, f"--cached={'2' * 64} ", "", 1000),
    "run_kept, which forgets": commands.run_kept(CACHE, {"0" * 64: 5000000}, "", FORGET, 1000),
    "look": commands.look(CACHE, ["0" * 64, "1" * 64]),
    "bring": commands.bring(CACHE, "0" * 64, "gzip -dc", "")[0],
    "who": commands.who(),
    "run_file": commands.run_file("/root/.ansible/tmp/x/sidekiq_service", "/root/.ansible/tmp/x/arguments", FORGET),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_no_shell_on_the_way_takes_a_character_for_its_own(name):
    """sudo -i escapes all but the dollar sign, csh sees the exclamation mark in quotes, fish the backslash; a second line is none to csh."""
    words = shlex.split(COMMANDS[name])
    assert words[:3] == ["exec", "/bin/sh", "-c"] and len(words) == 4
    assert not set("$!\\'\n") & set(words[3])
    assert COMMANDS[name] == f"exec /bin/sh -c '{words[3]}'"


@pytest.mark.parametrize("name", COMMANDS)
def test_the_first_word_says_that_sh_was_started(name):
    assert shlex.split(COMMANDS[name])[3].startswith(f"echo {commands.HERE}; ")


@pytest.mark.parametrize("path", ["/root/a directory/program", "/root/o'clock/program", '/root/"/program'])
def test_a_path_is_one_word(path):
    text = shlex.split(commands.run_file(path, f"{path}.arguments", ""))[3]
    assert shlex.split(text)[-3:] == ["exec", path, f"{path}.arguments"]


def test_nothing_is_forgotten_that_a_host_without_the_program_has():
    text = shlex.split(COMMANDS["run_kept, which forgets"])[3]
    assert f"then {FORGET}exec" in text
