# SPDX-License-Identifier: GPL-3.0-or-later
"""Every other Sidekiq of the application is found by what runs, however it was started, and the warning says how to end it; what is none is not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from conftest import APP, Host, tool, until
from system import SIDEKIQ as VERSION
from test_info import info

HOST_OPTIONS = ["--with", "cron,puma"]
pytestmark = pytest.mark.long

SIDEKIQ = "/usr/local/bin/bundle exec sidekiq -e production -C config/sidekiq.yml"
# No file says where it runs, as with units that change directories by themselves.
CHANGES = f"[Service]\nUser=deploy\nExecStart=/bin/sh -c 'cd {APP}/current && exec {SIDEKIQ}'\n[Install]\nWantedBy=multi-user.target\n"
IN_THE_BACKGROUND = f"{{ cd {APP}/current && exec nohup setsid {SIDEKIQ}; }} >/dev/null 2>&1 </dev/null &"
USER_UNITS = "/home/deploy/.local/share/systemd/user"

# For Puma, the Sidekiq within it.
PUMA = """\
require "sidekiq"
require "sidekiq/launcher"
require "./app"
app { |_| [200, {}, ["ok\\n"]] }
bind "tcp://127.0.0.1:9292"
if Sidekiq.respond_to?(:configure_embed)
  Sidekiq.configure_embed { |config| config.concurrency = 2 }.run
else
  Sidekiq::Launcher.new(Sidekiq.options.merge(queues: ["default"], concurrency: 2, timeout: 8, strict: true)).run
