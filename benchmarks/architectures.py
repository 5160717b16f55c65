# SPDX-License-Identifier: GPL-3.0-or-later
"""What was run of the program of each architecture, under qemu-user: the table of the README, from docs/data/architectures.json.

Its unit tests, and on a host of this machine's own architecture the main job, with the program run by the emulator.
"""

from __future__ import annotations

import datetime
import json
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from tables import ROOT, Documents, Figures, table

DATA = ROOT / "docs/data/architectures.json"
EMULATORS = {"arm64": "aarch64", "ppc64le": "ppc64le", "riscv64": "riscv64", "s390x": "s390x"}
# strace would see the system calls of the emulator.
ON_HOSTS = ["tests/booted/test_basics.py", "-k", "not runs_no_child"]


def measure(architectures: tuple[str, ...]) -> None:
    """Runs all that can be run of these architectures, or of every one, and writes how many tests passed. One that fails ends it."""
    for part, run in (("hosts", tests_on_hosts), ("unit", unit_tests)):
        for architecture in architectures or tuple(EMULATORS):
            emulator = shutil.which(f"qemu-{EMULATORS[architecture]}-static")
            assert emulator, f"there is no qemu-user for {architecture}"
            keep(architecture, part, run(architecture, emulator))


def keep(architecture: str, part: str, passed: int) -> None:
    data = json.loads(DATA.read_text()) if DATA.exists() else {}
    data.setdefault(architecture, {})[part] = {"passed": passed, "on": datetime.datetime.now(datetime.timezone.utc).date().isoformat()}
    DATA.write_text(json.dumps(data, indent=1, sort_keys=True) + "\n")


def unit_tests(architecture: str, emulator: str) -> int:
    environment = {**os.environ, "CGO_ENABLED": "0", "GOARCH": architecture}
    command = ["go", "test", "-count=1", "-v", "-exec", emulator, "./module_src/..."]
    done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=False)
    failures = re.findall(r"^.*--- FAIL.*$(?:\n(?!.*---|=== ).*)*", done.stdout, re.MULTILINE)
    assert done.returncode == 0, "\n".join(failures) or done.stdout[-4000:]
    return len(re.findall(r"^--- PASS", done.stdout, re.MULTILINE))


def tests_on_hosts(architecture: str, emulator: str) -> int:
    with tempfile.TemporaryDirectory() as directory:
        subprocess.run([ROOT / "scripts/build", f"{directory}/bin", architecture], cwd=ROOT, check=True)
        program = Path(directory, f"bin/sidekiq_service_linux_{architecture}")
        environment = {**os.environ, "SIDEKIQ_PROGRAM": str(program), "SIDEKIQ_EMULATOR": emulator}
        done = subprocess.run([ROOT / ".venv/bin/pytest", "-q", *ON_HOSTS], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:]
    return int(re.search(r"(\d+) passed", done.stdout)[1])


def render(documents: Documents) -> None:
    documents.fill(ROOT / "README.md", {"architectures": architectures(json.loads(DATA.read_text()))})


def architectures(data: Figures) -> str:
    rows = [["amd64", "as it is", "all", "all of the table above"]]
    for name in EMULATORS:
        seen = [data.get(name, {}).get(part) for part in ("unit", "hosts")]
        rows.append([name, "emulated (qemu-user)", *(f"{part['passed']}, on {part['on']}" if part else "none yet" for part in seen)])
    return table(["architecture", "run", "unit tests that passed", "tests of the main job on a host that passed"], rows)
