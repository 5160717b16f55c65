# SPDX-License-Identifier: GPL-3.0-or-later
"""The main job, and what a run costs that has nothing to do."""

from __future__ import annotations

from typing import Any

import pytest
from conftest import APP, SUDOERS, UNIT, Host
from system import SYSTEMD


def test_from_nothing_to_running_and_then_unchanged(host: Host) -> None:
    first = host.converge()
    assert first["changed"], first
    assert host.show("ActiveState", "UnitFileState") == {"ActiveState": "active", "UnitFileState": "enabled"}
    pid = host.main_pid()
    second = host.converge()
    assert (second["changed"], second["steps"]) == (False, [])
    assert host.main_pid() == pid
    host.push("WriteFile", "/opt/laevigata/shared/tmp/done")
    host.wait("grep uid=1000 /opt/laevigata/shared/tmp/done")


def test_check_mode_prints_both_files_and_changes_nothing(host: Host) -> None:
    before = host.snapshot()
    result = host.converge(check=True)
    assert host.snapshot() == before
    headers = [d["after_header"].split()[0] for d in result["diff"]]
    assert headers == [UNIT, SUDOERS, "sidekiq.service"]
    assert host.converge()["steps"] == result["steps"]


def test_a_run_with_nothing_to_change_runs_no_child_and_reloads_nothing(host: Host) -> None:
    host.converge()
    traced = host.converge(prefix="strace -f -qq -s 200 -o /root/trace -e trace=process,sendmsg,write")
    assert not traced["changed"]
    trace, asked = host.out("cat /root/trace"), host.asked()
    assert host.started("/root/trace") == ["/root/sidekiq_service", *asked], trace
    processes = [line for line in trace.splitlines() if "clone" in line and "flags=" in line and "CLONE_THREAD" not in line]
    assert asked or not processes
    assert '"Reload' not in trace


BAD: dict[str, tuple[dict[str, Any], list[str]]] = {
    "unknown option": ({"usr": "deploy"}, ['"usr"', "user"]),
    "wrong type": ({"concurrency": "many"}, ['"concurrency"']),
    "all at once": ({"concurrency": "many", "umask": 23, "state": "on"}, ['"concurrency"', '"umask"', '"state"']),
    "no such user": ({"user": "nobodyhere"}, ['"user"', "nobodyhere"]),
    "relative directory": ({"working_directory": "opt/x"}, ['"working_directory"']),
    "control character": ({"app_env": "prod\rUser=root"}, ['"app_env"']),
    "rejected by systemd-analyze": ({"directives": {"Service": {"NoSuchDirective": "1"}}}, ["systemd-analyze", "NoSuchDirective"]),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_names_the_option_and_leaves_the_host_alone(host: Host, name: str) -> None:
    options, words = BAD[name]
    before = host.snapshot()
    result = host.converge(**options)
    assert result.get("failed"), result
    for word in words:
        assert word in result["msg"], result["msg"]
    assert host.snapshot() == before


def test_without_systemd_as_pid_1_the_error_says_so(host: Host) -> None:
    result = host.converge(prefix='unshare --mount sh -c \'mount -t tmpfs none /run/systemd && exec "$0" "$@"\'')
    assert "PID 1" in result["msg"], result


def test_a_directory_that_is_not_there_is_told_of_before_anything_is_done(host: Host) -> None:
    """In check mode an earlier task of the play may be about to make it."""
    before = host.snapshot()
    told = 'option "unit_dir": there is no directory /usr/local/lib/systemd/system'
    checked = host.converge(check=True, unit_dir="/usr/local/lib/systemd/system")
    assert not checked.get("failed") and f"could not verify: {told}" in checked["warnings"], checked
    result = host.converge(unit_dir="/usr/local/lib/systemd/system")
    assert result["failed"] and result["msg"] == told, result
    assert host.snapshot() == before


@pytest.mark.parametrize("check", [True, False])
def test_a_directory_that_systemd_does_not_read_is_refused(host: Host, check: bool) -> None:
    host.sh("mkdir -p /srv/units")
    before = host.snapshot()
    result = host.converge(check=check, unit_dir="/srv/units")
    assert result["failed"] and result["msg"] == 'option "unit_dir": systemd reads no units in /srv/units', result
    assert host.snapshot() == before


def test_an_application_without_a_gemfile_is_told_of_in_check_mode(host: Host) -> None:
    host.sh(f"mv {APP}/current/Gemfile /root/")
    try:
        checked = host.converge(check=True)
    finally:
        host.sh(f"mv /root/Gemfile {APP}/current/")
    assert any(f"there is no {APP}/current/Gemfile" in warning for warning in checked["warnings"]), checked


def test_a_directory_that_root_may_not_enter_is_looked_at_as_its_user(host: Host) -> None:
    """As on a file server that takes root for nobody."""
    if SYSTEMD < 235:
        pytest.skip("this systemd-run knows no --pipe, and so root cannot be kept from reading what it asks for")
    # All that the program may need but CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH; not every systemd-run takes those with a tilde.
    others = " ".join(f"CAP_{name}" for name in "CHOWN FOWNER FSETID KILL SETGID SETUID SETPCAP SYS_ADMIN SYS_PTRACE SYS_RESOURCE AUDIT_WRITE".split())
    nobody = f"systemd-run --quiet --wait --pipe -p 'CapabilityBoundingSet={others}' --"
    host.sh(f"chmod 700 {APP}")
    try:
        host.sh(f"{nobody} /usr/bin/test -d /opt/")
        assert host.sh(f"{nobody} /usr/bin/test -d {APP}/current/", check=False).returncode != 0
        result = host.converge(prefix=nobody)
        assert not result.get("failed") and result["deployed"] and result["sidekiq_version"], result
        host.sh(f"chown root: {APP}")
        told = host.converge()
        assert told["failed"] and f"cannot look at {APP}/current: permission denied (as uid 1000)" in told["msg"], told
    finally:
        host.sh(f"chown deploy: {APP}; chmod 755 {APP}")
