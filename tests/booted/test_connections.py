# SPDX-License-Identifier: GPL-3.0-or-later
"""How the program comes to a host: over each kind of connection, as each kind of user, in one command or by the ordinary transfer."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from conftest import ROOT, SUITE, UNIT, Host, booted
from plays import CACHE, FAST, TRANSFER_SOME, Played, inventory_of, play
from system import RUNS_MODULES, SUDO_PROGRAM
from ways import AS_BEFORE, NO_PASSWORD_FOR_SUDO, PACKAGES, PYTHON, TASK, WAYS, WITH_PASSWORD, WITHOUT_PASSWORD, Way, bashrc, try_way

HOST_OPTIONS = ["--with", PACKAGES]
ADMIN = {**WITH_PASSWORD, "ansible_become_exe": SUDO_PROGRAM}


@pytest.fixture
def cold(host: Host) -> Host:
    """A host without the program."""
    host.sh(AS_BEFORE)
    return host


def taken(directory: Path, host: Host, *, task: dict[str, Any] | None = None, environment: dict[str, str] | None = None, **variables: Any) -> Played:
    played = play(directory, inventory_of(host.name, **variables), task or TASK, environment=environment)
    assert played.status == 0, played.output
    return played


def check_both_runs(first: Played, second: Played, host: Host) -> None:
    """The first run put Sidekiq up, the second changed nothing."""
    assert (first.result["changed"], second.result["changed"]) == (True, False), first.output
    assert not first.result.get("failed") and not second.result.get("failed"), second.output
    assert host.show("ActiveState") == {"ActiveState": "active"}


@pytest.mark.parametrize(
    "variables",
    [
        pytest.param({}, id="root"),
        pytest.param(ADMIN, id="sudo with a password"),
        pytest.param({"ansible_user": "admin", "ansible_become": True}, id="sudo without a password"),
    ],
)
def test_ssh(tmp_path: Path, cold: Host, variables: dict[str, Any]) -> None:
    if variables and "ansible_become_password" not in variables:
        cold.sh("echo 'admin ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/zz-test; chmod 440 /etc/sudoers.d/zz-test")
    first, second = taken(tmp_path, cold, **variables), taken(tmp_path, cold, **variables)
    check_both_runs(first, second, cold)
    assert (first.remote_commands, second.remote_commands) == (2, FAST)
    assert cold.out(f"stat -c '%U %a' {CACHE} $(ls -d {CACHE}/* | grep -v request$)") == "root 700\nroot 700"


def test_arguments_that_the_host_has_are_not_waited_for(tmp_path: Path, cold: Host) -> None:
    """Over ssh they would come one round trip after the command."""
    check_both_runs(taken(tmp_path, cold), taken(tmp_path, cold), cold)
    program, request = cold.out(f"ls {CACHE} | grep -v request$; ls {CACHE} | grep request$").splitlines()
    assert cold.out(f"stat -c '%U %a' {CACHE}/{request}") == "root 600"
    run = f"mkfifo -m 600 /root/silent; timeout -k 5 %d {CACHE}/{program} --cached=%s - 3<>/root/silent <&3; echo $?; rm /root/silent"
    result, status = cold.out(run % (30, request.removesuffix(".request"))).splitlines()
    assert '"changed":false' in result and status == "0", result
    result, status = cold.out(run % (2, 64 * "0")).splitlines()
    assert "interrupted by signal 15" in result and status == "124", result  # it waited until then


@pytest.mark.parametrize(
    ("damage", "commands"),
    [
        pytest.param("truncate -s 0", 2, id="empty"),
        pytest.param("truncate -s 4096", 2, id="4096 bytes", marks=pytest.mark.long),
        pytest.param("shred -x -n 1", 3, id="garbage"),
        pytest.param("shred -x -n 0 -z", 3, id="zeros", marks=pytest.mark.long),
    ],
)
@pytest.mark.parametrize("variables", [pytest.param({}, id="root"), pytest.param(ADMIN, id="sudo", marks=pytest.mark.long)])
def test_a_damaged_program_is_brought_anew(tmp_path: Path, cold: Host, damage: str, commands: int, variables: dict[str, Any]) -> None:
    """As after a power cut, or by a bad disk."""
    taken(tmp_path, cold, **variables)
    kept = f"$(ls -d {CACHE}/* | grep -v request$)"
    before = cold.out(f"sha256sum {kept}; stat -c '%U %a' {kept}")
    cold.sh(f"{damage} {kept}")
    for remote_commands in (commands, FAST):
        played = taken(tmp_path, cold, **variables)
        assert not played.result.get("failed") and not played.result["changed"], played.output
        assert played.remote_commands == remote_commands
        assert cold.out(f"sha256sum {kept}; stat -c '%U %a' {kept}") == before


def test_what_the_host_has_of_arguments_goes_with_the_service_and_with_no_log(tmp_path: Path, cold: Host) -> None:
    def kept() -> str:
        return cold.out(f"ls {CACHE} | grep -c request$; true")

    taken(tmp_path, cold)
    assert kept() == "1"
    taken(tmp_path, cold, task={**TASK, "no_log": True})
    assert kept() == "0"
    taken(tmp_path, cold)
    played = play(tmp_path, inventory_of(cold.name), {"curationexperts.sidekiq.sidekiq_service": {"user": "nobody-of-that-name"}})
    assert played.result["failed"] and kept() == "1", played.output
    taken(tmp_path, cold, task={"curationexperts.sidekiq.sidekiq_service": {"state": "absent"}})
    assert kept() == "0"


@contextmanager
def new_connections() -> Iterator[dict[str, str]]:
    """Settings with which no connection is used that there was before. Through those, sshd starts the login shell that there was when they began."""
    with TemporaryDirectory() as directory:  # the path of a socket has to be short
        yield {"ANSIBLE_SSH_CONTROL_PATH_DIR": directory}


@pytest.mark.parametrize("variables", [pytest.param({}, id="root"), pytest.param(WITHOUT_PASSWORD, id="sudo without a password")])
def test_arguments_that_ssh_does_not_send_are_copied_to_the_program_that_is_there(tmp_path: Path, cold: Host, variables: dict[str, Any]) -> None:
    cold.sh(NO_PASSWORD_FOR_SUDO)
    taken(tmp_path, cold)
    task = {"curationexperts.sidekiq.sidekiq_service": {"project_name": "laevigata", "concurrency": 3}}
    played = taken(tmp_path, cold, task=task, ansible_ssh_extra_args="-n", **variables)
    assert played.result["changed"] and "arrive" in played.why_transferred, played.output


@pytest.mark.parametrize("fast", [True, False])
def test_a_umask_of_the_login_shell_does_not_matter(tmp_path: Path, cold: Host, fast: bool) -> None:
    wants = "/etc/systemd/system/rescue.target.wants"
    cold.sh(f"{bashrc('umask 777')}; rm -rf {wants}")
    task = {"curationexperts.sidekiq.sidekiq_service": {"project_name": "laevigata", "wanted_by": ["multi-user.target", "rescue.target"]}}
    try:
        played = taken(tmp_path, cold, task=task, sidekiq_service_fast=fast)
        assert played.result["changed"], played.output
        assert cold.out(f"stat -c %a {wants} {UNIT}") == "755\n644"
    finally:
        cold.sh(f"{AS_BEFORE}; rm -rf {wants}")


@pytest.mark.skipif(not RUNS_MODULES, reason="the control is a module of ansible-core's own, for which this Python is too old")
@pytest.mark.parametrize("way", [way for way in WAYS if way.quick and not way.collections], ids=lambda way: way.name)
def test_way(tmp_path: Path, cold: Host, way: Way) -> None:
    """tests/cores tries all ways, with the oldest and the newest ansible-core."""
    variables = dict(way.variables)
    if SUDO_PROGRAM != "sudo" and "ansible_become_password" in variables and "ansible_become_method" not in variables:
        variables.setdefault("ansible_become_exe", SUDO_PROGRAM)
    if SUDO_PROGRAM != "sudo" and "requiretty" in way.prepare:
        pytest.skip("sudo-rs knows no requiretty, and the other sudo of this system is content without a terminal")
    inventory = inventory_of(cold.name, **PYTHON, **variables)
    environment = dict(setting.split("=") for setting in way.environment.split())
    if way.prepare:
        cold.sh(way.prepare)
    with new_connections() as settings:
        try_way(way, lambda task: play(tmp_path, inventory, task, environment={**environment, **settings}))
    cold.sh(AS_BEFORE)
    assert cold.show("ActiveState")["ActiveState"] == ("active" if way.takes != "refused" else "inactive")


# Where /var/cache leads, as root has set it up, and whether nobody but root can change anything on the way.
LAYOUTS = {
    "root's": ("install -d /srv/data/cache; ln -sfn /srv/data /srv/hop; ln -s ../srv/hop/cache /var/cache", True),
    "behind a directory of deploy's": ("install -d -o deploy /srv/data; install -d /srv/data/cache; ln -s /srv/data/cache /var/cache", False),
    "a directory that everybody can write": (f"install -d /var/cache; install -d -m 777 {CACHE}", False),
    "by a link of deploy's": (
        "install -d /srv/data/cache; install -d -o deploy /srv/hop; runuser -u deploy -- ln -s /srv/data/cache /srv/hop/cache; ln -s /srv/hop/cache /var/cache",
        False,
    ),
}
# What the deploy user then makes of it: a directory of root's, in which everybody can put a program.
ATTACKS = {
    "a directory that everybody can write": "true",
    "behind a directory of deploy's": f"mv /srv/data/cache /srv/data/was; mkdir /srv/data/cache; ln -s /tmp {CACHE}",
    "by a link of deploy's": "rm -rf /srv/hop/cache; mkdir /srv/hop/cache; ln -s /tmp /srv/hop/cache/curationexperts.sidekiq",
}
EVIL = f"printf '#!/bin/sh\\ntouch /root/pwned\\n' >/tmp/$digest; chmod 755 /tmp/$digest; [ -h {CACHE} ] || cp -p /tmp/$digest {CACHE}"


@pytest.mark.parametrize("layout", LAYOUTS)
def test_var_cache_elsewhere(tmp_path: Path, cold: Host, layout: str) -> None:
    """Whoever can change the way to the program, also through links, does not have root run a program of his."""
    prepare, fast = LAYOUTS[layout]
    digests = " ".join(line.split()[0] for line in (ROOT / "plugins/plugin_utils/_bin/SHA256SUMS").read_text().splitlines())
    cold.sh(f"mv /var/cache /var/cache.was; {prepare}")
    try:
        first, second = taken(tmp_path, cold), taken(tmp_path, cold)
        assert (first.remote_commands, second.remote_commands) == (2, FAST) if fast else second.remote_commands >= TRANSFER_SOME, second.output
        if not fast:
            assert "can be written by others than root" in second.why_transferred, second.output
            cold.sh(f"runuser -u deploy -- sh -c {shlex.quote(f'{ATTACKS[layout]}; for digest in {digests}; do {EVIL}; done')}")
            assert cold.out(f"[ -O {CACHE} ] && ls {CACHE}/{digests.split()[0]}"), "the attack is none"
            third = taken(tmp_path, cold)
            assert third.remote_commands >= TRANSFER_SOME and cold.sh("[ -e /root/pwned ]", check=False).returncode, third.output
    finally:
        cold.sh(f"rm -rf /var/cache /srv/data /srv/hop /root/pwned; mv /var/cache.was /var/cache; cd /tmp && rm -f {digests}")


def test_both_ways_have_the_same_result(tmp_path: Path, cold: Host) -> None:
    results = []
    for fast in (True, False):
        cold.reset()
        for task in (TASK, {**TASK, "diff": True, "check_mode": True}, TASK):
            results.append(without_what_differs(taken(tmp_path, cold, task=task, sidekiq_service_fast=fast).result))
    assert results[:3] == results[3:]


def without_what_differs(value: Any) -> Any:
    """A result but for numbers of processes and times."""
    if isinstance(value, dict):
        return {key: without_what_differs(item) for key, item in value.items() if key not in ("main_pid", "seconds", "since")}
    return [without_what_differs(item) for item in value] if isinstance(value, list) else value


def test_unprivileged_become_user_is_told_to_be_root(tmp_path: Path, cold: Host) -> None:
    played = taken(tmp_path, cold, ansible_become=True, ansible_become_user="deploy")
    assert played.result["failed"] and "must be root" in played.result["msg"] and "become_user" in played.result["msg"]
    assert cold.sh(f"ls {CACHE}", check=False).returncode, "the program was kept for a user who is not root"


def test_loop_over_two_applications(tmp_path: Path, cold: Host) -> None:
    cold.sh("cp -a /opt/laevigata /opt/second; ln -sfn $(readlink /opt/laevigata/current | sed s/laevigata/second/) /opt/second/current")
    names = [{"name": "sidekiq", "project": "laevigata"}, {"name": "sidekiq-second", "project": "second"}]
    task = {
        "curationexperts.sidekiq.sidekiq_service": {
            "name": "{{ item.name }}",
            "project_name": "{{ item.project }}",
            "sudoers_file": "/etc/sudoers.d/{{ item.name }}",
        },
        "loop": names,
    }
    played = taken(tmp_path, cold, task=task)
    try:
        assert [result["changed"] for result in played.result["results"]] == [True, True], played.output
        assert played.remote_commands == 3
        assert cold.out("systemctl is-active sidekiq sidekiq-second") == "active\nactive"
    finally:
        cold.sh("systemctl disable --now sidekiq-second; rm -rf /opt/second /etc/sudoers.d/sidekiq /etc/sudoers.d/sidekiq-second", check=False)


def test_delegated(tmp_path: Path, cold: Host) -> None:
    """The host that the task is delegated to is managed, and not the one that it is of."""
    inventory = inventory_of(cold.name)
    inventory["all"]["hosts"]["nowhere"] = {"ansible_host": "192.0.2.1"}
    played = play(tmp_path, inventory, {**TASK, "delegate_to": cold.name, "run_once": True})
    assert played.result["changed"] and cold.show("ActiveState") == {"ActiveState": "active"}, played.output


def test_two_hosts_in_one_play(tmp_path: Path, cold: Host) -> None:
    """One has the program, the other has not."""
    taken(tmp_path, cold)
    with booted("connections2") as other:
        played = play(tmp_path, inventory_of(cold.name, other.name), TASK)
        assert sorted(result["changed"] for result in played.results) == [False, True], played.output
        assert played.remote_commands == 3


def test_hosts_of_two_architectures_in_one_play(tmp_path: Path, cold: Host) -> None:
    """The other host only says that it is an arm64: each gets its own program, and what the other cannot run is told of."""
    with booted("connections2") as other:
        other.sh("printf '#!/bin/sh\\necho Linux aarch64\\n' >/usr/local/bin/uname; chmod 755 /usr/local/bin/uname")
        played = play(tmp_path, inventory_of(cold.name, other.name), TASK)
        digests = dict(reversed(line.split()) for line in (ROOT / "plugins/plugin_utils/_bin/SHA256SUMS").read_text().splitlines())
        for host, architecture in ((cold, "amd64"), (other, "arm64")):
            assert host.out(f"ls {CACHE} | grep -v request$") == digests[f"sidekiq_service_linux_{architecture}"], played.output
        worked, failed = sorted(played.results, key=lambda result: result.get("failed", False))
        # An sh of 2016 takes such a program for a script.
        assert worked["changed"] and ("Exec format error" in failed["msg"] or "Syntax error" in failed["msg"]), played.output


@pytest.fixture(scope="module")
def controller() -> Iterator[Host]:
    """A host with Debian's own ansible-core and this collection, as somebody has it who runs Ansible on the host itself."""
    if SUITE in ("bullseye", "xenial", "bionic", "focal", "jammy"):
        pytest.skip("the system's own Ansible is older than 2.14, with which the collection begins")
    with booted("controller", "--with", "ansible-core") as host:
        place = "/usr/share/ansible/collections/ansible_collections/curationexperts/sidekiq"
        archive = subprocess.run(["tar", "-C", ROOT, "-cf", "-", "galaxy.yml", "meta", "plugins", "roles"], check=True, capture_output=True).stdout
        unpack = [ROOT / "tests/machines/machine", "ssh", host.name, f"mkdir -p {place} && tar -C {place} -xf -"]
        subprocess.run(unpack, input=archive, check=True)
        yield host


@pytest.mark.parametrize("user", ["root", "admin"])
def test_local(controller: Host, user: str) -> None:
    """As root in one command; where sudo wants a password, a local connection has no standard input left, and the program is copied."""
    controller.reset()
    controller.sh(f"rm -rf {CACHE}")
    become = "" if user == "root" else f"-b -e ansible_become_password=admin -e ansible_become_exe={SUDO_PROGRAM}"
    task = shlex.quote("project_name=laevigata")
    command = f"cd / && ansible all -i localhost, -c local -vvv {become} -m curationexperts.sidekiq.sidekiq_service -a {task}"
    first, second = (Played(0, controller.out(f"runuser -u {user} -- sh -c {shlex.quote(command)}")) for dummy in range(2))
    assert "CHANGED" in first.output and "SUCCESS" in second.output, first.output + second.output
    assert controller.show("ActiveState") == {"ActiveState": "active"}
    if user == "root":
        assert (first.remote_commands, second.remote_commands) == (2, FAST)
    else:
        assert "gives a password" in second.why_transferred
