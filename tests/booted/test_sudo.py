# SPDX-License-Identifier: GPL-3.0-or-later
"""What sudo makes of the rules, beside those that a host has already: proven by the program, and looked at here through sudo."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from conftest import SUDOERS, Host
from system import SUDO, SUITE, SYSTEMCTL

pytestmark = pytest.mark.usefixtures("policy")

HOST_OPTIONS = ["--with", "sudo-rs"] if SUITE == "trixie" else []
RS = "sudo-rs"

# The rules are what is tried here, not Sidekiq.
QUICK: dict[str, Any] = {"state": "present"}
VERBS = ["start", "stop", "restart", "reload", "status", "kill -s TSTP"]


@pytest.fixture(params={"trixie": ["sudo", RS], "resolute": [RS]}.get(SUITE, ["sudo"]))
def policy(request: pytest.FixtureRequest, host: Host) -> Iterator[str]:
    """The host's own policy, under each sudo that the suite has."""
    host.sh("cp -a /etc/sudoers /root/sudoers; mkdir -p /root/sudoers.d; cp -a /etc/sudoers.d/. /root/sudoers.d")
    if SUITE == "trixie" and request.param == RS:
        # sudo-rs and sudo stand side by side in Debian 13; this is how its dpkg lets an administrator switch.
        host.sh(
            "set -e; for p in /usr/bin/sudo /usr/sbin/visudo; do dpkg-divert --quiet --local --rename --add --divert $p.ws $p"
            " && ln -s /usr/lib/cargo/bin/${p##*/} $p; done; sudo --version 2>&1 | grep -q '^sudo-rs'"
        )
    yield request.param
    if SUITE == "trixie":
        host.sh("for p in /usr/bin/sudo /usr/sbin/visudo; do if [ -L $p ]; then rm $p; dpkg-divert --quiet --local --rename --remove $p; fi; done")
    host.sh(
        "rm -rf /etc/sudoers.d; cp -a /root/sudoers.d /etc/sudoers.d; cp -a /root/sudoers /etc/sudoers; rm -rf /root/sudoers*;"
        " gpasswd -d deploy sudo 2>/dev/null; groupdel operators 2>/dev/null; userdel opera 2>/dev/null; true"
    )


def add(host: Host, name: str, text: str, mode: str = "0440") -> None:
    host.sh(f"cat >/etc/sudoers.d/{name} && chmod {mode} /etc/sudoers.d/{name}", stdin=text)


def may(host: Host, *words: str, user: str = "deploy") -> bool:
    """Whether sudo lets a user run a command without a password, by trying. Unit names that do not exist keep it harmless."""
    done = host.sh(f"runuser -u {user} -- sudo -n {' '.join(words)}", check=False)
    return not (done.returncode == 1 and done.stderr.lstrip().startswith("sudo"))


def test_the_grants_are_exactly_the_verbs_for_both_spellings(host: Host, policy: str) -> None:
    result = host.converge(**QUICK)
    assert not result.get("failed"), result
    assert host.out(f"stat -c '%a %U:%G' {SUDOERS}") == "440 root:root"
    listing = host.out("sudo -ll -U deploy")
    granted = {line.strip() for line in listing.splitlines() if line.startswith("\t")}
    assert granted == {f"{SYSTEMCTL} {verb} {name}" for verb in VERBS for name in ("sidekiq", "sidekiq.service")}
    assert ("noexec" in listing) == (policy != RS)
    assert host.sh("visudo -c", check=False).returncode == 0
    assert may(host, "systemctl", "status", "sidekiq")
    assert may(host, "/bin/systemctl", "status", "sidekiq.service")
    for words in (["systemctl", "status", "ssh"], ["systemctl", "kill", "-s", "KILL", "sidekiq"], ["systemctl", "status", "sidekiq", "ssh"]):
        assert not may(host, *words), words


