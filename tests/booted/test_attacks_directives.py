# SPDX-License-Identifier: GPL-3.0-or-later
"""Attacks by the deploy user through what root opens, mounts or gives away for the service by `directives`.

Each is first tried on a unit that is written by hand, as the control: there it must work, or it would show nothing.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from conftest import APP, Host
from system import SYSTEMD

pytestmark = pytest.mark.long

SECRET = "HORSEBATTERY"
SHARED = f"{APP}/shared"
IN_ROOT = "/proc/$(systemctl show -p MainPID control | cut -d = -f 2)/root"

# The links that the deploy user makes, what root has, and a directory that is the deploy user's to fill.
LINKS = f"ln -sfn /root/inside {SHARED}/inside; ln -sfn /etc/shadow {SHARED}/shadow; ln -sfn /etc {SHARED}/etc"
PLACES = (
    f"chmod 700 /root; mkdir -p /root/inside/below /srv/own /var/lib/another; echo {SECRET} >/root/inside/below/open; chmod 644 /root/inside/below/open;"
    f" chown deploy /srv/own; echo {SECRET} >/srv/own/ld.so.preload; echo x >/var/lib/another/file; chown -R root: /var/lib/another;"
    f" usermod -p '{SECRET}' daemon"
)

OPENED_AFTER_LOGIN = (
    "loginctl enable-linger deploy; sleep 3; runuser -u deploy -- ln -sfn /etc/shadow /run/user/1000/x; systemctl restart control; sleep 1;"
    " loginctl disable-linger deploy; readlink /proc/$(systemctl show -p MainPID control | cut -d = -f 2)/fd/3 | grep -x /etc/shadow"
    " && systemctl stop control user@1000 user-runtime-dir@1000"
)

# By directive: the first systemd that knows it, its value, and a script that succeeds where the attack did.
ATTACKS: dict[str, tuple[int, str, str, str]] = {
    "root opens a file": (
        253,
        "OpenFile",
        f"{SHARED}/shadow:x",
        "readlink /proc/$(systemctl show -p MainPID control | cut -d = -f 2)/fd/3 | grep -x /etc/shadow",
    ),
    "a credential": (247, "LoadCredential", f"c:{SHARED}/shadow", f"grep -q {SECRET} {IN_ROOT}/run/credentials/control.service/c"),
    "what lies below root's home": (233, "BindPaths", f"{SHARED}/inside:/mnt", f"runuser -u deploy -- grep -q {SECRET} {IN_ROOT}/mnt/below/open"),
    "a directory over /etc": (233, "BindPaths", f"/srv/own:{SHARED}/etc", f"grep -q {SECRET} {IN_ROOT}/etc/ld.so.preload"),
    "an empty /etc to fill": (238, "TemporaryFileSystem", f"{SHARED}/etc:mode=1777", f"[ $(stat -c %a {IN_ROOT}/etc/) = 1777 ]"),
    "root's group": (
        229,
        "SupplementaryGroups",
        r"deploy r\oot",
        "grep '^Groups:' /proc/$(systemctl show -p MainPID control | cut -d = -f 2)/status | grep -qw 0",
    ),
    "a directory that is made at login": (253, "OpenFile", "/run/user/1000/x:x:graceful", OPENED_AFTER_LOGIN),
    "drop-ins of another unit": (235, "RuntimeDirectory", "systemd/system/cron.service.d", "[ $(stat -c %U /run/systemd/system/cron.service.d) = deploy ]"),
    "another's directory": (235, "StateDirectory", "another", "[ $(stat -c %U /var/lib/another/file) = deploy ]"),
}


def by_hand(host: Host, directive: str, value: str) -> None:
    unit = f"[Service]\nUser=deploy\nExecStart=/bin/sleep 600\n{directive}={value}\n"
    host.sh(
        "cat >/run/systemd/system/control.service; systemctl daemon-reload; systemctl restart control; sleep 1; systemctl is-active control",
        stdin=unit,
    )


@pytest.mark.parametrize("name", ATTACKS)
def test_root_neither_opens_nor_gives_away_what_the_deploy_user_chooses(host: Host, name: str) -> None:
    since, directive, value, works = ATTACKS[name]
    if int(host.out("systemctl --version | awk 'NR == 1 { print $2 }'")) < since:
        pytest.skip(f"{directive} is of systemd {since}")
    host.sh(PLACES)
    host.sh(f"runuser -u deploy -- sh -c '{LINKS}'")
    by_hand(host, directive, value)
    host.sh(works)
    host.sh(f"systemctl stop control; rm /run/systemd/system/control.service; systemctl daemon-reload; {PLACES}")
    result = host.converge(directives={"Service": {directive: value}})
    assert result.get("failed") and '"directives"' in result["msg"], result
    host.sh("[ ! -e /lib/systemd/system/sidekiq.service ]")


@pytest.mark.skipif(SYSTEMD < 235, reason="this systemd knows no StateDirectory=")
def test_directives_of_roots_own_places_are_accepted(host: Host) -> None:
    host.sh(PLACES)
    result = host.converge(directives={"Service": {"BindPaths": "/srv:/mnt", "StateDirectory": "sidekiq-own", "ExecStartPre": "/bin/true %n"}})
    assert not result.get("failed"), result
    assert host.out("stat -c %U /var/lib/sidekiq-own") == "deploy"
    again = host.converge(directives={"Service": {"BindPaths": "/srv:/mnt", "StateDirectory": "sidekiq-own", "ExecStartPre": "/bin/true %n"}})
    assert not again.get("failed") and not again["changed"], again


def test_a_drop_in_of_anothers_does_not_make_the_service_root(host: Host) -> None:
    host.sh("mkdir -p /etc/systemd/system/sidekiq.service.d; printf '[Service]\\nUser=root\\n' >/etc/systemd/system/sidekiq.service.d/other.conf")
    result = host.converge()
    assert result.get("failed") and result["rolled_back"] and "sidekiq.service.d/other.conf sets User" in result["msg"], result
    host.sh("[ ! -e /lib/systemd/system/sidekiq.service ]; rm -r /etc/systemd/system/sidekiq.service.d")
    assert not host.converge().get("failed")


def test_a_right_that_is_withdrawn_is_gone(host: Host) -> None:
    allowed = "runuser -u deploy -- sudo -n systemctl status sidekiq"
    for then in ({"sudoers_file": "/etc/sudoers.d/other", "sudo_commands": ["start"]}, {"sudo": False}, {"state": "absent"}):
        host.reset()
        assert not host.converge(sudoers_file="/etc/sudoers.d/first").get("failed")
        assert "password" not in host.sh(allowed, check=False).stderr
        result = host.converge(**then)
        assert not result.get("failed") and "/etc/sudoers.d/first" in " ".join(result["steps"]), result
        assert "password" in host.sh(allowed, check=False).stderr
        assert not host.out("grep -l curationexperts /etc/sudoers.d/first; true")


def test_no_value_is_in_any_text(host: Host) -> None:
    """The values of env, of an env file and of a unit that is replaced, where systemd, Sidekiq and a diff would show them."""
    url = f"redis://:{SECRET} pass@localhost:1"
    host.sh(
        f"mkdir -p /etc/laevigata; printf 'export EXPORTED={SECRET}export\\nFROM_FILE={SECRET}file\\n' >/etc/laevigata/env; chmod 600 /etc/laevigata/env;"
        f" printf '[Service]\\n#Environment=OLD={SECRET}old\\nEnvironment=NEW={SECRET}new\\nExecStart=/bin/true\\n' >/lib/systemd/system/sidekiq.service"
    )
    options: dict[str, Any] = {"env": {"REDIS_URL": url}, "env_files": ["/etc/laevigata/env"], "replace": True, "start_timeout": 20}
    for check in (True, False):
        result = host.converge(check=check, **options)
        assert SECRET not in json.dumps(result), result
        assert check or result.get("failed"), result
    host.sh("rm -rf /etc/laevigata")