end
"""


@dataclass
class Way:
    """A way to run a second Sidekiq of the application, as root, what the warning calls it, and as whom it is started, if not as root."""

    start: str
    named: str
    known: str = ""  # the name in known_services under which it is meant
    end: str = ""  # what to do where the warning's last words are no command
    user: str = ""


WAYS = {
    "a unit": Way(
        f"printf '%s' \"{CHANGES}\" >/etc/systemd/system/worker.service; systemctl daemon-reload; systemctl enable -q --now worker",
        r"process \d+, of worker\.service",
        "worker",
    ),
    "an instance": Way(
        f"mkdir -p /usr/local/lib/systemd/system; printf '%s' \"{CHANGES}\" >/usr/local/lib/systemd/system/jobs@.service; systemctl daemon-reload;"
        " systemctl enable -q --now jobs@3",
        r"process \d+, of jobs@3\.service",
        "jobs",
    ),
    "an instance of the service's own name": Way(
        f"printf '%s' \"{CHANGES}\" >/etc/systemd/system/sidekiq@.service; systemctl daemon-reload; systemctl enable -q --now sidekiq@7",
        r"process \d+, of sidekiq@7\.service",
        "sidekiq@7",
    ),
    "the user's own systemd": Way(
        f"mkdir -p {USER_UNITS} && printf '%s' \"{CHANGES}\" | sed '/^User=/d' >{USER_UNITS}/mine.service && systemctl --user daemon-reload &&"
        " systemctl --user start mine",
        r"process \d+, of mine\.service of the systemd of the user with the id 1000",
        "mine",
        user="deploy",
    ),
    "cron": Way(
        f"printf '* * * * * deploy [ -e /tmp/once ] || {{ touch /tmp/once; cd {APP}/current && exec {SIDEKIQ}; }}\\n' >/etc/cron.d/worker; rm -f /tmp/once",
        r"process \d+, which cron has started",
        end="rm /etc/cron.d/worker; ",
    ),
    "a session": Way(IN_THE_BACKGROUND, r"process \d+, which was started in a login session", user="deploy"),
    "no unit": Way(f"systemd-run --scope --quiet --uid=deploy sh -c '{IN_THE_BACKGROUND}'", r"process \d+, which belongs to no service"),
    "another PID namespace": Way(
        f"systemd-run --quiet --collect --unit=apart --uid=deploy -p WorkingDirectory={APP}/current -p AmbientCapabilities=CAP_SYS_ADMIN"
        f" unshare --pid --fork {SIDEKIQ}",
        r"process \d+, of apart\.service",
        "apart",
    ),
}


def rivals(found: dict[str, list[str]]) -> list[str]:
    return [warning for warning in found.get("warnings", []) if "runs the Sidekiq" in warning]


@pytest.fixture(scope="module")
def ours(machine: Host) -> Host:
    """The host with the service."""
    machine.reset()
    machine.sh("loginctl enable-linger deploy; usermod -s /bin/bash deploy")
    assert not machine.converge().get("failed")
    return machine


@pytest.fixture
def alone(ours: Host) -> Iterator[Host]:
    """Where nothing else is left afterwards."""
    yield ours
    ours.sh(
        "systemctl disable -q --now worker jobs@3 sidekiq@7 apart other-app pamela container puma 2>/dev/null; pkill -x 'sleep|tail'; rm -f /etc/cron.d/worker;"
        f" runuser -u deploy -- env XDG_RUNTIME_DIR=/run/user/1000 systemctl --user stop mine; rm -rf {USER_UNITS} /usr/local/lib/systemd/system"
        " /etc/systemd/system/worker.service /etc/systemd/system/sidekiq@.service; systemctl daemon-reload; systemctl reset-failed;"
        " keep=$(systemctl show -p MainPID sidekiq | cut -d= -f2); for p in $(pgrep -f 'sidekiq|puma'); do"
        " [ $p = $keep ] || ! readlink /proc/$p/cwd | grep -q laevigata || kill -9 $p; done",
        check=False,
    )


@pytest.mark.parametrize("name", WAYS)
def test_a_sidekiq_is_named_with_the_way_to_end_it(alone: Host, name: str) -> None:
    host, way = alone, WAYS[name]
    tool("ssh", f"{way.user}@{host.name}" if way.user else host.name, way.start, capture_output=True)
    (warning,) = until(lambda: rivals(host.converge()), 90, "the other Sidekiq is warned of")
    print(warning)
    assert re.search(way.named, warning) and f"runs the Sidekiq of {APP}/current, too" in warning, warning
    if "own name" not in name:  # which info takes for a process of the service
        assert rivals(info(host)) == [warning]
    if way.known:
        assert "known_services" in warning
        assert rivals(host.converge(known_services=[way.known])) == rivals(info(host, known_services=[way.known])) == []
    elif name != "no unit":
        assert "known_services" not in warning
    remedy = re.split(r"to end it[^:]*: ", warning)[1]
    if " disable --now UNIT` ends" in remedy:
        looks, ends = re.findall(r"`([^`]*)`", remedy)
        assert "mine.service" in host.out(looks)
        remedy = ends.replace("disable --now UNIT", "disable --now mine")
    host.sh(way.end + remedy.split(", and ")[-1])
    until(lambda: not rivals(host.converge()), 30, "the other Sidekiq is gone by: " + remedy)
    assert host.converge()["changed"] is False and host.main_pid() > 0


# What lies in the application's tree, or shows Sidekiq's name, and is none that takes its jobs beside ours.
OTHERS = {
    "people who look": f"cd {APP}/current && (tail -f log/sidekiq.log & sleep 600 & exec -a 'vi sidekiq.yml' sleep 600 &) >/dev/null 2>&1 </dev/null",
    "a program of that name": f"cp /bin/sleep {APP}/shared/tmp/sidekiq; cd {APP}/current && (tmp/sidekiq 600 &) >/dev/null 2>&1 </dev/null",
    "ruby with that word": f"cd {APP}/current && (ruby -e 'sleep 600' sidekiq &) >/dev/null 2>&1 </dev/null",
    "the same in no directory of the application": "cd /tmp && (exec -a 'sidekiq 6.4.1 other [0 of 5 busy]' sleep 600 &) >/dev/null 2>&1 </dev/null",
    "another application": f"mkdir -p /opt/hyrax && cp -rL {APP}/current /opt/hyrax/; systemd-run --quiet --collect --unit=other-app --uid=deploy"
    f" -p WorkingDirectory=/opt/hyrax/current {SIDEKIQ}",
    "another root at the same path": f"mkdir -p /srv/copy && cp -rL {APP}/current /srv/copy/; systemd-run --quiet --collect --unit=container"
    f" unshare --mount sh -c 'mount --bind /srv/copy {APP} && cd {APP}/current && exec runuser -u deploy -- {SIDEKIQ}'",
}


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_none_is_not_warned_of(alone: Host, name: str) -> None:
    host = alone
    host.sh(f"bash -c {OTHERS[name]!r}" if '"' not in OTHERS[name] and "'" not in OTHERS[name] else OTHERS[name])
    if "application" in name and "no directory" not in name or "root" in name:
        host.wait("[ $(pgrep -u deploy -fc '^sidekiq .* busy]') = 2 ]")
    assert rivals(host.converge()) == rivals(info(host)) == []


def test_services_of_this_collection_are_none(alone: Host) -> None:
    host = alone
    assert not host.converge(name="sidekiq-critical", queues=["critical"]).get("failed")
    assert rivals(host.converge()) == rivals(host.converge(name="sidekiq-critical", queues=["critical"])) == rivals(info(host)) == []
    host.converge(name="sidekiq-critical", state="absent")
    several = host.converge(processes=2)
    assert not several.get("failed") and rivals(host.converge(processes=2)) == [], several
    host.converge()


def test_a_session_of_the_service_itself_is_none(alone: Host) -> None:
    """PAMName= puts its own main process into a session's scope."""
    host, pam = alone, {"directives": {"Service": {"PAMName": "login"}}}
    result = host.converge(**pam)
    assert not result.get("failed"), result
    assert "session-" in host.out(f"cat /proc/{host.main_pid()}/cgroup")
    assert rivals(host.converge(**pam)) == []
    host.converge()


def test_a_web_server_that_embeds_sidekiq_is_told_of_by_info_only(alone: Host) -> None:
    host = alone
    host.sh(f"cat >{APP}/shared/tmp/puma.rb", stdin=PUMA)
    host.sh(f"systemd-run --quiet --collect --unit=puma --uid=deploy -p WorkingDirectory={APP}/current /usr/bin/puma -C tmp/puma.rb")
    host.wait("cat /proc/$(systemctl show -p MainPID puma | cut -d= -f2)/task/*/comm | grep -E '^(processor|sidekiq.default)'")
    if VERSION < (7,):  # which gives the server its own title
        host.wait("grep -a '^sidekiq.*busy]' /proc/$(systemctl show -p MainPID puma | cut -d= -f2)/cmdline")
    assert rivals(host.converge()) == []
    (told,) = rivals(info(host))
    assert re.match(r"process \d+, of puma\.service runs the Sidekiq of /opt/laevigata/current within a web server", told), told