def test_status_has_noexec_wherever_the_sudo_knows_it(host: Host, policy: str) -> None:
    assert not host.converge(**QUICK).get("failed")
    version = host.out("sudo --version 2>&1 | sed -n '1s/^sudo-rs \\([0-9.]*\\).*/\\1/p'")
    knows = policy != RS or tuple(map(int, version.split("."))) >= (0, 2, 7)
    assert (" NOEXEC: " in host.out(f"cat {SUDOERS}")) == knows, version
    again = host.converge(**QUICK)
    assert not again.get("failed") and not again["changed"], again


ALL_WITH_PASSWORD = "deploy ALL=(ALL:ALL) ALL\n"
LATER: dict[str, tuple[str, list[str]]] = {
    "all with a password": (ALL_WITH_PASSWORD, ["asks for a password", "ALL", "systemctl start sidekiq"]),
    "a negation": (f"deploy ALL=(root) NOPASSWD: !{SYSTEMCTL} stop sidekiq\n", ["forbids it", f"!{SYSTEMCTL} stop sidekiq"]),
    "a group rule": ("%sudo ALL=(ALL:ALL) ALL\n", ["asks for a password", "ALL"]),
    "one spelling": (f"deploy ALL=(root) PASSWD: {SYSTEMCTL} restart sidekiq.service\n", ["asks for a password", "restart sidekiq.service"]),
    "the program": (f"deploy ALL=(root) {SYSTEMCTL}\n", ["asks for a password", SYSTEMCTL]),
}


@pytest.mark.parametrize("name", LATER)
def test_a_later_rule_that_wins_is_named_and_all_is_rolled_back(host: Host, policy: str, name: str) -> None:
    text, words = LATER[name]
    host.sh("usermod -aG sudo deploy")
    add(host, "zz-local", text)
    before = host.snapshot()
    result = host.converge(**QUICK)
    assert result.get("failed") and result["rolled_back"], result
    for word in [*words, "comes later", "deploy", "/etc/sudoers"]:
        assert word in result["msg"], result["msg"]
    if SUDO >= (1, 9, 14) and policy != RS:  # which says where a rule stands
        assert "/etc/sudoers.d/zz-local" in result["msg"], result["msg"]
    assert host.snapshot() == before


def test_without_noexec_a_later_rule_is_refused(host: Host, policy: str) -> None:
    add(host, "zz-local", f"deploy ALL=(root) NOPASSWD: {SYSTEMCTL} * sidekiq\n")
    result = host.converge(**QUICK)
    if policy == RS:  # whose own pager is safe: it never comes with a systemd before 257
        assert not result.get("failed"), result
    else:
        assert "NOEXEC" in result["msg"] and f"{SYSTEMCTL} * sidekiq" in result["msg"], result


def test_an_earlier_rule_changes_nothing(host: Host) -> None:
    host.sh("usermod -aG sudo deploy")
    add(host, "00-local", f"deploy ALL=(ALL) ALL\ndeploy ALL=(root) !{SYSTEMCTL}\n")
    assert not host.converge(**QUICK).get("failed")
    assert may(host, "systemctl", "status", "sidekiq")


def test_a_later_rule_for_another_user_changes_nothing(host: Host) -> None:
    add(host, "zz-local", "deploy ALL=(www-data) ALL\ndeploy ALL=(ALL, !root) ALL\nadmin ALL=(ALL) ALL\n")
    result = host.converge(**QUICK)
    assert not result.get("failed"), result
    assert may(host, "systemctl", "status", "sidekiq")


def test_a_user_who_is_root_anyway_is_a_warning(host: Host) -> None:
    add(host, "zz-local", "deploy ALL=(ALL) NOPASSWD: ALL\n")
    result = host.converge(**QUICK)
    assert not result.get("failed"), result
    assert any("can become root without a password by other rules" in w for w in result["warnings"]), result


@pytest.mark.parametrize("command", ["/usr/bin/systemctl", "/usr/bin/systemctl enable *", "/usr/bin/tee", "/usr/bin/mv"])
def test_a_user_whom_another_rule_makes_root_is_a_warning(host: Host, command: str) -> None:
    add(host, "aa-local", f"deploy ALL=(root) NOPASSWD: {command}, /usr/bin/tee /var/log/x\n")
    result = host.converge(**QUICK)
    warned = [w for w in result["warnings"] if "can become root without a password" in w]
    assert len(warned) == 1 and command in warned[0] and "/var/log/x" not in warned[0], result


