# SPDX-License-Identifier: GPL-3.0-or-later
"""What each option comes to, by the word of a real systemd, sudo and Sidekiq: one table, and what the presets of hardening allow.

A row of the table says what `systemctl show` prints differently for the unit when that option is given; everything else has to stay.
"""

from __future__ import annotations

import ast
import re
import shlex
from dataclasses import dataclass, field
from typing import Any

import pytest
import yaml
from conftest import APP, ROOT, SUDOERS, Host
from system import KNOWS_STEPS, NOTIFIES, SUITE, TYPE

pytestmark = pytest.mark.long

HOST_OPTIONS = ["--with", "imagemagick,dma,logrotate,libnss-extrausers"]

TMP = f"{APP}/shared/tmp"
COMMAND = "/usr/local/bin/bundle exec sidekiq -e production -C config/sidekiq.yml"

Options = dict[str, Any]


@dataclass
class Row:
    """An option, and what it changes in the properties of the unit. `then` is a script that has to succeed while it is in force."""

    options: Options
    shows: dict[str, str]
    before: str = ""
    then: str = ""
    after: str = ""
    started: bool = False
    lists: dict[str, str] = field(default_factory=dict)  # properties that are lists: what comes to them (+x) and goes (-x)


def may(user: str, command: str) -> str:
    """A script: the user runs the command as root without a password. That the unit is down (3) or unknown is not sudo's business."""
    return f"runuser -u {user} -- sudo -n {command} >/dev/null 2>/root/said; ! grep -i 'password\\|sorry\\|not allowed' /root/said"


def may_not(user: str, command: str) -> str:
    return f"! runuser -u {user} -- sudo -n {command} 2>&1 | grep -v 'a password is required' | grep ."


ENVIRON = "tr '\\0' '\\n' </proc/$(systemctl show --property=MainPID sidekiq | cut -d = -f 2-)/environ"
TITLE = "cat /proc/$(systemctl show --property=MainPID sidekiq | cut -d = -f 2-)/cmdline"
LOG = f"{APP}/shared/log/sidekiq.log"

# What docs say to put into /etc/logrotate.d.
LOGROTATE = f"""
cat >/root/rotate <<'ROTATE'
{LOG} {{
  su deploy deploy
  weekly
  rotate 4
  copytruncate
}}
ROTATE
"""

# copytruncate leaves the process its open file. With O_APPEND it goes on at the file's end, without it at its old place, after a hole.
ROTATED = f"""set -e
stat -c %U {LOG} | grep -x deploy
grep -q 'Running in ruby' {LOG}
logrotate --force --state /root/rotated /root/rotate
grep -q 'Running in ruby' {LOG}.1
! grep 'Running in ruby' {LOG}
cd {APP}/current && runuser -u deploy -- bin/push WriteFile {TMP}/rotated
for i in $(seq 100); do grep -q done {LOG} && break; sleep 0.2; done
grep -q done {LOG}; ! grep -qP '\\x00' {LOG}
"""

