# SPDX-License-Identifier: GPL-3.0-or-later
"""What scripts/test runs its tests with: they are counted rightly, and those on hosts run side by side."""

from __future__ import annotations

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def checks(directory: Path, script: str) -> subprocess.CompletedProcess[str]:
    prelude = f"set -uo pipefail; source {ROOT}/scripts/checks.sh; mkdir -p $LOGS; run_part() {{ parts; }};"
    return subprocess.run(["bash", "-c", prelude + script], cwd=directory, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, timeout=60)


def test_what_fails_is_shown_and_counted(tmp_path: Path) -> None:
    done = checks(tmp_path, "check good true; later bad sh -c 'echo the reason; exit 3'; later absent sh -c 'exit 77'; later fine true; together; summary")
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1] == "2 passed, 1 failed"
    assert "    the reason\n" in done.stdout and "Failed: bad\n" in done.stdout and "Not done, so nobody knows: absent\n" in done.stdout


def test_without_a_test_that_passes_nothing_has_passed(tmp_path: Path) -> None:
    assert checks(tmp_path, "summary").returncode == 1
    assert checks(tmp_path, "check absent sh -c 'exit 77'; summary").returncode == 1
    assert checks(tmp_path, "check good true; summary").returncode == 0


def test_two_run_side_by_side_and_no_third(tmp_path: Path) -> None:
    (tmp_path / "meet").write_text(
        "touch $1.here; until [ $(ls | grep -c here$) -ge $2 ]; do sleep 0.05; done; sleep 0.3; [ $(ls | grep -c here$) -le $2 ]; s=$?; rm $1.here; exit $s"
    )
    two = checks(tmp_path, "JOBS=2; later a timeout 20 sh meet a 2; later b timeout 20 sh meet b 2; together; summary")
    assert two.returncode == 0, two.stdout
    one = checks(tmp_path, "JOBS=1; for name in a b c; do later $name timeout 20 sh meet $name 1; done; together; summary")
    assert one.returncode == 0, one.stdout
    three = checks(tmp_path, "JOBS=2; for name in a b c; do later $name timeout 2 sh meet $name 3; done; together; summary")
    assert "2 failed" in three.stdout.splitlines()[-1], three.stdout


def test_what_runs_ends_with_the_whole(tmp_path: Path) -> None:
    script = "later a sh -c 'echo $$ >pid; exec sleep 30'; (until [ -s pid ]; do sleep 0.05; done; kill -TERM $$) & together; echo went on"
    done = checks(tmp_path, script)
    assert done.returncode == 130 and "went on" not in done.stdout
    pid = (tmp_path / "pid").read_text().strip()
    ended = subprocess.run(f"for i in $(seq 40); do kill -0 {pid} 2>/dev/null || exit 0; sleep 0.05; done; exit 1", shell=True, check=False)
    assert ended.returncode == 0


def test_none_that_ends_early_is_overlooked(tmp_path: Path) -> None:
    done = checks(tmp_path, "JOBS=3; for i in $(seq 40); do later test$i true; done; together; summary")
    assert done.stdout.splitlines()[-1] == "40 passed, 0 failed"


def test_the_ten_slowest_are_told(tmp_path: Path) -> None:
    done = checks(tmp_path, "for i in 1 2 3 4 5 6 7 8 9 10 11; do check test$i true; done; check slow sleep 4; summary")
    told = done.stdout.partition("The ten slowest of 12:")[2].splitlines()
    assert told[1].endswith("min  slow") and len([line for line in told if " min  " in line]) == 10


def test_a_plan_runs_nothing_and_tells_how_long_it_took(tmp_path: Path) -> None:
    script = "parts() { check slow-on-paper touch ran; later 'test_x on noble' touch ran; check new touch ran; };"
    (tmp_path / ".cache/log").mkdir(parents=True)
    (tmp_path / ".cache/log/times").write_text("120 slow-on-paper\n60 test_x on bookworm\n")
    done = checks(tmp_path, script + "plan part")
    assert [line.split() for line in done.stdout.splitlines()[:3]] == [
        ["slow-on-paper", "2.0", "min"],
        ["test_x", "on", "noble", "1.0", "min"],
        ["new", "?", "min"],
    ]
    assert not (tmp_path / "ran").exists()
