# SPDX-License-Identifier: GPL-3.0-or-later
"""A real Rails application: jobs by ActiveJob, a database, code that is loaded eagerly. test_words has more of what fails in one."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import pytest
from conftest import APP, SUITE, Host, tool, until
from figures import Watch, bring_redis_back, hide_redis, now, seconds_until_back
from system import TYPE
from test_no_job_lost import Jobs, restart_while_busy

HOST_OPTIONS = ["--app", "rails"]
pytestmark = pytest.mark.skipif(SUITE not in ("bookworm", "trixie"), reason="the application was made for the Rails of Debian 12 and 13")

SECRET = {"secret_env": {"SECRET_KEY_BASE": "0123456789abcdef" * 8}}
DATABASE = f"{APP}/shared/db/production.sqlite3"
long = pytest.mark.long


def install(host: Host, **options: Any) -> dict[str, Any]:
    result = host.converge(**SECRET, **options)
    assert not result.get("failed"), result["msg"]
    return result


def query(host: Host, sql: str) -> str:
    """The first value that the database answers with."""
    return host.out(f"ruby -rsqlite3 -e 'puts SQLite3::Database.new(%q({DATABASE})).get_first_value(STDIN.read)'", stdin=sql)


def described(host: Host, title: str) -> str:
    """What a job has made of a work that another job had put into the database."""
    host.push("Catalogue", title)
    return until(lambda: query(host, f"select description from works where title = '{title}'"), 60, "the jobs of a work")


def release(host: Host) -> str:
    """The name of the release that does the jobs."""
    host.push("ReportRelease", f"{APP}/shared/tmp/release")
    return host.wait(f"cat {APP}/shared/tmp/release && rm {APP}/shared/tmp/release")


@pytest.fixture
def jobs(host: Host) -> Jobs:
    return Jobs(host)


def test_it_comes_up_and_does_the_jobs_of_active_job(host: Host) -> None:
    first = install(host)
    assert first["changed"] and not first.get("warnings"), first
    assert host.show("Type", "ActiveState") == {"Type": TYPE, "ActiveState": "active"}
    assert " busy]" in host.out(f"ps -o args= -p {host.main_pid()}")
    assert described(host, "Laevigata") == f"Laevigata, of {host.out('date +%Y')}"
    again = install(host)
    assert (again["changed"], again["steps"], again.get("warnings")) == (False, [], None)


@long
def test_a_deploy_is_taken_up(host: Host) -> None:
    """As Capistrano does it: a new release with its gems and migrations, then a restart by the deploy user."""
    install(host)
    assert release(host) == host.out(f"basename $(readlink {APP}/current)")
    time.sleep(1)  # releases are named for the second
    tool("deploy", host.name, capture_output=True)
    host.sh("runuser -u deploy -- sudo -n systemctl restart sidekiq")
    assert release(host) == host.out(f"basename $(readlink {APP}/current)")
    assert not install(host)["changed"]


@long
def test_restarts_lose_no_job(host: Host, jobs: Jobs) -> None:
    install(host, concurrency=5)
    restart_while_busy(host, jobs, times=3, refill=(10, 2, 12), gap=(0, 5))
    outcome = jobs.outcome(timeout=120)
    assert outcome["lost"] == 0, outcome


@long
def test_a_reboot_loses_no_job(host: Host, jobs: Jobs) -> None:
    install(host)
    jobs.push("Sleep", *[20] * 4)
    host.wait("test $(redis-cli llen queue:default) = 2")
    tool("reboot", host.name, capture_output=True)
    host.wait("systemctl is-active sidekiq")
    outcome = jobs.outcome(timeout=150)
    assert outcome["lost"] == 0, outcome


@long
@pytest.mark.parametrize("signal", ["TERM", "KILL"])
def test_it_comes_back_when_it_is_killed(host: Host, signal: str) -> None:
    install(host)
    watch = Watch.begin(host)
    host.sh(f"kill -{signal} {host.main_pid()}")
    assert seconds_until_back(host, watch.since) is not None


@long
def test_it_comes_back_after_an_outage_of_redis(host: Host) -> None:
    install(host)
    hide_redis(host)
    host.sh("systemctl restart --no-block sidekiq; sleep 20")
    bring_redis_back(host)
    assert seconds_until_back(host, now(host), limit=90) is not None


# Has Rails refuse to boot with a database that is not up to date, which it does not do by itself in production.
CHECK = """
Rails.application.config.after_initialize do
  ActiveRecord::Migration.respond_to?(:check_all_pending!) ? ActiveRecord::Migration.check_all_pending! : ActiveRecord::Migration.check_pending!
end
"""
MIGRATION = "class AddYear < ActiveRecord::Migration[6.0]\n  def change\n    add_column :works, :year, :integer\n  end\nend\n"


@dataclass
class Broken:
    """A way to break the application, by a shell script, what the message of the failure has, and what a warning has where Sidekiq starts."""

    words: list[str]
    script: str = "true"
    files: dict[str, str] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    warning: str = ""


BROKEN = {
    "secret": Broken(["SECRET_KEY_BASE"], options={"secret_env": {}}),
    "gem": Broken(["bundle install", "hyrax"], "sed -i '$ a gem \"hyrax\"' Gemfile"),
    "syntax": Broken(["syntax", "app/jobs/wrong.rb"], files={"app/jobs/wrong.rb": "class Wrong def\n"}),
    "constant": Broken(["app/models/wrong.rb", "Wrong"], files={"app/models/wrong.rb": "class Wrogn; end\n"}),
    "database": Broken(
        ["migrat", "works"],
        "sed -i s,db/production,db/none, config/database.yml",
        files={"config/initializers/count.rb": "Rails.application.config.after_initialize { Work.count }\n"},
    ),
    "migration": Broken(["migrat", "pending"], files={"config/initializers/check.rb": CHECK, "db/migrate/20260201000000_add_year.rb": MIGRATION}),
    "environment": Broken([], options={"app_env": "prodution"}, warning="config/environments/prodution.rb"),
}


@pytest.mark.parametrize("name", [pytest.param(name, marks=[] if name == "secret" else long) for name in BROKEN])
def test_what_is_wrong_is_told(host: Host, name: str) -> None:
    broken = BROKEN[name]
    current = host.out(f"readlink -f {APP}/current")
    host.sh(f"rm -rf /root/release; cp -a {current} /root/release; cd {current}; {broken.script}")
    for file, text in broken.files.items():
        host.sh(f"cat >{current}/{file}", stdin=text)
    try:
        result = host.converge(**{**SECRET, **broken.options})
    finally:
        host.sh(f"rm -rf {current} {APP}/shared/db/none*; cp -a /root/release {current}")
    if broken.warning:
        assert not result.get("failed") and any(broken.warning in text for text in result.get("warnings", [])), result
        return
    assert result.get("failed") and result["rolled_back"], result
    cause = result["msg"].partition("Likely cause: ")[2]
    assert broken.words[0] in cause and all(word in result["msg"] for word in broken.words), result["msg"]