ROWS: dict[str, Row] = {
    "name": Row(
        {"name": "sidekiq-other", "replace": True},
        {
            "Id": "sidekiq-other.service",
            "Names": "sidekiq-other.service",
            "Description": "sidekiq-other",
            "SyslogIdentifier": "sidekiq-other",
            "FragmentPath": "/lib/systemd/system/sidekiq-other.service",
        },
        then=f"test -e {SUDOERS.replace('sidekiq-', 'sidekiq-other-')} && {may('deploy', 'systemctl status sidekiq-other')}",
    ),
    "enabled": Row({"enabled": False}, {"UnitFileState": "disabled"}, lists={"WantedBy": "-multi-user.target", "Before": "-multi-user.target"}),
    "project_name": Row(
        {"project_name": "hyrax", "replace": True},
        {"WorkingDirectory": "/opt/hyrax/current", "RequiresMountsFor": "/opt/hyrax/current"},
        before=f"mkdir -p /opt/hyrax; ln -sfn {APP}/current /opt/hyrax/current",
    ),
    "working_directory": Row(
        {"working_directory": "/srv/an app%h"},
        {"WorkingDirectory": "/srv/an app%h", "RequiresMountsFor": '"/srv/an app%h"'},
        before=f"ln -sfn {APP}/current '/srv/an app%h'",
    ),
    "user": Row(
        {"user": "worker"},
        {"User": "worker", "Group": "worker"},
        before="id worker >/dev/null 2>&1 || useradd --create-home worker",
        then=may("worker", "systemctl status sidekiq") + " && " + may_not("deploy", "systemctl status sidekiq"),
    ),
    "group": Row({"group": "www-data"}, {"Group": "www-data"}),
    "umask": Row({"umask": "0077"}, {"UMask": "0077"}),
    "app_env": Row({"app_env": "staging"}, {"ExecStart": COMMAND.replace("production", "staging")}),
    "config_file": Row(
        {"config_file": "/etc/side kiq.yml"},
        {"ExecStart": COMMAND.replace("config/sidekiq.yml", "/etc/side kiq.yml")},
        before=f"install -m 644 {APP}/shared/config/sidekiq.yml '/etc/side kiq.yml'",
    ),
    "bundle": Row({"bundle": "/usr/bin/bundle"}, {"ExecStart": COMMAND.replace("/usr/local", "/usr")}),
    "login_shell": Row(
        {"login_shell": True},
        {"ExecStart": "/bin/bash -lc exec bundle exec sidekiq -e production -C config/sidekiq.yml"},
        before="echo export FROM_PROFILE=yes >/home/deploy/.bash_profile",
        then=f"{ENVIRON} | grep -x FROM_PROFILE=yes && {TITLE} | grep ^sidekiq",
        after="rm /home/deploy/.bash_profile",
        started=True,
    ),
    "exec_start": Row(
        {"exec_start": "/usr/bin/env 'A=$HOME %n; x' bundle exec sidekiq -C config/sidekiq.yml -e staging -t 100"},
        {
            "ExecStart": "/usr/bin/env A=$$HOME %n; x bundle exec sidekiq -C config/sidekiq.yml -e staging -t 100",
            "TimeoutStopUSec": "1min 45s",
        },
        then=f"{ENVIRON} | grep -xF 'A=$HOME %n; x'",
        started=True,
    ),
    "queues": Row({"queues": ["critical,2", "default"]}, {"ExecStart": COMMAND + " -q critical,2 -q default"}),
    "concurrency": Row(
        {"concurrency": 3},
        {"ExecStart": COMMAND + " -c 3"},
        then=f"for i in $(seq 50); do {TITLE} | grep '0 of 3 busy' && break; sleep 0.2; done",
        started=True,
    ),
    "type": Row({"type": "simple"}, {"Type": "simple"} | ({"NotifyAccess": "none", "WatchdogSignal": "6"} if NOTIFIES else {})),
    "watchdog_sec": Row({"watchdog_sec": 40}, {"WatchdogUSec": "40s"} if NOTIFIES else {}, started=NOTIFIES),
    "watchdog_sec 0": Row({"watchdog_sec": 0}, {"WatchdogSignal": "6"} if NOTIFIES else {}),
    "restart": Row({"restart": "on-failure"}, {"Restart": "on-failure"}),
    "restart_sec": Row({"restart_sec": 7}, {"RestartUSec": "7s"} | ({"RestartSteps": "0", "RestartMaxDelayUSec": "infinity"} if KNOWS_STEPS else {})),
    "start_timeout": Row({"start_timeout": 42}, {"TimeoutStartUSec": "42s"}),
    "timeout_stop_sec": Row({"timeout_stop_sec": 33}, {"TimeoutStopUSec": "33s"}),
    "timeout_stop_sec of sidekiq.yml": Row(
        {},
        {"TimeoutStopUSec": "2min 5s"},
        before=f"sed -i 's/^:timeout:.*/:timeout: 120/' {APP}/shared/config/sidekiq.yml",
        after=f"sed -i 's/^:timeout:.*/:timeout: 8/' {APP}/shared/config/sidekiq.yml",
    ),
    "env": Row(
        {"env": {"LANG": "C.UTF-8", "WORDS": 'it\'s "50 %" $HOME \\ end'}},
        {"Environment": 'LANG=C.UTF-8 "WORDS=it\'s \\"50 %\\" \\$HOME \\\\ end"'},
        then=f"{ENVIRON} | grep -xF 'WORDS=it'\\''s \"50 %\" $HOME \\ end'",
        started=True,
    ),
    "env_files": Row(
        {"env_files": ["/etc/laevigata env", "-/etc/missing"]},
        {"EnvironmentFiles": "/etc/laevigata env (ignore_errors=no); /etc/missing (ignore_errors=yes)"},
        before="install -m 600 /dev/null '/etc/laevigata env'; echo SECRET=hunter2 >'/etc/laevigata env'",
        then=f"{ENVIRON} | grep -x SECRET=hunter2",
        started=True,
    ),
    "secret_env": Row(
        {"secret_env": {"PASSWORD": 'hunter2 "50 %" $HOME \\ `id` \' end'}},
        {"EnvironmentFiles": "/etc/curationexperts.sidekiq/sidekiq.env (ignore_errors=no)"},
        then=f"{ENVIRON} | grep -xF 'PASSWORD=hunter2 \"50 %\" $HOME \\ `id` '\\'' end'",
        started=True,
    ),
    "log_file": Row(
        {"log_file": "log/sidekiq.log"},
        {"ExecStart": '/bin/sh -c exec "$$@" >>"$$0" 2>&1 log/sidekiq.log ' + COMMAND},
        before=LOGROTATE,
        then=ROTATED,
        after=f"rm -f {LOG}*",
        started=True,
    ),
    "redis_unit": Row(
        {"redis_unit": "redis-server"},
        {},
        before="systemctl disable --now -q redis-server",
        then="systemctl is-active -q redis-server && systemctl is-enabled -q redis-server",
    ),
    "redis_unit none": Row({"redis_unit": "none"}, {}, lists={"After": "-redis-server.service", "Wants": "-redis-server.service"}),
    "redis_unit auto, not enabled": Row(
        {"redis_unit": "auto"},
        {},
        before="systemctl disable -q redis-server",
        after="systemctl enable -q redis-server",
        lists={"Wants": "-redis-server.service"},
    ),
    "after": Row({"after": ["postgresql", "remote-fs.target"]}, {}, lists={"After": "+postgresql.service +remote-fs.target"}),
    "wants": Row({"wants": ["logrotate.timer"]}, {}, lists={"Wants": "+logrotate.timer"}),
    "wanted_by": Row(
        {"wanted_by": ["graphical.target", "redis-server.service"]},
        {},
        lists={"WantedBy": "-multi-user.target +graphical.target +redis-server.service", "Before": "-multi-user.target +graphical.target"},
        then="test $(find /etc/systemd/system -name sidekiq.service | wc -l) = 2",
    ),
    "hardening": Row({"hardening": "basic"}, {"ProtectSystem": "full", "ProtectControlGroups": "yes"}),
    "directives": Row(
        {
            "directives": {
                "Unit": {"Documentation": "https://example.org/"},
                "Service": {"MemoryMax": "2G", "LimitNOFILE": 4096, "OOMPolicy": None, "ExecStartPre": ["/bin/true", "-/bin/false"]},
            }
        },
        {
            "Documentation": "https://example.org/",
            "MemoryMax": "2147483648",
            "LimitNOFILE": "4096",
            "LimitNOFILESoft": "4096",
            "OOMPolicy": "stop",
            "ExecStartPre": "/bin/true; /bin/false",
        },
    ),
    "sudo": Row({"sudo": False}, {}, then=f"! test -e {SUDOERS} && " + may_not("deploy", "systemctl status sidekiq")),
    "sudo_users": Row(
        {"sudo_users": ["worker"]},
        {},
        before="id worker >/dev/null 2>&1 || useradd --create-home worker",
        then=may("worker", "systemctl status sidekiq") + " && " + may_not("deploy", "systemctl status sidekiq"),
    ),
    "sudo_groups": Row(
        {"sudo_groups": ["operators"]},
        {},
        before="getent group operators >/dev/null || { groupadd operators; useradd --create-home --groups operators op; }",
        then=may("op", "systemctl status sidekiq") + " && " + may("deploy", "systemctl status sidekiq.service"),
    ),
    "sudo_commands": Row(
        {"sudo_commands": ["status", "kill_tstp"]},
        {},
        then=may("deploy", "systemctl kill -s TSTP sidekiq") + " && " + may_not("deploy", "systemctl restart sidekiq"),
    ),
    "sudoers_file": Row({"sudoers_file": "/etc/sudoers.d/zz-ours"}, {}, then=f"test -e /etc/sudoers.d/zz-ours && {may('deploy', 'systemctl status sidekiq')}"),
    "unit_dir": Row({"unit_dir": "/etc/systemd/system"}, {"FragmentPath": "/etc/systemd/system/sidekiq.service"}),
}