OWN = "/opt/laevigata/shared/restart"


@pytest.mark.parametrize("command", [OWN, f"/bin/sh {OWN}", "/bin/su -", "/usr/bin/less /var/log/x"])
def test_a_rule_with_fixed_arguments_that_makes_root_is_a_warning(host: Host, command: str) -> None:
    host.sh(f"printf '#!/bin/sh\\n' >{OWN}; chmod 755 {OWN}; chown deploy {OWN}; printf '#!/bin/sh\\n' >/usr/local/bin/roots; chmod 755 /usr/local/bin/roots")
    add(host, "aa-local", f"deploy ALL=(root) NOPASSWD: {command}, /usr/local/bin/roots, /bin/sh /usr/local/bin/roots\n")
    result = host.converge(**QUICK)
    warned = [w for w in result["warnings"] if "can become root without a password" in w]
    assert len(warned) == 1 and command in warned[0] and "/usr/local/bin/roots" not in warned[0], result


def test_settings_of_sudo_that_make_root_are_warnings(host: Host, policy: str) -> None:
    if policy == RS:
        pytest.skip("sudo-rs knows neither setting")
    add(host, "aa-local", "Defaults:deploy !authenticate\ndeploy ALL=(ALL) ALL\nDefaults setenv\n")
    warned = " ".join(host.converge(**QUICK)["warnings"])
    assert "can become root without a password" in warned and "by sudo's setting setenv deploy may give LD_PRELOAD" in warned, warned


@pytest.mark.parametrize("groups", ["", "sudo"])
def test_a_sudoers_that_does_not_include_the_directory_is_an_error(host: Host, policy: str, groups: str) -> None:
    host.sh(f"usermod -G '{groups}' deploy")
    host.sh("sed -i '/includedir/d' /etc/sudoers")
    before = host.snapshot()
    checked = host.converge(check=True, **QUICK)
    result = host.converge(**QUICK)
    assert result.get("failed") and host.snapshot() == before, result
    assert "includedir /etc/sudoers.d" in result["msg"], result["msg"]
    if policy == RS:  # which may have a policy of its own, so that it is asked afterwards
        assert result["rolled_back"] and "deploy" in result["msg"], result
    else:
        assert any(result["msg"] in warning for warning in checked["warnings"]), (checked, result)


def test_a_foreign_file_that_visudo_complains_of_is_a_warning(host: Host, policy: str) -> None:
    add(host, "other", "admin ALL=(root) NOPASSWD: /usr/bin/id\n", mode="0644")
    result = host.converge(**QUICK)
    assert not result.get("failed"), result
    if policy != RS:  # whose visudo does not mind
        assert any("/etc/sudoers.d/other" in w and "before" in w for w in result["warnings"]), result
    assert may(host, "systemctl", "status", "sidekiq")


def test_a_foreign_file_that_cannot_be_read_at_all_is_a_warning(host: Host) -> None:
    add(host, "other", "admin ALL=(root NOPASSWD /usr/bin/id\n")
    result = host.converge(**QUICK)
    if SUDO < (1, 9):  # for which one such file turns sudo off for everybody
        assert result["failed"] and result["rolled_back"], result
        return
    assert not result.get("failed"), result
    assert any("before" in w for w in result["warnings"]), result
    assert may(host, "systemctl", "status", "sidekiq")


def test_a_host_name_that_does_not_resolve_is_no_refusal(host: Host) -> None:
    name = host.out("hostname")
    host.sh("cp /etc/hosts /root/hosts; echo 127.0.0.1 localhost >/etc/hosts; hostname nowhere.invalid")
    try:
        result = host.converge(**QUICK)
    finally:
        host.sh(f"cat /root/hosts >/etc/hosts; hostname {name}")
    assert not result.get("failed"), result


