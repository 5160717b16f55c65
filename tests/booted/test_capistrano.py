# SPDX-License-Identifier: GPL-3.0-or-later
"""Deploys by Capistrano, and what can go wrong meanwhile: docs/capistrano.md."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest
from checkouts import APP_HOST, TASKS_FILE, Checkout, is_quiet, push_jobs, quiet_processes, running_version, wait_until_done
from checkouts import app, checkout, the_checkout  # noqa: F401, fixtures; pylint: disable=unused-import
from conftest import APP, Host

pytestmark = pytest.mark.long

HOST_OPTIONS = APP_HOST


def test_the_first_deploy_starts_what_the_role_has_prepared(checkout: Checkout, host: Host) -> None:
    host.sh(f"rm -rf {APP}/*")
    prepared = host.converge()
    assert prepared["deployed"] is False and host.show("ActiveState")["ActiveState"] == "inactive"
    checkout.deploy("first")
    assert running_version(host) == "first"
    assert host.converge()["deployed"] is True


def test_no_job_is_lost_by_a_deploy_and_new_ones_run_the_new_release(app: Checkout, host: Host) -> None:
    app.deploy("before")
    assert running_version(host) == "before"
    # Two run at once. One outlasts Sidekiq's timeout of 8 s, and starts over; three are waiting while the service is quiet.
    jobs = push_jobs(host, "flight", 5, 14, 1, 1, 1)
    app.deploy("after")
    assert running_version(host) == "after"
    wait_until_done(host, jobs)


def test_the_tasks(app: Checkout, host: Host) -> None:
    first = host.main_pid()
    assert "active (running)" in app.cap("sidekiq:status")
    app.cap("sidekiq:restart")
    assert host.main_pid() not in (0, first)
    app.cap("sidekiq:stop")
    assert host.show("ActiveState")["ActiveState"] == "inactive"
    assert "inactive (dead)" in app.cap("sidekiq:status"), "a stopped service is an answer"
    assert "nothing to quiet" in app.cap("sidekiq:quiet")
    app.cap("sidekiq:start")
    second = host.main_pid()
    assert second
    app.cap("sidekiq:start")
    assert host.main_pid() == second, "start leaves a service alone that takes jobs"


@pytest.mark.parametrize("seconds", [0, pytest.param(12, marks=pytest.mark.long)])
def test_start_mends_a_quiet_service_also_before_its_title_says_so(app: Checkout, host: Host, seconds: int) -> None:
    pid = host.main_pid()
    app.cap("sidekiq:quiet")
    assert is_quiet(host)
    host.sh(f"sleep {seconds}; systemctl is-active sidekiq")
    if seconds:
        host.sh("systemctl daemon-reload")  # after which systemd may not know any more; the title does
        assert quiet_processes(host) == 1
    assert "sidekiq is quiet" in app.cap("sidekiq:status")
    app.cap("sidekiq:start")
    assert host.main_pid() != pid
    assert "sidekiq is quiet" not in app.cap("sidekiq:status")


def test_a_deploy_that_fails_half_way_leaves_the_old_release_running(app: Checkout, host: Host) -> None:
    app.deploy("good")
    jobs = push_jobs(host, "half", 4, 1)
    app.commit("bad")
    output = app.cap("deploy", check=False, HALF_WAY="false")
    assert "sidekiq:restart" in output
    assert not is_quiet(host)
    assert running_version(host) == "good"
    wait_until_done(host, jobs)


def test_a_deploy_that_fails_before_it_begins_leaves_sidekiq_alone(app: Checkout, host: Host) -> None:
    pid = host.main_pid()
    app.set('append :linked_files, "config/missing.yml"')
    app.cap("deploy", check=False)
    assert host.main_pid() == pid and not is_quiet(host)


def test_a_deploy_ended_by_ctrl_c_leaves_sidekiq_running(app: Checkout, host: Host) -> None:
    pid = host.main_pid()
    cap = app.cap_in_background("deploy", HALF_WAY="sleep 61")
    host.wait("pgrep -u deploy -fx 'sleep 61'")
    assert is_quiet(host)
    os.killpg(cap.pid, signal.SIGINT)
    output, dummy = cap.communicate(timeout=60)
    assert cap.returncode != 0
    assert host.main_pid() not in (0, pid) and not is_quiet(host), output


def test_a_deploy_whose_connection_is_lost_leaves_sidekiq_quiet_and_the_next_play_mends_it(app: Checkout, host: Host) -> None:
    version = running_version(host)
    app.commit("never seen")
    cap = app.cap_in_background("deploy", HALF_WAY="sleep 60")
    host.wait("pgrep -u deploy -fx 'sleep 60'")
    os.killpg(cap.pid, signal.SIGKILL)
    cap.communicate()
    assert is_quiet(host)
    jobs = push_jobs(host, "stranded", 1)
    host.wait("pgrep -u deploy -f '^sidekiq .* busy. stopping'", timeout=20)
    seen = host.converge(timeout_stop_sec=15)
    assert not seen["changed"] and any("quiet" in warning for warning in seen["warnings"]), seen
    time.sleep(15)  # so long it may be a deploy that is still under way
    mended = host.converge(timeout_stop_sec=15)
    assert mended["changed"] and any("quiet" in step for step in mended["steps"]), mended
    wait_until_done(host, jobs)
    assert running_version(host) == version


@pytest.mark.long
def test_a_rollback_runs_the_release_before(app: Checkout, host: Host) -> None:
    app.deploy("old")
    app.deploy("new")
    jobs = push_jobs(host, "rollback", 4, 1)
    app.cap("deploy:rollback")
    assert running_version(host) == "old"
    wait_until_done(host, jobs)


@pytest.mark.long
def test_without_hooks_a_deploy_leaves_sidekiq_alone(app: Checkout, host: Host) -> None:
    pid = host.main_pid()
    app.set("set :sidekiq_hooks, false")
    app.cap("deploy")
    assert host.main_pid() == pid and not is_quiet(host)
    app.set('after "deploy:published", "sidekiq:restart"')
    app.cap("deploy")
    assert host.main_pid() != pid


def test_a_terminal_on_the_host_changes_nothing(app: Checkout, host: Host) -> None:
    app.set("set :pty, true")
    app.deploy("in a terminal")
    assert running_version(host) == "in a terminal"
    app.cap("sidekiq:quiet")
    assert "sidekiq is quiet" in app.cap("sidekiq:status")
    app.cap("sidekiq:start")
    assert not is_quiet(host)


def test_a_dry_run_shows_what_a_deploy_would_do_and_does_nothing(app: Checkout, host: Host) -> None:
    before = host.out(f"readlink {APP}/current"), host.main_pid()
    output = app.cap("deploy", "--dry-run")
    assert "systemctl reload sidekiq" in output and "systemctl restart sidekiq" in output, output
    assert (host.out(f"readlink {APP}/current"), host.main_pid()) == before and not is_quiet(host)


def test_a_user_without_the_right_is_told_which_variable_grants_it(app: Checkout, host: Host) -> None:
    host.converge(sudo=False, timeout_stop_sec=15)
    for task in ("restart", "quiet", "status"):
        assert "sidekiq_sudo_users" in app.cap(f"sidekiq:{task}", check=False)


def playbook(checkout: Checkout, *args: str, check: bool = True) -> str:
    return checkout.run("ansible-playbook", "curationexperts.sidekiq.capistrano", *args, check=check).stdout


def test_the_playbook_brings_the_tasks_up_to_date(checkout: Checkout) -> None:
    tasks = checkout.directory / TASKS_FILE
    assert "changed=0" in playbook(checkout)
    current = tasks.read_text()
    tasks.write_text(current + "# old\n")
    assert "-# old" in playbook(checkout, "--check", "--diff")
    assert tasks.read_text() == current + "# old\n"
    assert "changed=1" in playbook(checkout)
    assert tasks.read_text() == current


def test_the_playbook_replaces_no_file_of_somebody_else(checkout: Checkout) -> None:
    tasks = checkout.directory / TASKS_FILE
    tasks.write_text("# ours\n")
    assert "does not come from this collection" in playbook(checkout, check=False)
    assert tasks.read_text() == "# ours\n"


def test_the_playbook_says_what_the_checkout_lacks(checkout: Checkout, tmp_path: Path) -> None:
    assert "has no Capfile" in playbook(checkout, "-e", f"checkout={tmp_path}", check=False)
    (tmp_path / "Capfile").write_text('require "capistrano/setup"\n# Dir.glob("lib/capistrano/tasks/*.rake")\n')
    relative = os.path.relpath(tmp_path, checkout.directory)
    assert "Add this line" in playbook(checkout, "-e", f"checkout={relative}", check=False)
    assert (tmp_path / TASKS_FILE).exists()
