# SPDX-License-Identifier: GPL-3.0-or-later
"""All or nothing: what real causes of failure leave behind, and what the error says."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from conftest import APP, SUDOERS, UNIT, Host

# A command that ends at once, and one that runs but tells systemd nothing.
DIES = "/usr/bin/ruby -e 'abort %(no licence)'"
SILENT = "/usr/bin/ruby -e sleep"

AS_BEFORE = "everything is as it was before"
AGAIN = f"{AS_BEFORE}, and sidekiq.service up again"
UNIT_DIR = "/lib/systemd/system"
SUDOERS_DIR = "/etc/sudoers.d"


def standing(host: Host) -> str:
    """The snapshot without the process, which a rollback may have had to start again."""
    return "\n".join(line for line in host.snapshot().splitlines() if not re.match("MainPID|NRestarts|InvocationID", line))


def failed(result: dict[str, Any], *words: str, rolled_back: bool = True) -> str:
    """The message of a run that failed, which holds all the words."""
    assert result.get("failed") and result["rolled_back"] is rolled_back and result["changed"] is not rolled_back, result
    for word in words:
        assert word in result["msg"], result["msg"]
    return result["msg"]


def is_settled(host: Host) -> None:
    """A further run with the old options has nothing to do and nothing to warn of."""
    again = host.converge()
    assert (again["changed"], again["steps"], again.get("warnings", [])) == (False, [], []), again


def works(host: Host) -> None:
    """Sidekiq does a job."""
    mark = f"{APP}/shared/tmp/works"
    host.sh(f"rm -f {mark}")
    host.push("WriteFile", mark)
    host.wait(f"cat {mark}")


@contextmanager
def mounted(host: Host, directory: str, how: str) -> Iterator[None]:
    """The directory while something else is mounted over it; how is a script that has done so, with $d for the directory."""
    host.sh(f"d={directory}; {how}")
    try:
        yield
    finally:
        host.sh(f"while mountpoint -q {directory}; do umount -l {directory}; done")


# Both files change, and the service would be restarted.
NEW_USER = {"umask": "0027", "sudo_users": ["deploy", "admin"]}
READ_ONLY = "mount --bind $d $d && mount -o remount,bind,ro $d"
FULL = "cp -a $d /tmp/copy && mount -t tmpfs -o size=16m,mode=755 none $d && cp -a /tmp/copy/. $d && rm -r /tmp/copy; cat /dev/zero >$d/.fill 2>/dev/null; true"
# A visudo that has something against every file.
STRICT = r"""printf '#!/bin/sh\necho "$2:3:9: syntax error" >&2; exit 1\n' >/root/no && chmod 755 /root/no && mount --bind /root/no $d"""


def test_a_command_that_dies_at_once_brings_the_old_service_back(host: Host) -> None:
    host.converge()
    before, pid = standing(host), host.main_pid()
    message = failed(host.converge(exec_start=DIES), "bring sidekiq.service up", "exited with status 1", AGAIN, "no licence")
    assert "Bye!" not in message, "the old process's last words are no help"
    assert standing(host) == before
    assert host.main_pid() not in (0, pid)
    is_settled(host)
    works(host)


def test_a_command_that_dies_at_once_leaves_nothing_where_nothing_was(host: Host) -> None:
    before = host.snapshot()
    failed(host.converge(exec_start=DIES), AS_BEFORE, "no licence")
    assert host.snapshot() == before
    assert host.out("systemctl list-units --all --no-legend 'sidekiq*'") == ""


def test_a_service_that_never_says_that_it_is_ready(host: Host) -> None:
    host.converge()
    before = standing(host)
    failed(host.converge(exec_start=SILENT, type="notify", start_timeout=4), "within 4s", "start_timeout", "type notify", AS_BEFORE)
    assert standing(host) == before
    is_settled(host)


each_directory = pytest.mark.parametrize("directory, option", [(UNIT_DIR, {"umask": "0027"}), (SUDOERS_DIR, NEW_USER)])


@each_directory
def test_a_full_file_system_costs_no_restart(host: Host, directory: str, option: dict[str, Any]) -> None:
    host.converge()
    with mounted(host, directory, FULL):
        before = host.snapshot()
        failed(host.converge(**option), f"cannot write {directory}/", "no space left on device", AS_BEFORE)
        assert host.snapshot() == before
    is_settled(host)


@each_directory
def test_a_read_only_file_system_is_seen_before_anything_is_done(host: Host, directory: str, option: dict[str, Any]) -> None:
    host.converge()
    with mounted(host, directory, READ_ONLY):
        before = host.snapshot()
        result = host.converge(**option)
        assert result["failed"] and "rolled_back" not in result and f"cannot write {directory}/" in result["msg"], result
        assert "read-only" in result["msg"], result["msg"]
        assert host.snapshot() == before
    is_settled(host)


def test_a_grant_that_does_not_hold_costs_no_restart(host: Host) -> None:
    host.converge()
    host.sh(f"echo 'admin ALL=(ALL:ALL) ALL' >{SUDOERS_DIR}/zz-admins && chmod 440 {SUDOERS_DIR}/zz-admins")
    try:
        before = host.snapshot()
        failed(host.converge(**NEW_USER), "admin", "another sudo rule wins", "(ALL) ALL", AS_BEFORE)
        assert host.snapshot() == before
    finally:
        host.sh(f"rm {SUDOERS_DIR}/zz-admins")
    is_settled(host)


def test_what_visudo_rejects_is_never_installed(host: Host) -> None:
    host.converge()
    before = host.snapshot()
    with mounted(host, "/usr/sbin/visudo", STRICT):
        result = host.converge(sudo_users=["admin"])
        assert result["failed"] and result["steps"] == []
        assert f"visudo rejects {SUDOERS}: {SUDOERS}:3:9: syntax error" in result["msg"]
    assert host.snapshot() == before


def test_what_systemd_does_not_know_is_never_installed(host: Host) -> None:
    """Found before anything is done, so Sidekiq is not even restarted."""
    host.converge()
    before = host.snapshot()
    result = host.converge(directives={"Service": {"MemoryMaximum": "1G"}})  # which should be MemoryMax
    assert result["failed"] and result["steps"] == []
    assert "systemd-analyze rejects" in result["msg"] and "MemoryMaximum" in result["msg"], result["msg"]
    assert host.snapshot() == before
    is_settled(host)


def test_an_old_service_that_crash_loops_does_so_again(host: Host) -> None:
    old = host.converge(exec_start="/usr/bin/ruby -e 'abort %(old trouble)'", on_failure="keep")
    failed(old, "old trouble", "is kept", rolled_back=False)
    before = standing(host).replace("ActiveState=activating", "ActiveState=active")
    message = failed(host.converge(exec_start=DIES), "no licence", AS_BEFORE)
    assert "old trouble" not in message
    assert standing(host).replace("ActiveState=activating", "ActiveState=active") == before
    assert "old trouble" in host.out(f"cat {UNIT}")
    troubles = "$(journalctl -u sidekiq -o cat | grep -c 'old trouble')"
    host.wait(f"[ {troubles} -gt {host.out(f'echo {troubles}')} ]")
    assert host.converge()["changed"]
    works(host)


@pytest.fixture
def without_redis(host: Host) -> Iterator[None]:
    """Redis can be stopped and nothing starts it."""
    host.sh("systemctl disable --quiet redis-server")
    yield
    host.sh("systemctl enable --quiet redis-server; systemctl start redis-server")


@pytest.mark.usefixtures("without_redis")
def test_with_redis_down_for_old_and_new_the_message_clears_the_change(host: Host) -> None:
    host.converge()
    before = standing(host)
    host.sh("systemctl stop redis-server")
    failed(
        host.converge(umask="0027"),
        "Sidekiq cannot reach Redis",
        "sidekiq.service was up and is not",
        "does not come up with its old files either, so the cause is not this change",
        rolled_back=False,
    )
    host.sh("systemctl start redis-server")
    host.wait("[ $(systemctl show -p SubState sidekiq | cut -d = -f 2-) = running ]")
    assert standing(host) == before
    is_settled(host)
    works(host)


def test_a_job_in_flight_outlives_a_rollback(host: Host) -> None:
    host.converge()
    # The application gives jobs 8 s to end: one of these ends in time, the other goes back to Redis and is done again.
    host.push("Sleep", "short", "3")
    host.push("Sleep", "long", "10")
    host.wait('[ "$(journalctl -u sidekiq -o cat | grep -c Sleep.*start)" = 2 ]')
    failed(host.converge(exec_start=DIES), AS_BEFORE)
    host.wait(f"grep -q long {APP}/shared/tmp/ledger && grep -q short {APP}/shared/tmp/ledger")


def test_what_could_not_be_undone_is_said_and_healed_by_the_next_run(host: Host) -> None:
    host.converge()
    before = standing(host)
    results: list[dict[str, Any]] = []
    run = threading.Thread(target=lambda: results.append(host.converge(exec_start=SILENT, type="notify", start_timeout=6)))
    run.start()
    host.wait("[ $(systemctl show -p ActiveState sidekiq | cut -d = -f 2-) = activating ]")
    with mounted(host, UNIT_DIR, READ_ONLY):
        run.join()
        message = failed(results[0], "could not all be undone", f"cannot restore {UNIT}", "read-only file system", "sidekiq.service", rolled_back=False)
        assert "everything is as it was" not in message
    assert host.converge()["changed"]
    assert re.sub(r"(?m)^/lib.*", "", standing(host)) == re.sub(r"(?m)^/lib.*", "", before)
    works(host)


def test_what_systemd_starts_and_stops_with_the_service_is_as_before(host: Host) -> None:
    """And what starts and stops by way of these, even where it fails by itself."""
    host.converge()
    beside = dict.fromkeys(("wanted", "further", "failing", "stopped", "needing"), "")
    beside |= {"wanted": "Wants=beside-further.service beside-failing.service", "needing": "Requires=beside-stopped.service"}
    for name, needs in beside.items():
        command = "/bin/false" if name == "failing" else "/bin/sleep 900"
        host.sh(f"printf '[Unit]\\n{needs}\\n[Service]\\nExecStart={command}\\n' >/etc/systemd/system/beside-{name}.service")
    host.sh("systemctl daemon-reload; systemctl start beside-needing")
    states = f"systemctl is-active {' '.join(f'beside-{name}' for name in beside)}; true"
    try:
        new = {"wants": ["beside-wanted.service"], "directives": {"Unit": {"Conflicts": "beside-stopped.service"}}}
        failed(host.converge(**new, exec_start=DIES), AGAIN)
        assert host.out(states).split() == ["inactive", "inactive", "inactive", "active", "active"]
        assert not host.converge(**new).get("failed")
        assert host.out(states).split() == ["active", "active", "failed", "inactive", "inactive"]
    finally:
        host.sh("systemctl stop 'beside-*'; systemctl reset-failed; rm /etc/systemd/system/beside-*; systemctl daemon-reload")


def test_keep_leaves_what_was_done_to_be_looked_at(host: Host) -> None:
    host.converge()
    failed(host.converge(exec_start=DIES, on_failure="keep"), "no licence", "what was done before that is kept", rolled_back=False)
    assert "no licence" in host.out(f"cat {UNIT}")
    assert host.converge()["changed"]
    works(host)


def test_a_unit_written_by_hand_comes_back_as_it_was(host: Host) -> None:
    """The unit of the old role, with its time of last year, running."""
    host.sh(f"cat >{UNIT} && touch -d '2024-02-29 12:00' {UNIT} && systemctl daemon-reload && systemctl enable --now sidekiq", stdin=OLD)
    host.wait("ps -o args= -p $(systemctl show -p MainPID sidekiq | cut -d = -f 2-) | grep busy")
    before = standing(host)
    failed(host.converge(exec_start=DIES, replace=True), AS_BEFORE)
    assert standing(host) == before
    works(host)


OLD = f"""\
[Unit]
Description=sidekiq
After=syslog.target network.target

[Service]
Type=simple
WorkingDirectory={APP}/current
ExecStart=/usr/local/bin/bundle exec sidekiq -e production -C config/sidekiq.yml
User=deploy
Group=deploy
UMask=0002

# if we crash, restart
RestartSec=1
Restart=on-failure

StandardOutput=syslog
StandardError=syslog
SyslogIdentifier=sidekiq

[Install]
WantedBy=multi-user.target
"""
