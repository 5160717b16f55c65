# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/migrating.md, neighbour by neighbour: taken over while jobs are in flight, by what the messages say, and put back.

Each prints a row of a table: what was there, what the run said, what became of the jobs, of a second run, and of the way back.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from conftest import APP, SUDOERS, UNIT, Host
from system import NOTIFIES, SUITE
from test_adopt import OLD_ROLE
from test_info import info

pytestmark = pytest.mark.long

LEDGER = f"{APP}/shared/tmp/ledger"
JOBS = [f"job-{n}" for n in range(12)]
ETC = "/etc/systemd/system"
THEIRS = "/home/deploy/.config/systemd/user"
KIND = "notify\nNotifyAccess=all" if NOTIFIES else "simple"


def unit(service: str = "", target: str = "multi-user.target", flags: str = "-C config/sidekiq.yml", after: str = "") -> str:
    """A unit in the form of Sidekiq's own example, which others have made theirs of."""
    return (
        f"[Unit]\nDescription=sidekiq\nAfter=syslog.target network.target{after}\n\n[Service]\nType={KIND}\nWorkingDirectory={APP}/current\n"
        f"ExecStart=/usr/local/bin/bundle exec sidekiq -e production {flags}\n{service}RestartSec=1\nRestart=on-failure\n\n[Install]\nWantedBy={target}\n"
    )


DEPLOYS = "User=deploy\nGroup=deploy\nUMask=0002\n"
GEMS_RULES = (
    "deploy ALL=(ALL) NOPASSWD: /bin/mv /tmp/NAME.service /etc/systemd/system/NAME.service, /bin/rm -f -- /etc/systemd/system/NAME.service\n"
    "deploy ALL=(ALL) NOPASSWD: /bin/systemctl enable NAME.service, /bin/systemctl daemon-reload, /bin/systemctl kill -s TSTP NAME\n"
    "deploy ALL=(ALL) NOPASSWD: /bin/systemctl start NAME, /bin/systemctl stop NAME, /bin/systemctl restart NAME\n"
)
V3 = "laevigata_sidekiq_production"


@dataclass
class Neighbour:
    """What is on a host: files, and the units that run. Then what a run says, and what is done about it."""

    files: dict[str, str]
    units: list[str]
    said: list[str] = field(default_factory=list)  # in the refusal, or in the warnings of the first run
    options: dict[str, Any] = field(default_factory=dict)  # with which it is taken over
    refused: bool = False
    first: str = ""  # commands before the run, by the document
    then: str = ""  # commands after it, as the warnings and the document say
    user: bool = False  # its systemd is the deploy user's own
    owner: str = "root"
    replaced: bool = True  # its files are kept by backup, so that the way back is by these


