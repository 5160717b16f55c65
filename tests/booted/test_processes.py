# SPDX-License-Identifier: GPL-3.0-or-later
"""Several processes: one name for people, Capistrano and sudo, and all of them behind it."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from conftest import APP, Host, tool, until
from figures import waiting_jobs
from system import TYPES
from test_hostile_values import PAYLOADS
from test_info import info
from test_no_job_lost import Jobs

LEDGER = f"{APP}/shared/tmp/ledger"


def instances(host: Host) -> dict[str, str]:
    """The main processes by the name of their unit."""
    names = host.out("systemctl list-units --plain --no-legend --state=active 'sidekiq@*' | cut -d' ' -f1").split()
    return {name: host.show("MainPID", unit=name)["MainPID"] for name in names}


def sidekiqs(host: Host) -> int:
    """The number of Sidekiq processes on the host."""
    return int(host.out("pgrep -u deploy -fc '^sidekiq .* busy]' || true"))


def busy(host: Host, name: str, seconds: int = 4) -> None:
    """Pushes a job and waits until a process has taken it."""
    host.push("Sleep", name, str(seconds))
    host.wait("[ $(redis-cli llen queue:default) = 0 ]")


def test_from_one_to_three_to_two_to_one_with_a_job_in_flight_each_time(host: Host) -> None:
    host.converge()
    for number, processes in enumerate([3, 2, 1]):
        busy(host, f"job{number}")
        announced = host.converge(check=True, processes=processes)
        result = host.converge(processes=processes)
        assert not result.get("failed"), result["msg"]
        assert result["steps"] == announced["steps"]
        assert len(instances(host)) == (processes if processes > 1 else 0)
        host.wait(f"[ $(pgrep -u deploy -fc '^sidekiq .* busy]') = {processes} ]")
        again = host.converge(processes=processes)
        assert (again["changed"], again["steps"]) == (False, [])
    host.wait(f"sort -u {LEDGER} | tr '\\n' ' ' | grep 'job0 job1 job2'")
    assert host.sh("ls /lib/systemd/system/sidekiq@*", check=False).returncode != 0


@pytest.mark.long
def test_growing_and_shrinking_leaves_the_other_processes_alone(host: Host) -> None:
    host.converge(processes=2)
    before = instances(host)
    host.converge(processes=3)
    assert before.items() <= instances(host).items()
    host.converge(processes=2)
    assert instances(host) == before


def test_stop_waits_for_the_last_process_and_start_and_restart_for_all(host: Host) -> None:
    host.converge(processes=3)
    busy(host, "long", 6)
    host.sh("runuser -u deploy -- sudo -n systemctl stop sidekiq")
    assert host.out("pgrep -u deploy -fc sidekiq || true") == "0"
    host.sh("runuser -u deploy -- sudo -n systemctl start sidekiq")
    assert len(instances(host)) == 3
    before = instances(host)
    busy(host, "longer", 6)
    host.sh("runuser -u deploy -- sudo -n systemctl restart sidekiq")
    after = instances(host)
    assert len(after) == 3 and not set(before.values()) & set(after.values())
    host.wait(f"sort -u {LEDGER} | tr '\\n' ' ' | grep 'long longer'")


def test_a_process_that_is_not_up_is_no_success_and_is_started_by_the_one_name(host: Host) -> None:
    host.converge(processes=3)
    host.sh("systemctl stop sidekiq@2; systemctl start sidekiq")
    host.wait("systemctl is-active sidekiq@2")
    drop_in = "/run/systemd/system/sidekiq@2.service.d"
    host.sh(f"mkdir -p {drop_in}; printf '[Unit]\nConditionPathExists=/nowhere\n' >{drop_in}/a.conf; systemctl daemon-reload")
    assert host.sh("systemctl restart sidekiq", check=False).returncode != 0
    assert sorted(instances(host)) == ["sidekiq@1.service", "sidekiq@3.service"]
    assert "sidekiq@2.service (code=exited, status=3)" in host.sh("systemctl status -l --no-pager sidekiq", check=False).stdout
    host.sh(f"rm -r {drop_in}; systemctl daemon-reload")
    assert host.converge(processes=3)["steps"] == ["start sidekiq@2.service", "start sidekiq.service"]
    assert host.converge(processes=3)["changed"] is False


def test_a_first_run_that_fails_leaves_no_unit_that_has_failed(host: Host) -> None:
    result = host.converge(instances=[{"name": "good"}, {"name": "bad", "exec_start": "/bin/false"}])
    assert result["rolled_back"] and "sidekiq@bad.service" in result["msg"], result
    assert "did not tell systemd in time" not in result["msg"]
    assert host.out("systemctl list-units --plain --no-legend --all --state=failed 'sidekiq*'") == ""


def test_a_drop_in_of_one_process_is_never_followed_by_root(host: Host) -> None:
    host.converge()
    drop_in = "/etc/systemd/system/sidekiq.service.d/mine.conf"
    host.sh(f"mkdir -p $(dirname {drop_in}) && cat >{drop_in}", stdin='[Service]\nExecStartPre=/bin/sh -c "id -u >/tmp/who"\n')
    host.sh("systemctl daemon-reload; systemctl restart sidekiq")
    refused = host.converge(processes=2)
    assert refused["failed"] and refused["steps"] == [] and f"{drop_in} has ExecStartPre" in refused["msg"]
    host.sh(refused["msg"].split("each of them: ")[1])
    assert host.converge(processes=2)["changed"] and host.converge(processes=2)["changed"] is False
    assert host.out("cat /tmp/who") == "1000" and len(instances(host)) == 2


@pytest.mark.long
def test_quiet_reaches_all_and_the_next_run_with_started_mends_it(host: Host) -> None:
    """Not before TimeoutStopSec is over, while a deploy may still be at it."""
    host.converge(processes=2, timeout_stop_sec=25)
    host.sh("runuser -u deploy -- sudo -n systemctl reload sidekiq")
    host.wait("[ $(pgrep -u deploy -fc 'busy. stopping') = 2 ]")
    assert not host.converge(processes=2, timeout_stop_sec=25)["changed"]
    until(lambda: host.converge(processes=2, timeout_stop_sec=25)["changed"], 60, "Sidekiq is quiet no more")
    assert sidekiqs(host) == 2
    assert host.sh("pgrep -u deploy -f 'busy. stopping'", check=False).returncode == 1


@pytest.mark.parametrize("kind", [TYPES[0], *(pytest.param(kind, marks=pytest.mark.long) for kind in TYPES[1:])])
def test_one_name_tells_the_truth(host: Host, kind: str) -> None:
    """Start and restart fail where one does not come up, and the others stay up; the next converge or restart heals the name."""
    host.converge(processes=3, type=kind)
    broken = "/run/systemd/system/sidekiq@2.service.d"
    host.sh(f"mkdir -p {broken} && printf '[Service]\nExecStart=\nExecStart=/bin/false\n' >{broken}/broken.conf && systemctl daemon-reload")
    try:
        for verb in ("restart", "start"):
            assert host.sh(f"systemctl {verb} sidekiq", check=False).returncode != 0
            assert host.sh("systemctl is-active sidekiq", check=False).returncode != 0
            assert sidekiqs(host) == 2
        result = host.converge(processes=3, type=kind)
        assert result["failed"] and "sidekiq@2.service" in result["msg"], result
        assert f"{broken}/broken.conf" in "".join(result["warnings"])
        assert sidekiqs(host) == 2, "those that were up are left alone"
        host.sh("systemctl reload sidekiq", check=False)
        host.wait("[ $(pgrep -u deploy -fc 'busy. stopping') = 2 ]")
    finally:
        host.sh(f"rm -r {broken}; systemctl daemon-reload; systemctl restart sidekiq@1 sidekiq@2 sidekiq@3")
    before = instances(host)
    assert host.show("ActiveState")["ActiveState"] == "failed"
    healed = host.converge(processes=3, type=kind)
    assert healed["steps"] == ["start sidekiq.service"] and host.show("ActiveState")["ActiveState"] == "active"
    assert instances(host) == before


@pytest.mark.long
@pytest.mark.parametrize("kind", TYPES)
def test_no_job_is_lost_by_a_stop_and_a_reboot_and_a_crash_touches_no_other(host: Host, kind: str) -> None:
    host.converge(processes=3, type=kind, restart_sec=1)
    jobs = at_work(host, 12)
    host.sh("runuser -u deploy -- sudo -n systemctl stop sidekiq")
    assert (sidekiqs(host), waiting_jobs(host)) == (0, 8), "each has given its jobs back"
    host.sh("runuser -u deploy -- sudo -n systemctl start sidekiq")
    assert jobs.outcome(timeout=60) == {"jobs": 8, "lost": 0, "done_twice": []}

    host.sh(f"rm {LEDGER}")
    jobs, before = at_work(host, 6), instances(host)
    host.sh(f"kill -9 {before['sidekiq@2.service']}")
    host.wait("[ $(pgrep -u deploy -fc '^sidekiq .* busy]') = 3 ]")
    after = instances(host)
    assert {name for name in before if before[name] != after.get(name)} == {"sidekiq@2.service"}
    host.wait(f"[ $(sort -u {LEDGER} | wc -l) -ge 6 ]")  # that process was killed at two jobs, which are lost, and no other's
    assert not host.converge(processes=3, type=kind, restart_sec=1)["changed"]

    host.sh(f"rm {LEDGER}; redis-cli flushall")
    jobs = at_work(host, 12)
    tool("reboot", host.name, capture_output=True)
    host.wait("[ $(pgrep -u deploy -fc '^sidekiq .* busy]') = 3 ]")
    assert jobs.outcome(timeout=60) == {"jobs": 8, "lost": 0, "done_twice": []}
    assert not host.converge(processes=3, type=kind, restart_sec=1)["changed"]


def at_work(host: Host, seconds: int) -> Jobs:
    """Three processes with two threads each, all of them at work on jobs that take so long, and two jobs more that wait."""
    jobs = Jobs(host)
    jobs.push("Sleep", *[seconds] * 8)
    host.wait("[ $(redis-cli llen queue:default) = 2 ]")
    return jobs


@pytest.mark.parametrize(("old", "new"), [(1, 3), pytest.param(3, 2, marks=pytest.mark.long), pytest.param(3, 1, marks=pytest.mark.long)])
def test_what_fails_is_rolled_back(host: Host, old: int, new: int) -> None:
    host.converge(processes=old)
    files = "cat /lib/systemd/system/sidekiq*.service /etc/sudoers.d/sidekiq*; stat -c '%n %Y' /lib/systemd/system/sidekiq*"
    before, running = host.out(files), sidekiqs(host)
    busy(host, "inflight", 3)
    result = host.converge(processes=new, type="simple", exec_start="/bin/false", start_timeout=20)
    assert result["failed"] and result["rolled_back"], result
    assert host.out(files) == before
    host.wait(f"[ $(pgrep -u deploy -fc '^sidekiq .* busy]') = {running} ]")
    assert len(instances(host)) == (old if old > 1 else 0)
    assert not host.converge(processes=old)["changed"]
    host.wait(f"grep inflight {LEDGER}")


def test_absent_removes_all_of_it(host: Host) -> None:
    before = host.snapshot()
    host.converge(processes=3)
    result = host.converge(processes=3, state="absent")
    assert not result.get("failed"), result["msg"]
    assert sidekiqs(host) == 0
    assert host.snapshot() == before


HOSTILE = {
    "name": lambda v: {"name": v},
    "queues": lambda v: {"name": "a", "queues": [v]},
    "config_file": lambda v: {"name": "a", "config_file": "config/" + v},
    "exec_start": lambda v: {"name": "a", "exec_start": "/bin/echo " + v},
    "env": lambda v: {"name": "a", "env": {"A": v}},
    "env_files": lambda v: {"name": "a", "env_files": ["/etc/" + v]},
    "log_file": lambda v: {"name": "a", "log_file": "log/" + v},
    "directives": lambda v: {"name": "a", "directives": {"Unit": {"Description": v}}},
}

ONE = """
echo {request} | base64 -d >/tmp/request; /root/sidekiq_service - </tmp/request; printf '\\0'
systemctl show --property=Names,LoadState,User,PartOf,Type 'sidekiq*.service' $(cd /lib/systemd/system; ls | grep ^sidekiq); printf '\\0'
rm -f /lib/systemd/system/sidekiq*; systemctl daemon-reload
"""


@pytest.mark.long
@pytest.mark.parametrize("option", HOSTILE)
def test_hostile_values_of_one_process(host: Host, option: str) -> None:
    """Each is refused, with its option named, or becomes one umbrella and one unit of the deploy user's, and nothing else."""
    script = ""
    for payload in PAYLOADS:
        request = {"project_name": "laevigata", "enabled": False, "state": "present", "sudo": False, "instances": [HOSTILE[option](payload)]}
        script += ONE.format(request=base64.b64encode(json.dumps(request).encode()).decode())
    parts = host.sh(script, timeout=900).stdout.split("\0")
    taken = 0
    for payload, said, shown in zip(PAYLOADS, parts[0::2], parts[1::2], strict=False):
        result: dict[str, Any] = json.loads(said)
        if result.get("failed"):
            assert f'"{option}"' in result["msg"] or "systemd-analyze rejects" in result["msg"], (payload, result["msg"])
            assert "LoadState=loaded" not in shown, payload
            continue
        taken += 1
        units = [block for block in shown.split("\n\n") if "LoadState=loaded" in block]
        processes = {line for block in units if "Type=oneshot" not in block for line in block.splitlines() if line.startswith("Names=")}
        assert len(processes) == 1, (payload, shown)
        for block in units:
            assert "Type=oneshot" in block or "User=deploy" in block and "PartOf=sidekiq.service" in block, (payload, block)
    assert taken, "every value was refused, which shows little"


