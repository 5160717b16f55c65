# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands of a document, run as it tells its reader to run them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from conftest import Host

BLOCK = re.compile(r"^<!-- run as (?P<user>root|deploy)(?P<when>[^>]*?) -->\n```sh\n(?P<script>.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass
class Block:
    """Commands in a fence, with the comment above it: who runs them, and when."""

    user: str
    when: str
    script: str


def blocks(document: Path) -> list[Block]:
    """All commands of the document. A fence marked sh that nobody is named for would never be run, and is an error."""
    text = document.read_text()
    found = [Block(m["user"], m["when"].lstrip(", "), m["script"]) for m in BLOCK.finditer(text)]
    assert len(found) == text.count("```sh\n"), f"{document}: a fence of commands has no comment that says who runs it"
    return found


def run(host: Host, block: Block) -> None:
    """Runs a block; not even one of its commands may fail, unless the block is to be refused."""
    shell = "bash -e" if block.user == "root" else "runuser -u deploy -- bash -e"
    done = host.sh(f"cd / && {shell} -s", stdin=block.script, check=False)
    assert (done.returncode != 0) == (block.when == "refused"), f"{block.script}\n{done.stdout}{done.stderr}"
