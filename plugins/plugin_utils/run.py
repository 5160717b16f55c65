# Copyright (c) curationexperts
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a compiled module on a host which needs no Python and of which no facts are known.

There are two ways, with the same result:

- The fast way keeps the program on the host, in a directory of root's, under its digest. One command over the connection, with
  the arguments on its standard input, is all that happens. A host that lacks the program says so, with its architecture, and a
  second command brings it and runs it. So it does where the program there has another size, and where one that gave no result turns out
  to have another digest, as after a power cut. The program keeps the arguments beside itself, under their digest, and when it is run with
  the same ones again it does not wait for standard input, which over ssh arrives one round trip after the command.
- The ordinary transfer puts program and arguments into Ansible's temporary directory, as Ansible does with any binary module. It is
  taken by itself where the fast way is not possible: `ansible-playbook -vvv` tells why.

Of ActionBase only those names are used that are the same from ansible-core 2.14 on. Not done here: anything about Sidekiq.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import date
from typing import Any

from ansible import constants as C
from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure, AnsibleError
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from . import commands
from .binaries import Binaries
from .misspelt import misspelt, options
from .replies import NoResult, clean_output, end_of, is_harmless, read_result

display = Display()

# Where the programs stay. Every directory of its path must be root's alone, or another user could have root run a program of his. That is
# made sure of when a program is brought. Later only root could change it.
_CACHE = "/var/cache/curationexperts.sidekiq"

# What a pipe holds on whatever Ansible runs on, in bytes: 64 KiB on Linux, 16 on macOS.
_PIPE = 16384

# Become methods that are known to hand standard input on to the command. Others may say that they do (`pipelining`), but from ansible-core
# 2.19 on that is only what they say who say nothing.
_PASS_INPUT = ("sudo",)

# A program and its digest, in the words of sha256sum.
_KEPT = re.compile(r"^([0-9a-f]{64}) [ *]\S*/([0-9a-f]{64})\r?$", re.MULTILINE)

# What commands.py has a host say of itself, with the program to unpack with, if it has that.
_WHO = re.compile(r"^(\S+ \S+)\s+(\d+)\b(?:\s+(/\S*))?", re.MULTILINE)

# How the place of an omitted value begins. ansible-core until 2.18 leaves out options and members of dicts, but no items of lists.
_OMIT = "__omit_place_holder__"

# What the program says where its standard input ends before it has begun.
_NOTHING = '"cannot read the arguments: the JSON object is incomplete"'


class NotThisWay(Exception):
    """The fast way is not possible, and the program has not been started; its text says why."""


