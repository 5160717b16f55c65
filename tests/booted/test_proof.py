# SPDX-License-Identifier: GPL-3.0-or-later
"""Up means up: a run that succeeds has seen Sidekiq take jobs, and one that fails says why it does not."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from conftest import APP, Host, tool
from system import NOTIFIES, SIDEKIQ_VERSION, TYPES
from system import SIDEKIQ as VERSION

FIRST, *OTHERS = TYPES
each_type = pytest.mark.parametrize("kind", TYPES)
# The same, with the first type only where minutes matter.
first_type = pytest.mark.parametrize("kind", [FIRST, *(pytest.param(kind, marks=pytest.mark.long) for kind in OTHERS)])

SIDEKIQ = "/usr/local/bin/bundle exec sidekiq -e production -C config/sidekiq.yml"
AS_BEFORE = "everything is as it was before"


def succeeded(result: dict[str, Any]) -> dict[str, Any]:
    assert not result.get("failed"), result["msg"]
    return result


def failed(result: dict[str, Any], *words: str) -> str:
    """The message of a run that failed and was rolled back, which holds all the words."""
    assert result.get("failed") and result["rolled_back"], result
    for word in (AS_BEFORE, *words):
        assert word in result["msg"], result["msg"]
    return result["msg"]


def takes_jobs(host: Host) -> None:
    """Right now, without any waiting: the unit is active and its process has said so, in its title or to systemd."""
    show = host.show("ActiveState", "SubState", "Type", "MainPID")
    assert (show["ActiveState"], show["SubState"]) == ("active", "running"), show
    title = host.out(f"ps -o args= -p {show['MainPID']}")
    assert show["Type"] == "notify" or " busy]" in title, title


def boots_for(host: Host, seconds: int) -> None:
    """From now on the application takes so long to boot, as a large one does."""
    host.sh(f"echo {seconds} >{APP}/shared/boot_delay")


@pytest.fixture
def without_redis(host: Host) -> Iterator[None]:
    host.sh("systemctl disable --quiet redis-server; systemctl stop redis-server")
    yield
    host.sh("systemctl enable --quiet redis-server; systemctl start redis-server")


@each_type
def test_a_run_returns_when_sidekiq_takes_jobs(host: Host, kind: str) -> None:
    assert succeeded(host.converge(type=kind))["changed"]
    takes_jobs(host)


@pytest.mark.parametrize("kind, seconds", [("simple", 20), *(pytest.param(kind, 120, marks=pytest.mark.long) for kind in TYPES)])
def test_a_slow_boot_is_waited_for(host: Host, kind: str, seconds: int) -> None:
    boots_for(host, seconds)
    began = time.monotonic()
    succeeded(host.converge(type=kind))
    assert time.monotonic() - began >= seconds
    takes_jobs(host)


@pytest.mark.parametrize("kind, seconds", [(FIRST, 20), *(pytest.param(kind, 120, marks=pytest.mark.long) for kind in TYPES)])
def test_a_slow_boot_after_a_reboot_is_waited_for(host: Host, kind: str, seconds: int) -> None:
    succeeded(host.converge(type=kind))
    boots_for(host, seconds)
    tool("reboot", host.name, capture_output=True)
    result = succeeded(host.converge(type=kind))
    assert (result["changed"], result["steps"]) == (False, [])
    takes_jobs(host)


@first_type
def test_one_that_crashes_every_two_seconds_has_not_been_started(host: Host, kind: str) -> None:
    failed(host.converge(type=kind, exec_start="/usr/bin/ruby -e 'sleep 2; abort %(no licence)'"), "exited with status 1", "no licence")


@pytest.mark.usefixtures("without_redis")
@pytest.mark.parametrize("kind", ["simple", pytest.param(FIRST, marks=pytest.mark.long)])
def test_one_that_dies_of_redis_after_half_a_minute_has_not_been_started(host: Host, kind: str) -> None:
    boots_for(host, 30)
    failed(host.converge(type=kind), "exited with status 1", "Likely cause: Sidekiq cannot reach Redis")


@pytest.mark.long
def test_a_command_that_dies_after_half_a_minute_has_not_been_started(host: Host) -> None:
    failed(host.converge(type="simple", exec_start="/usr/bin/ruby -e 'sleep 30; abort %(no licence)'"), "exited with status 1", "no licence")


def test_a_command_that_shows_nothing_counts_as_up_after_a_while_and_with_a_warning(host: Host) -> None:
    command = {"exec_start": "/usr/bin/ruby -e sleep", "type": "exec" if "exec" in TYPES else "simple", "start_timeout": 12}
    began = time.monotonic()
    first = succeeded(host.converge(**command))
    assert time.monotonic() - began > 12
    assert any("has been running for 12s, which is all that can be told" in warning for warning in first["warnings"]), first["warnings"]
    again, took = timed(host, **command)
    assert not again["changed"] and took < 6


@first_type
def test_a_run_that_finds_the_service_up_waits_for_nothing(host: Host, kind: str) -> None:
    succeeded(host.converge(type=kind))
    boots_for(host, 60)
    again, took = timed(host, type=kind)
    assert (again["changed"], again["steps"]) == (False, []) and took < 6


def timed(host: Host, **options: Any) -> tuple[dict[str, Any], float]:
    began = time.monotonic()
    return succeeded(host.converge(**options)), time.monotonic() - began


@each_type
def test_somebody_else_restarting_meanwhile_is_no_failure(host: Host, kind: str) -> None:
    """Such as a deploy."""
    boots_for(host, 6)
    results: list[dict[str, Any]] = []
    run = threading.Thread(target=lambda: results.append(host.converge(type=kind)))
    run.start()
    first = int(host.wait("pid=$(systemctl show -p MainPID sidekiq | cut -d = -f 2-) && [ $pid != 0 ] && echo $pid"))
    host.sh("runuser -u deploy -- sudo -n systemctl restart sidekiq")
    run.join()
    succeeded(results[0])
    assert host.main_pid() != first
    takes_jobs(host)


def test_the_directory_may_not_be_entered(host: Host) -> None:
    """Which shows before anything is changed."""
    host.sh("install -d -m 700 /srv/private")
    before = host.snapshot()
    result = host.converge(working_directory="/srv/private")
    assert result["failed"] and 'option "working_directory": "deploy" (option "user") may not look into /srv/private' in result["msg"], result
    assert host.snapshot() == before


@first_type
def test_the_program_cannot_be_run(host: Host, kind: str) -> None:
    host.sh("printf '#!/opt/rubies/none/bin/ruby\\n' >/usr/local/bin/stale && chmod 755 /usr/local/bin/stale")
    failed(host.converge(type=kind, exec_start="/usr/local/bin/stale"), "203/EXEC (the program is missing", "interpreter in its first line")


@first_type
def test_systemd_does_not_know_the_user(host: Host, kind: str) -> None:
    """As when a directory service has just gone: the program finds the user where systemd does not."""
    host.sh("sed '$ a ghost:x:4711:1000::/:/bin/sh' /etc/passwd >/root/passwd")
    only_here = 'unshare --mount sh -c \'mount --bind /root/passwd /etc/passwd && exec "$0" "$@"\''
    result = host.converge(prefix=only_here, type=kind, user="ghost", group="deploy", sudo=False, exec_start="/bin/sleep 100")
    failed(result, "217/USER (the user does not exist", "see user")


@pytest.mark.parametrize("flag", ["-L log/sidekiq.log", "-d"])
def test_a_flag_that_sidekiq_has_no_more(host: Host, flag: str) -> None:
    """Before version 6 it logs there, or becomes a daemon; version 6 says that it ignores them and runs; 7 refuses them."""
    result = host.converge(exec_start=f"{SIDEKIQ} {flag}")
    if VERSION < (6,) and flag == "-d":
        pytest.skip("this Sidekiq becomes a daemon with -d")
    if VERSION < (7,):
        succeeded(result)
        takes_jobs(host)
    else:
        failed(result, "exited with status 1", "invalid option: " + flag[:2], "Likely cause: this Sidekiq has no -L, -d")


# A Redis that says it is version 3, whatever it is.
OLD_REDIS = r"""
require "socket"
server = TCPServer.new("127.0.0.1", 6399)
loop do
  Thread.new(server.accept) do |client|
    redis = TCPSocket.new("127.0.0.1", 6379)
    Thread.new { IO.copy_stream(client, redis) rescue nil }
    loop { client.write(redis.readpartial(1 << 20).sub(/redis_version:\d/, "redis_version:2")) } rescue nil
  end