NEIGHBOURS = {
    "ansible-samvera's role, until 2023": Neighbour({UNIT: OLD_ROLE["before"][0], SUDOERS: OLD_ROLE["before"][1]}, ["sidekiq"]),
    "ansible-samvera's role, since January 2024": Neighbour({UNIT: OLD_ROLE["since"][0], SUDOERS: OLD_ROLE["since"][1]}, ["sidekiq"]),
    "capistrano-sidekiq 2.3, the deploy user's": Neighbour(
        {f"{THEIRS}/sidekiq.service": unit("UMask=0002\nEnvironment=MALLOC_ARENA_MAX=2\n", "default.target")},
        ["sidekiq"],
        [f"{THEIRS}/sidekiq.service runs the Sidekiq of {APP}/current, too", "which needs no login session"],
        then="sudo -u deploy XDG_RUNTIME_DIR=/run/user/1000 systemctl --user disable --now sidekiq && rm {THEIRS}/sidekiq.service",
        user=True,
        replaced=False,
    ),
    "capistrano-sidekiq 2.3, the system's": Neighbour(
        {
            f"{ETC}/sidekiq.service": unit("User=deploy\nUMask=0002\nEnvironment=MALLOC_ARENA_MAX=2\n"),
            "/etc/sudoers.d/gem": GEMS_RULES.replace("NAME", "sidekiq"),
        },
        ["sidekiq"],
        [
            "takes precedence over",
            "set unit_dir to /etc/systemd/system; there,",
            "its owner (the user with the id 1000",
            "env (its values of MALLOC_ARENA_MAX would go",
        ],
        {"unit_dir": ETC, "replace": True, "env": {"MALLOC_ARENA_MAX": 2}},
        refused=True,
        then="rm /etc/sudoers.d/gem",
        owner="deploy",
    ),
    "capistrano-sidekiq 3.2, the deploy user's": Neighbour(
        {f"{THEIRS}/{V3}.service": unit(target="default.target", flags="--config config/sidekiq.yml")},
        [V3],
        [f"{THEIRS}/{V3}.service runs the Sidekiq of {APP}/current, too", "which needs no login session"],
        then=f"sudo -u deploy XDG_RUNTIME_DIR=/run/user/1000 systemctl --user disable --now {V3} && rm {THEIRS}/{V3}.service",
        user=True,
        replaced=False,
    ),
    "capistrano-sidekiq 3.2, the system's": Neighbour(
        {f"{ETC}/{V3}.service": unit(), "/etc/sudoers.d/gem": GEMS_RULES.replace("NAME", V3)},
        [V3],
        [
            f"{ETC}/{V3}.service has root run Sidekiq, since it has no User=, and belongs to the user with the id 1000",
            f"disable --now {V3}.service",
            "can become root",
        ],
        then=f"systemctl disable --now {V3}.service && rm {ETC}/{V3}.service; rm /etc/sudoers.d/gem",
        owner="deploy",
        replaced=False,
    ),
    "Sidekiq's example unit": Neighbour(
        {UNIT: unit(DEPLOYS + "Environment=MALLOC_ARENA_MAX=2\n", flags="")},
        ["sidekiq"],
        ["something else wrote it, and this would change", "env (its values of MALLOC_ARENA_MAX would go"],
        {"env": {"MALLOC_ARENA_MAX": 2}},
        refused=True,
    ),
    "a unit of one's own with queues": Neighbour(
        {UNIT: unit(DEPLOYS + "LimitNOFILE=4096\n", flags="-q critical -q default")},
        ["sidekiq"],
        ['queues (from ["critical","default"]', "directives (Service.LimitNOFILE"],
        {"queues": ["critical", "default"], "directives": {"Service": {"LimitNOFILE": 4096}}},
        refused=True,
    ),
    "copies of a unit": Neighbour(
        {f"/lib/systemd/system/sidekiq-{n}.service": unit(DEPLOYS) for n in (1, 2)},
        ["sidekiq-1", "sidekiq-2"],
        ["disable --now sidekiq-1.service", "disable --now sidekiq-2.service"],
        {"processes": 2},
        then="for n in 1 2; do systemctl disable --now sidekiq-$n.service && rm /lib/systemd/system/sidekiq-$n.service; done",
        replaced=False,
    ),
    "a template of one's own": Neighbour(
        {f"{ETC}/sidekiq@.service": unit(DEPLOYS)},
        ["sidekiq@1", "sidekiq@2"],
        ["which something else wrote; set replace: true to take it over, or another name for a second service"],
        {"processes": 2, "replace": True},
        refused=True,
        replaced=False,
    ),
}


def as_deploy(host: Host, script: str) -> None:
    host.sh(f"runuser -u deploy -- env XDG_RUNTIME_DIR=/run/user/1000 sh -c {script!r}")


def install(host: Host, there: Neighbour) -> None:
    """As its own tool does it."""
    for path, content in there.files.items():
        owner = "deploy" if there.user or there.owner == "deploy" and path.endswith(".service") else "root"
        mode = "440" if path.startswith("/etc/sudoers.d/") else "644"
        host.sh(
            f"runuser -u {'deploy' if there.user else 'root'} -- mkdir -p $(dirname {path}); cat >{path}; chown {owner}: {path}; chmod {mode} {path}",
            stdin=content,
        )
    if there.user:
        host.sh("loginctl enable-linger deploy; systemctl start user@1000")
        as_deploy(host, f"systemctl --user daemon-reload && systemctl --user enable -q --now {' '.join(there.units)}")
    else:
        host.sh(f"systemctl daemon-reload; systemctl enable -q --now {' '.join(there.units)}")


def work(host: Host, jobs: list[str], seconds: int) -> None:
    host.sh(f"cd {APP}/current && for job in {' '.join(jobs)}; do runuser -u deploy -- bin/push Sleep $job {seconds} {LEDGER}; done")


