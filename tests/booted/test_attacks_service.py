# SPDX-License-Identifier: GPL-3.0-or-later
"""Attacks by the deploy user, or through a careless value, on what root does for the service: each by hand first, where it must work."""

from __future__ import annotations

import json
import time

import pytest
from conftest import UNIT, Host
from figures import OURS, SEED, SEED_UNIT, push_all, record
from system import NOTIFIES, SUDO, SYSTEMCTL, SYSTEMD

pytestmark = pytest.mark.long

USERS_UNITS = "/home/deploy/.config/systemd/user"

# Says something to systemd as a child of a job can: from the service's own control group, as the deploy user.
SAYS = """
group=$(systemctl show -p ControlGroup sidekiq | cut -d = -f 2)
procs=$(ls /sys/fs/cgroup$group/cgroup.procs /sys/fs/cgroup/systemd$group/cgroup.procs 2>/dev/null | head -1)
sh -c 'echo $$ >'$procs'; exec runuser -u deploy -- ruby -rsocket -e "$0"' \
  's = Socket.new(:UNIX, :DGRAM); s.connect(Socket.sockaddr_un("/run/systemd/notify")); s.send("WHAT", 0); sleep 2'
"""


def outlives(host: Host, what: str) -> bool:
    """Whether Sidekiq goes on with its job after somebody else than itself has told systemd something."""
    push_all(host, [("Sleep", "job", 20)])
    host.wait("test $(redis-cli llen queue:default) = 0")
    pid = host.main_pid()
    host.sh(SAYS.replace("WHAT", what))
    time.sleep(8)
    return host.show("MainPID", "ActiveState") == {"MainPID": str(pid), "ActiveState": "active"}


@pytest.mark.skipif(not NOTIFIES, reason="this Sidekiq does not speak to systemd")
@pytest.mark.parametrize("what", ["STOPPING=1", "MAINPID=#{$$}"])
def test_a_child_of_a_job_does_not_speak_for_sidekiq(host: Host, what: str) -> None:
    unit = SEED_UNIT.read_text().replace("[Install]", "Type=notify\nNotifyAccess=all\nTimeoutStopSec=5\n[Install]")
    host.sh(f"cat >{UNIT}; systemctl daemon-reload; systemctl start sidekiq", stdin=unit)
    by_hand = outlives(host, what)
    record(f"service: a child of a job says {what.split('=')[0]}", SEED, got="unharmed" if by_hand else "believed")
    assert not by_hand, "the attack is none"
    host.reset()
    assert not host.converge().get("failed")
    assert outlives(host, what)
    record(f"service: a child of a job says {what.split('=')[0]}", OURS, got="unharmed")


def test_a_name_is_no_unit_of_another_type(host: Host) -> None:
    name = "systemd-tmpfiles-clean.timer"
    rule = f"deploy ALL=(root) NOPASSWD: {SYSTEMCTL} stop {name}\n"
    host.sh("cat >/etc/sudoers.d/zz-test; chmod 440 /etc/sudoers.d/zz-test", stdin=rule)
    host.sh(f"runuser -u deploy -- sudo -n systemctl stop {name}")
    stopped = host.show("ActiveState", unit=name)["ActiveState"] == "inactive"
    host.sh(f"rm /etc/sudoers.d/zz-test; systemctl start {name}")
    record("service: the name of a timer", SEED, got="deploy stops the timer")
    assert stopped, "the attack is none"
    result = host.converge(name=name)
    assert result.get("failed") and '"name"' in result["msg"], result
    record("service: the name of a timer", OURS, got="refused")


def test_nothing_is_granted_to_a_user_whose_name_differs_in_case(host: Host) -> None:
    host.sh("echo 'DEPLOY:x:4712:4712::/:/bin/sh' >>/etc/passwd; cat >/etc/sudoers.d/zz-test; chmod 440 /etc/sudoers.d/zz-test",
            stdin=f"DEPLOY ALL=(root) NOPASSWD: {SYSTEMCTL} status cron\n")  # fmt: skip
    try:
        done = host.sh("runuser -u deploy -- sudo -n systemctl status cron", check=False)
        by_hand = "password" not in done.stderr
        record("service: a grant to DEPLOY", SEED, got="deploy has it, too" if by_hand else "refused")
        assert by_hand or SUDO < (1, 9) or "sudo-rs" in host.out("sudo --version 2>&1 | head -1"), "the attack is none"
        result = host.converge(sudo_users=["DEPLOY"])
        assert result.get("failed") and '"sudo_users"' in result["msg"], result
        record("service: a grant to DEPLOY", OURS, got="refused")
    finally:
        host.sh("sed -i /^DEPLOY:/d /etc/passwd; rm -f /etc/sudoers.d/zz-test")


def test_the_name_of_a_file_reaches_no_terminal_raw_and_no_command(host: Host) -> None:
    name = r"a\033]0;owned\007;id>owned;.service"
    unit = "[Service]\nWorkingDirectory=/opt/laevigata/current\nExecStart=/usr/bin/bundle exec sidekiq\n"
    host.sh(f"runuser -u deploy -- sh -c 'mkdir -p {USERS_UNITS}; cat >\"{USERS_UNITS}/$(printf %b \"$0\")\"' '{name}'", stdin=unit)
    record("service: escapes in the name of a file", SEED, got="raw" if "\x1b" in host.out(f"find {USERS_UNITS}") else "cleaned")
    assert "\x1b" in host.out(f"find {USERS_UNITS}"), "the attack is none"
    try:
        result = host.converge(check=True)
        warned = [w for w in result["warnings"] if "owned" in w]
        assert warned and not any(ord(c) < 32 and c != "\n" for w in warned for c in w), result
        assert "disable --now a" not in json.dumps(result) and "rm /home" not in json.dumps(result), warned
        record("service: escapes in the name of a file", OURS, got="cleaned")
    finally:
        host.sh(f"rm -rf {USERS_UNITS}")


def test_a_quoted_prefix_makes_no_command_roots(host: Host) -> None:
    command = '"+/bin/sh" -c "id -u >/root/victim"'
    unit = f"[Service]\nUser=deploy\nExecStartPre={command}\nExecStart=/bin/sleep 600\n"
    host.sh("rm -f /root/victim; cat >/run/systemd/system/control.service; systemctl daemon-reload; systemctl start control; sleep 1", stdin=unit)
    by_hand = host.out("cat /root/victim 2>/dev/null; true")
    host.sh("systemctl stop control; rm -f /root/victim /run/systemd/system/control.service; systemctl daemon-reload")
    record('service: ExecStartPre="+/bin/sh"', SEED, got="run as root" if by_hand == "0" else "unharmed")
    assert by_hand == "0" or SYSTEMD < 231, "the attack is none"  # which is the first that knows +
    result = host.converge(directives={"Service": {"ExecStartPre": command}})
    assert result.get("failed") and '"directives"' in result["msg"], result
    record('service: ExecStartPre="+/bin/sh"', OURS, got="refused")
    host.sh(f"[ ! -e {UNIT} ] && [ ! -e /root/victim ]")