ELSEWHERE = {
    "state": "test_states.py",
    "processes": "test_processes.py",
    "instances": "test_processes.py",
    "on_failure": "test_rollback.py",
    "replace": "test_adopt.py",
    "backup": "test_adopt.py",
    "restart_on_change": "test_adopt.py",
    "require_deployed": "test_first_deploy.py",
    "known_services": "test_census.py",
    "restart_on_release": "test_beforehand.py",
    "logrotate": "test_logrotate.py",
}


def documented(of_text: bool | None = None) -> dict[str, Any]:
    """The options of the module, as documented; where it is asked for only those that take text, or only those that take numbers or words."""
    for statement in ast.parse((ROOT / "plugins/modules/sidekiq_service.py").read_text()).body:
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "DOCUMENTATION":
            options = yaml.safe_load(ast.literal_eval(statement.value))["options"]
    if of_text is None:
        return options
    narrow = {name for name, option in options.items() if option["type"] == "int" or option["type"] == "str" and "choices" in option}
    return {name: option for name, option in options.items() if option["type"] != "bool" and (name in narrow) != of_text}


def properties(option: str) -> set[str]:
    """What an option may change in the properties of the unit, by its rows."""
    rows = [row for row in ROWS.values() if option in row.options]
    return {name for row in rows for name in [*row.shows, *row.lists]}


