# SPDX-License-Identifier: GPL-3.0-or-later
"""The ways in which Ansible reaches a host, and which way the program takes on each.

test_connections tries those that are quick, with the ansible-core of this checkout; tests/cores tries all, with the oldest and the newest.
docs/connections.md is made of what was seen there.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from plays import CACHE, FAST, TRANSFER_SOME, Played
from system import DOAS_PACKAGE

# Without it, ansible-core 2.14 looks for one in a way of its own, which hangs where others do not.
PYTHON = {"ansible_python_interpreter": "/usr/bin/python3"}
TASK = {"curationexperts.sidekiq.sidekiq_service": {"project_name": "laevigata"}}
CONTROL = {"ansible.builtin.command": {"argv": ["id", "-u"]}}

# What a host needs to be reached in all these ways. Python is for the control: core's own `command`.
PACKAGES = ",".join(filter(None, ["busybox", "csh", "fish", "ksh", DOAS_PACKAGE, "python3", "systemd-container", "tcsh", "zsh"]))
SHELLS = {"sh": "/bin/sh", "bash": "/bin/bash", "ksh": "/bin/ksh", "zsh": "/bin/zsh", "fish": "/usr/bin/fish", "tcsh": "/bin/tcsh", "csh": "/bin/bsd-csh"}

WITH_PASSWORD = {"ansible_user": "admin", "ansible_become": True, "ansible_become_password": "admin"}
WITHOUT_PASSWORD = {"ansible_user": "admin", "ansible_become": True}
TRANSFER = {"sidekiq_service_fast": False}

# With all that a shell, a pipe or a codec might take for something else.
A_PASSWORD = "it's \"a\" $HOME `b` \\c%s #ä"

# Puts back what the ways change. It is run by the login shell of root, whichever that is.
AS_BEFORE = (
    'test -d "/home/a blank" && mv "/home/a blank" /home/admin; sed -i "s|:/home/a blank:|:/home/admin:|" /etc/passwd; '
    f"umount {CACHE} >/dev/null; rm -rf {CACHE} /etc/sudoers.d/zz-test /etc/doas.conf /root/.ssh/rc /home/admin/.ansible; usermod -s /bin/bash root; "
    "usermod -s /bin/bash admin; cp /etc/skel/.bashrc /root/.bashrc; cp /etc/skel/.bashrc /home/admin/.bashrc; sudo -k; "
    "echo admin:admin | chpasswd; chown -R admin: /home/admin; chmod 755 /home/admin; "
    "ln -sf dash /bin/sh; rm -f /usr/local/bin/dzdo /etc/ssh/sshd_config.d/00-way.conf /etc/ssh/sshd_config.d/zz-way.conf; "
    "sed -i 's/^#Subsystem/Subsystem/' /etc/ssh/sshd_config; systemctl reload ssh"
)


def sudoers(line: str) -> str:
    return f"echo '{line}' >/etc/sudoers.d/zz-test; chmod 440 /etc/sudoers.d/zz-test"


def login(user: str, shell: str) -> str:
    return f"usermod -s {SHELLS[shell]} {user}"


NO_PASSWORD_FOR_SUDO = sudoers("admin ALL=(ALL) NOPASSWD: ALL")


def bashrc(line: str, user: str = "root") -> str:
    """Puts a line before all others of .bashrc, which every bash runs that sshd starts."""
    return f"sed -i '1i {line}' ~{user}/.bashrc"


def sshd(line: str, file: str = "zz-way.conf") -> str:
    """Gives sshd a setting, of which the first counts, in the order of the files."""
    return f"echo '{line}' >/etc/ssh/sshd_config.d/{file}; systemctl reload ssh"


# Printed by every shell that bash is for a command over ssh, and without the end of a line.
NOISE = r"printf 'printf \"\\033]0;title\\007\"\nprintf noise >&2\n' >/root/.noise; cat /root/.bashrc >>/root/.noise; mv /root/.noise /root/.bashrc"
# A company's own login shell.
WRAPPER = r"""printf '#!/bin/sh\nlogger "$2"\nshift\nexec bash -c "$@"\n' >/usr/local/bin/wrapper; chmod 755 /usr/local/bin/wrapper"""
NO_SFTP = "sed -i 's/^Subsystem/#Subsystem/' /etc/ssh/sshd_config; systemctl reload ssh"


@dataclass(frozen=True)
class Way:
    """One way to reach a host, as root in the end."""

    kind: str  # connection, become method, shell, setting, keyword or strategy
    name: str
    takes: str  # fast, transfer or refused
    says: str = ""  # what -vvv gives as the reason for a transfer, or what an error says
    prepare: str = ""  # run on the host as root
    variables: dict[str, Any] = field(default_factory=dict)
    environment: str = ""  # settings of the controller
    control: bool | None = True  # whether core's own `command` works in this way; None: that depends on the collections that are installed
    hangs: bool = False  # core's own `command` never ends, and is not tried
    quick: bool = False  # tried in make test, too
    collections: bool = False  # whether a plugin of community.general, ansible.posix or ansible.netcommon is needed
    keywords: dict[str, Any] = field(default_factory=dict)  # of the task
    until: str = "9.9"  # the last ansible-core with which the pinned collections have it


TTY = "standard input is a terminal"
UNKNOWN = "is not known to pass standard input"
NO_INPUT = "nothing arrives on standard input"
DOAS = {"ansible_become_method": "community.general.doas"}
SU = {**WITH_PASSWORD, "ansible_become_method": "su", "ansible_become_password": "secret"}
SECRET = "echo root:secret | chpasswd"
BY_SUDO = 'Match User admin\n ForceCommand sudo -n /bin/sh -c "$SSH_ORIGINAL_COMMAND"'
BOTH_WAYS = (("", "fast", "", {}), (", transferred", "transfer", "is false", TRANSFER))
# Debian 12's paramiko knows the exchange of the test hosts by another name.
OTHER_EXCHANGE = sshd("KexAlgorithms curve25519-sha256@libssh.org,curve25519-sha256", "00-way.conf")

# As the controllers of tests/cores reach the host: by a forwarded port of their own.
JUMP = "-i /root/key -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR"

WAYS = [
    Way("connection", "ssh", "fast"),
    Way("connection", "ssh with `-tt` in `ansible_ssh_extra_args`", "transfer", TTY, variables={"ansible_ssh_extra_args": "-tt"}, quick=True),
    Way("connection", "ssh with `RequestTTY=force`, for its sftp, too", "transfer", TTY, hangs=True, quick=True,
        variables={"ansible_ssh_args": "-o ControlMaster=auto -o ControlPersist=60s -o RequestTTY=force"}),
    Way("connection", "ssh with `-tt`, sudo and a password", "transfer", TTY, variables={**WITH_PASSWORD, "ansible_ssh_extra_args": "-tt"}),
    Way("connection", "ssh with `-n` in `ansible_ssh_extra_args`", "transfer", NO_INPUT, variables={"ansible_ssh_extra_args": "-n"}, quick=True),
    Way("connection", "ssh with `ControlMaster=no`", "fast", variables={"ansible_ssh_args": "-o ControlMaster=no"}),
    Way("connection", "ssh with an empty `ansible_ssh_args`", "fast", variables={"ansible_ssh_args": ""}),
    *(Way("connection", f"ssh with `ansible_ssh_transfer_method: {method}`, transferred", "transfer", "is false",
          variables={**TRANSFER, "ansible_ssh_transfer_method": method}) for method in ("scp", "piped")),
    Way("connection", "ssh to a host without sftp, transferred", "transfer", "is false", prepare=NO_SFTP, variables=TRANSFER),
    Way("connection", "ssh with `StdinNull=yes`", "transfer", NO_INPUT, variables={"ansible_ssh_extra_args": "-o StdinNull=yes"}),
    Way("connection", "ssh with `-vvv`, to a host with a banner", "fast", prepare=f"echo Beware >/etc/ssh/banner; {sshd('Banner /etc/ssh/banner')}",
        variables={"ansible_ssh_extra_args": "-vvv"}),
    Way("connection", "ssh with `ansible_ssh_use_tty: false`", "fast", variables={"ansible_ssh_use_tty": False}),
    Way("connection", "ssh with `ansible_ssh_retries`", "fast", variables={"ansible_ssh_retries": 3}),
    Way("connection", "ssh by way of another host, with a `ProxyCommand`", "fast",
        variables={"ansible_ssh_extra_args": f"-o 'ProxyCommand=ssh {JUMP} -p %p -W 127.0.0.1:22 root@%h'"}),
    Way("connection", "ssh with a `ForceCommand` by way of another shell", "fast", prepare=sshd('ForceCommand /bin/bash -c "$SSH_ORIGINAL_COMMAND"')),
    *(Way("connection", f"ssh with a `ForceCommand` by sudo{how}", takes, says, prepare=f"{NO_PASSWORD_FOR_SUDO}; {sshd(BY_SUDO)}",
          variables={"ansible_user": "admin", **more}) for how, takes, says, more in BOTH_WAYS),
    *(Way("connection", f"paramiko_ssh{what}", "transfer", "passes no standard input", until="2.20", prepare=OTHER_EXCHANGE,
          variables={"ansible_connection": "ansible.builtin.paramiko_ssh", "ansible_host_key_checking": False, **more})
      for what, more in (("", {}), (", sudo and a password", WITH_PASSWORD))),
    Way("connection", "network_cli", "refused", "runs commands on the controller", collections=True, control=None, until="2.20",
        variables={"ansible_connection": "ansible.netcommon.network_cli", "ansible_network_os": "vyos.vyos.vyos"}),
    Way("connection", "httpapi", "refused", "runs commands on the controller", collections=True, control=None,
        variables={"ansible_connection": "ansible.netcommon.httpapi", "ansible_network_os": "ansible.netcommon.restconf"}),
    Way("become method", "sudo with a password", "fast", variables=WITH_PASSWORD),
    Way("become method", "sudo without a password", "fast", prepare=NO_PASSWORD_FOR_SUDO, variables=WITHOUT_PASSWORD),
    Way("become method", "sudo with `-i` in `become_flags`", "fast", variables={**WITH_PASSWORD, "ansible_become_flags": "-H -S -i"}, quick=True),
    Way("become method", "sudo with `-s` in `become_flags`", "fast", variables={**WITH_PASSWORD, "ansible_become_flags": "-H -S -s"}, quick=True),
    Way("become method", "sudo with `-H -S -n -i`", "fast", prepare=NO_PASSWORD_FOR_SUDO,
        variables={**WITHOUT_PASSWORD, "ansible_become_flags": "-H -S -n -i"}),
    Way("become method", "sudo with `-i`, transferred", "transfer", "is false", variables={**WITH_PASSWORD, **TRANSFER, "ansible_become_flags": "-H -S -i"}),
    Way("become method", "sudo with `requiretty`", "transfer", "must have a tty", prepare=sudoers("Defaults:admin requiretty"), variables=WITH_PASSWORD,
        quick=True),
    Way("become method", "sudo whose `secure_path` has no programs", "fast", prepare=sudoers("Defaults:admin secure_path=/opt"), variables=WITH_PASSWORD,
        control=False, quick=True),
    Way("become method", "sudo that is not there", "refused", "did not run /bin/sh by sudo", variables={**WITH_PASSWORD, "ansible_become_exe": "/opt/sudo"},
        control=False, quick=True),
    Way("become method", "sudo with `--login` in `become_flags`", "fast", variables={**WITH_PASSWORD, "ansible_become_flags": "-H -S --login"}),
    Way("become method", "sudo as `ansible.builtin.sudo`", "fast", variables={**WITH_PASSWORD, "ansible_become_method": "ansible.builtin.sudo"}),
    Way("become method", "sudo with words in `become_exe`", "fast", prepare=NO_PASSWORD_FOR_SUDO,
        variables={**WITHOUT_PASSWORD, "ansible_become_exe": "/usr/bin/env sudo"}),
    Way("become method", "sudo by its path", "fast", variables={**WITH_PASSWORD, "ansible_become_exe": "/usr/bin/sudo"}),
    Way("become method", "sudo with `-H -S -E -k`", "fast", variables={**WITH_PASSWORD, "ansible_become_flags": "-H -S -E -k"}),
    Way("become method", "sudo with a setting of the language in `become_exe`", "fast", prepare=NO_PASSWORD_FOR_SUDO,
        variables={**WITHOUT_PASSWORD, "ansible_become_exe": "LC_ALL=C sudo"}),
    Way("become method", "sudo with a variable in `become_flags`", "fast", variables={**WITH_PASSWORD, "ansible_become_flags": "-H -S A_WORD=none"}),
    Way("become method", "sudo with a password and empty `become_flags`", "transfer", "terminal is required",
        variables={**WITH_PASSWORD, "ansible_become_flags": ""}),
    Way("become method", "sudo with a password that has quotes, `$` and a letter that is not ASCII", "fast",
        prepare=f"echo {shlex.quote(f'admin:{A_PASSWORD}')} | chpasswd", variables={**WITH_PASSWORD, "ansible_become_password": A_PASSWORD}),
    *(Way("become method", f"sudo with `{defaults}`", "fast", prepare=sudoers(f"Defaults:admin {defaults}"), variables=WITH_PASSWORD)
      for defaults in ("use_pty", "log_input, log_output", "log_subcmds", "lecture=always, passprompt=Kennwort", "timestamp_timeout=0, insults",
                       "umask=0777, umask_override")),
    *(Way("become method", f"sudo with `{defaults}`", "fast", prepare=f"{SECRET}; {sudoers(f'Defaults:admin {defaults}')}",
          variables={**WITH_PASSWORD, "ansible_become_password": "secret"}) for defaults in ("targetpw", "rootpw")),
    Way("become method", "sudo that permits `/bin/sh` only", "fast", prepare=sudoers("admin ALL=(root) NOPASSWD: /bin/sh"), variables=WITHOUT_PASSWORD),
    Way("become method", "su", "transfer", UNKNOWN, prepare=SECRET, variables=SU, quick=True),
    Way("become method", "su with `-` in `become_flags`", "transfer", UNKNOWN, prepare=SECRET, variables={**SU, "ansible_become_flags": "-"}),
    Way("become method", "su to a root whose login shell is csh", "transfer", UNKNOWN, prepare=f"{SECRET}; {login('root', 'csh')}", variables=SU),
    Way("become method", "su that is `sudo su`", "transfer", UNKNOWN, prepare=NO_PASSWORD_FOR_SUDO,
        variables={**WITHOUT_PASSWORD, "ansible_become_method": "su", "ansible_become_exe": "sudo su", "ansible_become_flags": "-"}),
    Way("become method", "su that is runuser, from root", "transfer", UNKNOWN,
        variables={"ansible_become": True, "ansible_become_method": "su", "ansible_become_exe": "/usr/sbin/runuser"}),
    Way("become method", "sudosu with a password", "transfer", UNKNOWN, variables={**WITH_PASSWORD, "ansible_become_method": "community.general.sudosu"},
        collections=True),
    Way("become method", "dzdo, which is sudo here", "transfer", UNKNOWN, prepare="ln -s /usr/bin/sudo /usr/local/bin/dzdo",
        variables={**WITH_PASSWORD, "ansible_become_method": "community.general.dzdo"}, collections=True),
    # That of Debian 12 does not take the name of a user with nothing behind its @, which is what the plugin writes.
    Way("become method", "machinectl, from root, with `-tt`", "refused", "did not run /bin/sh by community.general.machinectl", collections=True, control=False,
        environment="ANSIBLE_SSH_EXTRA_ARGS=-tt", variables={"ansible_become": True, "ansible_become_method": "community.general.machinectl"}),
    Way("become method", "doas with a password", "transfer", UNKNOWN, prepare="echo permit admin >/etc/doas.conf", variables={**WITH_PASSWORD, **DOAS},
        collections=True),
    Way("become method", "doas without a password", "transfer", UNKNOWN, prepare="echo permit nopass admin >/etc/doas.conf",
        variables={**WITHOUT_PASSWORD, **DOAS}, collections=True),
    *(Way("shell", f"{shell} as root's login shell", "fast", prepare=login("root", shell), quick=shell in ("tcsh", "fish")) for shell in SHELLS),
    *(Way("shell", f"{shell} as root's login shell, transferred", "transfer", "is false", prepare=login("root", shell), variables=TRANSFER)
      for shell in ("fish", "tcsh", "csh")),
    *(Way("shell", f"{shell} as the remote user's login shell, and sudo", "fast", prepare=login("admin", shell), variables=WITH_PASSWORD)
      for shell in ("fish", "tcsh", "csh")),
    *(Way("shell", f"{shell} as root's login shell, by sudo with `-i`", "fast", prepare=login("root", shell), quick=shell == "csh",
          variables={**WITH_PASSWORD, "ansible_become_flags": "-H -S -i"}) for shell in ("zsh", "fish", "tcsh", "csh")),
    *(Way("shell", f"`ansible_shell_executable` is {shell}", "fast", variables={**WITH_PASSWORD, "ansible_shell_executable": SHELLS[shell]},
          control=None if shell == "fish" else True) for shell in ("fish", "tcsh", "csh")),
    *(Way("shell", f"`ansible_shell_type` and `ansible_shell_executable` are {shell}{how}", takes, says, collections=True,
          variables={**WITH_PASSWORD, **more, "ansible_shell_type": f"ansible.posix.{shell}", "ansible_shell_executable": SHELLS[shell]})
      for shell in ("fish", "csh") for how, takes, says, more in BOTH_WAYS),
    Way("shell", "rbash as the remote user's login shell, and `ansible_shell_executable: sh`", "fast", prepare="usermod -s /bin/rbash admin",
        variables={**WITH_PASSWORD, "ansible_shell_executable": "sh"}),
    Way("shell", "rbash as the remote user's login shell, and sudo", "refused", "did not run /bin/sh by sudo", control=False, quick=True,
        prepare=f"{NO_PASSWORD_FOR_SUDO}; usermod -s /bin/rbash admin", variables=WITHOUT_PASSWORD),
    Way("shell", "a script as the remote user's login shell, and sudo", "fast", prepare=f"{WRAPPER}; usermod -s /usr/local/bin/wrapper admin",
        variables=WITH_PASSWORD),
    Way("shell", "a `.bashrc` that has zsh run every command", "fast", variables=WITH_PASSWORD,
        prepare=bashrc('[ -z "$BASH_EXECUTION_STRING" ] || exec zsh -c "$BASH_EXECUTION_STRING"', "admin")),
    Way("shell", "`ansible_shell_executable` is `/bin/bash -l`", "fast", variables={**WITH_PASSWORD, "ansible_shell_executable": "/bin/bash -l"}),
    *(Way("shell", f"{shell} as `/bin/sh`{how}", takes, says, prepare=f"ln -sf {shell} /bin/sh", variables={**WITH_PASSWORD, **more})
      for shell in ("bash", "busybox") for how, takes, says, more in BOTH_WAYS),
    Way("setting", "`ansible_remote_tmp` has a blank, transferred", "transfer", "is false", quick=True,
        variables={**TRANSFER, "ansible_remote_tmp": "/root/a directory of mine"}),
    Way("setting", "`ansible_remote_tmp` is `$HOME/.tmp`, transferred", "transfer", "is false", variables={**TRANSFER, "ansible_remote_tmp": "$HOME/.tmp"}),
    Way("setting", "`ansible_python_interpreter` is a Python that is not there", "fast", variables={"ansible_python_interpreter": "/usr/bin/none"},
        control=False),
    Way("setting", "a `.bashrc` that prints, without an end of line", "fast", prepare=NOISE, control=None, quick=True),
    Way("setting", "a `.bashrc` that prints 64 KB", "fast", prepare=bashrc("yes noise | head -c 65536"), control=None),
    Way("setting", "a `.bashrc` that has bash as `/bin/sh` begin with `set -uC`, and with umask 777", "fast", control=None,
        prepare=f"ln -sf bash /bin/sh; {bashrc('set -uC; export SHELLOPTS; umask 777')}"),
    Way("setting", "a `.bashrc` with a language that is not there, and standard error on standard output", "fast", control=None,
        prepare=bashrc("export LC_ALL=xx_XX.UTF-8; exec 2>&1")),
    Way("setting", "a `.bashrc` with aliases and functions in the place of commands", "fast", control=None,
        prepare=bashrc("shopt -s expand_aliases; alias sh=false cd=false; exec() { echo mine; builtin exec \"$@\"; }; command() { echo no; }")),
    Way("setting", "a `.bashrc` that changes what `ls`, `grep` and shells do", "fast", control=None,
        prepare=bashrc("export GREP_OPTIONS=--color=always TIME_STYLE=full-iso QUOTING_STYLE=c CDPATH=/var IFS=e POSIXLY_CORRECT=1 GZIP=-1")),
    Way("setting", "a `.bashrc` that keeps all output in a log, and prints at the end", "fast", control=None,
        prepare=bashrc("trap \"echo bye\" EXIT; exec > >(tee -a ~/.log)")),
    Way("setting", "a `.ssh/rc` that prints", "fast", prepare="echo echo -n noise >/root/.ssh/rc", control=None),
    *(Way("setting", f"a remote user's home directory with a blank{how}", takes, says, variables={**WITH_PASSWORD, **more},
          prepare='sed -i "s|:/home/admin:|:/home/a blank:|" /etc/passwd; mv /home/admin "/home/a blank"') for how, takes, says, more in BOTH_WAYS),
    Way("setting", "a home directory that the remote user may not write to", "fast", variables=WITH_PASSWORD, control=False,
        prepare="chown -R root: /home/admin; chmod -R go+rX /home/admin"),
    Way("setting", "`sidekiq_service_fast: false`", "transfer", "is false", variables=TRANSFER, quick=True),
    Way("setting", "`ANSIBLE_KEEP_REMOTE_FILES`", "transfer", "remote files are to be kept", environment="ANSIBLE_KEEP_REMOTE_FILES=1", quick=True),
    Way("setting", "`ANSIBLE_PIPELINING`", "fast", environment="ANSIBLE_PIPELINING=1"),
    Way("setting", f"`{CACHE}` without programs (noexec)", "transfer", "without programs|Permission denied",
        prepare=f"mkdir -m 700 {CACHE}; mount -t tmpfs -o noexec,mode=700 none {CACHE}", quick=True),
    Way("setting", f"`{CACHE}` read-only", "transfer", "Read-only file system", quick=True,
        prepare=f"mkdir -m 700 {CACHE}; mount -t tmpfs -o ro,mode=700 none {CACHE}"),
    Way("setting", f"`{CACHE}` that others may write", "transfer", "can be written by others than root", quick=True,
        prepare=f"mkdir -m 777 {CACHE}; chmod 777 {CACHE}"),
    Way("setting", f"a file in the place of `{CACHE}`", "transfer", "keep the program", prepare=f"touch {CACHE}"),
    Way("setting", f"`{CACHE}` without space", "transfer", "No space left", prepare=f"mkdir -m 700 {CACHE}; mount -t tmpfs -o size=1m,mode=700 none {CACHE}"),
    Way("keyword", "`until` with `retries`", "fast", keywords={"until": "registered is success", "retries": 2, "delay": 1}),
    Way("keyword", "`run_once` and `throttle`", "fast", keywords={"run_once": True, "throttle": 1}),
    Way("keyword", "`timeout`", "fast", keywords={"timeout": 100}),
    Way("keyword", "`no_log`", "fast", keywords={"no_log": True}),
    Way("keyword", "`environment`", "fast", keywords={"environment": {"LC_ALL": "C", "A_WORD": "with a blank and $HOME"}}),
    Way("keyword", "`async` with `poll`", "refused", "cannot run asynchronously", keywords={"async": 60, "poll": 1}),
    *(Way("strategy", strategy, "fast", environment=f"ANSIBLE_STRATEGY={strategy}") for strategy in ("linear", "free", "host_pinned", "debug")),
]  # fmt: skip


def works(control: Played) -> bool:
    """Whether the control was root on the host. A connection that runs it on the controller says nothing."""
    return bool(control.results) and control.result.get("stdout") == "0"


def try_way(way: Way, play: Callable[[dict[str, Any]], Played]) -> dict[str, Any]:
    """Plays core's own module and ours, on a host without the program and again, and returns what was seen."""
    control = None if way.hangs else play({**CONTROL, **way.keywords})
    assert way.hangs or way.control in (None, works(control)), control.output
    first, second = (play({**TASK, **way.keywords}) for dummy in range(2))
    if way.takes == "refused":
        check_refused(way, first, second)
    else:
        check_taken(way, first, second)
    return {
        "kind": way.kind, "control": "hangs" if way.hangs else works(control), "takes": way.takes,
        "commands": [first.remote_commands, second.remote_commands],
    }  # fmt: skip


def check_refused(way: Way, *runs: Played) -> None:
    for played in runs:
        assert played.result["failed"] and way.says in played.result["msg"], played.output


def check_taken(way: Way, first: Played, second: Played) -> None:
    """Both runs had a result, the first put Sidekiq up, and they went in that way, for that reason."""
    for played in (first, second):
        assert not played.result.get("failed") and not played.result.get("warnings"), played.output
        assert any(reason in played.why_transferred for reason in way.says.split("|")), played.output
    assert (first.result["changed"], second.result["changed"]) == (True, False), first.output
    commands = first.remote_commands, second.remote_commands
    if way.takes == "fast":
        assert commands == (2, FAST) and not first.why_transferred, first.output + second.output
    else:
        assert min(commands) >= TRANSFER_SOME and first.output.count("ordinary transfer of the program") == 1, first.output + second.output
