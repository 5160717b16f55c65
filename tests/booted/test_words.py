# SPDX-License-Identifier: GPL-3.0-or-later
"""The words of a failure: the error itself is among the last log lines, and a cause is named where one is known, and no wrong one.

With SIDEKIQ_RECORD=1 the log of each failure is written to module_src/internal/sidekiq/testdata/failures, for the tests of the table of
causes, which need no host.
"""

from __future__ import annotations

import os
import re
from typing import Any

import pytest
from conftest import APP, ROOT, SUITE, Host, tool
from failures import CURRENT, FAILURES, RESOLVE, SECRET, Failure, rails
from system import HAS_TIME_ZONES, PREFERS_GEMS_RB, SHOWS_CONFIGURATION

HOST_OPTIONS = ["--with", "ruby-rails,ruby-sqlite3,ruby-pg,rbenv" + ("" if HAS_TIME_ZONES else ",tzdata")]
SAMPLES = ROOT / "module_src/internal/sidekiq/testdata/failures"


@pytest.fixture
def release(host: Host) -> str:
    """The directory of the release, as it was deployed."""
    directory = host.out(f"readlink -f {CURRENT}")
    host.sh(
        f"[ -e /root/release ] || cp -a {directory} /root/release; rm -rf {directory}; cp -a /root/release {directory};"
        " [ -e /root/sidekiq.yml ] || cp -a /opt/laevigata/shared/config/sidekiq.yml /root/; cp -a /root/sidekiq.yml /opt/laevigata/shared/config/;"
        f" rm -rf /home/deploy/.bash_profile /home/deploy/.rbenv {APP}/shared/log/*; systemctl stop words-redis 2>/dev/null; true"
    )
    return directory


def bring_about(host: Host, release: str, failure: Failure) -> None:
    """Changes the application as the failure says."""
    for name, text in failure.files.items():
        host.sh(f"cd {release}; mkdir -p $(dirname {name}); rm -f {name}; cat >{name}; chown -R deploy: $(dirname {name})", stdin=text)
    if failure.code:
        app = host.out(f"cat {release}/app.rb")
        code = failure.code
        text = app + "\n" + code.removeprefix("END_OF_APP") if code.startswith("END_OF_APP") else code + app
        host.sh(f"cat >{release}/app.rb", stdin=text)
    if failure.prepare:
        host.sh(f"cd {release}; {failure.prepare}")


def options_of(host: Host, failure: Failure) -> dict[str, Any]:
    address = tool("address", host.name, capture_output=True).stdout.strip()
    options = dict(failure.options)
    if "env" in options:
        options["env"] = {name: value.replace("HOST_ADDRESS", address) for name, value in options["env"].items()}
    return options


HERE = [name for name, failure in FAILURES.items() if SUITE in failure.only]


# All of them take minutes; each tenth is tried in the quick tests, too.
@pytest.mark.skipif(not HERE, reason="what fails, and its words, are written down for Debian 11 to 13")
@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.long if i % 10 else []) for i, name in enumerate(HERE or [""])])
def test_a_failure_is_told_by_its_words(host: Host, release: str, name: str) -> None:
    failure = FAILURES[name]
    bring_about(host, release, failure)
    began = host.out("date +%s; journalctl --sync").split()[0]
    result = host.converge(**options_of(host, failure))
    if os.environ.get("SIDEKIQ_RECORD") and result.get("failed"):
        record(host, name, began)
    assert result.get("failed") and result["rolled_back"], result
    head, dummy, words = result["msg"].partition("\nThe last log lines of ")
    cause = head.partition("Likely cause: ")[2]
    assert failure.shown in words, result["msg"]
    assert failure.cause in cause and bool(failure.cause) == bool(cause), result["msg"]


def record(host: Host, name: str, began: str) -> None:
    """Writes what the journal has of the first process of the service since then, and how that ended."""
    invocation = host.out(
        f'journalctl -u sidekiq --since=@{began} -o json --output-fields=_SYSTEMD_INVOCATION_ID,INVOCATION_ID'
        ' | grep -o \'"[_A-Z]*INVOCATION_ID":"[0-9a-f]*"\' | head -1 | cut -d\'"\' -f4'
    )
    ours = f"_SYSTEMD_INVOCATION_ID={invocation} + INVOCATION_ID={invocation}"
    pid = host.out(f"journalctl -q -o json {ours} | grep -o '\"_PID\":\"[0-9]*\"' | cut -d'\"' -f4 | grep -v '^1$' | head -1")
    if not pid:  # it had ended before the journal saw it
        pid = host.out(f"journalctl -q -u sidekiq --since=@{began} -o json | grep -o '\"_PID\":\"[0-9]*\"' | cut -d'\"' -f4 | grep -v '^1$' | head -1")
    log = host.out(f"journalctl -q -o cat {ours} + _SYSTEMD_UNIT=sidekiq.service _PID={pid or 0}")
    versions = host.out(
        "ruby -v | cut -d' ' -f2; ls /usr/share/rubygems-integration/all/specifications | sed -n 's/^\\(sidekiq\\)-\\([0-9.]*\\).gemspec/\\2/p' | head -1"
    ).split()
    ended = re.search(r"Main process exited, code=(\w+), status=(\d+)", log)
    text = f"recorded: {SUITE}, Ruby {versions[0]}, Sidekiq {versions[1]}\nended: {ended[1] + ' ' + ended[2] if ended else '-'}\n\n{log}\n"
    (SAMPLES / f"{name.replace(' ', '-').replace(',', '')}-{SUITE}.txt").write_text(text)