# Of a unit's properties, those that tell of its past and its present, and not of what it is told to be.
PASSING = re.compile(
    "Timestamp|^(ActiveState|SubState|InvocationID|MainPID|ExecMain.*|Memory(Current|Available|Peak|SwapPeak|SwapCurrent|ZSwapCurrent)|CPUUsageNSec"
    "|TasksCurrent|TimeoutAbortUSec|EffectiveMemory.*|EffectiveTasks.*|Status(Text|Errno|BusError|VarlinkError)|NRestarts|ControlGroup(Id)?"
    "|.*Ex|.*Result|Result|UID|GID|Job"
    "|Can(Reload|Start|Stop|Isolate|Clean|Freeze|LiveMount)|CleanResult|LiveMountResult|(Delegate.*)|WatchdogUSec|RestartUSecNext|IO.*(Bytes|Operations)"
    "|IP.*(Bytes|Packets)|FileDescriptorStore.*|NFileDescriptorStore|ManagedOOM.*|DropInPaths|Triggers|TriggeredBy|Perpetual|FreezerState"
    "|AssertResult|ConditionResult|EffectiveCPUs|EffectiveMemoryNodes|Extension.*)$"
)
LISTS = ("After", "Before", "Wants", "WantedBy", "Names", "Requires")


def look(host: Host, unit: str = "sidekiq", watchdog: bool = False) -> dict[str, str]:
    """What the unit is told to be: its properties, lists sorted, commands as their words."""
    found: dict[str, str] = {}
    for line in host.out(f"systemctl show {unit}").splitlines():
        name, dummy, value = line.partition("=")
        if PASSING.search(name) and not (watchdog and name == "WatchdogUSec"):
            continue
        if name in LISTS:
            value = " ".join(sorted(value.split()))
        if name == "FragmentPath":
            value = value.replace("/usr/lib/", "/lib/")
        if command := re.search(r"argv\[\]=(.*?) ; (?:ignore|flags)", value):
            value = command[1]
        found[name] = f"{found[name]}; {value}" if name in found else value
    return found


