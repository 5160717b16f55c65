# SPDX-License-Identifier: GPL-3.0-or-later
"""What is on a host already: the old role's files, which are adopted, and what is in the way, which is named."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from conftest import APP, SUDOERS, UNIT, Host
from system import KNOWS_STEPS, SYSTEMD
from test_info import info

SEED_UNIT = (Path(__file__).parent / "seed.service").read_text()
SEED_SUDOERS = "".join(f"deploy ALL=(ALL) NOPASSWD: /bin/systemctl {verb} sidekiq\n" for verb in ("start", "stop", "restart", "status"))
# What the old role has written before and since January 2024.
OLD_ROLE = {
    "before": (SEED_UNIT, SEED_SUDOERS),
    "since": (
        SEED_UNIT.replace("After=syslog.target network.target", "After=syslog.target network.target redis-server.service").replace(" -L log/sidekiq.log", ""),
        SEED_SUDOERS + "deploy ALL=(ALL) NOPASSWD: /bin/systemctl kill -s TSTP sidekiq\n",
    ),
}
LEDGER = f"{APP}/shared/tmp/ledger"
DROP_IN = "/etc/systemd/system/sidekiq.service.d/ours.conf"


def put(host: Host, path: str, content: str, mode: str = "644") -> None:
    host.sh(f"mkdir -p $(dirname {path}); cat >{path}; chmod {mode} {path}", stdin=content)


@pytest.fixture
def clean(host: Host) -> Iterator[Host]:
    """A host that is cleaned of more than the service afterwards."""
    yield host
    host.sh(
        "for d in /usr /lib; do while mountpoint -q $d; do umount -l $d; done; done; systemctl unmask -q sidekiq; systemctl unmask -q --runtime sidekiq;"
        f" dpkg -P sidekiq-packaged 2>/dev/null; rm -rf /var/lib/curationexperts.sidekiq/backup /home/deploy/.config"
        f" /etc/systemd/system/laevigata* {UNIT} {SUDOERS}; systemctl daemon-reload"
    )


@pytest.mark.parametrize("form", OLD_ROLE)
def test_the_old_roles_service_is_adopted_in_place(host: Host, form: str) -> None:
    unit, sudoers = OLD_ROLE[form]
    put(host, UNIT, unit)
    put(host, SUDOERS, sudoers)
    host.sh("systemctl daemon-reload; systemctl enable -q --now sidekiq")
    for n in range(6):
        host.push("Sleep", f"job-{n}", "4")
    host.wait("tr '\\0' ' ' </proc/$(systemctl show --property=MainPID sidekiq | cut -d = -f 2-)/cmdline | grep '[12] of 2 busy'")
    told = host.converge(check=True)
    result = host.converge()
    assert not result.get("failed"), result
    assert not any("visudo" in warning for warning in result.get("warnings", [])), "of the file whose mode was wrong and is not any more"
    assert told["steps"] == result["steps"] and [step.split(":")[0] for step in result["steps"]] == [
        f"change {UNIT}",
        f"change {SUDOERS}",
        "reload the systemd manager",
        "restart sidekiq.service",
    ]
    assert result["diff"] == told["diff"]
    for diff, lines in zip(result["diff"], (30, 11), strict=False):
        changed = [line for line in difflib.ndiff(diff["before"].splitlines(), diff["after"].splitlines()) if line[0] in "+-"]
        code = [line for line in changed if line[2:] and not line[2:].startswith("#")]
        print(diff["before_header"], len(code), "lines differ")
        assert len(code) <= lines, "\n".join(code)
    host.wait(f"test $(wc -l <{LEDGER}) = 6", timeout=90)
    assert sorted(host.out(f"cat {LEDGER}").split()) == [f"job-{n}" for n in range(6)]
    assert host.out(f"stat -c '%a %u:%g' {UNIT} {SUDOERS}").split("\n") == ["644 0:0", "440 0:0"]
    assert host.sh("visudo -c", check=False).returncode == 0
    again = host.converge()
    assert (again["changed"], again.get("warnings", [])) == (False, []), again


@dataclass
class Obstacle:
    """Something in the way: a script that puts it there, what the error has to say, and a way out that it names."""

    script: str
    words: list[str]
    options: dict[str, Any] = field(default_factory=dict)
    remedy: str = ""
    then: dict[str, Any] = field(default_factory=dict)


# As capistrano-sidekiq 2 writes it for the host's systemd, in % of printf.
GEM = (
    f"[Unit]\\nDescription=sidekiq for laevigata\\n[Service]\\nType=simple\\nWorkingDirectory={APP}/current\\n"
    "ExecStart=/usr/local/bin/bundle exec sidekiq -e production\\nRestart=on-failure\\n[Install]\\nWantedBy=multi-user.target\\n"
)
SLEEPER = "printf '[Service]\\nExecStart=/bin/sleep 1000\\n'"
PACKAGE = r"""
d=$(mktemp -d); mkdir -p $d/DEBIAN $d/lib/systemd/system
printf 'Package: sidekiq-packaged\nVersion: 1\nArchitecture: all\nMaintainer: nobody <nobody@example.org>\nDescription: a unit\n' >$d/DEBIAN/control
printf '[Service]\nExecStart=/bin/sleep 1000\n' >$d/lib/systemd/system/sidekiq.service
dpkg-deb --build $d /root/packaged.deb && dpkg -i /root/packaged.deb && systemctl daemon-reload
"""
# The file system of the unit: before Debian and Ubuntu merged it into /usr, /lib was a directory of its own.
READ_ONLY = "d=/usr; [ -h /lib ] || d=/lib; mount --bind $d $d && mount -o remount,bind,ro $d"

OBSTACLES = {
    "a unit that takes precedence": Obstacle(
        f"{SLEEPER} >/etc/systemd/system/sidekiq.service; systemctl daemon-reload",
        ["/etc/systemd/system/sidekiq.service takes precedence over " + UNIT, "remove it"],
        remedy="rm /etc/systemd/system/sidekiq.service",
    ),
    "a unit of capistrano-sidekiq there, which is deploy's, and its sudo rules": Obstacle(
        f"printf '{GEM}' >/etc/systemd/system/sidekiq.service; chown deploy: /etc/systemd/system/sidekiq.service; systemctl daemon-reload;"
        f" echo 'deploy ALL=(root) PASSWD: /bin/systemctl restart sidekiq' >{SUDOERS}; chmod 440 {SUDOERS}",
        [
            "set unit_dir to /etc/systemd/system; there, something else wrote it, and this would change: its owner (the user with the id 1000",
            "user (it runs as root",
            "umask",
            f"cannot write {SUDOERS}: something else wrote it",
        ],
        then={"unit_dir": "/etc/systemd/system", "replace": True},
    ),
    "another name of a unit": Obstacle(
        f"printf '{GEM}Alias=sidekiq.service\\n' >/lib/systemd/system/jobs.service; systemctl daemon-reload; systemctl enable -q jobs",
        [
            "it is a link to ",
            "lib/systemd/system/jobs.service, by which that unit has this name, too",
            "set another name, or remove it: rm /etc/systemd/system/sidekiq.service",
        ],
        remedy="rm /etc/systemd/system/sidekiq.service; systemctl disable -q jobs; rm /lib/systemd/system/jobs.service; systemctl daemon-reload",
    ),
    "a transient unit": Obstacle(
        "systemd-run --quiet --unit=sidekiq sleep 1000",
        ["it was made by systemd-run", "systemctl stop sidekiq.service"],
        remedy="systemctl stop sidekiq.service",
    ),
    "one that systemd has not read yet": Obstacle(
        f"{SLEEPER} >{UNIT}; systemctl daemon-reload; systemctl start sidekiq; rm {UNIT}; {SLEEPER} >/etc/systemd/system/sidekiq.service",
        ["/etc/systemd/system/sidekiq.service takes precedence over " + UNIT],
        remedy="rm /etc/systemd/system/sidekiq.service; systemctl stop sidekiq",
    ),
    "a unit of this boot that takes precedence": Obstacle(
        f"{SLEEPER} >/run/systemd/system/sidekiq.service; systemctl daemon-reload",
        ["/run/systemd/system/sidekiq.service takes precedence over " + UNIT],
        remedy="rm /run/systemd/system/sidekiq.service",
    ),
    "an older unit of ours in /etc": Obstacle(
        f"{{ printf '# Written by curationexperts.sidekiq for laevigata; changes here are overwritten.\\n'; {SLEEPER}; }} "
        ">/etc/systemd/system/sidekiq.service; systemctl daemon-reload",
        ["set unit_dir to /etc/systemd/system"],
        then={"unit_dir": "/etc/systemd/system"},
    ),
    "a mask": Obstacle("systemctl mask -q sidekiq", ["is masked", "systemctl unmask sidekiq"], remedy="systemctl unmask sidekiq"),
    "a mask for this boot": Obstacle(
        "systemctl mask -q --runtime sidekiq", ["is masked", "systemctl unmask --runtime sidekiq"], remedy="systemctl unmask --runtime sidekiq"
    ),
    "a mask that systemd has not read yet": Obstacle(
        f"{SLEEPER} >{UNIT}; systemctl daemon-reload; systemctl start sidekiq; rm {UNIT}; ln -s /dev/null /etc/systemd/system/sidekiq.service",
        ["is masked", "systemctl unmask sidekiq"],
        remedy="systemctl unmask sidekiq; systemctl stop sidekiq",
    ),
    "a file of a package": Obstacle(
        PACKAGE,
        [UNIT + " belongs to the package sidekiq-packaged", "set another name", "unit_dir to /etc/systemd/system and replace: true"],
        then={"unit_dir": "/etc/systemd/system", "replace": True},
    ),
    "another project's service": Obstacle(
        f"printf '# Written by curationexperts.sidekiq for hyrax; changes here are overwritten.\\n' >{UNIT}",
        [UNIT, 'it is of the project "hyrax"', "set another name", "replace: true"],
        then={"replace": True},
    ),
    "a unit of somebody else": Obstacle(f"{SLEEPER} >{UNIT}", [UNIT, "something else wrote it", "set another name"], then={"name": "other"}),
    "sudo rules of somebody else": Obstacle(
        f"echo 'deploy ALL=(root) NOPASSWD: /bin/true' >{SUDOERS}; chmod 440 {SUDOERS}",
        [SUDOERS, "something else wrote it", "sudoers_file: /etc/sudoers.d/zz-sidekiq-restart-users"],
        then={"sudoers_file": "/etc/sudoers.d/zz-sidekiq-restart-users"},
    ),
    "sudo rules of somebody else that ask for a password": Obstacle(
        f"echo 'deploy ALL=(root) PASSWD: /bin/systemctl * sidekiq' >{SUDOERS}; chmod 440 {SUDOERS}",
        [SUDOERS, "set replace: true to take it over"],
        then={"replace": True},
    ),
    "a link in the place of the unit": Obstacle(
        f"ln -s /root/elsewhere {UNIT}", [UNIT + ": it is a symbolic link to /root/elsewhere", "remove that"], remedy=f"rm {UNIT}"
    ),
    "a directory in the place of the unit": Obstacle(f"mkdir {UNIT}", [UNIT + ": it is a directory", "remove that"], remedy=f"rmdir {UNIT}"),
    "a read-only file system": Obstacle(
        READ_ONLY, [f"cannot write {UNIT}: its file system is read-only; set unit_dir to /etc/systemd/system"], then={"unit_dir": "/etc/systemd/system"}
    ),
}


# These are much like others.
LONG = {
    "a unit of this boot that takes precedence",
    "another name of a unit",
    "a transient unit",
    "sudo rules of somebody else that ask for a password",
    "an older unit of ours in /etc",
    "a mask for this boot",
    "a unit of somebody else",
    "a link in the place of the unit",
    "a directory in the place of the unit",
}


@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.long] if name in LONG else []) for name in OBSTACLES])
def test_what_is_in_the_way_is_named_and_so_is_the_way_out(clean: Host, name: str) -> None:
    host, obstacle = clean, OBSTACLES[name]
    host.sh(obstacle.script)
    before = host.snapshot()
    for check in (True, False):
        result = host.converge(check=check, state="present", **obstacle.options)
        assert result.get("failed") and not result["changed"], f"check mode {check}: {result}"
        for word in obstacle.words:
            assert word in result["msg"], f"check mode {check}: {result['msg']}"
        assert host.snapshot() == before
    if obstacle.remedy:
        host.sh(obstacle.remedy)
    options = obstacle.options | obstacle.then
    done = host.converge(state="present", **options)
    assert not done.get("failed"), done
    if set(options) & {"name", "sudoers_file"}:
        host.converge(**options, state="absent")


def test_drop_ins_are_reported_and_a_change_in_one_makes_the_service_stale(host: Host) -> None:
    host.converge()
    pid = host.main_pid()
    put(host, DROP_IN, "[Service]\nNice=5\n")
    host.sh("systemctl daemon-reload")
    left = host.converge(restart_on_change=False)
    assert (left["steps"], host.main_pid()) == ([], pid)
    warnings = " ".join(left["warnings"])
    assert "left as they are: " + DROP_IN in warnings and "is still running and is older than " + DROP_IN in warnings, warnings
    result = host.converge()
    assert result["steps"] == [f"restart sidekiq.service: it is older than {DROP_IN}"]
    assert host.show("Nice")["Nice"] == "5" and host.main_pid() != pid
    settled = host.converge()
    assert settled["steps"] == [] and settled["warnings"] == [w for w in left["warnings"] if "drop-ins" in w], settled
    put(host, DROP_IN, "[Service]\nNice=6\n")  # and nobody has told systemd
    assert host.converge()["steps"] == ["reload the systemd manager", f"restart sidekiq.service: it is older than {DROP_IN}"]
    assert host.out("ps -o ni= -p $(systemctl show --property=MainPID sidekiq | cut -d = -f 2-)").strip() == "6"


INSTALLS: list[dict[str, Any]] = [
    {},
    {"wanted_by": ["graphical.target"]},
    {"wanted_by": ["multi-user.target", "redis-server"]},
    {"directives": {"Install": {"RequiredBy": ["local-fs.target"], "Alias": "jobs.service workers.service"}}},
    {"wanted_by": [], "directives": {"Install": {"RequiredBy": ["redis-server.service"]}}},
    {"enabled": False},
    {"enabled": False, "wanted_by": ["graphical.target"]},
    {"wanted_by": ["graphical.target"]},
    {},
]
if KNOWS_STEPS:
    INSTALLS[-1:-1] = [{"directives": {"Install": {"UpheldBy": "redis-server.service"}}}]

LINKS = "find /etc/systemd/system /run/systemd/system -lname '*/sidekiq.service' -printf '%p\\n' | sort"


def test_links_are_exactly_those_that_systemd_would_make(host: Host) -> None:
    for options in INSTALLS:
        result = host.converge(state="present", **options)
        assert not result.get("failed"), f"{options}: {result}"
        ours = host.out(LINKS)
        if options.get("enabled", True):
            host.sh("systemctl reenable -q sidekiq")
            assert ours == host.out(LINKS), options
            assert host.out("systemctl is-enabled sidekiq") == "enabled"
        else:
            assert ours == "", options
        assert host.converge(state="present", **options)["steps"] == [], options


def test_enabled_for_this_boot_is_not_enabled(host: Host) -> None:
    host.converge(state="present", enabled=False)
    host.sh("systemctl enable -q --runtime sidekiq")
    assert host.out("systemctl is-enabled sidekiq; true") == ("enabled" if SYSTEMD == 237 else "enabled-runtime")
    result = host.converge(state="present")
    assert any(step.startswith("enable sidekiq.service") for step in result["steps"]), result
    assert host.out(LINKS) == "/etc/systemd/system/multi-user.target.wants/sidekiq.service"
    assert host.out("systemctl is-enabled sidekiq") == "enabled"


# As capistrano-sidekiq 3 writes it.
CAPISTRANO = f"""[Unit]
Description=sidekiq for laevigata (production)
After=syslog.target network.target

