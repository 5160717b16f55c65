# SPDX-License-Identifier: GPL-3.0-or-later
"""A run that is interrupted rolls back, by a signal or because the connection is lost; two runs at once take turns."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from conftest import APP, ROOT, Host
from system import NOT_RESTARTED

CHANGED = {"umask": "0022", "sudo_commands": ["restart", "status"], "wanted_by": ["default.target"]}
SLOW = f"{APP}/shared/boot_delay"
HELD = "/run/boot-held"
RUNNING = "pidof sidekiq_service"

# Each way to run the program, and what its standard input begins with.
AS_ROOT = ("", "/root/sidekiq_service -", "")
BY_SUDO = ("admin@", "sudo -S -p '' /usr/local/sbin/sidekiq_service -", "admin\n")


def begin(host: Host, way: tuple[str, str, str] = AS_ROOT, **options: Any) -> subprocess.Popen[str]:
    """Begins a run and does not wait for it."""
    user, command, first = way
    run = subprocess.Popen(
        [ROOT / "tests/machines/machine", "ssh", user + host.name, command], text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    run.stdin.write(first + json.dumps({"project_name": "laevigata", **options}) + "\n")
    run.stdin.close()
    run.stdin = None
    return run


def result_of(run: subprocess.Popen[str], timeout: float = 120) -> dict[str, Any]:
    out, err = run.communicate(timeout=timeout)
    assert out.startswith("{"), (run.returncode, out, err)
    return json.loads(out)


# Sidekiq reads how long its boot is to take from a pipe, and the boot goes on when the pipe's other end is let go.
HOLD = (
    f"rm -f {SLOW} {HELD}; mkfifo -m 0644 {SLOW}; install -m 0755 /root/sidekiq_service /usr/local/sbin/;"
    f" (exec 3>{SLOW}; rm {SLOW}; echo $BASHPID >{HELD}; exec sleep 600) </dev/null >/dev/null 2>&1 &"
)
LET_GO = f"kill $(cat {HELD})"


@contextmanager
def slow_restart(host: Host, way: tuple[str, str, str] = AS_ROOT) -> Iterator[subprocess.Popen[str]]:
    """A run that waits for a Sidekiq which does not finish its boot, and will not be slow a second time."""
    host.sh(HOLD)
    run = begin(host, way, **CHANGED)
    try:
        host.wait(f"[ -s {HELD} ] && {RUNNING}")
        yield run
    finally:
        run.kill()
        run.wait()
        host.sh(LET_GO, check=False)


# What a rollback restores, without the process, which was restarted.
FILES = (
    "for f in /lib/systemd/system/*sidekiq* /etc/sudoers.d/*; do stat -c '%n %a %u:%g %y' $f; sha256sum $f; done;"
    " find /etc/systemd/system /run/systemd/system -name '*sidekiq*' -printf '%p -> %l\\n' | sort; ls -A /run/curationexperts.sidekiq;"
    " systemctl is-enabled sidekiq; systemctl show --property=NeedDaemonReload,UMask,UnitFileState sidekiq"
)


def as_before(host: Host, before: str, pid: int) -> None:
    assert host.out(FILES) == before
    assert host.show("ActiveState", "SubState", "NRestarts") == {"ActiveState": "active", "SubState": "running", **NOT_RESTARTED}
    assert host.main_pid() != pid
    assert host.out(f"grep ^Umask: /proc/{host.main_pid()}/status").split() == ["Umask:", "0002"]
    assert not host.converge()["changed"]


@pytest.mark.parametrize("signal", ["TERM", *(pytest.param(s, marks=pytest.mark.long) for s in ("HUP", "INT", "PIPE"))])
def test_a_signal_during_a_run_rolls_it_back(host: Host, signal: str) -> None:
    host.converge()
    before, pid = host.out(FILES), host.main_pid()
    with slow_restart(host) as run:
        # Twice, as by people who are impatient: the rollback goes on.
        host.sh(f"kill -s {signal} $({RUNNING}); sleep 0.1; kill -s {signal} $({RUNNING})")
        result = result_of(run)
    assert (result["failed"], result["rolled_back"], result["changed"]) == (True, True, False), result
    assert "interrupted by signal" in result["msg"] and "everything is as it was before" in result["msg"], result["msg"]
    as_before(host, before, pid)


def lose_the_client(host: Host, run: subprocess.Popen[str]) -> None:
    run.kill()


def lose_the_server(host: Host, run: subprocess.Popen[str]) -> None:
    """Kills the sshd processes of the run's session."""
    host.sh(
        f"p=$({RUNNING}); while [ $p != 1 ]; do p=$(awk '/^PPid:/ {{ print $2 }}' /proc/$p/status);"
        " case $(cat /proc/$p/comm) in sshd*) tr '\\0' ' ' </proc/$p/cmdline | grep -q listener || kill -9 $p ;; esac; done"
    )


