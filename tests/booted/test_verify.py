# SPDX-License-Identifier: GPL-3.0-or-later
"""The module sidekiq_service_verify: a restart by the deploy user, and what it says where that is not possible. molecule/verify has more,
by the role.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import APP, ROOT, UNIT, Host, tool
from system import SUDO

ROLE = "curationexperts.sidekiq.sidekiq"
DROP_IN = "/etc/systemd/system/sidekiq.service.d/test.conf"
RULES = "/etc/sudoers.d/zz-test"


def verify(host: Host, check: bool = False, prefix: str = "", **options: Any) -> dict[str, Any]:
    """Runs the module and returns its result, which says the same as the status of the program."""
    request = {"_ansible_module_name": f"{ROLE.rpartition('.')[0]}.sidekiq_service_verify", "_ansible_check_mode": check, **options}
    done = host.sh(f"{prefix} /root/sidekiq_service -", check=False, stdin=json.dumps(request))
    result = json.loads(done.stdout)
    assert bool(result.get("failed")) == bool(done.returncode), result
    return result


def drop_in(host: Host, text: str) -> None:
    host.sh(f"mkdir -p $(dirname {DROP_IN}) && cat >{DROP_IN} && systemctl daemon-reload", stdin=text)


@pytest.fixture
def service(host: Host) -> Host:
    """A host with the service, and with nothing of what a test did to sudo and its users."""
    host.sh(f"rm -f {RULES}; chage -E -1 deploy; usermod -s /bin/bash deploy")
    host.converge()
    return host


def test_it_is_up_again(service: Host) -> None:
    pid = service.main_pid()
    result = verify(service)
    now = service.main_pid()
    assert now not in (0, pid) and result["changed"], result
    assert result["processes"] == [{"unit": "sidekiq.service", "before": pid, "main_pid": now}]
    release = service.out(f"readlink -f {APP}/current")
    said = rf"deploy restarted sidekiq without a password, and it is up again: process {now} \({pid} before\), Sidekiq [\d.]+ in {release}\."
    assert re.fullmatch(said, result["msg"]), result


def test_it_starts_what_is_stopped(service: Host) -> None:
    service.sh("systemctl stop sidekiq")
    assert "(none before)" in verify(service)["msg"]


def test_check_mode_does_not_try(service: Host) -> None:
    pid = service.main_pid()
    result = verify(service, check=True)
    assert "was not restarted, since this is check mode" in result["msg"] and not result["changed"] and service.main_pid() == pid, result


def test_all_of_several_processes_come_up(host: Host) -> None:
    host.converge(processes=2)
    before = [host.main_pid(f"sidekiq@{n}") for n in (1, 2)]
    result = verify(host)
    after = [host.main_pid(f"sidekiq@{n}") for n in (1, 2)]
    assert not set(after) & {0, *before} and f"process {after[0]}, {after[1]} ({before[0]}, {before[1]} before)" in result["msg"], result
    host.sh(f"sed -i '/^ExecStart=/s/=.*/=\\/bin\\/false/' {UNIT.replace('sidekiq.service', 'sidekiq@2.service')} && systemctl daemon-reload")
    result = verify(host)
    assert result["failed"] and result["changed"] and result["msg"].endswith("The log says why: journalctl -u 'sidekiq@*'"), result


@pytest.mark.parametrize("prefix", ["", "env LANG=de_DE.UTF-8 LANGUAGE=de LC_MESSAGES=de_DE.UTF-8"], ids=["plain", "german"])
def test_a_password(service: Host, prefix: str) -> None:
    pid = service.main_pid()
    service.sh(f"echo 'deploy ALL=(ALL) ALL' >{RULES} && chmod 440 {RULES}")
    result = verify(service, prefix=prefix)
    assert not result["changed"] and service.main_pid() == pid and result["processes"] == [], result
    assert re.search(r'^deploy may not run "sudo systemctl restart sidekiq" without a password: .*\(ALL\) ALL\.$', result["msg"]), result


def test_an_account_that_has_expired(service: Host) -> None:
    pid = service.main_pid()
    service.sh("chage -E 2020-01-01 deploy")
    result = verify(service)
    if "it is up again" in result["msg"] and SUDO < (1, 8, 31):
        pytest.skip("this sudo does not look whether an account has expired where it needs no password")
    assert result["msg"].startswith("sudo refuses deploy whatever its rules are, since the account has expired or is locked: "), result
    assert not result["changed"] and service.main_pid() == pid


def test_a_terminal_that_sudo_wants(service: Host) -> None:
    service.sh(f"echo 'Defaults:deploy requiretty' >{RULES} && chmod 440 {RULES}")
    if service.sh("visudo -c", check=False).returncode or "sudo-rs" in service.out("sudo --version 2>&1"):
        pytest.skip("this sudo has no requiretty")
    assert verify(service)["msg"].startswith("sudo wants a terminal of deploy, which a deploy has not: ")


def test_a_login_shell_that_lets_nobody_in(service: Host) -> None:
    service.sh("usermod -s /usr/sbin/nologin deploy")
    assert "it is up again" in verify(service)["msg"]


def test_a_condition_that_is_not_met_is_told_at_once(service: Host) -> None:
    drop_in(service, "[Unit]\nConditionPathExists=/nowhere\n")
    began = time.monotonic()
    result = verify(service)
    assert time.monotonic() - began < 30 and result["changed"], result
    assert "deploy restarted sidekiq without a password, but it does not stay up: " in result["msg"]
    assert "ConditionPathExists=/nowhere is not met" in result["msg"]
    assert "The last log lines" not in result["msg"], "they are those of the process before"


def test_what_does_not_come_up_says_why(service: Host) -> None:
    drop_in(service, "[Service]\nEnvironment=REDIS_URL=redis://:s3cr3t-of-redis@127.0.0.1:9999\n")
    result = verify(service, start_timeout=30)
    said = r"^deploy (may restart sidekiq, but it does not come|restarted sidekiq .* it does not stay) up: .*journalctl -u sidekiq$"
    assert re.search(said, result["msg"]) and "Likely cause: " in result["msg"] and "s3cr3t" not in result["msg"], result


def test_what_dies_a_moment_after_it_has_come_up(service: Host) -> None:
    drop_in(service, "[Service]\nRuntimeMaxSec=2\n")
    result = verify(service)
    assert "it does not stay up" in result.get("msg") and result["failed"], result


def test_a_mask(service: Host) -> None:
    service.sh("systemctl mask --runtime sidekiq")
    try:
        assert re.search("^deploy may restart sidekiq, but it does not come up: .*masked", verify(service)["msg"])
    finally:
        service.sh("systemctl unmask --runtime sidekiq")


def test_what_there_is_nothing_to_try_of(service: Host) -> None:
    assert verify(service, name="other")["msg"] == "There is no service other on the host. Run the role first."
    assert verify(service, user="nobody-here")["msg"] == 'There is nobody to restart sidekiq by sudo. There is no user "nobody-here" on the host.'
    service.sh(f"mv {APP}/current {APP}/gone")
    try:
        assert verify(service)["msg"] == f"{APP}/current is not there yet, so sidekiq cannot start. Deploy the application first."
    finally:
        service.sh(f"mv {APP}/gone {APP}/current")


def test_the_role_says_it_without_v_under_strategy_free_and_to_a_user_given_as_text(service: Host, tmp_path: Path) -> None:
    role = {"name": ROLE, "tasks_from": "verify"}
    tasks = [
        {"name": "Verify Sidekiq", "ansible.builtin.include_role": role, "vars": {"sidekiq_sudo_users": "deploy, nobody"}},
        {"name": "Go on", "ansible.builtin.debug": {"msg": "went on"}},
    ]
    (tmp_path / "inventory").write_text(tool("inventory", service.name, capture_output=True).stdout)
    play = {"hosts": "all", "gather_facts": False, "become": True, "strategy": "ansible.builtin.free", "tasks": tasks}
    (tmp_path / "play.yml").write_text(yaml.safe_dump([play]))
    settings = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".cache"), "ANSIBLE_NOCOLOR": "1"}
    command = [ROOT / ".venv/bin/ansible-playbook", "-i", "inventory", "play.yml"]
    done = subprocess.run(command, cwd=tmp_path, env=settings, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0 and "deploy restarted sidekiq without a password, and it is up again" in done.stdout and "went on" in done.stdout, done