[Service]
Type=notify
WatchdogSec=10
WorkingDirectory={APP}/current
ExecStart=/usr/local/bin/bundle exec sidekiq -e production
Restart=on-failure
RestartSec=1
StandardOutput=append:{APP}/shared/log/sidekiq.log

[Install]
WantedBy=default.target
"""


@pytest.mark.parametrize("path", ["/etc/systemd/system", "/home/deploy/.config/systemd/user"])
def test_capistrano_sidekiqs_own_unit_is_warned_about(clean: Host, path: str) -> None:
    host, unit = clean, f"{path}/laevigata_sidekiq_production.service"
    put(host, unit, CAPISTRANO)
    host.sh("chown -R deploy: /home/deploy")
    result = host.converge(state="present")
    *others, warning = result["warnings"]
    assert len(others) == (0 if path.startswith("/home") else 1), result  # it has root run Sidekiq
    remedy = "systemctl --user" if path.startswith("/home") else "systemctl disable --now laevigata_sidekiq_production.service"
    assert not result.get("failed") and unit in warning and remedy in warning, result
    again = host.converge(state="present", check=True, prefix="strace -f -qq -o /root/trace -e trace=execve,openat")
    assert again["steps"] == [] and again["warnings"] == [*others, warning]
    assert host.started("/root/trace") == ["/root/sidekiq_service", *host.asked()]
    host.sh(f"rm {unit}")
    assert "warnings" not in host.converge(state="present")


def test_a_unit_left_by_another_unit_dir_is_told_of(host: Host) -> None:
    host.converge(state="present")
    moved = {"state": "present", "unit_dir": "/etc/systemd/system"}
    for dummy in range(2):
        result = host.converge(**moved)
        assert any(f"Remove it with: rm {UNIT}" in warning for warning in result["warnings"]), result
    gone = host.converge(unit_dir="/etc/systemd/system", state="absent")
    assert any(f"{UNIT} belongs to this collection, too" in warning and "is left as it is" in warning for warning in gone["warnings"]), gone
    host.sh(f"rm {UNIT}")
    assert "warnings" not in host.converge(unit_dir="/etc/systemd/system", state="absent")


# A unit of somebody's own, with what is easily lost.
OWN_UNIT = f"""[Unit]
Description=jobs