def fails(host: Host, release: str, *words: str, code: str = 'raise "the licence server says no"\n', **options: Any) -> str:
    """The message of a run with an application that does not come up, which holds all the words."""
    bring_about(host, release, Failure("", "", code=code))
    result = host.converge(**options)
    assert result.get("failed"), result
    for word in words:
        assert word in result["msg"], result["msg"]
    return result["msg"]


def test_the_words_of_the_log_file_are_shown_and_no_older_ones(host: Host, release: str) -> None:
    log = f"{APP}/shared/log/sidekiq.log"
    host.sh(f"echo 'an old word' >{log}; chown deploy {log}")
    msg = fails(host, release, f"in {CURRENT}/log/sidekiq.log and the journal", "the licence server says no", "Main process exited", log_file="log/sidekiq.log")
    assert "an old word" not in msg, msg


def test_a_log_file_is_read_as_the_user_of_the_service(host: Host, release: str) -> None:
    """Its owner may have put anything there meanwhile."""
    code = 'File.delete("log/sidekiq.log"); File.symlink("/etc/shadow", "log/sidekiq.log"); raise "the licence server says no"\n'
    msg = fails(host, release, "cannot read", "permission denied", code=code, log_file="log/sidekiq.log")
    assert "root:" not in msg, msg


def test_a_drop_in_that_leads_elsewhere_is_named(host: Host) -> None:
    dropin = "/etc/systemd/system/sidekiq.service.d/elsewhere.conf"
    host.sh(f"mkdir -p $(dirname {dropin}); printf '[Service]\\nWorkingDirectory=/opt/none\\n' >{dropin}; systemctl daemon-reload")
    msg = host.converge()["msg"]
    assert "200/CHDIR" in msg and f"the drop-in {dropin}" in msg, msg


def test_a_condition_that_is_not_met_is_told(host: Host) -> None:
    msg = host.converge(directives={"Unit": {"ConditionPathExists": "/opt/none"}})["msg"]
    assert "ConditionPathExists=/opt/none is not met" in msg, msg


@pytest.mark.skipif(not SHOWS_CONFIGURATION, reason="systemd-analyze up to 237 does not tell how journald is set up")
def test_a_journal_that_keeps_nothing_is_told(host: Host, release: str) -> None:
    host.sh(
        "mkdir -p /etc/systemd/journald.conf.d; printf '[Journal]\\nStorage=none\\n' >/etc/systemd/journald.conf.d/none.conf;"
        " systemctl restart systemd-journald"
    )
    try:
        fails(host, release, "Storage=none")
    finally:
        host.sh("rm /etc/systemd/journald.conf.d/none.conf; systemctl restart systemd-journald")


def test_where_the_words_of_several_processes_are(host: Host, release: str) -> None:
    fails(host, release, "The last log lines of sidekiq@", "the licence server says no", "journalctl -u 'sidekiq@*'", processes=2)


@pytest.mark.parametrize("enforcing", [True, False])
def test_a_program_that_may_not_be_run(host: Host, enforcing: bool) -> None:
    """SELinux is not here, but what the program sees of it."""
    host.sh("install -d -m 700 /srv/private; install -m 755 /bin/true /srv/private/run")
    selinux = (
        "unshare --mount sh -c 'mkdir -p /run/groups && mount --rbind /sys/fs/cgroup /run/groups && mount -t tmpfs none /sys/fs"
        " && mkdir /sys/fs/selinux /sys/fs/cgroup && mount --rbind /run/groups /sys/fs/cgroup"
        ' && echo 1 >/sys/fs/selinux/enforce && exec "$0" "$@"\''
    )
    msg = host.converge(prefix=selinux if enforcing else "", exec_start="/srv/private/run")["msg"]
    assert "203/EXEC" in msg and ("SELinux" in msg) == enforcing and ("noexec" in msg) != enforcing, msg


def test_the_words_of_a_program_that_ends_at_once_are_not_lost(host: Host) -> None:
    """The journal often sees them only when it is gone."""
    for i in range(5):
        msg = host.converge(exec_start=f"/bin/sh -c 'echo word {i}; exit 1'")["msg"]
        assert f"word {i}" in msg, msg


