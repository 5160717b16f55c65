# SPDX-License-Identifier: GPL-3.0-or-later
"""On which systems the tests on hosts last passed, for the table in the README.

A run of pytest in which all tests of some files passed writes that into the file that SIDEKIQ_SUPPORT names; one that failed takes its files
out. Without the variable nothing is written, and neither is it by a run that was cut short or that chose among the tests of a file.
"""

from __future__ import annotations

import datetime
import fcntl
import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from system import SUITE

PATH = os.environ.get("SIDEKIQ_SUPPORT")
EMULATED = bool(os.environ.get("SIDEKIQ_EMULATOR"))

VERSIONS = """\
systemctl --version | awk 'NR == 1 { print "systemd", $2 }'
sudo --version 2>&1 | sed -n '1s/^sudo-rs /sudo sudo-rs /; 1s/^Sudo version /sudo /; 1p'
ruby -e 'puts "ruby #{RUBY_VERSION}", "sidekiq #{Gem::Specification.find_by_name(%q(sidekiq)).version}"'
redis-server --version | sed 's/.* v=/redis /; s/ sha=.*//'
"""


class Support:
    """What became of each file's tests, and on what they ran."""

    def __init__(self) -> None:
        self.passed: Counter[str] = Counter()
        self.failed: set[str] = set()
        self.versions: dict[str, str] = {}

    def look(self, host: Any) -> None:
        """Asks a host which versions it has, once."""
        if PATH and not self.versions:
            self.versions = dict(line.split(" ", 1) for line in host.out(VERSIONS).splitlines())

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        file = Path(report.location[0]).stem
        if report.failed:
            self.failed.add(file)
        elif report.when == "call" and report.passed:
            self.passed[file] += 1

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        if not PATH or EMULATED or not self.versions or not self.passed:
            return
        chosen = session.config.option.keyword or any("::" in arg for arg in session.config.args)
        if chosen or exitstatus not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
            return
        with open(PATH, "a+", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            everything = json.loads(file.read() or "{}")
            suite = everything.setdefault(SUITE, {"files": {}})
            suite["versions"] = self.versions
            day = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
            for name, count in self.passed.items():
                suite["files"][name] = {"passed": count, "on": day}
            for name in self.failed:
                suite["files"].pop(name, None)
            file.truncate(0)
            file.write(json.dumps(everything, indent=1, sort_keys=True) + "\n")


SUPPORT = Support()
