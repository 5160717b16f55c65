# SPDX-License-Identifier: GPL-3.0-or-later
"""Hostile values through every option that takes text, on a real systemd and sudo.

Each is either refused, with its option named, or ends up literally as one value: the properties of the unit, asked of systemd, differ from
those of a plain unit in what the option is for and nothing else, and sudo lists not one rule more.
"""

from __future__ import annotations

import base64
import json
import posixpath
import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import test_options
from conftest import APP, SUDOERS, UNIT, Host

pytestmark = pytest.mark.long

HOST_OPTIONS = ["--no-app"]

PAYLOADS = [
    "\nUser=root", "\rUser=root", "\0User=root", "\v", "x\\", "x\\\nUser=root", "\\x0aUser=root", "\\nUser=root", "\\", "\\\\", "]\n[Service]\nUser=root",
    "\u2028User=root", "\u2029x", "\u0085x", "\u202ex", "\u200bx", "\ufffd", "é", "\x1b[2J", "\x7f", "\ufeffx",
    "%", "%n", "%%", "%q", "%h/x", "%%n", "$HOME", "${HOME}", "$$", "$(id)", "`id`", "$", "x$",
    '"', "'", '"a', "a'b", "\"\\", "''", " a", "a ", "a b", "\ta", "a\tb", ";", "; /bin/id", "a ; b", "a;b", "&& id", "| id", "> /etc/x",
    "#x", "a#b", "*", "a*", "?", "[a]", "{a,b}", "~", "~root", "!", "!!", "+x", "-x", "--", "@x", ":x", "a:b", "|x", "=x", "a=b", ",", "a,b", "(root)",
    "ALL", "root", "0", "4294967295", "-1", "%root", "%admin", "%#0", "+netgroup", "#0", "#1000", "!deploy", "list", "Defaults",
    "a, ALL=(ALL) NOPASSWD: ALL", "deploy ALL=(ALL) NOPASSWD: ALL", "NOPASSWD:", "a\\, b",
    "../../etc/x", "..", ".", "//", "/", "a/b", "a//b", "a/../b", "x.service", "x.conf", "x~", "{{ x }}", "<%= 1 %>", "a" * 300, "a" * 5000, "é" * 200,
]  # fmt: skip

Options = dict[str, Any]


@dataclass
class Way:
    """How a value gets into an option, and which properties of the unit may tell of it."""

    option: str
    options: Callable[[str], Options]
    properties: set[str]
    prefix: str = ""


def plain(option: str, *properties: str, prefix: str = "", more: Options | None = None) -> Way:
    return Way(option, lambda v: {**(more or {}), option: prefix + v}, set(properties), prefix)


def item(option: str, *properties: str, prefix: str = "") -> Way:
    return Way(option, lambda v: {option: [prefix + v]}, set(properties), prefix)


def directive(section: str, name: str, *properties: str) -> Way:
    return Way("directives", lambda v: {"directives": {section: {name: v}}}, set(properties))