def test_each_with_settings_of_its_own(host: Host) -> None:
    """Only what is different restarts, one after the other, and the first that does not come up ends it."""
    critical, rest, plain = {"name": "critical", "queues": ["critical"]}, {"name": "rest", "concurrency": 3, "env": {"A": "b"}}, {"name": "plain"}
    host.converge(queues=["default"], instances=[critical, rest, plain])
    title = "tr '\\0' ' ' </proc/$(systemctl show -p MainPID sidekiq@rest | cut -d= -f2)/cmdline"
    host.wait(f"{title} | grep 'of 3 busy'")
    assert "-q critical" in host.show("ExecStart", unit="sidekiq@critical")["ExecStart"]
    assert "-q default" in host.show("ExecStart", unit="sidekiq@plain")["ExecStart"]
    before = instances(host)
    changed = host.converge(queues=["default"], instances=[{**critical, "queues": ["critical", "urgent"]}, rest, plain])
    assert [step for step in changed["steps"] if "start" in step] == [
        "restart sidekiq@critical.service: it is older than /lib/systemd/system/sidekiq@critical.service"
    ]
    after = instances(host)
    assert {name for name in after if after[name] != before[name]} == {"sidekiq@critical.service"}
    broken = [critical, {**rest, "exec_start": "/bin/false", "concurrency": None}, {**plain, "concurrency": 2}]
    broken[1].pop("concurrency")
    failed = host.converge(queues=["default"], instances=broken, on_failure="keep", start_timeout=20)
    assert failed["failed"] and "sidekiq@rest.service" in failed["msg"], failed
    assert instances(host).get("sidekiq@plain.service") == before["sidekiq@plain.service"], "it was not its turn"
    host.converge(queues=["default"], instances=[critical, rest, plain])
    before = instances(host)
    failed = host.converge(queues=["default"], instances=broken, start_timeout=20)
    assert failed["failed"] and failed["rolled_back"], failed["msg"]
    assert instances(host).keys() == before.keys() and sidekiqs(host) == 3
    assert not host.converge(queues=["default"], instances=[critical, rest, plain])["changed"]
    told = info(host)
    assert told["no_option"] == [] and [own["name"] for own in told["options"]["instances"]] == ["critical", "rest", "plain"], told
    told["options"]["instances"][1]["env"] = {"A": "b"}
    assert not host.converge(**told["options"])["changed"], told["options"]
    for name in ("sidekiq@rest", "sidekiq@rest.service"):
        for verb in ("status", "reload", "restart", "stop", "start", "kill -s TSTP"):
            host.sh(f"runuser -u deploy -- sudo -n systemctl {verb} {name}")