@pytest.mark.parametrize("which", ["no", "another"])
def test_a_secure_path_that_leads_elsewhere_is_an_error(host: Host, which: str) -> None:
    """What people type is proven, and not only what the rule says."""
    host.sh("mkdir -p /opt/bin && rm -f /opt/bin/*" + ("; printf '#!/bin/sh\\n' >/opt/bin/systemctl; chmod 755 /opt/bin/systemctl" * (which == "another")))
    add(host, "zz-local", "Defaults secure_path=/opt/bin\n")
    before = host.snapshot()
    result = host.converge(**QUICK)
    assert result.get("failed") and result["rolled_back"], result
    assert f'"{SYSTEMCTL} status sidekiq", and not "systemctl status sidekiq"' in result["msg"], result["msg"]
    assert f"have {SYSTEMCTL.removesuffix('/systemctl')} in secure_path" in result["msg"], result["msg"]
    assert host.snapshot() == before


def test_groups_get_rules_of_their_own(host: Host) -> None:
    host.sh("groupadd operators; useradd -M -s /bin/sh -g operators opera")
    result = host.converge(**QUICK, sudo_groups=["operators"])
    assert not result.get("failed"), result
    assert may(host, "systemctl", "status", "sidekiq", user="opera")
    assert not may(host, "systemctl", "status", "ssh", user="opera")
    assert not may(host, "systemctl", "status", "sidekiq", user="admin")


@pytest.mark.parametrize("member", ["whose own group it is", "who is listed"])
def test_the_grants_of_a_group_are_proven_by_a_member(host: Host, member: str) -> None:
    host.sh("groupadd operators; useradd -M opera " + ("-g operators" if "own" in member else "-G operators"))
    add(host, "zz-local", "opera ALL=(ALL) ALL\n")
    result = host.converge(**QUICK, sudo_groups=["operators"])
    assert result.get("failed") and result["rolled_back"], result
    assert "opera" in result["msg"] and "asks for a password" in result["msg"], result


def test_a_group_without_members_is_no_failure(host: Host) -> None:
    host.sh("groupadd operators")
    assert not host.converge(**QUICK, sudo_users=[], sudo_groups=["operators"]).get("failed")


def test_kill_tstp_is_granted_and_no_other_signal(host: Host) -> None:
    result = host.converge(**QUICK)
    assert not result.get("failed"), result
    assert may(host, "systemctl", "kill", "-s", "TSTP", "sidekiq")
    for words in ("kill sidekiq", "kill -s KILL sidekiq", "kill -s TSTP ssh", "kill -s TSTP sidekiq ssh", "kill --signal=TSTP sidekiq"):
        assert not may(host, "systemctl", *words.split()), words


def test_sudo_false_removes_our_file_and_no_other(host: Host) -> None:
    add(host, "other", "admin ALL=(root) NOPASSWD: /usr/bin/id\n")
    host.converge(**QUICK)
    result = host.converge(**QUICK, sudo=False)
    assert result["changed"] and not result.get("failed"), result
    assert host.sh(f"[ ! -e {SUDOERS} ] && [ -e /etc/sudoers.d/other ]").returncode == 0
    assert not host.converge(**QUICK, sudo=False)["changed"]


def test_sudo_false_leaves_a_file_that_is_not_ours(host: Host) -> None:
    add(host, "sidekiq-restart-users", "admin ALL=(root) NOPASSWD: /usr/bin/id\n")
    result = host.converge(**QUICK, sudo=False)
    assert result.get("failed") and SUDOERS in result["msg"], result
    assert "admin" in host.out(f"cat {SUDOERS}")


@pytest.mark.parametrize("path", ["/etc/sudoers.d/sidekiq.conf", "/etc/sudoers.d/sidekiq~", "/etc/sudoers.d/.sidekiq"])
def test_names_that_sudo_ignores_are_refused(host: Host, path: str) -> None:
    result = host.converge(**QUICK, sudoers_file=path)
    assert '"sudoers_file"' in result["msg"] and "ignores" in result["msg"], result
    assert host.sh(f"[ ! -e '{path}' ]").returncode == 0