COMMAND = ("ExecStart", "ExecStartEx")
MOUNTS = ("RequiresMountsFor", "WantsMountsFor", "Requires", "Wants", "After")
NAMES = ("Description", "SyslogIdentifier", "Id", "Names", "FragmentPath", "Following")
NARROW = test_options.documented(of_text=False)  # a number, or one of a few words
WAYS: dict[str, Way] = {
    **{option: plain(option, *test_options.properties(option)) for option in NARROW},
    "name": plain("name", *NAMES),
    "project_name": plain("project_name", "WorkingDirectory", *MOUNTS),
    "working_directory": plain("working_directory", "WorkingDirectory", *MOUNTS, prefix="/srv/"),
    "working_directory, bare": plain("working_directory", "WorkingDirectory", *MOUNTS),
    "user": plain("user", "User", "Group"),
    "group": plain("group", "Group"),
    "umask": plain("umask", "UMask"),
    "app_env": plain("app_env", *COMMAND),
    "config_file": plain("config_file", *COMMAND),
    "config_file, absolute": plain("config_file", *COMMAND, prefix="/srv/"),
    "bundle": plain("bundle", *COMMAND, prefix="/srv/"),
    "bundle, in a shell": plain("bundle", *COMMAND, prefix="/srv/", more={"login_shell": True}),
    "config_file, in a shell": plain("config_file", *COMMAND, more={"login_shell": True}),
    "exec_start": plain("exec_start", *COMMAND, prefix="/bin/echo "),
    "exec_start, the program": plain("exec_start", *COMMAND),
    "log_file": plain("log_file", *COMMAND, prefix="log/"),
    "log_file, in a shell": plain("log_file", *COMMAND, prefix="log/", more={"login_shell": True}),
    "queues": item("queues", *COMMAND),
    "queues, in a shell": Way("queues", lambda v: {"queues": [v], "login_shell": True}, set(COMMAND)),
    "env, a value": Way("env", lambda v: {"env": {"A": v, "B": "last"}}, {"Environment"}),
    "env, a name": Way("env", lambda v: {"env": {v: "x"}}, {"Environment"}),
    "secret_env, a value": Way("secret_env", lambda v: {"secret_env": {"A": "long" + v, "B": "last"}}, {"EnvironmentFiles"}),
    "secret_env, a name": Way("secret_env", lambda v: {"secret_env": {v: "long"}}, {"EnvironmentFiles"}),
    "env_files": item("env_files", "EnvironmentFiles", *MOUNTS, prefix="/etc/"),
    "redis_unit": plain("redis_unit", "After", "Wants"),
    "after": item("after", "After"),
    "wants": item("wants", "Wants"),
    "wanted_by": item("wanted_by", "WantedBy", "Before"),
    "directives, a text": directive("Unit", "Description", "Description"),
    "directives, a command": directive("Service", "ExecStartPre", "ExecStartPre", "ExecStartPreEx"),
    "directives, an alias": directive("Install", "Alias"),
    "directives, a name": Way("directives", lambda v: {"directives": {"Service": {v: "x"}}}, set()),
    "directives, a section": Way("directives", lambda v: {"directives": {v: {"Nice": "1"}}}, set()),
    "sudo_users": item("sudo_users"),
    "sudo_groups": item("sudo_groups"),
    "sudo_commands": item("sudo_commands"),
    "sudoers_file": plain("sudoers_file", prefix="/etc/sudoers.d/"),
    "unit_dir": plain("unit_dir", prefix="/etc/systemd/"),
    "known_services": item("known_services"),
}

ELSEWHERE = {"instances": "test_processes.py"}

# One run, and what systemd and sudo make of what it wrote, which is taken away again. sudo is asked only where the rules are not, byte for
# byte, those of the ordinary service: it takes longest.
EACH = """
echo {request} | base64 -d >/tmp/request
result=$(/root/sidekiq_service - </tmp/request 2>&1); printf '%s\\0' "$result"
written=$(grep -l 'Written by curationexperts' -r /etc/*.service /etc/systemd /lib/systemd/system /etc/sudoers.d)
if [ -n "$written" ]; then
  {find}; ask Unit; printf '\\0'; ask Service; printf '\\0'
  if [ -e /root/rules ] && cmp -s {rules} /root/rules && [ "$(ls /etc/sudoers.d)" = "$(cat /root/names)" ]; then
    printf same
  else
    for u in deploy admin daemon nobody list; do echo "== $u"; sudo -ll -U $u | grep -E '^\t|RunAs|Options'; done
  fi
  echo "$written" | while IFS= read -r f; do rm -f "$f"; done
  find /etc/systemd/system -lname '*sidekiq*' -delete
else
  printf '\\0\\0'
fi
printf '\\0'
"""
ASK = r"""
exec 2>/dev/null
bus=org.freedesktop.systemd1 unit=/org/freedesktop/systemd1/unit/sidekiq_2eservice
find_unit() {
  file=$(printf '%s' "$result" | sed -n 's|.*"unit":"\([^"]*\)".*|\1|p' | sed 's|\\\\|\\|g')
  unit=$(busctl call $bus /org/freedesktop/systemd1 $bus.Manager LoadUnit s "${file##*/}" | cut -d '"' -f 2)
}
ask() { busctl -j call $bus $unit org.freedesktop.DBus.Properties GetAll s $bus.$1; }
"""