def changes(before: dict[str, str], after: dict[str, str]) -> dict[str, str]:
    return {name: after.get(name, "") for name in before | after if before.get(name, "") != after.get(name, "")}


def edited(text: str, edits: str) -> str:
    """A list with what is to come (+x) and what is to go (-x)."""
    words = set(text.split())
    for edit in edits.split():
        words = words | {edit[1:]} if edit[0] == "+" else words - {edit[1:]}
    return " ".join(sorted(words))


@pytest.fixture(scope="module")
def plain(machine: Host) -> dict[str, str]:
    """The unit where no option is given."""
    machine.reset()
    result = machine.converge(state="present")
    assert not result.get("failed"), result
    return look(machine)


@pytest.mark.parametrize("name", ROWS)
def test_an_option(machine: Host, plain: dict[str, str], name: str) -> None:
    row = ROWS[name]
    machine.sh(row.before or "true")
    try:
        result = machine.converge(**{"state": "started" if row.started else "present", **row.options})
        assert not result.get("failed") and not result.get("warnings"), result
        assert row.started or not [step for step in result["steps"] if step.startswith(("start sidekiq", "restart sidekiq"))]
        if row.then:
            machine.sh(row.then)
        unit = row.options.get("name", "sidekiq")
        expected = row.shows | {key: edited(plain.get(key, ""), edits) for key, edits in row.lists.items()}
        assert changes(plain, look(machine, unit, watchdog="WatchdogUSec" in expected)) == expected
        assert machine.converge(state="present", **row.options)["steps"] == []
    finally:
        after(machine, row)


def after(host: Host, row: Row) -> None:
    """Brings the host back to the plain unit."""
    if row.started:
        host.sh("systemctl stop sidekiq")
    if {"name", "project_name", "unit_dir", "sudoers_file"} & set(row.options):
        gone = host.converge(**{**row.options, "state": "absent"})
        assert not gone.get("failed"), gone
    host.sh(row.after or "true")


