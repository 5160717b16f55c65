# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts that are not like the others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from conftest import APP, SUDOERS, Host

HOST_OPTIONS = ["--with", "imagemagick,dma,logrotate,libnss-extrausers"]


@pytest.fixture
def odd(host: Host) -> Iterator[list[str]]:
    """A list for scripts that bring the host back to what it was; the last comes first."""
    scripts: list[str] = []
    yield scripts
    host.sh("systemctl stop 'sidekiq*.service'; true")
    for script in reversed(scripts):
        host.sh(script)


def up(host: Host, name: str = "sidekiq", **options: Any) -> None:
    """Sidekiq comes up, does a job, and a second run changes nothing and warns of nothing."""
    first = host.converge(name=name, **options)
    assert not first.get("failed") and first["changed"], first
    host.push("WriteFile", f"{APP}/shared/tmp/done")
    host.wait(f"test -s {APP}/shared/tmp/done")
    second = host.converge(name=name, **options)
    assert (second["steps"], second.get("warnings", [])) == ([], []), second


def restarts(host: Host, user: str, name: str = "sidekiq") -> None:
    """The user restarts the service by sudo, and gets no other right."""
    before = host.main_pid(name)
    host.sh(f"runuser -u {user} -- sudo -n systemctl restart {name}")
    assert host.main_pid(name) not in (0, before)
    assert host.sh(f"runuser -u {user} -- sudo -n systemctl stop redis-server", check=False).returncode == 1


def test_two_applications(host: Host, odd: list[str]) -> None:
    host.sh(f"mkdir -p /opt/hyrax; ln -sfn {APP}/current /opt/hyrax/current")
    odd.append("rm -r /opt/hyrax")
    up(host)
    first = host.main_pid()
    before = host.snapshot()
    taken = host.converge(project_name="hyrax")
    assert taken.get("failed") and "set another name" in taken["msg"], taken
    assert host.snapshot() == before
    up(host, name="sidekiq-hyrax", project_name="hyrax")
    restarts(host, "deploy", "sidekiq-hyrax")
    assert host.main_pid() == first and host.converge()["steps"] == []
    restarts(host, "deploy")
    gone = host.converge(name="sidekiq-hyrax", project_name="hyrax", state="absent")
    assert not gone.get("failed"), gone
    assert host.converge()["steps"] == []


def test_a_user_of_another_source_than_the_files(host: Host, odd: list[str]) -> None:
    """LDAP and SSSD are such sources; here it is a file that only NSS knows."""
    odd.append("cp /root/nsswitch.conf /etc/nsswitch.conf; rm -r /home/remote")
    host.sh(
        "cp /etc/nsswitch.conf /root/nsswitch.conf; sed -i -E 's/^(passwd|group|shadow):.*/& extrausers/' /etc/nsswitch.conf;"
        " echo 'remote:x:5000:5000::/home/remote:/bin/bash' >/var/lib/extrausers/passwd; echo 'remotes:x:5000:' >/var/lib/extrausers/group;"
        " echo 'remote:*:19000:0:99999:7:::' >/var/lib/extrausers/shadow;"
        " install -d -o 5000 -g 5000 /home/remote; chmod o+rwx /opt/laevigata/shared/tmp"
    )
    up(host, user="remote")
    assert host.show("User", "Group") == {"User": "remote", "Group": "remotes"}
    assert "uid=5000" in host.out(f"cat {APP}/shared/tmp/done")
    restarts(host, "remote")


def test_no_dbus_daemon(host: Host, odd: list[str]) -> None:
    odd.append("systemctl unmask -q dbus.service dbus.socket; systemctl start dbus.socket dbus.service; systemctl restart systemd-logind")
    host.sh("systemctl mask -q dbus.service dbus.socket; systemctl stop dbus.socket dbus.service; rm -f /run/dbus/system_bus_socket")
    assert host.sh("test -e /run/dbus/system_bus_socket || pidof dbus-daemon", check=False).returncode == 1
    up(host)
    restarts(host, "deploy")
    assert not host.converge(state="absent").get("failed")


@pytest.mark.long
def test_a_user_name_with_a_dot(host: Host, odd: list[str]) -> None:
    odd.append("userdel --remove john.doe")
    host.sh(f"useradd --create-home john.doe; chmod o+rwx {APP}/shared/tmp")
    up(host, user="john.doe")
    assert host.out(f"stat -c %n {SUDOERS}") == SUDOERS
    restarts(host, "john.doe")


@pytest.mark.long
def test_opt_is_a_link(host: Host, odd: list[str]) -> None:
    odd.append("rm /opt && mv /srv/opt /opt")
    host.sh("mv /opt /srv/opt && ln -s srv/opt /opt")
    up(host)
    restarts(host, "deploy")


def test_in_a_chroot_the_error_says_so(host: Host, odd: list[str]) -> None:
    odd.append("umount -l /mnt")
    host.sh("mount --bind / /mnt; mkdir -p /mnt/run")
    for check in (True, False):
        result = host.converge(check=check, prefix="chroot /mnt")
        assert result.get("failed") and "systemd does not run here as PID 1" in result["msg"] and "chroot" in result["msg"], result


def test_without_root_the_error_says_so(host: Host, odd: list[str]) -> None:
    odd.append("rm /tmp/sidekiq_service")
    host.sh("install -m 755 /root/sidekiq_service /tmp/sidekiq_service")
    result = host.converge(prefix="runuser -u deploy -- sh -c '/tmp/sidekiq_service -; exit' --")
    assert result.get("failed") and "become: true" in result["msg"], result