@dataclass
class Outcome:
    result: dict[str, Any]
    properties: dict[str, Any]
    rules: dict[str, list[str]]  # by user, what he may run

    def refused(self) -> str:
        return self.result["msg"] if self.result.get("failed") else ""


def run(host: Host, cases: list[Options], ordinary: Outcome | None = None) -> list[Outcome]:
    """Runs the program once for each of the options, and asks systemd and sudo."""
    scripts = []
    for options in cases:
        # The application is not there, and nothing is started: this is about what is written.
        request = {"project_name": "laevigata", "enabled": False, "state": "present", "_ansible_diff": True, **options}
        find = "find_unit" if "name" in options else ":"
        scripts.append(EACH.format(request=base64.b64encode(json.dumps(request).encode()).decode(), rules=SUDOERS, find=find))
    parts = host.sh(ASK + "".join(scripts), timeout=900).stdout.split("\0")
    outcomes = []
    for result, unit, service, rules in zip(*[iter(parts[:-1])] * 4, strict=True):
        properties = {}
        for text in filter(None, (unit, service)):
            properties |= {name: in_order(value["data"]) for name, value in json.loads(text)["data"][0].items()}
        outcomes.append(Outcome(json.loads(result), properties, ordinary.rules if ordinary and rules == "same" else by_user(rules)))
    assert len(outcomes) == len(cases)
    return outcomes


def in_order(value: Any) -> Any:
    """systemd gives the names of units in any order."""
    return sorted(value) if isinstance(value, list) and all(isinstance(v, str) for v in value) else value


def by_user(listing: str) -> dict[str, list[str]]:
    """By user, each command with as whom and how it may be run."""
    users: dict[str, list[str]] = {}
    for part in listing.split("== ")[1:]:
        user, *lines = part.splitlines()
        users[user], how = [], {}
        for line in lines:
            if line.startswith("\t"):
                users[user].append(f"{how.get('RunAsUsers')} {how.get('RunAsGroups')} {how.get('Options')} {line.strip()}")
                continue
            name, dummy, value = line.strip().partition(": ")
            how = {name: value} if name == "RunAsUsers" else {**how, name: value}
    return users


@pytest.fixture(scope="module")
def ordinary(machine: Host) -> Outcome:
    """What a unit without anything special is, less what two runs do not agree on."""
    machine.sh(f"mkdir -p {APP}; chown deploy: {APP}")
    one, two = run(machine, [{}, {}])
    machine.converge(state="present", enabled=False)
    machine.sh(f"cp {SUDOERS} /root/rules; ls /etc/sudoers.d >/root/names; rm -f {UNIT} {SUDOERS}")
    assert one.properties and not one.refused()
    one.properties = {k: v for k, v in one.properties.items() if v == two.properties[k] and not re.search("Timestamp|InvocationID", k)}
    return one


def texts(value: Any) -> list[str]:
    """All strings in a value of D-Bus; in a command line, a dollar sign is doubled."""
    if isinstance(value, str):
        return [value, value.replace("$$", "$")]
    return [text for member in value for text in texts(member)] if isinstance(value, list) else []


def is_one_value(payload: str, prefix: str, strings: list[str]) -> bool:
    """Whether a value stands in the unit's properties as a whole: as it is, or as a clean path."""
    value = prefix + payload
    wanted = {payload, value, posixpath.normpath(value), f"{APP}/current/{posixpath.normpath(value)}", f"A={value}", f"{value}=x", f"{value}.service"}
    return bool(wanted & set(strings))


# What of these is a number, a value or several by the option's own meaning: words of a command line, and what systemd expands in a text of its own.
WORDS = {"umask", "exec_start", "exec_start, the program", "project_name", "directives, a text", "directives, a command"}


