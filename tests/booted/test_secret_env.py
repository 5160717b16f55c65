# SPDX-License-Identifier: GPL-3.0-or-later
"""secret_env as the real systemd reads it: whatever the values are, a process gets them as they were given, and nobody sees them elsewhere."""

from __future__ import annotations

import base64
import random
import re

import pytest
from conftest import Host
from test_hostile_values import PAYLOADS

FILE = "/etc/curationexperts.sidekiq/sidekiq.env"

# What has a meaning in an environment file, a unit file or a shell, blanks, and letters of one to four bytes.
CHARACTERS = "ab01 \"'\\`$%#;=!~*?[]{}()<>|&@:,./-_+^\u00a0\u00e9\u6f22\U0001f600"

# The file alone decides here, so it is read by a unit that prints its environment. The program's own unit names it in the same way.
PROBE = f"""
rm -f /root/got
printf '[Service]\\nType=oneshot\\nEnvironmentFile={FILE}\\nExecStart=/bin/sh -c "env -0 >/root/got"\\n' >/run/systemd/system/probe.service
systemctl daemon-reload && systemctl start probe && base64 -w 0 </root/got
"""


def values(seed: int, count: int) -> list[str]:
    chance = random.Random(seed)
    made = ["".join(chance.choice(CHARACTERS) for dummy in range(chance.randrange(4, 40))) for dummy in range(count)]
    return made + ["".join(chance.choice("\\\"$`' a") for dummy in range(chance.randrange(4, 12))) for dummy in range(count)]


def got(host: Host, given: dict[str, str]) -> dict[str, str]:
    """What a process gets of secret_env, of the variables that were given."""
    result = host.converge(state="present", enabled=False, sudo=False, secret_env=given)
    assert not result.get("failed"), result["msg"]
    assert host.out(f"stat -c '%a %u:%g' {FILE}") == "600 0:0"
    seen = base64.b64decode(host.out(PROBE)).decode().split("\0")
    return {name: value for name, dummy, value in (line.partition("=") for line in seen) if name in given}


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.long) for seed in range(2, 12))])
def test_any_value_arrives_as_it_was_given(host: Host, seed: int) -> None:
    given = {f"V{n}": value for n, value in enumerate(values(seed, 250))}
    assert got(host, given) == given


def test_a_hostile_value_arrives_or_is_refused(host: Host) -> None:
    given = {f"V{n}": "long" + payload for n, payload in enumerate(PAYLOADS)}
    refused = host.converge(check=True, secret_env=given)["msg"]
    named = set(re.findall(r'the value of "(V[0-9]+)"', refused))
    assert 0 < len(named) < len(given) / 4 and not any(given[name] in refused for name in named), refused
    taken = {name: value for name, value in given.items() if name not in named}
    assert got(host, taken) == taken