@pytest.mark.long
def test_a_template_of_somebody_else_is_taken_over_only_with_consent(host: Host) -> None:
    """Its instances that run and are enabled are taken over or stopped, and none of them is left enabled by itself."""
    host.sh(
        "printf '[Service]\\nUser=deploy\\nWorkingDirectory=/opt/laevigata/current\\nExecStart=/usr/local/bin/bundle exec sidekiq -e production\\n"
        "Restart=always\\n[Install]\\nWantedBy=multi-user.target\\n' >/etc/systemd/system/sidekiq@.service;"
        " systemctl daemon-reload; systemctl enable -q --now sidekiq@1 sidekiq@2 sidekiq@3"
    )
    host.wait("[ $(pgrep -u deploy -fc '^sidekiq .* busy]') = 3 ]")
    refused = host.converge(processes=2)
    assert refused["failed"] and "is made from /etc/systemd/system/sidekiq@.service, which something else wrote" in refused["msg"]
    taken = host.converge(processes=2, replace=True)
    assert not taken.get("failed"), taken["msg"]
    assert sidekiqs(host) == 2 and set(instances(host)) == {"sidekiq@1.service", "sidekiq@2.service"}
    assert host.out("find /etc/systemd/system -name 'sidekiq@[0-9]*'") == ""
    assert not host.converge(processes=2)["changed"]