@pytest.mark.parametrize("name", WAYS)
def test_a_hostile_value_is_refused_or_one_value(host: Host, ordinary: Outcome, name: str) -> None:
    way = WAYS[name]
    outcomes = run(host, [way.options(payload) for payload in PAYLOADS], ordinary)
    taken = 0
    for payload, outcome in zip(PAYLOADS, outcomes, strict=True):
        if why := outcome.refused():
            assert f'"{way.option}"' in why or way.option == "directives" and "systemd-analyze rejects" in why, (payload, why)
            assert not outcome.rules, (payload, outcome.rules)
            continue
        taken += 1
        loaded = outcome.properties["LoadState"] == "loaded"
        assert loaded or name == "unit_dir", (payload, outcome.properties["LoadState"])  # systemd looks into few directories
        different = {k for k, v in ordinary.properties.items() if outcome.properties.get(k) != v} if loaded else set()
        assert different <= way.properties, (payload, {k: outcome.properties.get(k) for k in different})
        unit = payload if name == "name" else "sidekiq"
        for user, commands in outcome.rules.items():
            ours = {command.replace("sidekiq", unit) for command in ordinary.rules["deploy"]}
            more = [c for c in commands if c not in ours and c not in ordinary.rules.get(user, [])]
            assert not more, (payload, user, more)
            if user not in ("deploy", payload):
                assert not ours & set(commands), (payload, user, commands)
        if way.option == "secret_env":  # the value is in a file of root's: see FuzzSecrets
            continue
        strings = [s for k in different for s in texts(outcome.properties[k])]
        if different and name not in WORDS and name not in NARROW and "in a shell" not in name:
            assert is_one_value(payload, way.prefix, strings), (payload, strings)
        if "in a shell" in name:
            script = next(s for s in reversed(strings) if s.startswith("exec "))
            words = [word.removeprefix(">>") for word in shlex.split(script)]
            assert way.prefix + payload in words or posixpath.normpath(way.prefix + payload) in words, (payload, script)
    print(f"{name}: {taken} of {len(PAYLOADS)} values taken")


# Names that a passwd file can hold, from LDAP or by hand.
NAMES_OF_USERS = [
    "DEPLOY",
    "joe.smith",
    "joe@ad.example",
    "domain user",
    "list",
    "ALL",
    "%admin",
    "#1000",
    "!deploy",
    "+nis",
    "a\\b",
    'a"b',
    "a,b",
    "a=b",
    "a(b)",
    "-x",
    "é",
]


@pytest.mark.parametrize("option", ["sudo_users", "user"])
def test_a_user_of_a_strange_name_gets_what_he_was_given_and_nobody_else_anything(host: Host, ordinary: Outcome, option: str) -> None:
    lines = "".join(f"{name}:x:{3000 + i}:{3000 + i}::/:/bin/sh\n" for i, name in enumerate(NAMES_OF_USERS))
    host.sh(
        "cp -a /etc/passwd /etc/shadow /root; cat >>/etc/passwd; tail -n %d /etc/passwd | sed 's/:.*/:*:19000::::::/' >>/etc/shadow" % len(NAMES_OF_USERS),
        stdin=lines,
    )
    try:
        for name in NAMES_OF_USERS:
            result = host.converge(state="present", enabled=False, **{option: [name] if option == "sudo_users" else name})
            if result.get("failed"):
                assert f'"{option}"' in result["msg"] or '"sudo_users"' in result["msg"], (name, result["msg"])
            else:
                listing = host.out('sudo -ll -U "$(cat)"', stdin=name)
                granted = [line for line in listing.splitlines() if line.startswith("\t") and "systemctl" in line]
                assert len(granted) == 10, (name, listing)
                assert "systemctl" not in host.out("for u in admin daemon nobody; do sudo -ll -U $u; done"), name
                if option == "user":
                    assert host.show("User")["User"] == name
            host.sh(f"rm -f {UNIT} {SUDOERS}; systemctl daemon-reload")
    finally:
        host.sh("cp -a /root/passwd /root/shadow /etc")