class CompiledModule(ActionBase):
    """What the action plugins of all compiled modules do. They are one program, which goes by the name of the module in the arguments."""

    module: str
    program = "sidekiq_service"
    # Options whose values are never kept on the host.
    secrets = (b"secret_env",)
    cache = _CACHE

    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Runs the module. What a host says comes to a person from here alone: in the result, or in an error."""
        try:
            return self._run(tmp, task_vars)
        except AnsibleError as err:
            text = str(err)
            if is_harmless(text):
                raise
            # As a result, since ansible-core until 2.18 takes templates in the text of an error for the user's own, and evaluates them.
            failed = "unreachable" if isinstance(err, AnsibleConnectionFailure) else "failed"
            return {failed: True, "changed": False, "msg": clean_output(text)}

    def _run(self, tmp: str | None, task_vars: dict[str, Any] | None) -> dict[str, Any]:
        if self._task.async_val:
            raise AnsibleActionFail(f'{self.module} cannot run asynchronously: take "async" and "poll" out of the task.')
        self._require_remote()
        super().run(tmp, task_vars)
        task_vars = task_vars or {}
        self._warn_of_misspelt(task_vars)
        arguments = dict(self._task.args)
        self._update_module_args(f"curationexperts.sidekiq.{self.module}", arguments, task_vars)
        request = json.dumps(_plain(arguments)).encode() + b"\n"
        if _OMIT.encode() in request:
            raise AnsibleActionFail('"omit" can leave out an option or an item of a list, and not a part of a text: put it where all of the text is chosen.')
        binaries = Binaries(self.program)
        # What is kept goes by the name of the service first, so that one service can be forgotten.
        name = hashlib.sha256(str(arguments.get("name") or "sidekiq").encode()).hexdigest()[:16]
        kept = name + hashlib.sha256(request).hexdigest()[16:]
        # With no_log or with secrets, and where a service goes, nothing that was kept for it is to stay.
        forgets = self._task.no_log or arguments.get("state") == "absent" or any(secret in request for secret in self.secrets)
        forget = f"rm -f {self.cache}/{name}*.request {self.cache}/.{name}*.request*; " if forgets else ""
        try:
            reply = self._run_kept(binaries, request, forget, kept, task_vars)
        except NotThisWay as why:
            host = self._task.delegate_to or task_vars.get("inventory_hostname")
            display.vvv(f"{self.module}: ordinary transfer of the program: {clean_output(str(why))}", host=host)
            reply = self._run_transferred(binaries, request, forget)
        try:
            return read_result(self.module, reply["stdout"])
        except NoResult as what:
            said = end_of(reply["stdout"] + reply["stderr"])
            raise AnsibleActionFail(f"{self.module} gave no result: {what}. It ended with status {reply['rc']} and printed: {said}") from None

    def _warn_of_misspelt(self, task_vars: Mapping[str, Any]) -> None:
        """Warns of variables that the role was probably meant to have, and does not know."""
        role = getattr(self._task, "_role", None)
        if role and role.get_name() == "curationexperts.sidekiq.sidekiq":
            for name, meant in misspelt(task_vars, options()):
                display.warning(f"The variable {name} has no effect, since the role has none of that name; is {meant} meant?")

    def _run_kept(self, binaries: Binaries, request: bytes, forget: str, kept: str, task_vars: dict[str, Any]) -> dict[str, Any]:
        """Runs the program that is kept on the host, and brings it first if it is not there. Raises NotThisWay."""
        self._require_standard_input(task_vars)
        # Arguments that are larger than a pipe are not kept: who sends them could be waiting, and be cut off, when the program ends without them.
        options = "" if forget or len(request) > _PIPE else f"--cached={kept} "
        reply = self._ask_whole(commands.run_kept(self.cache, binaries.sizes, options, forget, len(request)), request, binaries)
        if reply["words"][0] != commands.MISSING:
            return self._checked(reply)
        known = _WHO.search(reply["words"][1])
        if not known:
            raise NotThisWay(f"the host does not say what it is: {end_of(reply['stdout'] + reply['stderr'])}")
        machine, uid, can_unpack = known.groups()
        self._require_root(uid)
        binary = binaries.find(machine)
        command, script = commands.bring(self.cache, binary.digest, "gzip -dc" if can_unpack else "cat", options)
        try:
            reply = self._ask(command, script + request + (binary.packed if can_unpack else binary.program))
        except AnsibleConnectionFailure as err:
            if "could not be sent" not in str(err):
                raise
            raise self._nothing_arrives(err) from None
        word, why = reply["words"]
        if word == commands.CANNOT:
            raise NotThisWay(f"cannot {why.strip()}")
        return self._checked(reply)

    def _ask_whole(self, command: str, request: bytes, binaries: Binaries) -> dict[str, Any]:
        """_ask, where the program is run that the host has. One that gave no result is looked at: if it is damaged, the reply says that it is
        not there.
        """
        reply, failed = None, None
        try:
            reply = self._ask(command, request)
            if reply["words"][0] == commands.MISSING or '{"' in reply["stdout"]:
                return reply
        except AnsibleConnectionFailure as err:
            if "could not be sent" not in str(err):  # what ssh says where a command ended before it had read its input
                raise
            failed = err
        looked = self._tell(commands.look(self.cache, binaries.digests))
        if any(digest != name for digest, name in _KEPT.findall(looked["stdout"])):
            display.vvv(f"{self.module}: the program on the host is damaged, and is brought anew")
            return {**looked, "words": (commands.MISSING, looked["stdout"])}
        if failed:
            raise self._nothing_arrives(failed)
        return reply

    def _require_standard_input(self, task_vars: dict[str, Any]) -> None:
        """Raises NotThisWay where a command would not get its standard input, or the user wants the files to be seen."""
        connection, become = self._connection, self._connection.become
        if not boolean(self._templar.template(task_vars.get("sidekiq_service_fast", True))):
            raise NotThisWay("sidekiq_service_fast is false")
        if C.DEFAULT_KEEP_REMOTE_FILES:
            raise NotThisWay("remote files are to be kept")
        if not connection.has_pipelining:
            raise NotThisWay(f"the connection {connection.transport} passes no standard input")
        if become and (become.require_tty or not getattr(become, "pipelining", True) or become.name not in _PASS_INPUT):
            raise NotThisWay(f"{become.name} is not known to pass standard input; it may need a terminal")
        if become and connection.transport == "local" and self.get_become_option("become_pass"):
            raise NotThisWay("a local connection that gives a password passes no standard input")

    def _ask(self, command: str, standard_input: bytes) -> dict[str, Any]:
        """Runs a command of the fast way. Raises NotThisWay if the reply says that it could not be started."""
        reply = self._tell(command, standard_input)
        if not reply["started"]:
            raise NotThisWay(f"the command was not started: {end_of(reply['stdout'] + reply['stderr'])}")
        if reply["words"][0] == commands.TERMINAL:
            self._transfer_without_terminal()
            raise NotThisWay("standard input is a terminal on the host, perhaps by -tt or RequestTTY")
        return reply

    def _nothing_arrives(self, err: AnsibleConnectionFailure) -> NotThisWay:
        """As with ssh's -n, which closes its standard input. Where there is no connection any more, the transfer tells of that."""
        return NotThisWay(f"nothing arrives on standard input: {end_of(str(err))}")

    def _checked(self, reply: dict[str, Any]) -> dict[str, Any]:
        """reply, if the program was started and had its arguments. Raises NotThisWay."""
        if _NOTHING in reply["stdout"]:
            raise NotThisWay("the arguments do not arrive on standard input")
        if reply["rc"] in (126, 127) and not reply["stdout"].strip():
            raise NotThisWay(f"{self.cache} is on a file system without programs, it seems: {end_of(reply['stderr'])}")
        return reply

    def _tell(self, command: str, standard_input: bytes | None = None) -> dict[str, Any]:
        """Runs one of our commands. What others print before it begins is left out of the reply, which tells whether it was started, and has
        its first word and the rest apart.
        """
        reply = self._low_level_execute_command(command, in_data=standard_input)
        before, started, said = reply["stdout"].partition(commands.HERE)
        words = (*said.split(maxsplit=1), "", "")[:2]
        return {**reply, "started": bool(started), "stdout": said if started else before, "words": words}

    def _transfer_without_terminal(self) -> None:
        """Has files transferred where the configuration of ssh forces a terminal on every command: sftp and scp would wait for ever."""
        if self._connection.transport == "ssh":
            self._connection.set_option("ssh_args", f"-o RequestTTY=no {self._connection.get_option('ssh_args') or ''}")

    def _run_transferred(self, binaries: Binaries, request: bytes, forget: str) -> dict[str, Any]:
        """Runs the program from Ansible's temporary directory."""
        host = self._tell(commands.who())
        known = _WHO.search(host["stdout"])
        if not (host["started"] and known):
            raise AnsibleActionFail(self._not_known(host))
        machine, uid, dummy = known.groups()
        self._require_root(uid)
        content = binaries.find(machine).program
        directory = self._make_tmp_path()
        try:
            program, arguments = (self._connection._shell.join_path(directory, name) for name in (self.program, "arguments"))
            try:
                self._transfer_data(program, content)
                self._transfer_data(arguments, request)
            except AnsibleConnectionFailure:
                raise
            except AnsibleError as err:
                raise AnsibleActionFail(f"Cannot copy the program ({len(content) >> 20} MB) to {directory}; is there space left? {err}") from err
            self._fixup_perms2((directory, program, arguments))
            reply = self._tell(commands.run_file(program, arguments, forget))
        finally:
            self._remove_tmp_path(directory)
        if reply["rc"] == 126 and "not permitted" in reply["stdout"] + reply["stderr"]:
            raise AnsibleActionFail(
                f"Something on the host, such as fapolicyd, forbids to run programs in {directory}: set ansible_remote_tmp to a directory where it "
                "allows that to root, as the rules that come with fapolicyd do below /var/tmp (`ansible_remote_tmp: /var/tmp/ansible-root`). "
                f"It said: {end_of(reply['stdout'] + reply['stderr'])}"
            )
        if reply["rc"] == 126:
            raise AnsibleActionFail(
                f"The host does not run programs in {directory}, which is probably mounted with noexec: set ansible_remote_tmp to a "
                f"directory where it does. It said: {end_of(reply['stdout'] + reply['stderr'])}"
            )
        return reply

    def _not_known(self, reply: dict[str, Any]) -> str:
        """Why a host that was asked what it is has not said it."""
        become, printed = self._connection.become, end_of(reply["stdout"] + reply["stderr"])
        if reply["started"]:
            return f"The host does not say what it is: `uname -sm` and `id -u` ended with status {reply['rc']} and printed: {printed}"
        said = f"the command ended with status {reply['rc']} and printed: {printed}"
        if not become:
            return f"The host did not run /bin/sh: {said}"
        ask = f"Is {become.name} there, may the remote user use it, and does the login shell of that user run commands?"
        return f"The host did not run /bin/sh by {become.name}, as become_method says: {said}\n{ask}"

    def _require_remote(self) -> None:
        """Raises where a command would run on the controller, though the connection leads to a device."""
        if getattr(self._connection, "_remote_is_local", False):
            raise AnsibleActionFail(
                f"The connection {self._connection.transport} runs commands on the controller and not on the host, and Sidekiq is not set up on the "
                "controller by mistake. Set `ansible_connection` to ssh for this host."
            )

    def _require_root(self, uid: str) -> None:
        if uid != "0":
            raise AnsibleActionFail(
                f"{self.module} must be root on the host, and ran with user id {uid}: set `become: true` in the task or play"
                + (" and let become_user be root." if self._connection.become else ".")
            )


def _plain(value: Any) -> Any:
    """value with nothing but JSON's types in it. Until ansible-core 2.18 vaulted text and dates arrive as objects of their own."""
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value if not (isinstance(item, str) and item.startswith(_OMIT))]
    if isinstance(value, (set, frozenset)):
        return sorted((_plain(item) for item in value), key=str)
    if isinstance(value, date):
        return value.isoformat()
    return str(value)
