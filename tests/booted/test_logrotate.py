# SPDX-License-Identifier: GPL-3.0-or-later
"""The rule for logrotate beside log_file: that logrotate takes it, that Sidekiq goes on logging, and that it comes and goes."""

from __future__ import annotations

from conftest import APP, Host

HOST_OPTIONS = ["--with", "logrotate"]

RULE = "/etc/logrotate.d/sidekiq"
LOG = f"{APP}/shared/log/sidekiq.log"
OPTIONS = {"log_file": "log/sidekiq.log", "logrotate": True}


def test_a_rule_comes_rotates_and_goes(host: Host) -> None:
    host.sh(f"rm -f {LOG}*")
    assert f"write {RULE}" in host.converge(**OPTIONS)["steps"]
    assert host.converge(**OPTIONS)["steps"] == []
    pid = host.main_pid()
    assert host.out(f"logrotate -f {RULE} 2>&1; stat -c '%U %s' {LOG}.1").split()[0] == "deploy"
    host.push("WriteFile", f"{APP}/shared/tmp/rotated")
    host.wait(f"grep -q WriteFile {LOG}")
    assert host.main_pid() == pid
    assert host.converge(log_file="log/sidekiq.log")["steps"] == [f"remove {RULE}"]
    host.converge(**OPTIONS)
    assert f"remove {RULE}" in host.converge(state="absent")["steps"]


def test_a_run_that_fails_takes_its_rule_back(host: Host) -> None:
    failed = host.converge(**OPTIONS, queues=["a"], exec_start=None, env={"RUBYOPT": "--none"}, start_timeout=10)
    assert failed["failed"] and failed["rolled_back"], failed
    assert host.sh(f"test -e {RULE}", check=False).returncode


def test_another_rule_for_the_same_file_is_named(host: Host) -> None:
    host.converge(**OPTIONS)
    host.sh("cat >/etc/logrotate.d/samvera", stdin=f"{APP}/shared/log/*.log {{\n  daily\n  su deploy deploy\n}}\n")
    try:
        result = host.converge(**OPTIONS)
        assert result["steps"] == [f"remove {RULE}"]
        assert any("is rotated by /etc/logrotate.d/samvera already" in w for w in result["warnings"]), result
        host.sh("logrotate -f /etc/logrotate.d/samvera")
    finally:
        host.sh("rm /etc/logrotate.d/samvera")
