# SPDX-License-Identifier: GPL-3.0-or-later
"""sidekiq-health on the host itself: when it is there, what it says, and to whom."""

from __future__ import annotations

from conftest import APP, HEALTH, Host, tool, until
from system import SYSTEMD

FULL_REDIS = "redis-server --port 6394 --maxmemory 1 --maxmemory-policy noeviction --save '' --dir /tmp --daemonize yes"


def health(host: Host, name: str = "sidekiq", user: str = "root") -> tuple[int, str]:
    """The status and what is printed."""
    done = host.sh(f"runuser -u {user} -- {HEALTH} {name}", check=False)
    assert done.stderr == ""
    return done.returncode, done.stdout


def test_it_comes_with_the_first_service_and_goes_with_the_last(host: Host) -> None:
    host.sh(f"rm {HEALTH}")
    assert f"write {HEALTH}" in host.converge(check=True)["steps"] and host.sh(f"test -e {HEALTH}", check=False).returncode
    assert f"write {HEALTH}" in host.converge()["steps"]
    assert host.out(f"stat -c '%a %u:%g' {HEALTH}") == "755 0:0"
    host.sh(f"cmp {HEALTH} $(ls /root/emulated 2>/dev/null || echo /root/sidekiq_service)")
    assert host.converge()["steps"] == []
    other = {"name": "sidekiq-other", "sudo": False}
    host.converge(**other)
    assert f"remove {HEALTH}" not in host.converge(state="absent")["steps"]
    assert f"remove {HEALTH}" in host.converge(**other, state="absent")["steps"]
    assert host.sh(f"test -e {HEALTH}", check=False).returncode


def test_another_version_is_replaced_and_comes_back_with_a_rollback(host: Host) -> None:
    host.converge()
    host.sh(f"printf x >>{HEALTH}")
    before = host.out(f"sha256sum {HEALTH}; stat -c '%y %a' {HEALTH}")
    failed = host.converge(exec_start="/bin/false", start_timeout=5)
    assert failed["failed"] and failed["rolled_back"], failed
    assert host.out(f"sha256sum {HEALTH}; stat -c '%y %a' {HEALTH}") == before
    assert host.converge()["steps"] == [f"change {HEALTH}"]


def test_what_somebody_else_has_there_stays(host: Host) -> None:
    host.sh(f"echo theirs >{HEALTH}")
    result = host.converge()
    assert any(f"{HEALTH} is not written: something else wrote it" in w for w in result["warnings"]) and not result.get("failed")
    assert host.out(f"cat {HEALTH}") == "theirs"
    host.converge(state="absent")
    assert host.out(f"cat {HEALTH}") == "theirs"


def test_what_it_says_of_one_process(host: Host) -> None:
    assert health(host) == (3, "UNKNOWN: there is no service sidekiq.service on the host\n")
    host.converge()
    release = host.out(f"readlink -f {APP}/current")
    for user in ("root", "deploy"):
        status, said = health(host, user=user)
        assert (status, said.startswith("OK: sidekiq.service runs and is not quiet, process "), release in said) == (0, True, True), said
    assert health(host, user="nobody")[0] == 0
    metrics = host.out(f"{HEALTH} sidekiq --prometheus")
    assert 'sidekiq_up{service="sidekiq",unit="sidekiq.service"} 1' in metrics.splitlines()
    tool("deploy", host.name, capture_output=True)
    status, said = health(host)
    assert status == 1 and f"it runs in {release}" in said, said
    assert 'sidekiq_old_release{service="sidekiq",unit="sidekiq.service"} 1' in host.out(f"{HEALTH} sidekiq --prometheus")
    host.sh("systemctl reload sidekiq")
    until(lambda: "is quiet" in health(host)[1], 30, "it says that it is quiet")
    host.sh("systemctl restart sidekiq")
    until(lambda: health(host)[0] == 0, 30, "it is up")
    host.sh("systemctl kill -s KILL sidekiq")
    until(lambda: health(host)[0] == 2, 10, "it is dead")
    until(lambda: health(host)[0] in (0, 1), 30, "it runs again, and a stop does not end it while it boots")
    host.sh("systemctl stop sidekiq")
    assert health(host)[1].startswith("CRITICAL: sidekiq.service is not running")


def test_one_of_several_processes_is_enough(host: Host) -> None:
    host.converge(processes=2)
    assert health(host)[0] == 0
    host.sh("systemctl stop sidekiq@2")
    status, said = health(host)
    assert (status, "sidekiq@2.service is not running" in said, "nothing is wrong with 1 of 2 processes" in said) == (2, True, True), said


def test_a_redis_that_takes_nothing(host: Host) -> None:
    host.sh(FULL_REDIS)
    try:
        result = host.converge(env={"REDIS_URL": "redis://127.0.0.1:6394"})
        assert any("its log says that it can do no jobs: Redis has used up its maxmemory" in w for w in result["warnings"]), result
        status, said = health(host)
        assert (status, "Redis has used up its maxmemory" in said) == (2, True), said
    finally:
        host.sh("redis-cli -p 6394 shutdown nosave", check=False)


def test_what_the_warning_of_onfailure_says_is_so(host: Host) -> None:
    alarm = "/run/systemd/system/alarm.service"
    host.sh(f"cat >{alarm} && systemctl daemon-reload; rm -f /root/fired", stdin='[Service]\nType=oneshot\nExecStart=/bin/sh -c "echo fired >>/root/fired"\n')
    try:
        result = host.converge(restart_sec=1, directives={"Unit": {"OnFailure": "alarm.service"}})
        warned = any("OnFailure= in directives starts nothing" in w for w in result.get("warnings", []))
        pid = host.main_pid()
        host.sh("systemctl kill -s KILL sidekiq")
        until(lambda: host.main_pid() not in (0, pid), 30, "it is restarted")
        fired = host.sh("test -e /root/fired", check=False).returncode == 0
        assert (warned, fired) == (239 <= SYSTEMD < 254, not 239 <= SYSTEMD < 254)
    finally:
        host.sh(f"systemctl stop sidekiq; rm -f {alarm}; systemctl daemon-reload")