def done(host: Host) -> list[str]:
    return host.out(f"cat {LEDGER} 2>/dev/null; true").split()


@pytest.fixture
def tidy(host: Host) -> Iterator[Host]:
    yield host
    host.converge(state="absent", unit_dir=ETC)
    host.sh(
        "loginctl disable-linger deploy; systemctl stop user@1000; systemctl disable -q --now 'sidekiq@1' 'sidekiq@2' sidekiq-1 sidekiq-2;"
        f" systemctl disable -q --now {V3}; rm -rf {THEIRS} {ETC}/{V3}* /lib/systemd/system/sidekiq-*"
        " /etc/sudoers.d/gem /var/lib/curationexperts.sidekiq/backup",
        check=False,
    )


def parts(text: str) -> str:
    """The beginning of what was said, for the table."""
    return re.sub(r"\s+", " ", text)[:160].replace("|", "/")


@pytest.mark.parametrize("name", NEIGHBOURS)
def test_a_neighbour_is_taken_over_and_put_back(tidy: Host, name: str) -> None:
    host, there = tidy, NEIGHBOURS[name]
    install(host, there)
    host.sh(f"install -o deploy -m 644 /dev/null {LEDGER}")  # or one that root's Sidekiq makes would be root's
    work(host, JOBS, 3)
    host.wait("pgrep -fc '^sidekiq .*[12] of 2 busy'")
    before = host.snapshot()
    looked = host.converge(check=True)
    said = looked.get("msg", "") + " ".join(looked.get("warnings", []))
    if there.options.get("processes"):
        looked = host.converge(check=True, processes=2)
        said = looked.get("msg", "") + " ".join(looked.get("warnings", []))
    assert bool(looked.get("failed")) == there.refused, looked
    assert host.snapshot() == before
    first = host.converge(backup=True, **there.options)
    assert not first.get("failed") and first["changed"], first
    said += " ".join(first.get("warnings", []))
    for word in there.said:
        assert word in said, said
    host.sh(there.then.replace("{THEIRS}", THEIRS))
    second = host.converge(**there.options)
    assert second["steps"] == [] and second.get("warnings", []) == [], second
    told = info(host, **({"unit_dir": ETC} if there.options.get("unit_dir") else {}))
    assert told["up"] and told["written_by"] == "collection", told
    processes = there.options.get("processes", 1)
    assert host.out("pgrep -u deploy -fc '^sidekiq [0-9]'") == str(processes) and host.out("pgrep -u root -fc '^sidekiq [0-9]'; true") == "0"
    host.wait(f"test $(sort -u {LEDGER} | wc -l) = {len(JOBS)}", timeout=120)
    ran = done(host)

    # And back, by what the document says.
    gone = host.converge(state="absent", **({"unit_dir": ETC} if there.options.get("unit_dir") else {}))
    assert not gone.get("failed"), gone
    if there.replaced:
        kept = first["backup_dir"]
        assert any(kept in warning for warning in gone["warnings"]), gone
        for path in there.files:
            base = path.rsplit("/", 1)[1]
            if path != "/etc/sudoers.d/gem":
                host.sh(f"cd {kept} && install -m {'440' if 'sudoers' in path else '644'} {base} {path}")
                assert host.sh(f"cat {path}").stdout == there.files[path]
        host.sh(f"systemctl daemon-reload; systemctl enable -q --now {' '.join(there.units)}")
    else:
        host.sh(f"rm -f {ETC}/*.wants/sidekiq@*")
        install(host, there)
    work(host, ["back"], 0)
    host.wait(f"grep -x back {LEDGER}", timeout=60)
    lost, twice = len(set(JOBS) - set(ran)), len(ran) - len(set(ran))
    row = [
        name,
        SUITE,
        ", ".join(there.units) + " at work",
        parts(said),
        f"{len(JOBS)} / {lost} / {twice}",
        "nothing to do, no warning",
        "its own Sidekiq does jobs again",
    ]
    print("\nROW | " + " | ".join(row) + " |")
    host.sh(there.then.replace("{THEIRS}", THEIRS), check=False)
    host.sh(f"systemctl disable -q --now {' '.join(there.units)}; rm -f {' '.join(there.files)}; systemctl daemon-reload", check=False)