@pytest.mark.parametrize(
    ("lose", "way"),
    [
        pytest.param(lose_the_client, BY_SUDO, id="client-sudo"),
        pytest.param(lose_the_server, AS_ROOT, id="server-root"),
        pytest.param(lose_the_client, AS_ROOT, id="client-root", marks=pytest.mark.long),
        pytest.param(lose_the_server, BY_SUDO, id="server-sudo", marks=pytest.mark.long),
    ],
)
def test_a_lost_connection_rolls_the_run_back(host: Host, lose: Any, way: tuple[str, str, str]) -> None:
    host.converge()
    before, pid = host.out(FILES), host.main_pid()
    with slow_restart(host, way) as run:
        lose(host, run)
        host.wait(f"! {RUNNING}", timeout=50)
    as_before(host, before, pid)


def test_two_runs_at_once_take_turns(host: Host) -> None:
    runs = [begin(host, **CHANGED), begin(host, **CHANGED)]
    results = [result_of(run) for run in runs]
    assert not any(result.get("failed") for result in results), results
    # One does it all, and the other finds it done.
    assert sorted(result["changed"] for result in results) == [False, True], results
    assert host.show("ActiveState", "NRestarts", "UMask") == {"ActiveState": "active", **NOT_RESTARTED, "UMask": "0022"}


def test_two_runs_that_want_different_things_take_turns(host: Host) -> None:
    runs = [begin(host, **CHANGED), begin(host)]
    results = [result_of(run) for run in runs]
    assert not any(result.get("failed") for result in results), results
    assert host.show("ActiveState", "NeedDaemonReload") == {"ActiveState": "active", "NeedDaemonReload": "no"}
    assert host.out(f"grep ^Umask: /proc/{host.main_pid()}/status").split()[1] == host.show("UMask")["UMask"]


def test_check_mode_does_not_wait_for_another_run(host: Host) -> None:
    host.converge()
    with slow_restart(host) as run:
        began = time.monotonic()
        assert not host.converge(check=True).get("failed")
        assert time.monotonic() - began < 10
        host.sh(f"kill $({RUNNING})")
        assert result_of(run)["rolled_back"]


def test_a_run_that_waits_for_another_can_be_interrupted_and_names_the_other(host: Host) -> None:
    host.converge()
    with slow_restart(host) as first:
        other = host.out(RUNNING)
        second = begin(host)
        host.wait("[ $(pgrep -cx sidekiq_service) = 2 ] && kill $(pgrep -nx sidekiq_service)")
        result = result_of(second)
        assert result["failed"] and "rolled_back" not in result, result
        assert f"another run is at work on this host (process {other}; " in result["msg"], result["msg"]
        assert result["msg"].endswith(": interrupted by signal 15 (terminated)"), result["msg"]
        host.sh(f"kill {other}")
        assert result_of(first)["rolled_back"]


@pytest.mark.parametrize("end", ["succeeds", "is rolled back"])
def test_a_run_goes_on_when_systemd_is_executed_anew_as_by_its_upgrade(host: Host, end: str) -> None:
    host.converge()
    before, pid = host.out(FILES), host.main_pid()
    with slow_restart(host) as run:
        if end == "succeeds":
            host.sh(f"systemctl daemon-reexec; sleep 2; {RUNNING} && {LET_GO}")
        else:
            host.sh(f"systemctl daemon-reexec; sleep 2; kill $({RUNNING})")
        result = result_of(run)
    if end == "succeeds":
        assert not result.get("failed"), result
        assert host.out(f"grep ^Umask: /proc/{host.main_pid()}/status").split()[1] == "0022"
    else:
        assert result["rolled_back"], result
        as_before(host, before, pid)
