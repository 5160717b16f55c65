# SPDX-License-Identifier: GPL-3.0-or-later
"""The role's handlers, notified by tasks of a play that ansible-playbook runs: they restart what is there, and write nothing."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import yaml
from conftest import APP, ROOT, UNIT, Host, tool

ROLE = "curationexperts.sidekiq.sidekiq"
OTHER = {"role": ROLE, "project_name": "laevigata", "sidekiq_name": "sidekiq-other", "sidekiq_queues": ["other"]}


def play(host: Host, directory: Path, **play: Any) -> str:
    """Runs a play on the host and returns what is printed."""
    (directory / "inventory").write_text(tool("inventory", host.name, capture_output=True).stdout)
    (directory / "play.yml").write_text(yaml.safe_dump([{"hosts": "all", "gather_facts": False, "become": True, **play}]))
    settings = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".cache"), "ANSIBLE_NOCOLOR": "1"}
    command = [ROOT / ".venv/bin/ansible-playbook", "-i", "inventory", "play.yml"]
    done = subprocess.run(command, cwd=directory, env=settings, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def change(*handlers: str) -> dict[str, Any]:
    return {"name": "Change the database's address", "ansible.builtin.raw": "true", "notify": list(handlers)}


def test_what_a_task_notifies_is_restarted_with_its_own_settings(host: Host, tmp_path: Path) -> None:
    role = {"role": ROLE, "project_name": "laevigata", "sidekiq_queues": ["critical", "default"], "sidekiq_umask": "0027"}
    said = {"ansible.builtin.debug": {"var": "sidekiq_result.steps"}, "when": "sidekiq_result is changed"}
    out = play(host, tmp_path, roles=[role], post_tasks=[said])
    assert f"write {UNIT}" in out
    pid, unit = host.main_pid(), host.out(f"cat {UNIT}; stat -c %y {UNIT}")
    out = play(host, tmp_path, roles=[role], tasks=[change("Restart sidekiq")], post_tasks=[said])
    assert host.main_pid() not in (0, pid) and host.out(f"cat {UNIT}; stat -c %y {UNIT}") == unit, out
    pid = host.main_pid()
    drop_in = "mkdir -p {0}; printf '[Service]\\nEnvironment=A_NEW=1\\n' >{0}/x.conf".format(UNIT.replace("/lib/", "/etc/") + ".d")
    changed = {"ansible.builtin.raw": drop_in, "notify": "Restart sidekiq"}
    out = play(host, tmp_path, roles=[role], tasks=[changed])
    assert "A_NEW=1" in host.out(f"tr '\\0' '\\n' </proc/{host.main_pid()}/environ"), out
    pid = host.main_pid()
    out = play(host, tmp_path, roles=[role], tasks=[change("Quiet sidekiq")])
    assert host.main_pid() == pid and "stopping" in host.out(f"tr '\\0' ' ' </proc/{pid}/cmdline"), out


def test_of_two_services_the_one_is_restarted_that_the_handler_names(host: Host, tmp_path: Path) -> None:
    roles = [{"role": ROLE, "project_name": "laevigata", "sidekiq_known_services": ["sidekiq-other"]}, {**OTHER, "sidekiq_known_services": ["sidekiq"]}]
    play(host, tmp_path, roles=roles)
    one, other = host.main_pid(), host.main_pid("sidekiq-other")
    handler = {"name": "Restart the other", "curationexperts.sidekiq.sidekiq_service": {"name": "sidekiq-other", "state": "restarted"}}
    play(host, tmp_path, roles=roles, tasks=[change("Restart the other")], handlers=[handler])
    assert (host.main_pid(), host.main_pid("sidekiq-other") in (0, other)) == (one, False)
    other = host.main_pid("sidekiq-other")
    play(host, tmp_path, roles=roles, tasks=[change("Restart the service sidekiq")])
    assert (host.main_pid() in (0, one), host.main_pid("sidekiq-other")) == (False, other)
    one = host.main_pid()
    play(host, tmp_path, roles=roles, tasks=[change("Restart sidekiq")])
    assert host.main_pid() not in (0, one) and host.main_pid("sidekiq-other") not in (0, other)
    host.sh(f"test -d {APP}/current")
    host.converge(name="sidekiq-other", state="absent")
