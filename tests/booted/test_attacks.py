# SPDX-License-Identifier: GPL-3.0-or-later
"""Attacks by the deploy user, on a host set up by this collection and on one set up by hand after the old guide.

docs/security.md shows what came of them: `benchmarks/tables.py measure attacks` has these tests write docs/data/attacks.json. Where an attack aims at the
program itself while it runs as root, "by hand" is what a person would do as root in its place: write with a redirection, read with cat.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from conftest import APP, ROOT, SUDOERS, UNIT, Host, tool
from figures import OURS, SEED, SEED_UNIT, record
from system import KNOWS_EXEC, SUDO

SEED_RULES = "".join(f"deploy ALL=(ALL) NOPASSWD: /bin/systemctl {verb} sidekiq\n" for verb in ("start", "stop", "restart", "status"))
WAYS = [SEED, OURS]

# What only root can read: should any of it be seen by the deploy user, or in a result, it was stolen.
SECRET = "HORSEBATTERY"
ROOTS_TIMEOUT = 4321
MARK = "/tmp/stolen"


@pytest.fixture(scope="module", autouse=True)
def versions(machine: Host) -> None:
    record(
        "versions",
        "packages",
        systemd=machine.out("systemctl --version | awk 'NR == 1 { print $2 }'"),
        sudo=machine.out("sudo --version | awk 'NR == 1 { print $3 }'"),
        less=machine.out("less --version | awk 'NR == 1 { print $2 }'"),
    )
    machine.sh(
        f"usermod -p '{SECRET}' daemon; install -m 0600 /dev/null /root/secret.env; echo PASSWORD={SECRET} >/root/secret.env;"
        f" mkdir -p -m 0700 /root/config && printf ':timeout: {ROOTS_TIMEOUT}\\n:password: {SECRET}\\n' >/root/config/sidekiq.yml;"
        f" cp -a {APP} /root/pristine"
    )


def install(host: Host, way: str, unit: str = "", **options: Any) -> None:
    """Sets the service up. unit: more of [Service] for the unit by hand."""
    if way == SEED:
        text = SEED_UNIT.read_text().replace("[Install]", unit + "\n[Install]")
        host.sh(f"cat >{UNIT}; chmod 644 {UNIT}; systemctl daemon-reload; systemctl enable -q --now sidekiq", stdin=text)
        host.sh(f"cat >{SUDOERS}; chmod 440 {SUDOERS}", stdin=SEED_RULES)
    else:
        result = host.converge(**options)
        assert not result.get("failed"), result


def deploy(host: Host, script: str, timeout: float = 60) -> str:
    """Runs a shell script as the deploy user, and returns all that it prints."""
    login = [ROOT / "tests/machines/machine", "ssh", f"deploy@{host.name}", "exec sh 2>&1"]
    return subprocess.run(login, text=True, input=script, capture_output=True, timeout=timeout, check=False).stdout


def clean(host: Host) -> None:
    host.sh(f"rm -rf {MARK} /tmp/evil /root/victim /etc/sudoers.d/zz-* {APP}; cp -a /root/pristine {APP}; systemctl daemon-reload")


# --- What sudo lets through -----------------------------------------------------------------------------------------------------------

# Each command line should be refused; those that are not are counted.
REFUSED: dict[str, list[str]] = {
    "as somebody else, or as a group": [
        "sudo -n -u www-data systemctl restart sidekiq",
        "sudo -n -u daemon systemctl status sidekiq",
        "sudo -n -u '#1001' systemctl status sidekiq",
        "sudo -n -u deploy -g root systemctl status sidekiq",
        "sudo -n -u '#-1' systemctl status sidekiq",
    ],
    "a shell, or a file": [
        "sudo -n -i",
        "sudo -n -s",
        "sudo -n su",
        "sudo -n sh -c id",
        "sudo -n -e /etc/sudoers",
        f"sudoedit -n {UNIT}",
        f"sudo -n tee {UNIT}",
        f"sudo -n cat {SUDOERS}",
        "sudo -n journalctl -u sidekiq",
        "sudo -n systemd-run id",
    ],
    "another unit": [
        f"sudo -n systemctl {verb} {unit}" for verb in ("start", "stop", "restart", "status") for unit in ("cron", "sidekiq@1", "sidekiq.socket", "Sidekiq")
    ],
    "a word more": [
        f"sudo -n systemctl restart {words}" for words in ("sidekiq cron", "cron sidekiq", "'sidekiq cron'", "'sidekiq\ncron'", "sidekiq sidekiq", "''", "")
    ],
    "a pattern or a shell's character": [
        f"sudo -n systemctl restart {word}" for word in ("'side*'", "'sidekiq*'", "'*'", "'sidekiq;id'", "'$(id)'", "'sidekiq|id'", "./sidekiq", "../sidekiq")
    ],
    "an option before or after": [
        f"sudo -n systemctl {words}"
        for words in (
            "--no-pager status sidekiq",
            "status sidekiq --no-pager",
            "-H root@localhost status sidekiq",
            "status -M x sidekiq",
            "restart --root=/tmp sidekiq",
            "restart sidekiq --force",
            "stop --job-mode=isolate sidekiq",
            "-- restart sidekiq",
            "status --full sidekiq",
            "status -l sidekiq",
            "status sidekiq -n 99999",
        )
    ],
    "another verb of systemctl": [
        f"sudo -n systemctl {words}"
        for words in (
            "edit sidekiq",
            "edit --full sidekiq",
            "edit --force --full evil.service",
            "cat sidekiq",
            "link /tmp/evil.service",
            "enable /tmp/evil.service",
            "disable sidekiq",
            "mask sidekiq",
            "set-property sidekiq User=root",
            "set-environment LD_PRELOAD=/tmp/evil",
            "daemon-reload",
            "daemon-reexec",
            "isolate rescue",
            "poweroff",
            "switch-root /tmp",
            "import-environment",
            "revert sidekiq",
            "show sidekiq",
            "start",
            "try-restart sidekiq",
        )
    ],
    "a signal": [
        f"sudo -n systemctl kill {words}"
        for words in (
            "sidekiq",
            "-s KILL sidekiq",
            "-s TERM sidekiq",
            "--signal=TSTP sidekiq",
            "-s TSTP cron",
            "-s STOP sidekiq",
            "-s TSTP sidekiq cron",
            "--kill-who=all -s KILL sidekiq",
            "-sTSTP sidekiq",
        )
    ],
    "sudo's own options": [
        "sudo -n -R /tmp systemctl status sidekiq",
        *(["sudo -n -D /tmp systemctl status sidekiq"] if SUDO >= (1, 9, 3) else []),  # which took -D for something else before
        "sudo -n -C 4 systemctl status sidekiq",
        "sudo -n -U root -l",
        "sudo -n -E -s",
        "sudo -n --preserve-env=LD_PRELOAD sh",
    ],
    "a variable set through sudo": [
        f"sudo -n {word} systemctl status sidekiq"
        for word in (
            "SYSTEMD_PAGER=/tmp/evil",
            "PAGER=/tmp/evil",
            "SYSTEMD_PAGERSECURE=0",
            "LD_PRELOAD=/tmp/evil",
            "SYSTEMD_EDITOR=/tmp/evil",
            "PATH=/tmp",
            "SYSTEMD_UNIT_PATH=/tmp",
            "DBUS_SYSTEM_BUS_ADDRESS=unix:path=/tmp/x",
        )
    ]
    + ["sudo -n -E SYSTEMD_PAGER=/tmp/evil systemctl status sidekiq"],
    "another program of that name": [
        "sudo -n /tmp/evil/systemctl restart sidekiq",
        "sudo -n /home/deploy/systemctl restart sidekiq",
        "sudo -n ./systemctl status sidekiq",
    ],
}


@pytest.mark.parametrize("way", WAYS)
def test_sudo_runs_nothing_but_the_verbs(host: Host, way: str) -> None:
    clean(host)
    install(host, way)
    host.sh("mkdir /tmp/evil; for p in /tmp/evil/systemctl /home/deploy/systemctl; do printf '#!/bin/sh\\nid -u >>/tmp/stolen\\n' >$p; chmod 755 $p; done")
    before = host.out("systemctl show -p InvocationID -p MainPID sidekiq cron ssh")
    passed = let_through(host, REFUSED)
    after = host.out("systemctl show -p InvocationID -p MainPID sidekiq cron ssh")
    for name, lines in REFUSED.items():
        record(f"sudo: {name}", way, tried=len(lines), passed=len(passed[name]), which=passed[name])
    if way == OURS:
        assert not any(passed.values()), passed
        assert before == after
        assert not host.out(f"cat {MARK} 2>/dev/null; true")


def let_through(host: Host, groups: dict[str, list[str]]) -> dict[str, list[str]]:
    """The command lines that sudo does not refuse when the deploy user tries them. It says itself that it refuses, and ends with 1; what
    a command says after it was let through does not count."""
    lines = [line for group in groups.values() for line in group]
    script = "".join(f"out=$({{ {line}\n}} </dev/null 2>&1); printf '%s\\n%s\\0' $? \"$out\"\n" for line in lines)
    answers = deploy(host, script, timeout=300).split("\0")[:-1]
    assert len(answers) == len(lines)
    refusals = ("1\nsudo", "1\nusage: sudo", "1\nSorry, user", "1\ninvalid option provided\nusage: sudo")
    passed = {line for line, answer in zip(lines, answers, strict=True) if not answer.startswith(refusals)}
    return {name: [line for line in group if line in passed] for name, group in groups.items()}


@pytest.mark.long
def test_the_verbs_themselves_are_let_through(host: Host) -> None:
    """The control of the control: a refusal is one."""
    clean(host)
    verbs = {"verbs": [f"sudo -n systemctl {verb} sidekiq" for verb in ("stop", "start", "restart", "status")]}
    for way in WAYS:
        install(host, way)
        assert let_through(host, verbs) == verbs, way
        host.reset()


# --- The pager ------------------------------------------------------------------------------------------------------------------------

# Six rows, so that what is printed does not fit and the pager stays. Two pagers of one's own, and what less offers: a shell, an editor,
# a pipe, a log file.
KEYS = f"!id -u >>{MARK}\\n!/tmp/evil/run\\n|^id -u >>{MARK}\\nv\\no{MARK}\\ns{MARK}\\nq\\n"
PAGER = (
    "mkdir -p /tmp/evil; printf '#!/bin/sh\\nid -u >>{mark}\\n' >/tmp/evil/run; chmod 755 /tmp/evil/run;\n"
    "{variables} export TERM=xterm\n"
    "(sleep 2; printf '{keys}' | while IFS= read -r k; do printf '%s\\n' \"$k\"; sleep 0.4; done; printf q; sleep 1)"
    " | timeout 20 script -qec 'stty rows 6 cols 60; sudo -n {options} systemctl status sidekiq' /dev/null"
)
PAGERS: dict[str, tuple[str, str]] = {
    "as the host is": ("", ""),
    "after `su deploy` by root": ("", ""),
    "with variables of one's own": (
        "export PAGER=/tmp/evil/run SYSTEMD_PAGER=/tmp/evil/run SYSTEMD_PAGERSECURE=0 LESSSECURE=0 EDITOR=/tmp/evil/run VISUAL=/tmp/evil/run"
        " LESSOPEN='|/tmp/evil/run %s' LESS=+!/tmp/evil/run SYSTEMD_LESS=+!/tmp/evil/run;",
        "",
    ),
    "with variables that sudo is asked to have kept": ("export SYSTEMD_PAGER=/tmp/evil/run SYSTEMD_PAGERSECURE=0;", ""),
    "where sudo keeps a variable that makes the pager as before systemd 247": (
        "export SYSTEMD_PAGERSECURE=0;",
        'Defaults env_keep += "SYSTEMD_PAGERSECURE"\n',
    ),
    "where sudo keeps a pager of one's own": (
        "export SYSTEMD_PAGERSECURE=0 SYSTEMD_PAGER=/tmp/evil/run;",
        'Defaults env_keep += "SYSTEMD_PAGER SYSTEMD_PAGERSECURE"\n',
    ),
}


PAGER_IN_SHORT = "where sudo keeps a pager of one's own"  # which is a root shell by hand on every Debian


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", [pytest.param(name, marks=() if name == PAGER_IN_SHORT else pytest.mark.long) for name in PAGERS])
def test_the_pager_of_status_is_no_way_to_a_shell(host: Host, name: str, way: str) -> None:
    variables, policy = PAGERS[name]
    kept = "--preserve-env=SYSTEMD_PAGER,SYSTEMD_PAGERSECURE" if SUDO >= (1, 8, 21) else "-E"
    options = kept if "kept" in name else ""
    clean(host)
    install(host, way)
    host.sh("cat >/etc/sudoers.d/zz-env; chmod 440 /etc/sudoers.d/zz-env", stdin=policy)
    script = PAGER.format(mark=MARK, keys=KEYS, variables=variables, options=options)
    # In a session of root's, which is what systemd 247 judges by, the deploy user is taken for root.
    out = host.sh("cd / && exec runuser -u deploy -- sh 2>&1", stdin=script, check=False).stdout if "by root" in name else deploy(host, script)
    got = "root shell" if "0" in host.out(f"cat {MARK} 2>/dev/null; true").split() else "no shell"
    record(f"pager: {name}", way, got=got)
    assert "sidekiq.service" in out or "not allowed to" in out or got == "root shell", out  # it did run
    if way == OURS:
        assert got == "no shell", out
    elif policy:  # the control: the host does what a host before systemd 247 did
        assert got == "root shell", out


# --- Files that root opens for the service --------------------------------------------------------------------------------------------


# What stands in place of the log, whose path is $f; and whether it leads to a file of root's.
LOGS = {
    "a link to a file of root's": ("ln -s /root/victim $f", True),
    "a link to /etc/shadow": ("ln -s /etc/shadow $f", True),
    "a link to /proc/self/fd/0": ("ln -s /proc/self/fd/0 $f", False),
    "a FIFO": ("mkfifo $f", False),
}


@pytest.mark.long
@pytest.mark.parametrize("name", LOGS)
@pytest.mark.parametrize("way", WAYS)
def test_what_stands_in_place_of_the_log_appends_to_no_file_of_roots(host: Host, way: str, name: str) -> None:
    place, leads_to_root = LOGS[name]
    clean(host)
    host.sh("echo untouched >/root/victim; chmod 711 /root; cp -a /etc/shadow /root/shadow")
    log = f"{APP}/shared/log/sidekiq.log"
    install(host, way, unit=f"StandardOutput=append:{log}\nStandardError=append:{log}", log_file=log, start_timeout=10)
    deploy(host, f"f={log}; rm -f $f; {place}; timeout 20 sudo -n systemctl restart sidekiq; sleep 5")
    if way == OURS:  # which ends, whether Sidekiq can log or not
        host.converge(log_file=log, start_timeout=10, state="restarted", timeout=120)
    same = host.out("cat /root/victim") == "untouched" and not host.sh("cmp /etc/shadow /root/shadow", check=False).returncode
    host.sh(f"systemctl kill -s KILL sidekiq; rm -f {log}; cp -a /root/shadow /etc/shadow; chmod 700 /root", check=False)
    record(f"file: {name} as the log", way, got="not written" if same else "written as root")
    # Before systemd 240 a unit by hand has no log file.
    assert same == (way == OURS or not leads_to_root or not KNOWS_EXEC)


@pytest.mark.parametrize("way", WAYS)
def test_a_link_in_place_of_an_env_file_shows_no_file_of_roots(host: Host, way: str) -> None:
    clean(host)
    env = f"{APP}/shared/sidekiq.env"
    deploy(host, f"echo A=b >{env}")
    if way == OURS:
        result = host.converge(env_files=[env])
        assert '"env_files"' in result["msg"] and f"{APP}" in result["msg"], result
        install(host, way)
    else:
        install(host, way, unit=f"EnvironmentFile={env}")
    out = deploy(
        host,
        f"ln -sf /root/secret.env {env}; sudo -n systemctl restart sidekiq; sleep 3; cat /proc/$(systemctl show -p MainPID sidekiq | cut -d = -f 2-)/environ",
    )
    got = "read" if SECRET in out else "not read"
    record("file: a link to a file of root's as the env file", way, got=got)
    assert (got == "not read") == (way == OURS)


@pytest.mark.long
@pytest.mark.parametrize("way", WAYS)
def test_the_services_files_cannot_be_written(host: Host, way: str) -> None:
    clean(host)
    install(host, way)
    files = f"{UNIT} {SUDOERS} /lib/systemd/system /etc/sudoers.d /etc/systemd/system /run/curationexperts.sidekiq"
    out = deploy(host, f"for f in {files}; do [ -w $f ] && echo can write $f; done; true")
    record("file: write the unit, the rules, or beside them", way, got=out.strip() or "refused")
    assert not out.strip()


# --- The program while it runs as root ------------------------------------------------------------------------------------------------

LOCK = f"{APP}/current/Gemfile.lock"
CONFIG = f"{APP}/current/config/sidekiq.yml"
TARGETS = {"Gemfile.lock": LOCK, "sidekiq.yml": CONFIG}

# What stands in place of the file; $f is its path.
INSTEAD = {
    "a link to /etc/shadow": "ln -s /etc/shadow $f",
    "a link to a file in root's home": "ln -s /root/config/sidekiq.yml $f",
    "a link to /proc/self/fd/0": "ln -s /proc/self/fd/0 $f",
    "a link to /dev/stdin": "ln -s /dev/stdin $f",
    "a link to /proc/self/environ": "ln -s /proc/self/environ $f",
    "a link to /proc/self/mem": "ln -s /proc/self/mem $f",
    "a link to /proc/kmsg": "ln -s /proc/kmsg $f",
    "a link to /dev/zero": "ln -s /dev/zero $f",
    "a link to /dev/ptmx": "ln -s /dev/ptmx $f",
    "a link to itself": "ln -s $f $f",
    "a FIFO": "mkfifo $f",
    "a socket": "ruby -rsocket -e 'Dir.chdir(File.dirname(ARGV[0])); UNIXServer.new(File.basename(ARGV[0]))' $f",
    "a directory": "mkdir $f",
    "1 GB of zeros": "truncate -s 1G $f",
    "a million aliases": "ruby -e 'puts %q(a: &a [x]), %q(b: [) + ([%q(*a)] * 1_000_000).join(%q(,)) + %q(])' >$f",
    "a quarter of a million aliases, in one MB": "ruby -e 'puts %q(a: &a [x]), %q(b: [) + ([%q(*a)] * 250_000).join(%q(,)) + %q(])' >$f",
    "aliases of aliases of aliases": (
        "ruby -e 'puts %q(a0: &a0 [x]); 1.upto(40) { |i| puts %Q(a#{i}: &a#{i} [) + ([%Q(*a#{i - 1})] * 9).join(%q(,)) + %q(]) }' >$f"
    ),
    "an alias of itself": "printf 'production: &a\\n  <<: *a\\n' >$f",
    "half a million brackets": "ruby -e 'print %q([) * 500_000' >$f",
    "a file that is leased": (
        "cp /etc/hostname $f; (timeout 60 ruby -e 'f = File.open(ARGV[0], %q(r+)); f.fcntl(1024, 1); trap(:IO) {}; sleep' $f >/dev/null 2>&1 &); sleep 1"
    ),
    "ERB": "printf '<%% File.write(%%q(/root/victim), 1) %%>\\n<%%= File.read(%%q(/etc/shadow)) %%>\\n' >$f",
}


def verdict(host: Host, result: dict[str, Any]) -> str:
    """What came of a run of the program in check mode."""
    text = json.dumps(result)
    stolen = SECRET in text or str(ROOTS_TIMEOUT + 5) in text or host.sh("[ -e /root/victim ]", check=False).returncode == 0
    return "stolen" if stolen else "refused" if result.get("failed") else "unharmed"


# No 2 GB of memory, and no 20 s: the machine may be busy, and a run takes a fraction of a second.
BOUNDS = "ulimit -v 2000000; timeout 20"

# Each case in one go: by hand, then the program. What a person would do is look at the file.
EACH = """
rm -rf {app} && cp -a /root/pristine {app} && f=$(readlink -f {path}) && rm -f $f
echo {script} | base64 -d >/tmp/instead && chmod 644 /tmp/instead
runuser -u deploy -- sh -c 'f='$f'; . /tmp/instead' >/dev/null 2>&1
n=$(timeout 3 head -c 100000000 {path} 2>/dev/null </dev/zero | tee /tmp/naive | wc -c); grep -a -q {secret} /tmp/naive && s=yes || s=no; rm -f /tmp/naive
echo '{{"project_name": "laevigata", "_ansible_check_mode": true, "_ansible_diff": true}}' >/tmp/request
result=$({bounds} /root/sidekiq_service - </tmp/request); status=$?
printf '%s\\n%s\\n%s\\n%s\\0' "$n" "$s" "$status" "$result"
"""


@pytest.mark.long
@pytest.mark.parametrize("target", TARGETS)
def test_whatever_stands_in_place_of_a_file_is_no_harm(host: Host, target: str) -> None:
    clean(host)
    path = TARGETS[target]
    script = "".join(
        EACH.format(app=APP, path=path, secret=SECRET, bounds=BOUNDS, script=base64.b64encode(make.encode()).decode()) for make in INSTEAD.values()
    )
    answers = host.sh("exec 2>/dev/null; " + script, timeout=500).stdout.split("\0")[:-1]
    for name, answer in zip(INSTEAD, answers, strict=True):
        size, stolen, status, text = answer.split("\n", 3)
        assert text, f"{name}: no result, status {status}"
        got = verdict(host, json.loads(text))
        record(f"{target}: {name}", OURS, got=got)
        record(
            f"{target}: {name}", SEED, got="a secret read" if stolen == "yes" else f"{int(size) // 1_000_000} MB read" if int(size) > 10**6 else "nothing read"
        )
        # A file that the deploy user may not read himself is an error that names it.
        assert got == "unharmed" or got == "refused" and path in text, (name, text)


@pytest.mark.parametrize("what", ["config", "current", "shared"])
def test_links_in_place_of_directories_lead_nowhere(host: Host, what: str) -> None:
    clean(host)
    where = {"config": f"{APP}/current/config", "current": f"{APP}/current", "shared": f"{APP}/shared/config"}[what]
    to = {"config": "/root/config", "current": "/root", "shared": "/root/config"}[what]
    deploy(host, f"f={where}; [ -L $f ] || f=$(readlink -f $f); rm -rf $f; ln -s {to} $f")
    result = host.converge(check=True, prefix=BOUNDS)
    got = verdict(host, result)
    record(f"directory: a link into root's home as {what}", OURS, got=got)
    read = SECRET in host.out(f"cat {where}/{'config/' if what == 'current' else ''}sidekiq.yml")
    record(f"directory: a link into root's home as {what}", SEED, got="a secret read" if read else "nothing read")
    assert got == "refused" and SECRET not in json.dumps(result), result


@pytest.mark.long
def test_what_capistrano_links_is_read(host: Host) -> None:
    """The control of the control: current and sidekiq.yml are absolute links on every host, and these are followed."""
    clean(host)
    deploy(host, f"printf ':timeout: 333\\n' >>{APP}/shared/config/sidekiq.yml")
    assert host.out(f"readlink {APP}/current").startswith("/") and host.out(f"readlink {CONFIG}").startswith("/")
    result = host.converge()
    assert not result.get("failed"), result
    assert result["sidekiq_version"] and host.show("TimeoutStopUSec")["TimeoutStopUSec"] == "5min 38s"


@pytest.mark.long
@pytest.mark.parametrize("target", TARGETS)
def test_a_file_that_changes_while_the_program_runs_is_no_way_in(host: Host, target: str) -> None:
    """In check mode, and every fifth time for real."""
    clean(host)
    path = host.out(f"readlink -f {TARGETS[target]}")
    deploy(
        host,
        f"cd $(dirname {path}); cp {path} good; [ {target} != sidekiq.yml ] || printf ':timeout: 333\\n' >>good;"
        " ln -s /root/config/sidekiq.yml bad; mkfifo worse;"
        " (timeout 60 ruby -e 'loop { %w(good bad worse).each { |n| File.link(n, %q(new)) rescue nil;"
        f" File.rename(%q(new), ARGV[0]); sleep 0.0005 }} }}' {path}"
        " >/dev/null 2>&1 &)",
    )
    by_hand = host.out(f"for i in $(seq 100); do timeout 0.1 head -c 10000 {path} 2>/dev/null; done | grep -c {SECRET}; true")
    record(f"race: {target} swapped for links and FIFOs, 25 runs", SEED, got="a secret read" if int(by_hand) else "nothing read")
    seen, came = set(), set()
    for number in range(25):
        result = host.converge(check=number % 5 != 4, state="present", prefix=BOUNDS)
        came.add(verdict(host, result))
        assert "stolen" not in came, result
        seen.add("338" in json.dumps(result) if target == "sidekiq.yml" else bool(result.get("sidekiq_version")))
    host.sh("pkill -f '[F]ile.rename'", check=False)
    record(f"race: {target} swapped for links and FIFOs, 25 runs", OURS, got=" or ".join(sorted(came)))
    assert seen == {True, False}  # the swapping was seen
    assert int(by_hand), "the attack is none"


PLACES: dict[str, tuple[str, dict[str, Any], list[str]]] = {
    # as root, as the attacker might have had done before; options; words of the refusal
    "a link as the unit": (f"ln -s /root/victim {UNIT}", {}, [UNIT, "symbolic link"]),
    "a link to nowhere as the unit": (f"ln -s /root/nowhere {UNIT}", {}, [UNIT, "symbolic link"]),
    "a link as the rules": (f"ln -s /root/victim {SUDOERS}", {}, [SUDOERS, "symbolic link"]),
    "a directory as the unit": (f"mkdir {UNIT}", {}, [UNIT, "directory"]),
    "a directory as the rules": (f"mkdir {SUDOERS}", {}, [SUDOERS, "directory"]),
    "a unit_dir of deploy's": ("", {"unit_dir": f"{APP}/shared/tmp"}, [APP, "uid 1000"]),
    "a unit_dir that a group can write": (
        "mkdir -p /srv/units && chgrp deploy /srv/units && chmod 775 /srv/units",
        {"unit_dir": "/srv/units"},
        ["/srv/units", "writable"],
    ),
    "a unit_dir that everybody can write": ("mkdir -p /srv/all/units && chmod 1777 /srv/all", {"unit_dir": "/srv/all/units"}, ["/srv/all", "writable"]),
    "a unit_dir that is a link of deploy's": (f"ln -sfn /etc {APP}/shared/tmp/units", {"unit_dir": f"{APP}/shared/tmp/units/systemd/system"}, [APP]),
    "rules in a directory that a group can write": (
        "mkdir -p /srv/rules && chgrp deploy /srv/rules && chmod 775 /srv/rules",
        {"sudoers_file": "/srv/rules/sidekiq"},
        ["/srv/rules", "writable"],
    ),
    "rules in a directory of deploy's": ("", {"sudoers_file": f"{APP}/shared/tmp/rules"}, [APP, "uid 1000"]),
    "rules at a link to /etc/shadow": (f"ln -sfn /etc {APP}/shared/tmp/d", {"sudoers_file": f"{APP}/shared/tmp/d/shadow", "replace": True}, [APP]),
}


@pytest.mark.long
@pytest.mark.parametrize("name", PLACES)
def test_nothing_is_written_through_a_link_or_below_what_others_can_write(host: Host, name: str) -> None:
    prepare, options, words = PLACES[name]
    clean(host)
    host.sh("rm -rf /srv/*; echo untouched >/root/victim; " + prepare)
    for check in (True, False):
        result = host.converge(check=check, **options)
        assert result.get("failed"), result
        for word in words:
            assert word in result["msg"], result["msg"]
        assert SECRET not in json.dumps(result)
    record(f"place: {name}", OURS, got="refused")
    assert host.out("cat /root/victim") == "untouched" and host.sh("[ ! -e /root/nowhere ]", check=False).returncode == 0
    unit = f"{options['unit_dir']}/sidekiq.service" if "unit_dir" in options else UNIT
    record(f"place: {name}", SEED, got=written_by_hand(host, options.get("sudoers_file", unit if "unit" in name else SUDOERS)))
    host.sh(f"rm -rf {UNIT} {SUDOERS} /root/victim /root/nowhere /etc/systemd/system/sidekiq.service /srv/*")


def written_by_hand(host: Host, path: str) -> str:
    """What comes of it if root writes a file with a redirection: does it land elsewhere, or can deploy replace it?"""
    # All at once: nobody logs in while there is no /etc/shadow.
    script = f"cp -a /etc/shadow /root/shadow; mkdir -p $(dirname {path}); echo 'by hand' >{path}; echo $?; readlink -f {path}; cp -a /root/shadow /etc/shadow"
    status, real = host.sh(script).stdout.split()
    if status != "0":
        return "refused"
    if real not in (path, f"/usr{path}"):
        return "written through"
    return "replaced by deploy" if "evil" in deploy(host, f"rm -f {path}; echo evil >{path}; cat {path}") else "unharmed"


@pytest.mark.long
def test_neither_is_anything_removed_through_a_link(host: Host) -> None:
    clean(host)
    host.converge()
    host.sh(f"cp {SUDOERS} /root/victim; ln -sf /root/victim {SUDOERS}")
    result = host.converge(state="absent")
    assert result.get("failed") and "symbolic link" in result["msg"], result
    assert host.out("cat /root/victim")
    host.sh(f"rm -f {SUDOERS}")


# --- Secrets --------------------------------------------------------------------------------------------------------------------------

VALUE = "correct-horse"


@pytest.mark.long
def test_values_of_variables_are_in_no_result_and_no_process_list(host: Host) -> None:
    clean(host)
    host.sh(
        'touch /root/record; (timeout 60 sh -c \'while [ -e /root/record ]; do cat /proc/[0-9]*/cmdline 2>/dev/null | tr "\\0" " "; sleep 0.02; done\''
        " >/root/processes && touch /root/recorded) >/dev/null 2>&1 &"
    )
    env = {"DATABASE_URL": f"postgres://u:{VALUE}@db/x", "API_TOKEN": VALUE, "LANG": f"{VALUE}-x"}
    results = [
        host.converge(check=True, env=env),
        host.converge(env=env),
        host.converge(env={**env, "API_TOKEN": VALUE + "2"}, check=True),
        host.converge(env={**env, "API_TOKEN": [VALUE]}),
        host.converge(env={**env, "A=" + "B": VALUE}),
        host.converge(env=f"API_TOKEN={VALUE}"),
        host.converge(env={**env, "API_TOKEN": VALUE + "\n"}),
        host.converge(env={}, check=True),
    ]
    for result in results:
        assert VALUE not in json.dumps(result), result
    host.sh("rm /root/record")
    host.wait("[ -e /root/recorded ]")
    seen = host.out("cat /root/processes; journalctl -b --no-pager -t sidekiq -t systemd -t sudo; rm /root/processes /root/recorded")
    assert "sidekiq_service" in seen and VALUE not in seen
    diff = results[2]["diff"][0]
    changed = [line for line in diff["after"].splitlines() if line not in diff["before"].splitlines()]
    assert len(changed) == 1 and "API_TOKEN" in changed[0], diff
    warned = [w for w in results[1]["warnings"] if "secret_env" in w]
    assert len(warned) == 1 and "API_TOKEN" in warned[0] and "DATABASE_URL" in warned[0] and "LANG" not in warned[0], results[1]
    assert VALUE in host.show("Environment")["Environment"]  # which is why


@pytest.mark.long
def test_an_env_file_that_others_can_read_is_warned_of(host: Host) -> None:
    clean(host)
    host.sh(f"mkdir -p /etc/laevigata; echo PASSWORD={SECRET} >/etc/laevigata/env; chmod 644 /etc/laevigata/env")
    result = host.converge(env_files=["/etc/laevigata/env"])
    assert not result.get("failed"), result
    assert any("chmod o= /etc/laevigata/env" in w for w in result["warnings"]), result
    host.sh("chmod 640 /etc/laevigata/env")
    assert not any("env_files" in w for w in host.converge(env_files=["/etc/laevigata/env"]).get("warnings", []))
    assert SECRET in host.out("tr '\\0' '\\n' </proc/$(systemctl show -p MainPID sidekiq | cut -d = -f 2-)/environ")
    host.sh("rm -rf /etc/laevigata")


AS_ROOT: dict[str, dict[str, Any]] = {
    "by name": {"user": "root"},
    "by number": {"user": "0"},
    "by another name": {"user": "toor"},
    "by the group": {"group": "root"},
    "by the user's own group": {"user": "half"},
    "User": {"directives": {"Service": {"User": "root"}}},
    "no User": {"directives": {"Service": {"User": None}}},
    "DynamicUser": {"directives": {"Service": {"DynamicUser": True}}},
    "a command with +": {"directives": {"Service": {"ExecStartPre": "+/bin/id"}}},
    "a command with -!": {"directives": {"Service": {"ExecStopPost": ["/bin/true", "-!!/bin/id"]}}},
    "a second command": {"directives": {"Service": {"ExecStartPost": "/bin/true ; +/bin/id"}}},
    "exec_start with +": {"exec_start": "+/bin/sleep 1000"},
    "PermissionsStartOnly": {"directives": {"Service": {"PermissionsStartOnly": True}}},
    "SupplementaryGroups": {"directives": {"Service": {"SupplementaryGroups": "root"}}},
    "AmbientCapabilities": {"directives": {"Service": {"AmbientCapabilities": "CAP_SETUID"}}},
    "a stream": {"directives": {"Service": {"StandardOutput": "append:/opt/laevigata/shared/log/x"}}},
    "another section": {"directives": {"Service]\nUser=root\n[Unit": {"A": "b"}}},
    "a name with a line end": {"directives": {"Service": {"Nice=0\nUser": "root"}}},
    "a value with a carriage return": {"directives": {"Service": {"Nice": "0\rUser=root"}}},
    "a backslash at the end": {"directives": {"Service": {"Slice": "a\\"}}},
}


@pytest.mark.long
@pytest.mark.parametrize("name", AS_ROOT)
def test_the_service_never_runs_as_root(host: Host, name: str) -> None:
    host.sh("id toor 2>/dev/null || { useradd -o -u 0 -M toor; useradd -M -g 0 half; }")
    result = host.converge(**AS_ROOT[name])
    assert result.get("failed"), result
    assert any(f'"{option}"' in result["msg"] for option in AS_ROOT[name]), result["msg"]
    assert host.sh(f"[ ! -e {UNIT} ]").returncode == 0


@pytest.mark.long
@pytest.mark.parametrize("fast", ["true", "false"])
def test_no_log_leaves_nothing(host: Host, tmp_path: Path, fast: str) -> None:
    clean(host)
    (tmp_path / "hosts").write_text(tool("inventory", host.name, capture_output=True).stdout)
    task = {"project_name": "laevigata", "env": {"API_TOKEN": VALUE}}
    play = {"hosts": "all", "gather_facts": False, "become": True, "tasks": [{"curationexperts.sidekiq.sidekiq_service": task, "no_log": True}]}
    (tmp_path / "play.yml").write_text(json.dumps([play]))
    done = subprocess.run(
        [ROOT / ".venv/bin/ansible-playbook", "-vvv", "--diff", "-i", tmp_path / "hosts", "-e", f"sidekiq_service_fast={fast}", tmp_path / "play.yml"],
        text=True,
        capture_output=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".cache"), "PATH": f"{ROOT}/.venv/bin:{os.environ['PATH']}"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert VALUE not in done.stdout + done.stderr
    left = host.out(
        f"grep -rl {VALUE} /root /home /tmp /var/tmp /var/log /var/cache /run/curationexperts.sidekiq 2>/dev/null; journalctl -b -q -g {VALUE}; true"
    )
    assert not left, left
