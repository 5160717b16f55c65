# SPDX-License-Identifier: GPL-3.0-or-later
"""Capistrano, as the deploy user over ssh and without a terminal, with the tasks that the collection brings to an application."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import APP, ROOT, Host
from figures import push_all

pytestmark = pytest.mark.long

HOST_OPTIONS = ["--no-app", "--with", "git"]
TASKS_FILE = Path("lib/capistrano/tasks/sidekiq.rake")
ENVIRONMENT = {
    **os.environ,
    "PATH": f"{ROOT}/.venv/bin:{os.environ['PATH']}",
    "ANSIBLE_COLLECTIONS_PATH": f"{ROOT}/.cache",
    "LC_ALL": "C.UTF-8",
}


class Checkout:
    """A checkout of the application on this machine, from which Capistrano deploys it to the host."""

    def __init__(self, directory: Path, host: Host) -> None:
        self.directory = directory
        self.host = host
        self.run(str(ROOT / "tests/booted/capistrano/checkout"), str(directory), host.name, cwd=ROOT)
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
            ["cap", "production", *tasks], cwd=self.directory, env=ENVIRONMENT | environment, text=True, start_new_session=True,
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
    files = {path: path.read_text() for name in ("Capfile", "config/deploy.rb", TASKS_FILE) for path in [the_checkout.directory / name]}
    yield the_checkout
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


def test_all_of_several_processes(app: Checkout, host: Host) -> None:
    host.converge(processes=3, timeout_stop_sec=15)
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


@pytest.mark.long
def test_without_hooks_a_deploy_leaves_sidekiq_alone(app: Checkout, host: Host) -> None:
    pid = host.main_pid()
    app.set("set :sidekiq_hooks, false")
    app.cap("deploy")
    assert host.main_pid() == pid and not is_quiet(host)
    app.set('after "deploy:published", "sidekiq:restart"')
    app.cap("deploy")
    assert host.main_pid() != pid


def test_a_user_without_the_right_is_told_which_variable_grants_it(app: Checkout, host: Host) -> None:
    host.converge(sudo=False, timeout_stop_sec=15)
    for task in ("restart", "quiet", "status"):
        assert "sidekiq_sudo_users" in app.cap(f"sidekiq:{task}", check=False)


def test_a_release_that_does_not_boot_fails_the_deploy_with_sidekiqs_own_words(app: Checkout, host: Host) -> None:
    if host.show("Type")["Type"] != "notify":
        pytest.skip("this Sidekiq does not speak to systemd, so a restart does not wait for it")
    code = app.directory / "app.rb"
    code.write_text(code.read_text() + 'raise "this release is broken"\n')
    app.commit("broken")
    output = app.cap("deploy", check=False)
    assert "this release is broken" in output and output.count("sudo -n systemctl restart") == 1, output
    code.write_text(code.read_text().replace('raise "this release is broken"\n', ""))
    app.deploy("mended")
    assert running_version(host) == "mended"


# The shape of capistrano-sidekiq 1 to 3: it brings tasks of the same names, and asks for its hooks when a deploy begins.
OTHER_TASKS = """
namespace :load do
  task(:defaults) { set :sidekiq_default_hooks, true }
end

namespace :deploy do
  before(:starting, :check_sidekiq_hooks) { invoke "sidekiq:add_default_hooks" if fetch(:sidekiq_default_hooks) }
  after(:publishing, :restart_sidekiq) { invoke "sidekiq:restart" if fetch(:sidekiq_default_hooks) }
end

namespace :sidekiq do
  task :add_default_hooks do
    after "deploy:starting", "sidekiq:quiet"
    after "deploy:updated", "sidekiq:stop"
    after "deploy:reverted", "sidekiq:stop"
    after "deploy:published", "sidekiq:start"
    after "deploy:failed", "sidekiq:restart"
  end

  %i[start stop restart quiet status].each do |name|
    desc "By another gem"
    task(name) { abort "the other gem's sidekiq:#{name} ran" }
  end
end
"""


def test_tasks_of_capistrano_sidekiq_do_nothing_of_their_own(app: Checkout, host: Host) -> None:
    capfile = app.directory / "Capfile"
    capfile.write_text(capfile.read_text().replace("Dir.glob", OTHER_TASKS + "\nDir.glob"))
    output = app.deploy("two kinds of tasks")
    assert running_version(host) == "two kinds of tasks"
    verbs = [line.split()[-2] for line in output.splitlines() if "sudo -n systemctl" in line]
    assert verbs == ["reload", "restart"]
    app.cap("sidekiq:stop")
    app.cap("sidekiq:start")
    assert "inactive" not in app.cap("sidekiq:status")
    assert "another gem" not in app.run("cap", "-T", "sidekiq").stdout


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
    assert "Add this line" in playbook(checkout, "-e", f"checkout={tmp_path}", check=False)
    assert (tmp_path / TASKS_FILE).exists()
