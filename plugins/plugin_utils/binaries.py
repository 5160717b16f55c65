# Copyright (c) curationexperts
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The compiled programs that the collection ships, one for each architecture, packed by gzip, and their digests.

Nothing here talks to a host.
"""

from __future__ import annotations

import hashlib
import zlib
from pathlib import Path
from typing import NamedTuple

from ansible.errors import AnsibleActionFail

_DIRECTORY = Path(__file__).parent / "_bin"

# What `uname -sm` says, and what Go calls it.
_ARCHITECTURES = {
    "Linux x86_64": "amd64",
    "Linux aarch64": "arm64",
    "Linux ppc64le": "ppc64le",
    "Linux s390x": "s390x",
    "Linux riscv64": "riscv64",
}

# What zlib calls the format of gzip, with the largest window. The module gzip would be imported once a play, and reads no faster.
_GZIP = 31


class Binary(NamedTuple):
    """A program: what is run, its digest, and the same packed by gzip."""

    program: bytes
    digest: str
    packed: bytes


class Binaries:
    """The builds of one program. Their digests are those of SHA256SUMS, which is written when they are built."""

    def __init__(self, program: str, directory: Path = _DIRECTORY) -> None:
        self._program = program
        self._directory = directory
        self._digests = self._read_digests()

    @property
    def digests(self) -> list[str]:
        """The digests of all architectures' builds."""
        return sorted(self._digests.values())

    @property
    def sizes(self) -> dict[str, int]:
        """The size in bytes of each architecture's build, by its digest; of those that are there."""
        paths = ((digest, self._packed(name)) for name, digest in sorted(self._digests.items()))
        return {digest: _unpacked_size(path) for digest, path in paths if path.is_file()}

    def find(self, machine: str) -> Binary:
        """The build for a host whose `uname -sm` says machine; it is as it was built."""
        name = f"{self._program}_linux_{_ARCHITECTURES.get(machine, '')}"
        if name not in self._digests:
            raise AnsibleActionFail(
                f"{self._program} has no program for a host that is \"{machine}\", only for: {', '.join(sorted(self._digests))}. "
                "`make build ARCHS=...` in a checkout of the collection builds it for others."
            )
        path = self._packed(name)
        if not path.is_file():
            raise self._not_built(path)
        packed = path.read_bytes()
        try:
            program = zlib.decompress(packed, wbits=_GZIP)
        except zlib.error:
            program = b""
        if hashlib.sha256(program).hexdigest() != self._digests[name]:
            raise AnsibleActionFail(
                f"{path} is not the program that was built: its digest is not the one in SHA256SUMS. It is not run. Install the collection anew."
            )
        return Binary(program, self._digests[name], packed)

    def _packed(self, name: str) -> Path:
        return self._directory / f"{name}.gz"

    def _read_digests(self) -> dict[str, str]:
        sums = self._directory / "SHA256SUMS"
        if not sums.is_file():
            raise self._not_built(sums)
        # UTF-8 is built into Python. The codec of ASCII would be imported once a host, in each of Ansible's workers.
        rows = (line.split() for line in sums.read_text(encoding="utf-8").splitlines())
        return {name: digest for digest, name in rows if name.startswith(f"{self._program}_linux_")}

    def _not_built(self, missing: Path) -> AnsibleActionFail:
        return AnsibleActionFail(
            f"The compiled program of {self._program} is missing: there is no {missing}. The collection was probably installed from git, "
            "which does not hold it: install the release tarball, or run `make build` in the checkout (needs Go)."
        )


def _unpacked_size(path: Path) -> int:
    """How many bytes a file has that gzip has packed: it ends with them, lowest byte first (RFC 1952)."""
    with path.open("rb") as file:
        file.seek(max(path.stat().st_size - 4, 0))
        return int.from_bytes(file.read(), "little")