[Service]
User=deploy
WorkingDirectory={APP}/current
Environment=TOKEN=geheim-4711
LimitNOFILE=4096
ExecStart=/usr/local/bin/bundle exec sidekiq -q critical -q default -e production
Restart=always

[Install]
WantedBy=multi-user.target
"""
SAME = "systemctl show --property=User,UMask,Environment,LimitNOFILE,WorkingDirectory sidekiq"


def test_a_unit_of_ones_own_is_taken_over_by_the_options_that_reproduce_it(clean: Host) -> None:
    host = clean
    put(host, UNIT, OWN_UNIT)
    host.sh("systemctl daemon-reload; systemctl enable -q --now sidekiq")
    before = host.out(SAME)
    refused = host.converge(check=True)
    for what in ("queues", "env (its values of TOKEN", "directives (Service.LimitNOFILE", "umask"):
        assert what in refused["msg"] and "geheim-4711" not in str(refused), refused
    told = info(host)
    assert told["options"]["env"] == {"TOKEN": "(hidden)"} and told["no_option"] == [], told
    options = told["options"] | {"env": {"TOKEN": "geheim-4711"}}
    result = host.converge(**options)
    assert result["changed"] and not result.get("failed"), result
    assert host.out(SAME) == before
    assert host.converge(**options)["steps"] == []


def test_what_is_replaced_is_kept_whole_and_can_be_put_back(clean: Host) -> None:
    host = clean
    put(host, UNIT, OWN_UNIT)
    put(host, SUDOERS, "deploy ALL=(root) NOPASSWD: /bin/true\n", "440")
    result = host.converge(replace=True, backup=True)
    assert not result.get("failed"), result
    kept = result["backup_dir"]
    assert host.out(f"stat -c '%a %U' {kept} {kept}/* | sort -u").split("\n") == ["600 root", "700 root"]
    assert host.out(f"cat {kept}/sidekiq.service") == OWN_UNIT.strip()
    again = host.converge(replace=True, backup=True)
    assert again["steps"] == [] and "backup_dir" not in again
    assert any(kept in warning for warning in host.converge(state="absent")["warnings"])
    host.sh(
        f"cd {kept} && install -m 644 sidekiq.service {UNIT} && install -m 440 sidekiq-restart-users {SUDOERS}"
        " && systemctl daemon-reload && systemctl enable -q --now sidekiq"
    )
    assert host.out(f"cat {UNIT}") == OWN_UNIT.strip()
