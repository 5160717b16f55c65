# SPDX-License-Identifier: GPL-3.0-or-later
"""env_files that are not what they seem: what the real systemd takes of each, and what a run says of it."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass

import pytest
from conftest import Host
from system import SYSTEMD

FILE = "/etc/odd.env"

# The file alone decides here, so it is read by a unit that prints its environment. PID 1 waits for a FIFO without an end, so none is tried.
PROBE = f"""
rm -f /root/got
printf '[Service]\\nType=oneshot\\nEnvironmentFile={FILE}\\nExecStart=/bin/sh -c "env -0 >/root/got"\\n' >/run/systemd/system/probe.service
systemctl daemon-reload; systemctl start probe 2>/dev/null; systemctl reset-failed probe 2>/dev/null; test -e /root/got && base64 -w 0 </root/got; true
"""


@dataclass(frozen=True)
class Odd:
    """An environment file, the variables that systemd takes of it, or None where it starts nothing, and the lines that a run warns of."""

    content: bytes
    taken: dict[str, str] | None
    lines: tuple[int, ...] = ()


def since(version: int, now: Odd, before: Odd) -> Odd:
    return now if SYSTEMD >= version else before


ODD = {
    "export": Odd(b"V1=1\nexport V2=2\nV3=3\n", {"V1": "1", "V3": "3"}, (2,)),
    "byte-order-mark": Odd(b"\xef\xbb\xbfV1=1\nV2=2\n", {"V2": "2"}, (1,)),
    "crlf": Odd(b"V1=1\r\nV2='two words'\r\n\r\n# V3=3\r\nV4=4\r\n", {"V1": "1", "V2": "two words", "V4": "4"}),
    "cr-alone": Odd(b"V1=1\rV2=2\r", {"V1": "1", "V2": "2"}),
    "crlf-continued": Odd(b"V1=a\\\r\nb\r\nV2=2\r\n", {"V1": "a", "V2": "2"}, (2,)),
    "crlf-in-quotes": since(
        247, Odd(b"V1='a\r\nb'\r\nV2=2\r\n", {"V1": "a\r\nb", "V2": "2"}), Odd(b"V1='a\r\nb'\r\nV2=2\r\n", {"V2": "2"}, (1,))
    ),
    "continued": Odd(b"V1=a\\\nb\nV2=2\n", {"V1": "ab", "V2": "2"}),
    "continued-in-quotes": Odd(b'V1="a\\\nb"\nV2=2\n', {"V1": "ab", "V2": "2"}),
    "lines-in-quotes": since(
        239, Odd(b"V1='a\nV2=b'\nV3=3\n", {"V1": "a\nV2=b", "V3": "3"}), Odd(b"V1='a\nV2=b'\nV3=3\n", {"V3": "3"}, (1,))
    ),
    "open-quote": since(
        239, Odd(b"V1=1\nV2='two\nV3=3\n", {"V1": "1", "V2": "two\nV3=3\n"}, (2,)), Odd(b"V1=1\nV2='two\nV3=3\n", {"V1": "1"}, (2,))
    ),
    "quote-inside": Odd(b"V1=it's\nV2=\"a\" b\n", {"V1": "it's", "V2": "ab"}),
    "nothing-before-the-equals-sign": Odd(b"=x\nV1=1\n", {"V1": "1"}, (1,)),
    "blank-in-the-name": Odd(b"A V1=1\nV2=2\n", {"V2": "2"}, (1,)),
    "blanks-around": Odd(b"  V1 = 1 \n\tV2\t=\t2\t\n", {"V1": "1", "V2": "2"}),
    "digit-first": Odd(b"1V=1\nV2=2\n", {"V2": "2"}, (1,)),
    "dash": Odd(b"V-1=1\nV2=2\n", {"V2": "2"}, (1,)),
    "no-equals-sign": Odd(b"V1\nV2=2\n", {"V2": "2"}, (1,)),
    "yaml": Odd(b"---\nV1: 1\nV2: a=b\n", {}, (1, 2, 3)),
    "comments": Odd(b"# V1=1\n;V2=2\nV3=3 # three\n // V4=4\n", {"V3": "3 # three"}, (4,)),
    "dollar": Odd(b"V1=$HOME\nV2=${V1}x\nV3=`id`\nV4=%n\n", {"V1": "$HOME", "V2": "${V1}x", "V3": "`id`", "V4": "%n"}),
    "twice": Odd(b"V1=1\nV1=2\n", {"V1": "2"}),
    "empty-value": Odd(b"V1=\nV2=2", {"V1": "", "V2": "2"}),
    "control-character": since(247, Odd(b"V1=a\x07b\nV2=2\n", {"V1": "a\x07b", "V2": "2"}), Odd(b"V1=a\x07b\nV2=2\n", {"V2": "2"}, (1,))),
    "not-utf-8": Odd(b"V1=1\nV2=\xff\n", None, (2,)),
    "not-utf-8-in-a-comment": Odd(b"# \xff\nV1=1\n", {"V1": "1"}),
    "latin-1": Odd(b"V1=caf\xe9\n", None, (1,)),
    "nul": Odd(b"V1=1\nV2=a\x00b\nV3=3\n", None, (2,)),
    "utf-16": Odd("V1=1\n".encode("utf-16"), None, (1,)),
    "empty": Odd(b"", {}),
    "two-megabytes": Odd(b"# filling\n" * 200_000 + b"V1=1\n", {"V1": "1"}),
}


def warned(host: Host, **options: object) -> tuple[bool, str]:
    """Whether a run would fail, in check mode, and what it says of the file."""
    result = host.converge(check=True, **{"env_files": [FILE], **options})
    said = [text for text in [*result.get("warnings", []), result.get("msg", "")] if FILE in text]
    return any("could not verify" in text for text in said), "\n".join(said)


@pytest.mark.parametrize("name", ODD)
def test_what_systemd_takes_of_a_file_and_what_is_said(host: Host, name: str) -> None:
    odd = ODD[name]
    host.sh(f"base64 -d >{FILE}", stdin=base64.b64encode(odd.content).decode())
    got = base64.b64decode(host.out(PROBE))
    taken = dict(line.split("=", 1) for line in got.decode().split("\0") if re.match(r"A? ?[1V]", line)) if got else None
    if not (name in ("nul", "utf-16") and SYSTEMD < 240):  # which read up to the NUL
        assert taken == odd.taken
    refused, said = warned(host)
    lines = {int(n) for n in re.findall(r"\bline (\d+)\b", said)}
    assert (refused, lines) == (odd.taken is None, set(odd.lines)), said
    assert not any(secret in said for secret in ("two words", "hunter2", "caf"))


def test_what_is_no_file(host: Host) -> None:
    host.sh(f"rm -f {FILE}; mkdir {FILE}")
    try:
        assert host.out(PROBE) == ""
        assert warned(host) == (True, f"could not verify: option \"env_files\": {FILE} is a directory, and systemd starts nothing with it")
        assert warned(host, env_files=["-" + FILE]) == (False, "")
        host.sh(f"rmdir {FILE}; mkfifo {FILE}")
        for file in (FILE, "-" + FILE):
            assert warned(host, env_files=[file])[0]
            result = host.converge(env_files=[file])
            assert result["failed"] and f"{FILE} is a FIFO" in result["msg"] and not result["changed"], result
        host.sh(f"rm {FILE}; ln -s /nowhere {FILE}")
        assert host.out(PROBE) == "" and warned(host)[0] and warned(host, env_files=["-" + FILE]) == (False, "")
        host.sh(f"ln -sfn /dev/null {FILE}")
        assert host.out(PROBE) != "" and not warned(host)[0]
    finally:
        host.sh(f"rm -rf {FILE}")