@pytest.mark.parametrize("options", [{}, {"log_file": "log/sidekiq.log"}])
def test_lines_of_30_megabytes_take_no_memory(host: Host, release: str, options: dict[str, str]) -> None:
    line = "(printf MESSAGE_IS=long; echo; printf MESSAGE=; head -c 30000000 /dev/zero | tr '\\\\0' x; echo) | logger --journald"
    if options:
        line = "head -c 30000000 /dev/zero | tr '\\\\0' x; echo"
    peak = 'bash -c \'"$0" "$@" <&0 & while grep VmHWM /proc/$!/status >>/root/peak 2>/dev/null; do sleep 0.02; done; wait\''
    host.sh("rm -f /root/peak")
    bring_about(host, release, Failure("", "", code=f'10.times {{ system("{line}") }}\nraise "the licence server says no"\n'))
    msg = host.converge(prefix=peak, **options)["msg"]
    logged = f"cat {CURRENT}/{options['log_file']}" if options else "journalctl -q -b -o cat MESSAGE_IS=long"
    assert int(host.out(f"{logged} | awk 'length > 29000000' | wc -l")) >= 10
    assert "the licence server says no" in msg and len(msg) < 20_000, msg[:2000]
    kilobytes = max(int(words.split()[1]) for words in host.out("cat /root/peak").splitlines())
    assert kilobytes < 64 << 10, kilobytes


def test_only_what_fails_alike_clears_the_change(host: Host, release: str) -> None:
    bring_about(host, release, Failure("", "", code='raise "no licence" if ENV["BREAK"]\n'))
    assert not host.converge(redis_unit="none").get("failed")  # or systemd starts Redis again
    host.sh("systemctl disable --quiet redis-server; systemctl stop redis-server")
    try:
        msg = host.converge(redis_unit="none", env={"BREAK": "yes"})["msg"]
        assert "no licence" in msg and "does not come up with its old files either (" in msg and "the cause is not this change" not in msg, msg
    finally:
        host.sh("systemctl enable --quiet redis-server; systemctl start redis-server")


@pytest.mark.skipif(not PREFERS_GEMS_RB, reason="the Bundler of Ubuntu 16.04 knows no gems.rb, that of 18.04 goes by a Gemfile first")
def test_gems_rb_is_read_and_goes_before_a_gemfile(host: Host, release: str) -> None:
    host.sh(
        f"cd {release}; mv Gemfile gems.rb; mv Gemfile.lock gems.locked; printf 'GEM\\n  specs:\\n    sidekiq (5.0.0)\\n' >Gemfile.lock;"
        " echo 'gem \"none\"' >Gemfile"
    )
    result = host.converge()
    assert not result.get("failed"), result["msg"]
    assert result["sidekiq_version"] not in (None, "5.0.0"), result
    assert host.show("ActiveState")["ActiveState"] == "active"


@pytest.mark.parametrize(
    "prepare, says, flag",
    [
        ("rm config/sidekiq.yml; sed -i 's/^require \"sidekiq\"/&/' app.rb; mkdir -p lib", "so Sidekiq runs with its defaults", ""),
        ("mv config/sidekiq.yml config/sidekiq.yml.erb", "so Sidekiq takes config/sidekiq.yml.erb", "-C config/sidekiq.yml.erb"),
        ("cp config/sidekiq.yml config/sidekiq.yml.erb", "and not config/sidekiq.yml.erb", "-C config/sidekiq.yml"),
    ],
    ids=["neither", "erb", "both"],
)
def test_the_configuration_is_the_one_that_sidekiq_takes(host: Host, release: str, prepare: str, says: str, flag: str) -> None:
    if not flag:  # then it has to be a Rails application, which Sidekiq finds by itself
        bring_about(host, release, Failure("", "", files=rails(), prepare=RESOLVE))
    host.sh(f"cd {release}; {prepare}")
    result = host.converge(**SECRET)
    assert not result.get("failed"), result["msg"]
    assert any(says in warning for warning in result["warnings"]), result["warnings"]
    assert host.show("ExecStart")["ExecStart"].split("argv[]=")[1].split(" ;")[0].partition("-e production")[2].strip() == flag
    assert not host.converge(**SECRET)["changed"]


def test_no_bundler_where_it_is_expected(host: Host) -> None:
    host.sh("mv /usr/local/bin/bundle /usr/local/bin/elsewhere")
    try:
        before = host.snapshot()
        msg = host.converge()["msg"]
        assert all(word in msg for word in ('option "bundle"', "/usr/bin/bundle is there", "login_shell: true")), msg
        assert host.snapshot() == before
        assert not host.converge(bundle="/usr/bin/bundle").get("failed")
    finally:
        host.sh("mv /usr/local/bin/elsewhere /usr/local/bin/bundle")
