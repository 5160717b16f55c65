# SPDX-License-Identifier: GPL-3.0-or-later
"""Capistrano's tasks beside capistrano-sidekiq, which brings tasks of the same names, and those of the first release beside the present hosts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import released
from checkouts import APP_HOST, TASKS_FILE, Checkout, is_quiet, push_jobs, running_version, wait_until_done
from checkouts import app, checkout, the_checkout  # noqa: F401, fixtures; pylint: disable=unused-import
from conftest import ROOT, Host, upload

pytestmark = pytest.mark.long

HOST_OPTIONS = APP_HOST
GEMS = ["2.3", "3.2"]


def load_gem(checkout: Checkout, version: str) -> None:
    """What `require "capistrano/sidekiq"` and the two lines below it in its README do, by the stand-in for that version."""
    capfile = checkout.directory / "Capfile"
    lines = f'require "{ROOT}/tests/booted/capistrano/gems/capistrano-sidekiq-{version}"\n' + "".join(
        f"install_plugin Capistrano::{name}\n" for name in ("Sidekiq", "Sidekiq::Systemd")
    )
    capfile.write_text(capfile.read_text().replace("Dir.glob", lines + "\nDir.glob"))


def verbs(output: str) -> list[str]:
    """What our tasks have had systemctl do."""
    return [line.split()[-2] for line in output.splitlines() if "sudo -n systemctl" in line]


@pytest.mark.parametrize("gem", GEMS)
def test_its_tasks_do_nothing_of_their_own(app: Checkout, host: Host, gem: str) -> None:
    load_gem(app, gem)
    app.set("set :sidekiq_service_unit_user, :system; set :service_unit_user, :system")
    jobs = push_jobs(host, f"gem-{gem}", 5, 14, 1, 1)
    output = app.deploy(f"beside {gem}")
    assert running_version(host) == f"beside {gem}"
    wait_until_done(host, jobs)
    assert verbs(output) == ["reload", "restart"] and "sudo systemctl" not in output and "sudo /bin/systemctl" not in output, output
    app.cap("sidekiq:stop")
    app.cap("sidekiq:start")
    assert "inactive" not in app.cap("sidekiq:status")
    failed = app.cap("deploy", check=False, HALF_WAY="false")
    assert verbs(failed) == ["reload", "restart"] and not is_quiet(host), failed
    listed = app.run("cap", "-T", "sidekiq").stdout
    assert all(f"sidekiq:{task}" in listed for task in ("start", "stop", "restart", "quiet", "status")) and "sidekiq:install" not in listed, listed


@pytest.mark.parametrize("gem", GEMS)
def test_its_unit_is_not_made_beside_ours(app: Checkout, host: Host, gem: str) -> None:
    load_gem(app, gem)
    assert "would make a second Sidekiq" in app.cap("sidekiq:install", check=False)


def test_its_default_roles_leave_no_server_with_old_code(app: Checkout, host: Host) -> None:
    """Those of version 3 are :worker, which the server here has not."""
    load_gem(app, "3.2")
    app.deploy("by our roles")
    assert running_version(host) == "by our roles"


def test_roles_that_somebody_has_set_are_kept_beside_it(app: Checkout, host: Host) -> None:
    load_gem(app, "3.2")
    stage = app.directory / "config/deploy/production.rb"
    stage.write_text(stage.read_text().replace("roles: %w[app]", "roles: %w[web background]"))
    app.set("set :sidekiq_roles, :background")
    app.deploy("by roles of one's own")
    assert running_version(host) == "by roles of one's own"


def test_its_mark_of_a_deploy_is_kept(app: Checkout, host: Host) -> None:
    if host.sh("ruby -e 'require \"sidekiq/deploy\"'", check=False).returncode:
        pytest.skip("this Sidekiq keeps no metrics")
    load_gem(app, "3.2")
    app.set('set :sidekiq_mark_deploy, true; set :sidekiq_deploy_label, "the third"')
    output = app.deploy("marked")
    assert output.index("systemctl restart sidekiq") < output.index("sidekiq:mark_deploy"), output
    assert "the third" in host.out("redis-cli --scan --pattern '*-marks' | xargs -n 1 redis-cli hvals")


@pytest.fixture
def old_host(host: Host) -> Iterator[Host]:
    """The host with the program of the first release."""
    released.first_release()
    upload(host.name, released.PROGRAM, "/root/released")
    host.sh("mv /root/sidekiq_service /root/present; mv /root/released /root/sidekiq_service")
    yield host
    host.sh("mv /root/present /root/sidekiq_service")


def all_tasks(checkout: Checkout, host: Host, version: str) -> None:
    """A deploy with jobs in flight, and each task."""
    jobs = push_jobs(host, version.replace(" ", "-"), 5, 14, 1, 1)
    checkout.deploy(version)
    assert {running_version(host) for dummy in range(3)} == {version}
    wait_until_done(host, jobs)
    checkout.cap("sidekiq:quiet")
    assert "sidekiq is quiet" in checkout.cap("sidekiq:status")
    checkout.cap("sidekiq:start")
    checkout.cap("sidekiq:stop")
    assert host.out("pgrep -u deploy -fc '^sidekiq ' || true") == "0"
    assert "inactive (dead)" in checkout.cap("sidekiq:status")
    checkout.cap("sidekiq:start")
    assert running_version(host) == version


@pytest.mark.parametrize("processes", [1, 3])
def test_the_first_releases_tasks_on_present_hosts(app: Checkout, host: Host, processes: int) -> None:
    released.first_release()
    (app.directory / TASKS_FILE).write_text(released.TASKS_FILE.read_text())
    assert not host.converge(processes=processes, timeout_stop_sec=15).get("failed")
    all_tasks(app, host, f"old tasks {processes}")


@pytest.mark.parametrize("processes", [1, 3])
def test_the_present_tasks_on_hosts_of_the_first_release(old_host: Host, app: Checkout, host: Host, processes: int) -> None:
    assert not old_host.converge(processes=processes, timeout_stop_sec=15).get("failed")
    all_tasks(app, host, f"old host {processes}")
    if processes > 1:
        app.break_code('raise "this release is broken"')
        app.commit("broken")
        assert "this release is broken" in app.cap("deploy", check=False), "its umbrella says yes whatever becomes of the processes"
        code = app.directory / "app.rb"
        code.write_text(code.read_text().replace('raise "this release is broken"', ""))
        app.deploy("mended")
        assert running_version(host) == "mended"
