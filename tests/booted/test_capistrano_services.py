# SPDX-License-Identifier: GPL-3.0-or-later
"""Capistrano and what there is on the hosts: several services, several processes, what the settings forget, and what does not come up."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from checkouts import APP_HOST, Checkout, is_quiet, push_jobs, running_version, wait_until_done
from checkouts import app, checkout, the_checkout  # noqa: F401, fixtures; pylint: disable=unused-import
from conftest import APP, Host, tool

pytestmark = pytest.mark.long

HOST_OPTIONS = APP_HOST
BROKEN = 'raise "this release is broken"'


def converge(host: Host, **options: Any) -> None:
    result = host.converge(timeout_stop_sec=15, **options)
    assert not result.get("failed") and result["deployed"], result


def current(host: Host) -> str:
    return host.out(f"readlink {APP}/current")


def test_all_of_several_processes(app: Checkout, host: Host) -> None:
    converge(host, processes=3)
    units = [f"sidekiq@{n}.service" for n in (1, 2, 3)]
    before = [host.main_pid(unit) for unit in units]
    status = app.cap("sidekiq:status")
    assert all(f"● {unit}" in status for unit in ["sidekiq.service", *units]), status
    app.cap("sidekiq:quiet")
    assert all(is_quiet(host, unit) for unit in units)
    assert "sidekiq is quiet" in app.cap("sidekiq:status")
    app.cap("sidekiq:start")
    after = [host.main_pid(unit) for unit in units]
    assert all(after) and not set(before) & set(after)
    jobs = push_jobs(host, "several", 3, 3, 3, 3, 3, 3, 1, 1)
    app.deploy("three processes")
    assert not set(after) & {host.main_pid(unit) for unit in units}
    assert {running_version(host) for dummy in range(4)} == {"three processes"}
    wait_until_done(host, jobs)
    app.cap("sidekiq:stop")
    assert host.out("pgrep -u deploy -fc '^sidekiq ' || true") == "0"
    assert "inactive (dead)" in app.cap("sidekiq:status")


def test_the_name_of_the_service_and_the_roles_are_settings(app: Checkout, host: Host) -> None:
    pid = host.main_pid()
    app.set('set :sidekiq_service, "sidekiq-other.service"')
    assert "set :sidekiq_service" in app.cap("sidekiq:restart", check=False), "there is no such service"
    app.set('set :sidekiq_service, "sidekiq"')
    app.set("set :sidekiq_roles, %i[worker db]")
    assert "sidekiq_roles" in app.cap("sidekiq:restart"), "no server has that role"
    assert host.main_pid() == pid
    app.set("set :sidekiq_roles, %i[worker app]")
    app.cap("sidekiq:restart")
    assert host.main_pid() != pid


@pytest.fixture
def critical(app: Checkout, host: Host) -> Iterator[str]:
    """A second service of the same application, for another queue."""
    name = "sidekiq-critical"
    converge(host, name=name, queues=["critical"])
    yield name
    host.converge(name=name, state="absent")


def test_several_services_of_an_application(app: Checkout, critical: str, host: Host) -> None:
    app.set("set :sidekiq_service, %w[sidekiq sidekiq-critical]")
    status = app.cap("sidekiq:status")
    assert "● sidekiq.service" in status and f"● {critical}.service" in status, status
    app.cap("sidekiq:quiet")
    assert is_quiet(host) and is_quiet(host, critical)
    app.cap("sidekiq:start")
    before = {host.main_pid(), host.main_pid(critical)}
    jobs = push_jobs(host, "services", 5, 14, 1, 1, 1)
    assert "too, and this deploy has not restarted it" not in app.deploy("two services")
    assert not before & {host.main_pid(), host.main_pid(critical)}
    wait_until_done(host, jobs)
    app.cap("sidekiq:stop")
    assert host.out("pgrep -u deploy -fc '^sidekiq ' || true") == "0"


def test_a_service_that_does_not_come_up_keeps_none_of_the_others_quiet(app: Checkout, critical: str, host: Host) -> None:
    app.set("set :sidekiq_service, %w[sidekiq-critical sidekiq]")
    host.sh(f"mkdir -p /run/systemd/system/{critical}.service.d; echo '[Service]\nEnvironment=DAMAGED=1' >/run/systemd/system/{critical}.service.d/a.conf")
    host.sh("systemctl daemon-reload")
    app.break_code(BROKEN + ' if ENV["DAMAGED"]')
    app.commit("half")
    output = app.cap("deploy", check=False)
    host.sh(f"rm -r /run/systemd/system/{critical}.service.d; systemctl daemon-reload")
    assert "this release is broken" in output, output
    assert running_version(host) == "half" and not is_quiet(host)


def test_a_server_may_have_services_of_its_own(app: Checkout, critical: str, host: Host) -> None:
    before = host.main_pid()
    stage = app.directory / "config/deploy/production.rb"
    stage.write_text(stage.read_text().replace("roles: %w[app]", f'roles: %w[app], sidekiq_service: "{critical}"'))
    assert "systemctl restart sidekiq-critical" in app.cap("sidekiq:restart")
    assert host.main_pid() == before


def test_a_deploy_names_the_services_that_the_settings_forget(app: Checkout, critical: str, host: Host) -> None:
    pid = host.main_pid(critical)
    output = app.deploy("forgetful")
    assert output.count(f"{critical}.service on {host.name} runs Sidekiq for laevigata, too") == 1, output
    assert "sidekiq.service on" not in output and host.main_pid(critical) == pid
    host.sh(f"systemctl disable -q --now {critical}")
    assert critical not in app.cap("deploy"), "it does not run, and will not at the next boot"


def test_a_deploy_names_a_file_that_defines_the_tasks_once_more(app: Checkout) -> None:
    again = app.directory / "lib/capistrano/tasks/zz.rake"
    again.write_text('task("sidekiq:restart") { puts "once more" }\n')
    try:
        said = app.deploy("twice")
    finally:
        again.unlink()
    assert "once more" in said and "zz.rake defines tasks of sidekiq, too" in said, said
    assert "defines tasks of sidekiq" not in app.deploy("once")


def test_a_deploy_names_a_service_of_the_deploy_users_own_systemd(app: Checkout, host: Host) -> None:
    unit = f"[Service]\nWorkingDirectory={APP}/current\nExecStart=/usr/local/bin/bundle exec sidekiq -C config/sidekiq.yml\n"
    name = "laevigata_sidekiq_production.service"
    host.sh("loginctl enable-linger deploy")
    as_deploy(host, f"mkdir -p .config/systemd/user && cat >.config/systemd/user/{name} && systemctl --user daemon-reload", stdin=unit)
    as_deploy(host, f"systemctl --user start {name}")
    output = app.deploy("a gem's unit")
    as_deploy(host, f"systemctl --user stop {name}; rm .config/systemd/user/{name}")
    host.sh("loginctl disable-linger deploy")
    assert f"{name} of deploy's own systemd" in output, output


def as_deploy(host: Host, script: str, stdin: str = "") -> None:
    """Runs a script in a login of the deploy user."""
    tool("ssh", f"deploy@{host.name}", script, input=stdin, stdout=subprocess.DEVNULL)


ROLES = {
    "a role that no server has": ("set :sidekiq_roles, :worker", "roles: %w[app]"),
    "the default, which no server has": ("", "roles: %w[worker]"),
}


@pytest.mark.parametrize("case", ROLES)
def test_a_deploy_that_would_leave_old_code_fails_before_the_new_release_is_current(app: Checkout, host: Host, case: str) -> None:
    before = current(host), host.main_pid()
    setting, roles = ROLES[case]
    app.set(setting)
    stage = app.directory / "config/deploy/production.rb"
    stage.write_text(stage.read_text().replace("roles: %w[app]", roles))
    output = app.cap("deploy", check=False)
    assert "set :sidekiq_roles" in output and host.name in output, output
    assert (current(host), host.main_pid()) == before and not is_quiet(host)


WRONG = {
    'set :sidekiq_service, "sidekiq-other"': "set :sidekiq_service",
    "set :sidekiq_service, []": "sidekiq_service names no service",
    "set :sidekiq_restart_in, :groups": "sidekiq_restart_in is :parallel or :sequence",
}


@pytest.mark.parametrize("setting", WRONG)
def test_a_wrong_setting_fails_the_deploy_before_the_new_release_is_current(app: Checkout, host: Host, setting: str) -> None:
    before = current(host), host.main_pid()
    app.set(setting)
    output = app.cap("deploy", check=False)
    assert WRONG[setting] in output, output
    assert (current(host), host.main_pid()) == before and not is_quiet(host)


KINDS: dict[str, dict[str, Any]] = {
    "as it comes": {},
    "a Sidekiq that does not speak to systemd": {"type": "exec"},
    "three processes": {"processes": 3},
    "three that do not speak to systemd": {"processes": 3, "type": "exec"},
    "named instances": {"instances": [{"name": "critical", "queues": ["critical", "default"]}, {"name": "rest"}]},
    "a log file": {"log_file": f"{APP}/shared/log/sidekiq.log"},
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_release_that_does_not_boot_fails_the_deploy_with_sidekiqs_own_words(app: Checkout, host: Host, kind: str) -> None:
    converge(host, **KINDS[kind])
    app.break_code(BROKEN)
    app.commit("broken")
    output = app.cap("deploy", check=False)
    assert "this release is broken" in output and output.count("sudo -n systemctl restart") == 1, output
    code = app.directory / "app.rb"
    code.write_text(code.read_text().replace(BROKEN, ""))
    jobs = push_jobs(host, "waiting", 1)
    app.deploy("mended")
    assert running_version(host) == "mended"
    wait_until_done(host, jobs)


@pytest.mark.parametrize("kind", ["three processes", "three that do not speak to systemd"])
def test_one_of_several_processes_that_does_not_come_up(app: Checkout, host: Host, kind: str) -> None:
    converge(host, **KINDS[kind])
    host.sh("mkdir -p /run/systemd/system/sidekiq@2.service.d; echo '[Service]\nEnvironment=DAMAGED=1' >/run/systemd/system/sidekiq@2.service.d/a.conf")
    host.sh("systemctl daemon-reload")
    app.break_code(BROKEN + ' if ENV["DAMAGED"]')
    app.commit("two of three")
    output = app.cap("deploy", check=False)
    assert "this release is broken" in output and "sidekiq@2.service" in output, output
    assert running_version(host) == "two of three", "the others are up"
    status = app.cap("sidekiq:status")
    first = min(status.index(f"sidekiq@{n}.service") for n in (1, 3))
    assert status.index("sidekiq@2.service") < first, "the dead one is shown first"
    host.sh("systemctl stop sidekiq@2")
    stopped = app.cap("sidekiq:status")
    assert stopped.index("sidekiq@2.service") < stopped.index("sidekiq@1.service"), "also when somebody has stopped it"
    jobs = push_jobs(host, "others", 2, 2)
    host.sh("rm -r /run/systemd/system/sidekiq@2.service.d; systemctl daemon-reload")
    app.deploy("three of three")
    assert all(host.main_pid(f"sidekiq@{n}") for n in (1, 2, 3))
    wait_until_done(host, jobs)
