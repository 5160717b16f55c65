# SPDX-License-Identifier: GPL-3.0-or-later
"""What sidekiq_service_info tells, beside what systemd, sudo, Redis and the processes themselves say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import APP, SUDOERS, UNIT, Host, tool, until
from system import COUNTS_RESTARTS, SYSTEMCTL, SYSTEMD

ETC = "/etc/systemd/system/sidekiq.service"
VERBS = ["start", "stop", "restart", "reload", "status", "kill_tstp"]
SEED_UNIT = (Path(__file__).parent / "seed.service").read_text()


def info(host: Host, **options: Any) -> dict[str, Any]:
    """What the module returns."""
    request = {"_ansible_module_name": "curationexperts.sidekiq.sidekiq_service_info", **options}
    told = json.loads(host.out("/root/sidekiq_service -", stdin=json.dumps(request)))
    assert told["changed"] is False
    return told


def the_process(host: Host) -> dict[str, Any]:
    (process,) = info(host)["processes"]
    return process


def test_before_anything_is_installed(host: Host) -> None:
    told = info(host)
    assert (told["unit"], told["shadowed"], told["drop_ins"], told["sudoers"]) == ("", [], [], "")
    assert (told["enablement"], told["active_state"], told["up"], told["processes"]) == ("not-found", "inactive", False, [])
    assert told["sudo"] == {"user": "deploy", "commands": [], "everything": False, "rules": []}
    assert (told["current"], told["deployed"]) == ("", False)
    told = info(host, project_name="laevigata")
    assert (told["current"], told["deployed"]) == (f"{APP}/current", True)
    assert told["release"] == host.out(f"readlink -f {APP}/current")
    told = info(host, project_name="elsewhere", user="nobodyhere")
    assert (told["deployed"], told["sidekiq_version"], told["sudo"]) == (False, None, None)
    assert told["warnings"] == ['There is no user "nobodyhere" on the host.']


def test_after_the_install_it_says_what_the_host_itself_says(host: Host) -> None:
    host.converge()
    before = host.snapshot()
    told = info(host)
    assert host.snapshot() == before
    assert (told["unit"], told["sudoers"], told["written_by"], told["project"]) == (UNIT, SUDOERS, "collection", "laevigata")
    assert (told["shadowed"], told["drop_ins"], told["template"]) == ([], [], "")
    assert (told["enablement"], told["reload_pending"]) == (host.out("systemctl is-enabled sidekiq"), False)
    assert (told["active_state"], told["sub_state"], told["up"]) == ("active", "running", True)
    assert (told["restart_needed"], told["restart_reasons"]) == (False, [])
    release = host.out(f"readlink -f {APP}/current")
    assert (told["current"], told["release"], told["deployed"]) == (f"{APP}/current", release, True)
    version = host.out(f"sed -n 's/^    sidekiq (\\(.*\\))/\\1/p' {APP}/current/Gemfile.lock")
    assert told["sidekiq_version"] == version
    redis = host.out("redis-cli info server | sed -n 's/^redis_version://p'")
    assert told["redis"] == {"unit": "redis-server.service", "active_state": "active", "version": redis}
    assert (told["sudo"]["user"], told["sudo"]["commands"], told["sudo"]["everything"]) == ("deploy", VERBS, False)
    assert any(rule.endswith(f"NOPASSWD: {SYSTEMCTL} restart sidekiq") for rule in told["sudo"]["rules"]), told["sudo"]
    assert "warnings" not in told

    (process,) = told["processes"]
    pid = host.main_pid()
    assert (process["unit"], process["main_pid"], process["restarts"]) == ("sidekiq.service", pid, 0 if COUNTS_RESTARTS else None)
    assert (process["active_state"], process["sub_state"], process["up"], process["quiet"]) == ("active", "running", True, False)
    assert (process["release"], process["sidekiq_version"]) == (release, version)
    assert process["title"].startswith(f"sidekiq {version} ")
    resident = int(host.out(f"ps -o rss= -p {pid}")) * 1024
    assert abs(process["memory"] - resident) < resident / 4
    started = host.out('date -u +%Y-%m-%dT%H:%M:%SZ -d "$(systemctl show -p ExecMainStartTimestamp sidekiq | cut -d = -f 2-)"')
    assert process["since"] == started


def test_check_mode_tells_the_same(host: Host) -> None:
    host.converge()
    normal, check = (info(host, _ansible_check_mode=mode, _ansible_diff=True) for mode in (False, True))
    for told in (normal, check):
        told["processes"][0].pop("memory")
        told["processes"][0].pop("title")
    assert check == normal


BOOT = [
    ("systemctl disable -q sidekiq", "disabled", UNIT, []),
    ("systemctl enable -q --runtime sidekiq", "enabled-runtime", UNIT, []),
    ("systemctl disable -q --runtime sidekiq; systemctl mask -q sidekiq", "masked", ETC, [UNIT]),
    ("systemctl unmask -q sidekiq; systemctl mask -q --runtime sidekiq", "masked-runtime", "/run/systemd/system/sidekiq.service", [UNIT]),
    ("systemctl unmask -q --runtime sidekiq; systemctl enable -q sidekiq", "enabled", UNIT, []),
]


def test_what_starts_at_boot(host: Host) -> None:
    host.converge()
    pid = host.main_pid()
    for commands, enablement, unit, shadowed in BOOT:
        host.sh(commands)
        said = host.sh("systemctl is-enabled sidekiq", check=False).stdout.strip()
        assert said == enablement or (SYSTEMD, said, enablement) == (237, "enabled", "enabled-runtime")
        told = info(host)
        assert (told["enablement"], told["unit"], told["shadowed"]) == (enablement, unit, shadowed)
        assert [p["main_pid"] for p in told["processes"]] == [pid]  # what is masked runs on until it is stopped


def test_a_drop_in_is_named_and_needs_a_restart(host: Host) -> None:
    host.converge()
    drop_in = f"{ETC}.d/memory.conf"
    host.sh(f"mkdir -p {ETC}.d && printf '[Service]\\nLimitNOFILE=4096\\n' >{drop_in}")
    pending = info(host)
    assert (pending["reload_pending"], pending["restart_needed"]) == (True, True)
    host.sh("systemctl daemon-reload")
    told = info(host)
    assert (told["reload_pending"], told["drop_ins"]) == (False, [drop_in])
    assert told["restart_reasons"] == [f"sidekiq.service: it is older than {drop_in}"]
    host.sh("runuser -u deploy -- sudo -n systemctl restart sidekiq")
    assert info(host)["restart_reasons"] == []


def test_the_unit_file_that_wins_and_the_one_that_does_not(host: Host) -> None:
    host.converge()
    host.sh(f"sed 's/^Description=.*/Description=another/' {UNIT} >{ETC} && systemctl daemon-reload")
    told = info(host)
    assert (told["unit"], told["shadowed"]) == (ETC, [UNIT])
    assert host.show("FragmentPath")["FragmentPath"] == told["unit"]


def test_a_unit_of_somebody_elses(host: Host) -> None:
    host.sh(f"cat >{ETC} && systemctl daemon-reload && systemctl start sidekiq", stdin=SEED_UNIT)
    host.wait("tr '\\0' ' ' </proc/$(systemctl show -p MainPID sidekiq | cut -d = -f 2-)/cmdline | grep -F ' busy]'")
    told = info(host)
    assert (told["unit"], told["written_by"], told["project"], told["sudoers"]) == (ETC, "old_role", "laevigata", "")
    assert (told["up"], told["current"], told["sudo"]["commands"]) == (True, f"{APP}/current", [])
    assert "warnings" not in told
    host.sh(f"printf '[Service]\\nExecStartPre=/bin/true\\n' >>{ETC}")
    assert info(host)["written_by"] == "other"


def test_another_service_that_runs_the_same_application_is_a_warning(host: Host) -> None:
    host.converge()
    host.sh("cat >/etc/systemd/system/sidekiq-production.service", stdin=SEED_UNIT)
    (warning,) = info(host)["warnings"]
    assert "/etc/systemd/system/sidekiq-production.service runs the Sidekiq of /opt/laevigata/current, too" in warning
    assert "systemctl disable --now sidekiq-production.service" in warning
    assert "warnings" not in info(host, known_services=["sidekiq-production"])
    assert "warnings" not in host.converge(known_services=["sidekiq-production"])


def test_three_processes_of_which_one_is_stopped(host: Host) -> None:
    host.converge(processes=3)
    told = info(host)
    assert told["template"] == ""
    units = [f"sidekiq@{n}.service" for n in (1, 2, 3)]
    assert [p["unit"] for p in told["processes"]] == units
    assert [p["main_pid"] for p in told["processes"]] == [host.main_pid(unit) for unit in units]
    assert told["up"]
    host.sh("systemctl stop sidekiq@2")
    told = info(host)
    assert [(p["unit"], p["active_state"], p["up"]) for p in told["processes"]] == [
        (units[0], "active", True),
        (units[1], "inactive", False),
        (units[2], "active", True),
    ]
    assert (told["active_state"], told["up"], told["processes"][1]["main_pid"]) == ("active", False, 0)
    assert told["release"] == host.out(f"readlink -f {APP}/current")


def test_a_quiet_service(host: Host) -> None:
    host.converge()
    host.sh("runuser -u deploy -- sudo -n systemctl reload sidekiq")
    told = until(lambda: (told := info(host))["processes"][0]["quiet"] and told, 30, "Sidekiq says that it is quiet")
    assert (told["active_state"], told["up"]) == ("active", False)
    assert told["restart_reasons"] == []  # a deploy may be under way


@pytest.mark.long
def test_a_service_that_was_left_quiet(host: Host) -> None:
    host.converge(timeout_stop_sec=8)
    host.sh("runuser -u deploy -- sudo -n systemctl reload sidekiq")
    told = until(lambda: (told := info(host))["restart_needed"] and told, 60, "it has been quiet for longer than it may take to stop")
    assert told["restart_reasons"] == ["sidekiq.service: it has been quiet for long and takes no jobs"]
    host.converge(timeout_stop_sec=8)
    told = info(host)
    assert (told["processes"][0]["quiet"], told["up"], told["restart_needed"]) == (False, True, False)


def test_a_deploy_that_did_not_restart_it(host: Host) -> None:
    host.converge()
    old = host.out(f"readlink -f {APP}/current")
    until(lambda: host.out("date -u +%Y%m%d%H%M%S") != Path(old).name, 5, "another second, whose name the next release gets")
    tool("deploy", host.name, capture_output=True)
    new = host.out(f"readlink -f {APP}/current")
    assert new != old
    told = info(host)
    assert (told["up"], told["restart_needed"], told["release"], told["processes"][0]["release"]) == (True, True, new, old)
    assert told["restart_reasons"] == [f"sidekiq.service: it runs in {old}, and {APP}/current is {new} now"]
    host.sh("runuser -u deploy -- sudo -n systemctl restart sidekiq")
    told = info(host)
    assert (told["restart_needed"], told["processes"][0]["release"]) == (False, new)


def test_restarts_are_counted(host: Host) -> None:
    host.converge()
    pid = the_process(host)["main_pid"]
    host.sh(f"kill -9 {pid}")
    process = until(lambda: (p := the_process(host))["up"] and p, 60, "Sidekiq is up again")
    assert process["restarts"] == (1 if COUNTS_RESTARTS else None)
    assert process["main_pid"] not in (0, pid)


def test_what_a_user_may_do_by_sudo(host: Host) -> None:
    host.converge(sudo_commands=["restart", "status", "kill_tstp"])
    assert info(host)["sudo"]["commands"] == ["restart", "status", "kill_tstp"]
    admin = info(host, user="admin")["sudo"]
    assert (admin["user"], admin["commands"], admin["everything"]) == ("admin", [], False)  # with a password, he may
    assert any(rule.endswith(" ALL") for rule in admin["rules"]), admin
    host.sh("echo 'deploy ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/zz && chmod 440 /etc/sudoers.d/zz")
    try:
        assert info(host)["sudo"]["everything"] is True
        host.sh("echo 'deploy ALL=(ALL) ALL' >/etc/sudoers.d/zz")
        assert info(host)["sudo"]["commands"] == []  # a later rule that asks for a password
    finally:
        host.sh("rm -f /etc/sudoers.d/zz")


def test_a_stopped_service_and_bad_options(host: Host) -> None:
    host.converge(state="stopped")
    process = the_process(host)
    assert (process["active_state"], process["main_pid"], process["up"], process["memory"]) == ("inactive", 0, False, 0)
    done = host.sh("/root/sidekiq_service -", check=False, stdin='{"_ansible_module_name": "sidekiq_service_info", "state": "started"}')
    assert (done.returncode, json.loads(done.stdout)["msg"]) == (1, 'option "state": unknown')