end
"""


@first_type
def test_redis_is_too_old(host: Host, kind: str) -> None:
    host.sh("cat >/root/old-redis.rb; systemd-run --quiet --unit=old-redis ruby /root/old-redis.rb", stdin=OLD_REDIS)
    try:
        host.wait("redis-cli -p 6399 info server | grep redis_version:2")
        result = host.converge(type=kind, env={"REDIS_URL": "redis://127.0.0.1:6399"})
        failed(result, "Sidekiq requires Redis", "Likely cause: the Redis server is too old")
    finally:
        host.sh("systemctl stop old-redis; systemctl reset-failed old-redis 2>/dev/null; true")


@first_type
def test_redis_is_not_reachable(host: Host, kind: str) -> None:
    result = host.converge(type=kind, env={"REDIS_URL": "redis://127.0.0.1:6398"})
    failed(result, "exited with status 1", "Likely cause: Sidekiq cannot reach Redis", "redis_unit and the address in env")


@each_type
def test_a_boot_longer_than_start_timeout(host: Host, kind: str) -> None:
    boots_for(host, 60)
    failed(host.converge(type=kind, start_timeout=8), "8s (start_timeout)", "boot takes longer than start_timeout")
    assert host.show("ActiveState")["ActiveState"] == "inactive"


def test_a_sidekiq_that_cannot_notify_under_notify(host: Host) -> None:
    """In a script, where nobody sees beforehand what it runs."""
    host.sh(f"printf '#!/bin/sh\\nunset NOTIFY_SOCKET\\nexec {SIDEKIQ}\\n' >/usr/local/bin/silent && chmod 755 /usr/local/bin/silent")
    result = host.converge(type="notify", start_timeout=10, exec_start="/usr/local/bin/silent")
    failed(result, "within 10s (start_timeout)", "6.0.6", "type notify")


@pytest.mark.skipif(NOTIFIES, reason="the application has a Sidekiq that can notify")
def test_a_sidekiq_too_old_to_notify_is_not_even_tried_under_notify(host: Host) -> None:
    before = host.snapshot()
    result = host.converge(type="notify")
    assert result["failed"] and f"notify needs Sidekiq 6.0.6 or newer, and the application has {SIDEKIQ_VERSION}" in result["msg"], result
    assert host.snapshot() == before
