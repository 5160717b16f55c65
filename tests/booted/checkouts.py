# SPDX-License-Identifier: GPL-3.0-or-later
"""A checkout of the application, from which Capistrano deploys it: as the deploy user over ssh, without a terminal, with the tasks that the
collection brings to an application."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import APP, ROOT, Host
from figures import push_all

APP_HOST = ["--no-app", "--with", "git"]
TASKS_FILE = Path("lib/capistrano/tasks/sidekiq.rake")
ENVIRONMENT = {
    **os.environ,
    "PATH": f"{ROOT}/.venv/bin:{os.environ['PATH']}",
    "ANSIBLE_COLLECTIONS_PATH": f"{ROOT}/.cache",
    "LC_ALL": "C.UTF-8",
}


class Checkout:
    """A checkout of the application on this machine, from which Capistrano deploys it to the hosts."""

    def __init__(self, directory: Path, *hosts: Host) -> None:
        self.directory = directory
        self.run(str(ROOT / "tests/booted/capistrano/checkout"), str(directory), *(host.name for host in hosts), cwd=ROOT)
        self.version = "one"
        self.commit("one")

    def run(self, *args: str, check: bool = True, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
        """Runs a command, with no terminal, and returns how it ended, with both of its outputs in stdout."""
        directory = cwd or self.directory
        done = subprocess.run(
            args, cwd=directory, env=ENVIRONMENT | {"PWD": str(directory)} | environment, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300, check=False,
        )  # fmt: skip
        assert not check or done.returncode == 0, f"{args} ended with {done.returncode}:\n{done.stdout}"
        return done

    def cap(self, *tasks: str, check: bool = True, **environment: str) -> str:
        """cap production TASK..."""
        done = self.run("cap", "production", *tasks, check=check, **environment)
        assert check or done.returncode != 0, f"{tasks} did not fail:\n{done.stdout}"
        return done.stdout

    def cap_in_background(self, *tasks: str, **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            ["env", "--default-signal=INT", "cap", "production", *tasks],  # which a shell has background jobs ignore
            cwd=self.directory, env=ENVIRONMENT | environment, text=True, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def commit(self, version: str) -> None:
        """Changes the job class Version, and pushes that."""
        app = self.directory / "app.rb"
        app.write_text(app.read_text().replace(f"version {self.version}\\n", f"version {version}\\n"))
        self.version = version
        self.run("git", "add", "--all")
        self.run("git", "commit", "--quiet", "--allow-empty", "--message", version)
        self.run("git", "push", "--quiet", "origin", "main")

    def deploy(self, version: str) -> str:
        self.commit(version)
        return self.cap("deploy")

    def break_code(self, line: str) -> None:
        """Has the application run a line of Ruby when it boots, until the test has ended."""
        app = self.directory / "app.rb"
        app.write_text(f"{app.read_text()}{line}\n")

    def set(self, line: str) -> None:
        """Adds a line to config/deploy.rb, which Capistrano reads here and not from the repository."""
        with (self.directory / "config/deploy.rb").open("a") as file:
            file.write(f"{line}\n")


@pytest.fixture(scope="module")
def the_checkout(machine: Host, tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    return Checkout(tmp_path_factory.mktemp("checkout") / "laevigata", machine)


@pytest.fixture
def checkout(the_checkout: Checkout) -> Iterator[Checkout]:
    """The checkout; what a test changes in Capistrano's files is undone."""
    names = ("Capfile", "app.rb", "config/deploy.rb", "config/deploy/production.rb", TASKS_FILE)
    files = {path: path.read_text() for name in names for path in [the_checkout.directory / name]}
    version = the_checkout.version
    yield the_checkout
    the_checkout.version = version
    for path, text in files.items():
        path.write_text(text)


@pytest.fixture
def app(checkout: Checkout, host: Host) -> Checkout:
    """The checkout of an application that is deployed, with the service running."""
    if host.sh(f"[ -e {APP}/current ]", check=False).returncode:
        host.converge()
        checkout.cap("deploy")
    result = host.converge(timeout_stop_sec=15)
    assert not result.get("failed") and result["deployed"], result
    return checkout


def running_version(host: Host) -> str:
    """Which release does the jobs: the text that the job class Version has there."""
    path = f"{APP}/shared/tmp/version-{time.monotonic_ns()}"
    host.push("Version", path)
    return host.wait(f"cat {path}", timeout=20).removeprefix("version ")


def push_jobs(host: Host, prefix: str, *seconds: float) -> set[str]:
    """Pushes jobs that take so long; two of them run at once."""
    names = [f"{prefix}-{n}" for n, dummy in enumerate(seconds)]
    push_all(host, [("Sleep", name, s) for name, s in zip(names, seconds, strict=True)])
    return set(names)


def wait_until_done(host: Host, jobs: set[str]) -> None:
    for job in sorted(jobs):
        host.wait(f"grep -qx {job} {APP}/shared/tmp/ledger", timeout=60)


def quiet_processes(host: Host) -> int:
    return int(host.out("pgrep -u deploy -fc '^sidekiq .* busy. stopping' || true"))


def is_quiet(host: Host, unit: str = "sidekiq") -> bool:
    """Whether the running process was told to be quiet. Its title tells only some seconds later."""
    return "start_time=[n/a]" not in host.show("ExecReload", unit=unit)["ExecReload"]