LEFT = "/etc/systemd/system/multi-user.target.wants"
LINKS = f"mkdir -p {LEFT}; for n in 1 2 3; do ln -sfn /lib/systemd/system/sidekiq@.service {LEFT}/sidekiq@$n.service; done; systemctl daemon-reload"


@pytest.mark.long
@pytest.mark.parametrize("options", [{}, {"enabled": False}, {"processes": 2}, {"state": "absent"}], ids=str)
def test_links_of_instances_that_something_has_left_are_removed(host: Host, options: dict[str, Any]) -> None:
    """They would start as many Sidekiqs at each boot, as soon as there is a template again."""
    host.converge(**{k: v for k, v in options.items() if k != "state"})
    host.sh(LINKS)
    result = host.converge(**options)
    assert not result.get("failed") and result["changed"], result
    assert host.out(f"ls {LEFT} | grep sidekiq@; true") == "", result
    assert not host.converge(**options)["changed"]


@pytest.mark.long
def test_instances_of_others_that_only_a_boot_would_start_are_warned_of(host: Host) -> None:
    host.converge(enabled=False)
    host.sh(
        "printf '[Service]\\nUser=deploy\\nWorkingDirectory=/opt/laevigata/current\\nExecStart=/usr/local/bin/bundle exec sidekiq -e production\\n"
        "[Install]\\nWantedBy=multi-user.target\\n' >/lib/systemd/system/sidekiq@.service; systemctl daemon-reload; systemctl enable -q sidekiq@1 sidekiq@2"
    )
    (warning,) = host.converge(enabled=False)["warnings"]
    assert "as sidekiq@1.service sidekiq@2.service, which run or are started at boot" in warning, warning
    assert "sidekiq@1.service sidekiq@2.service run or are started at boot and are left alone" in " ".join(
        host.converge(state="absent", check=True)["warnings"]
    )
    host.sh(warning.split("remove them: ")[1])
    assert host.out(f"ls {LEFT} | grep sidekiq@; true") == ""
    assert "warnings" not in host.converge(enabled=False)