REFUSED: dict[str, tuple[Options, str]] = {
    "another user": ({"Service": {"User": "root"}}, "the option user says who"),
    "no user at all": ({"Service": {"User": None}}, "the option user says who"),
    "a command as root": ({"Service": {"ExecStartPre": "+/bin/true"}}, "would run with root's rights"),
    "a log opened by root": ({"Service": {"StandardOutput": "append:/opt/laevigata/shared/log/x"}}, "use the option log_file"),
    "what an option says": ({"Service": {"UMask": "0000"}}, "use the option umask"),
    "a directive too many": ({"Service": {"Nice": "5\nUser=root"}}, "control character"),
    "a section of its own": ({"Socket": {"ListenStream": "80"}}, "want the sections"),
    "what systemd does not know": ({"Service": {"Nicer": "5"}}, "Nicer"),
    "what systemd cannot read": ({"Service": {"LimitNOFILE": "plenty"}}, "LimitNOFILE"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_directives_refuse(machine: Host, name: str) -> None:
    directives, words = REFUSED[name]
    before = look(machine)
    result = machine.converge(state="present", directives=directives)
    assert result.get("failed") and words in result["msg"], result
    assert changes(before, look(machine)) == {}


# What the unit says where no option is given, beside its name, its paths and its targets. All the rest stays as systemd has it.
SAYS = {
    "After": "redis-server.service",
    "Description": "sidekiq",
    "ExecReload": "/bin/kill -TSTP $MAINPID",
    "ExecStart": COMMAND,
    "Group": "deploy",
    "KillMode": "mixed",
    "OOMPolicy": "continue",
    "Restart": "always",
    "RestartUSec": "1s" if KNOWS_STEPS else "25s",
    "StartLimitIntervalUSec": "0",
    "SyslogIdentifier": "sidekiq",
    "TimeoutStartUSec": "5min",
    "Type": TYPE,
    "UMask": "0002",
    "User": "deploy",
    "Wants": "redis-server.service",
    "WorkingDirectory": f"{APP}/current",
}
SAYS |= {"NotifyAccess": "main", "WatchdogSignal": "15"} if NOTIFIES else {}
SAYS |= {"RestartSteps": "5", "RestartMaxDelayUSec": "30s"} if KNOWS_STEPS else {}
FOLLOWS = {"Id", "Names", "FragmentPath", "UnitFileState", "WantedBy", "Before", "RequiresMountsFor", "SetLoginEnvironment"}


def test_what_is_not_said_stays_as_systemd_has_it(machine: Host, plain: dict[str, str]) -> None:
    machine.sh("printf '[Service]\\nExecStart=/bin/true\\n' >/etc/systemd/system/nothing.service; systemctl daemon-reload")
    try:
        nothing = look(machine, "nothing")
    finally:
        machine.sh("rm /etc/systemd/system/nothing.service; systemctl daemon-reload")
    different = changes(nothing, plain)
    different["After"] = " ".join(set(different["After"].split()) & set(SAYS["After"].split()))
    assert {name: value for name, value in different.items() if name not in FOLLOWS} == SAYS


# Jobs, and which presets let them do what they do. The last word of what each writes has to be "status 0".
JOBS: dict[str, tuple[str, set[str]]] = {
    "mail through a setgid sendmail": ("printf 'Subject: hello\\n\\nby a job\\n' | /usr/sbin/sendmail root", {"none", "basic"}),
    "restart a service by sudo": ("sudo -n systemctl status sidekiq", {"none", "basic"}),
    "read what another service left in /tmp": ("grep -x upload /tmp/upload", {"none", "basic"}),
    "write into the home directory": ("echo x >$HOME/by-a-job", {"none", "basic"}),
    "write under shared": (f"echo x >{TMP}/by-a-job", {"none", "basic", "strict"}),
    "run ImageMagick": (f"convert -size 64x64 xc:red png:{TMP}/red.png && identify {TMP}/red.png", {"none", "basic", "strict"}),
    "use a file in /tmp of its own": ("f=$(mktemp) && rm $f", {"none", "basic", "strict"}),
    "write below /etc": ("test -w /etc/for-deploy && echo x >/etc/for-deploy", {"none"}),
}


@pytest.mark.parametrize("preset", [pytest.param("none", marks=pytest.mark.long), "basic", "strict"])
def test_hardening(machine: Host, plain: dict[str, str], preset: str) -> None:
    machine.sh("install -o deploy -m 644 /dev/null /etc/for-deploy; systemd-run -q --wait --uid=admin sh -c 'echo upload >/tmp/upload'")
    machine.sh(f"rm -rf {TMP}/* /var/mail/root")
    result = machine.converge(hardening=preset)
    assert not result.get("failed") and not result.get("warnings"), result
    script = f"cd {APP}/current\n"
    for number, (command, dummy) in enumerate(JOBS.values()):
        script += f"runuser -u deploy -- bin/push Run {shlex.quote(command)} {TMP}/{number} >/dev/null &\n"
    machine.sh(script + "wait")
    machine.wait(f"test $(ls {TMP}/[0-9] | wc -l) = {len(JOBS)}")
    said = {job: machine.out(f"cat {TMP}/{number}") for number, job in enumerate(JOBS)}
    passed = {job for job, words in said.items() if words.endswith("status 0")}
    assert passed == {job for job, (dummy, presets) in JOBS.items() if preset in presets}, said
    if "mail through a setgid sendmail" in passed:
        machine.wait("grep 'by a job' /var/mail/root")
    exposure = re.findall(r": ([\d.]+) ", machine.out("systemd-analyze security --no-pager sidekiq | tail -1"))[0]
    if SUITE == "bookworm":
        told = re.findall(rf"^\| `{preset}` \|.*\| ([\d.]+) \|$", (ROOT / "docs/hardening.md").read_text(), re.MULTILINE)
        assert told == [exposure], "what docs/hardening.md says of Debian 12"
    machine.sh("systemctl stop sidekiq")
