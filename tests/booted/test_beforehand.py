# SPDX-License-Identifier: GPL-3.0-or-later
"""What is found out before anything is changed: by a login shell, and of rules that sudo reads later; and a release that was deployed since."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from conftest import SUDOERS, Host, tool
from system import SYSTEMCTL

PROFILE = "/home/deploy/.bash_profile"
LATER = "/etc/sudoers.d/zz-theirs"


@pytest.fixture
def host(host: Host) -> Iterator[Host]:
    yield host
    host.sh(f"rm -f {PROFILE} {LATER}")


def test_a_login_shell_without_bundler_changes_nothing(host: Host) -> None:
    host.converge()
    pid, before = host.main_pid(), host.snapshot()
    host.sh(f"echo PATH=/opt/none >{PROFILE}")
    told = host.converge(login_shell=True, check=True)
    assert any("was not looked for" in w for w in told["warnings"]) and not told.get("failed"), told
    msg = host.converge(login_shell=True)["msg"]
    assert 'a login shell of deploy says "bundle: not found"' in msg, msg
    assert (host.main_pid(), host.snapshot()) == (pid, before)


def test_a_login_shell_that_hangs_is_ended(host: Host) -> None:
    host.sh(f"echo 'sleep 3600' >{PROFILE}")
    result = host.converge(login_shell=True, state="present")
    assert any("did not end within 5s" in w for w in result["warnings"]), result
    assert host.sh("pgrep -u deploy -x sleep", check=False).returncode, "what it has started has ended, too"


def test_check_mode_tells_of_a_sudo_rule_that_would_win(host: Host) -> None:
    host.sh(f"cat >{LATER} && chmod 440 {LATER}", stdin=f"deploy ALL=(root) PASSWD: {SYSTEMCTL} restart sidekiq\n")
    told, done = host.converge(check=True), host.converge()
    assert any(f"sudo reads {LATER} after {SUDOERS}, and the real run would fail" in w for w in told["warnings"]), told
    assert done["failed"] and done["rolled_back"], done
    behind = host.converge(check=True, sudoers_file="/etc/sudoers.d/zzz-sidekiq")
    assert not any("would win over ours" in w for w in behind["warnings"]), behind


def test_a_release_that_was_deployed_since(host: Host) -> None:
    host.converge()
    pid = host.main_pid()
    tool("deploy", host.name, capture_output=True)
    assert host.converge()["steps"] == [] and host.main_pid() == pid
    (step,) = host.converge(restart_on_release=True)["steps"]
    assert step.startswith("restart sidekiq.service: it runs in /opt/laevigata/releases/") and step.endswith(" is deployed now")
    assert host.main_pid() != pid
    assert host.converge(restart_on_release=True)["steps"] == []