@pytest.mark.long
def test_a_drop_in_of_all_whose_names_begin_alike_is_not_roots(host: Host) -> None:
    """What the unit that stands for all would run as root is refused first, and left out as the message says."""
    host.sh(f"echo LD_PRELOAD={APP}/shared/evil.so >{APP}/shared/env; chown deploy {APP}/shared/env")
    drop_in = "/etc/systemd/system/lae-.service.d"
    lines = f"[Service]\nEnvironmentFile={APP}/shared/env\nExecStartPre=/bin/sh -c 'id -u >>/tmp/who'\n"
    host.sh(f"mkdir {drop_in}; rm -f /tmp/who; cat >{drop_in}/env.conf", stdin=lines)
    host.sh("chmod 1777 /tmp; systemctl daemon-reload")
    first = host.converge(name="lae-sidekiq")
    assert not first.get("failed"), first
    refused = host.converge(name="lae-sidekiq", processes=2)
    assert refused.get("failed") and not refused["changed"], refused
    host.sh(refused["msg"].split("leave it out: ")[1])
    result = host.converge(name="lae-sidekiq", processes=2)
    assert not result.get("failed"), result
    assert host.out("sort -u /tmp/who") == host.out("id -u deploy")
    assert "lae-.service.d" not in host.out("systemctl cat lae-sidekiq.service") and "lae-.service.d" in host.out("systemctl cat lae-sidekiq@1.service")
    assert not host.converge(name="lae-sidekiq", processes=2)["changed"]
    host.converge(name="lae-sidekiq", state="absent")
    host.sh(f"rm -r {drop_in} /etc/systemd/system/lae-sidekiq.service.d /tmp/who; systemctl daemon-reload")


@pytest.mark.long
def test_one_process_is_quieted_while_several_are_made_of_it(host: Host) -> None:
    host.converge()
    main = host.show("MainPID")["MainPID"]
    result = host.converge(processes=2, state="quiet")
    assert not result.get("failed") and result["service"]["after"]["quiet"], result
    assert host.show("MainPID")["MainPID"] == main and not instances(host)
    result = host.converge(processes=2)
    assert not result.get("failed") and len(instances(host)) == 2, result
    host.wait("[ $(pgrep -u deploy -fc '^sidekiq .* busy]') = 2 ]")
    assert not host.converge(processes=2)["changed"]
