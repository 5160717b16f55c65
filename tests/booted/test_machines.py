# SPDX-License-Identifier: GPL-3.0-or-later
"""The tool that makes the hosts: two checkouts on one machine do not see each other's, and hosts made at the same time do not disturb each
other."""

from __future__ import annotations

import functools
import http.server
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from conftest import ROOT, SUITE

NAMES = ["same", "other"]


class Checkout:
    """Another checkout: what it has of the tool is a copy of ours."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        shutil.copytree(ROOT / "tests/machines", directory / "tests/machines")

    def run(self, *args: str, **environment: str) -> subprocess.CompletedProcess[str]:
        command = [self.directory / "tests/machines/machine", *args]
        return subprocess.run(command, text=True, capture_output=True, stdin=subprocess.DEVNULL, check=False, env={**os.environ, **environment})

    def machine(self, *args: str) -> str:
        done = self.run(*args)
        assert done.returncode == 0, f"{args} in {self.directory}: {done.stdout}{done.stderr}"
        return done.stdout.strip()

    def names(self) -> list[str]:
        return [line.split()[0] for line in self.machine("list").splitlines()]


@pytest.fixture
def checkouts(tmp_path: Path) -> Iterator[list[Checkout]]:
    made = [Checkout(tmp_path / name) for name in ("one", "two")]
    yield made
    for checkout in made:
        checkout.machine("destroy-all")


@contextmanager
def watched(path: Path) -> Iterator[set[str]]:
    """Reads a file without a pause as long as this lasts; yields the set of what was read."""
    seen: set[str] = set()
    ended = threading.Event()

    def read() -> None:
        while not ended.wait(0.0001):
            seen.add(path.read_text() if path.exists() else "absent")

    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield seen
    finally:
        ended.set()
        reader.join()


def test_checkouts_do_not_touch_each_others_hosts(checkouts: list[Checkout]) -> None:
    known_hosts = Path(checkouts[0].machine("key")).with_name("known_hosts")
    with watched(known_hosts) as seen:
        make_and_remove(checkouts)
    assert seen - {"absent"} == {known_hosts.read_text()}


def make_and_remove(checkouts: list[Checkout]) -> None:
    """Hosts of the same names are made by two checkouts at the same time; then one of them removes whatever it can."""
    every = [(checkout, name) for checkout in checkouts for name in NAMES]
    with ThreadPoolExecutor(len(every)) as pool:
        list(pool.map(lambda one: one[0].machine("create", one[1], "--suite", SUITE, "--no-app"), every))
        addresses = list(pool.map(lambda one: one[0].machine("address", one[1]), every))
        assert len(set(addresses)) == len(every)
        boots = list(pool.map(lambda one: one[0].machine("ssh", one[1], "hostname; cat /proc/sys/kernel/random/boot_id /etc/machine-id"), every))
        assert len({boot.split()[2] for boot in boots}) == len(every)
        assert [boot.split()[0] for boot in boots] == [name for dummy, name in every]

        one, two = checkouts
        mine = two.machine("ssh", "same", "systemctl show -p ActiveEnterTimestampMonotonic multi-user.target; pidof redis-server")
        # What one does to hosts of these names, to all, or to what a run has left behind that was cut short, while the other works.
        list(pool.map(lambda command: one.machine(*command), [["kill", "same"], ["destroy", "other"]]))
        one.machine("create", "other", "--suite", SUITE, "--no-app")
        one.machine("destroy-all")
        one.machine("destroy-all", "--gone")
        one.machine("destroy", *NAMES)
    assert one.names() == []
    assert two.names() == sorted(NAMES)
    assert two.machine("ssh", "same", "systemctl show -p ActiveEnterTimestampMonotonic multi-user.target; pidof redis-server") == mine
    assert str(two.directory) in two.machine("list", "--all")


def test_hosts_of_a_checkout_that_is_gone_can_be_removed(checkouts: list[Checkout], tmp_path: Path) -> None:
    one, two = checkouts
    one.machine("create", "left", "--suite", SUITE, "--no-app")
    assert str(one.directory) in two.machine("list", "--all")
    root = Path(one.machine("root", "left"))
    os.rename(one.directory, tmp_path / "moved")
    two.machine("destroy-all", "--gone")
    os.rename(tmp_path / "moved", one.directory)
    assert str(one.directory) not in two.machine("list", "--all")
    assert not root.exists() and one.names() == []


def test_a_write_in_place_would_be_seen(tmp_path: Path) -> None:
    """The control of the first test."""
    path = tmp_path / "known_hosts"
    path.write_text("whole")
    with watched(path) as seen:
        for dummy in range(500):
            path.write_text("whole")
    assert "" in seen


def release_file() -> tuple[str, str]:
    """A Debian, and its signed release file, which this machine's own apt has."""
    for suite in ("bookworm", "trixie", "bullseye"):
        for path in Path("/var/lib/apt/lists").glob(f"*_dists_{suite}_InRelease"):
            return suite, path.read_text()
    return pytest.skip("apt of this machine has no release file of a Debian")


@pytest.mark.parametrize("forged", [True, False])
def test_an_archive_without_the_right_signature_is_refused(tmp_path: Path, forged: bool) -> None:
    suite, text = release_file()
    served = tmp_path / "served/dists" / suite
    served.mkdir(parents=True)
    (served / "InRelease").write_text(text.replace("Label: Debian", "Label: Devian") if forged else text)
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=tmp_path / "served")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        mirror = f"http://127.0.0.1:{server.server_port}"
        done = Checkout(tmp_path / "one").run("create", "x", "--suite", suite, "--mirror", mirror, SIDEKIQ_HOSTS_DIR=str(tmp_path / "state"))
        server.shutdown()
    assert done.returncode == 1
    # The control: the same archive gets further with its own release file.
    assert ("Invalid Release signature" in done.stderr) == forged, done.stderr
    assert not list((tmp_path / "state/images").glob(f"{suite}-*/"))


@pytest.mark.skipif(Path("/usr/share/keyrings/ubuntu-archive-keyring.gpg").exists(), reason="this machine has the keys of Ubuntu, wherever hosts are kept")
def test_without_the_keys_of_a_distribution_none_of_it_is_made(tmp_path: Path) -> None:
    one = Checkout(tmp_path / "one")
    done = one.run("create", "x", "--suite", "noble", SIDEKIQ_HOSTS_DIR=str(tmp_path / "state"))
    assert done.returncode == 1
    assert "the keyring that Ubuntu 24.04 is signed with is missing" in done.stderr and "`machine setup ubuntu` gets it" in done.stderr
    told = one.run("systems", "noble", SIDEKIQ_HOSTS_DIR=str(tmp_path / "state"))
    assert told.returncode == 1 and "can be made" not in told.stdout and "keyring" in told.stdout


def test_a_suite_that_there_is_not_is_refused(tmp_path: Path) -> None:
    done = Checkout(tmp_path / "one").run("create", "x", "--suite", "bookwurm")
    assert (done.returncode, done.stderr) == (1, 'machine: "bookwurm" cannot be a --suite; `machine systems` shows those that can\n')
