# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the program on booted hosts: real systemd, sudo, Redis and Sidekiq.

A test asks for the fixture `host`. It is a fresh host, made by tests/machines and shared by the tests of one module; SIDEKIQ_SUITE says
which system (bookworm). A module that wants another host says so in a variable of its own: HOST_OPTIONS = ["--no-app"].
SIDEKIQ_PROGRAM is the program to test, this machine's own build if it is not set; SIDEKIQ_EMULATOR, a static qemu-user, runs it if it is
that of another architecture.
"""

from __future__ import annotations

import atexit
import json
import os
import re
import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support import SUPPORT
from system import SUITE

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(os.environ.get("SIDEKIQ_PROGRAM", ROOT / "plugins/plugin_utils/_bin/sidekiq_service_linux_amd64"))
EMULATOR = os.environ.get("SIDEKIQ_EMULATOR", "")

UNIT = "/lib/systemd/system/sidekiq.service"
SUDOERS = "/etc/sudoers.d/sidekiq-restart-users"
APP = "/opt/laevigata"
HEALTH = "/usr/local/sbin/sidekiq-health"


# A login costs this machine and the host some 90 ms of CPU, ten times what a command costs over a connection that is open. So each
# host's connection stays open, by sockets in a directory whose path is short, as a socket's has to be.
CONNECTIONS = Path(tempfile.mkdtemp(prefix="sidekiq-", dir="/tmp"))
atexit.register(shutil.rmtree, CONNECTIONS, ignore_errors=True)


def tool(*args: str, **kwargs: Any) -> subprocess.CompletedProcess[str]:
    """tests/machines/machine, the one way hosts are made."""
    if args[0] in ("destroy", "kill", "reboot"):
        disconnect(args[1])
    done = subprocess.run([ROOT / "tests/machines/machine", *args], text=True, check=False, **kwargs)
    if done.returncode:
        raise RuntimeError(f"machine {' '.join(args)} failed: {done.stderr or 'its words are above'}")
    return done


def connection(name: str) -> list[str]:
    """The command that runs another as root on the host of that name."""
    config = CONNECTIONS / name
    if not config.exists():
        config.write_text(tool("ssh-config", name, capture_output=True).stdout)
    return ["ssh", "-F", str(config), "-o", "ControlMaster=auto", "-o", "ControlPersist=60", "-o", f"ControlPath={CONNECTIONS}/%C", name]


def disconnect(name: str) -> None:
    """Ends the connection, since a host that has lost its power does not. The next host of the name may have another address."""
    if (CONNECTIONS / name).exists():
        subprocess.run([*connection(name), "-O", "exit"], capture_output=True, check=False)
        (CONNECTIONS / name).unlink()


@dataclass
class Host:
    """A booted host."""

    name: str

    def sh(self, script: str, check: bool = True, timeout: float = 300, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Runs a shell script as root and returns how it ended."""
        done = subprocess.run([*connection(self.name), script], text=True, input=stdin, capture_output=True, timeout=timeout, check=False)
        if check and done.returncode:
            raise AssertionError(f"{script!r} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done

    def out(self, script: str, **kwargs: Any) -> str:
        """What a shell script prints."""
        return self.sh(script, **kwargs).stdout.strip()

    def converge(self, check: bool = False, prefix: str = "", timeout: float = 600, **options: Any) -> dict[str, Any]:
        """Runs the program with these options, as the action plugin does, and returns its result. prefix: put before its command."""
        request = {"project_name": "laevigata", "_ansible_check_mode": check, "_ansible_diff": True, **options}
        done = self.sh(f"{prefix} /root/sidekiq_service -", check=False, timeout=timeout, stdin=json.dumps(request))
        try:
            return json.loads(done.stdout)
        except ValueError:
            raise AssertionError(f"no result, status {done.returncode}:\n{done.stdout}{done.stderr}") from None

    def started(self, trace: str) -> list[str]:
        """The programs that were started, as a trace by strace on the host shows."""
        # A start that strace shows in two parts names the program in the first alone.
        return re.findall(r'execve\("([^"]*)"', self.out(f"cat {trace}"))

    def asked(self) -> list[str]:
        """What a run starts that finds nothing to do: sudo-rs has to be asked for its version, since not every one knows NOEXEC."""
        return ["/usr/bin/sudo"] if "sudo-rs" in self.out("sudo --version") else []

    def show(self, *properties: str, unit: str = "sidekiq") -> dict[str, str]:
        """Properties of a unit: systemctl show."""
        names = ",".join(properties)
        return dict(line.split("=", 1) for line in self.out(f"systemctl show --property={names} {unit}").splitlines())

    def main_pid(self, unit: str = "sidekiq") -> int:
        return int(self.show("MainPID", unit=unit)["MainPID"])

    def push(self, job: str, *args: str) -> str:
        """Pushes a job into Redis as the deploy user, and returns its id."""
        words = " ".join(map(shlex.quote, (job, *args)))
        return self.out(f"cd {APP}/current && runuser -u deploy -- bin/push {words}")

    def wait(self, script: str, timeout: float = 60) -> str:
        """Waits until a shell script succeeds, and returns what it prints."""
        return until(lambda: (done := self.sh(script, check=False)).returncode == 0 and (done.stdout.strip() or "yes"), timeout, script)

    def snapshot(self) -> str:
        """All that a run could change: files with content, mode, owner and time; links; the unit's enablement and process."""
        return self.out(
            "for f in /lib/systemd/system/sidekiq*.service /etc/systemd/system/sidekiq*.service /etc/sudoers.d/*; do"
            ' [ -e "$f" ] && stat -c "%n %a %u:%g %y %F" "$f" && sha256sum "$f"; done;'
            " find /etc/systemd/system /run/systemd/system -name 'sidekiq*' -printf '%p -> %l\\n' | sort;"
            " systemctl is-enabled sidekiq 2>&1; systemctl show -p MainPID,ActiveState,NRestarts,InvocationID,NeedDaemonReload sidekiq;"
            " ls -A /run/curationexperts.sidekiq 2>/dev/null | grep -v '^lock$'; true"
        )

    def reset(self) -> None:
        """A host without the service but with the command that comes with the first one, its application as it was made, and Redis running."""
        self.sh(
            "systemctl stop 'sidekiq*.service' 2>/dev/null; systemctl disable -q sidekiq 2>/dev/null;"
            f" install -m 755 $(ls /root/emulated 2>/dev/null || echo /root/sidekiq_service) {HEALTH};"
            f" rm -rf {UNIT} /lib/systemd/system/sidekiq@*.service /etc/systemd/system/sidekiq* /etc/systemd/system/*.wants/sidekiq@* {SUDOERS}"
            f" {APP}/shared/boot_delay {APP}/shared/tmp/*; systemctl daemon-reload; systemctl reset-failed 2>/dev/null;"
            " systemctl start redis-server; for i in 1 2 3 4 5 6 7 8 9; do redis-cli flushall >/dev/null 2>&1 && break; sleep 0.2; done"
        )


def until(condition: Callable[[], Any], timeout: float, what: str) -> Any:
    """Waits until condition() is true, and returns what it returned."""
    end = time.monotonic() + timeout
    while not (value := condition()):
        assert time.monotonic() < end, f"waited {timeout} s in vain for: {what}"
        time.sleep(0.2)
    return value


def upload(name: str, program: Path, path: str) -> None:
    """Copies a program to a host."""
    with program.open("rb") as content:
        tool("ssh", name, f"cat >{path} && chmod 700 {path}", stdin=content)


@contextmanager
def made(name: str, suite: str, *options: str) -> Iterator[Host]:
    """A fresh host of that system, made with these options of tests/machines; gone in the end."""
    tool("destroy", name, capture_output=True)  # what a run that was cut short has left
    tool("create", name, "--suite", suite, *options, capture_output=True)
    try:
        yield Host(name)
    finally:
        if not os.environ.get("SIDEKIQ_KEEP_HOSTS"):
            tool("destroy", name, capture_output=True)


@contextmanager
def booted(name: str, *options: str) -> Iterator[Host]:
    """A fresh host with the program on it, called test-NAME-SUITE, made with these options of tests/machines; gone in the end."""
    assert PROGRAM.exists(), "make build first"
    with made(f"test-{name}-{SUITE[:4]}", SUITE, *options) as host:
        if EMULATOR:
            upload(host.name, Path(EMULATOR), "/root/emulator")
            upload(host.name, PROGRAM, "/root/emulated")
            host.sh("cat >/root/sidekiq_service && chmod 700 /root/sidekiq_service", stdin='#!/bin/sh\nexec /root/emulator /root/emulated "$@"\n')
        else:
            upload(host.name, PROGRAM, "/root/sidekiq_service")
        SUPPORT.look(host)
        yield host


def pytest_configure(config: pytest.Config) -> None:
    """Has what became of the tests kept, if that is wanted."""
    config.pluginmanager.register(SUPPORT)


@pytest.fixture(scope="module")
def machine(request: pytest.FixtureRequest) -> Iterator[Host]:
    """The host of a test module."""
    name = request.module.__name__.removeprefix("test_").replace("_", "-")[:12]
    with booted(name, *getattr(request.module, "HOST_OPTIONS", [])) as host:
        yield host


@pytest.fixture
def host(machine: Host) -> Host:
    """The host of the test module, without a service of ours."""
    machine.reset()
    return machine
