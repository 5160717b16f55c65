# Copyright (c) curationexperts
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a compiled module on a host which needs no Python and of which no facts are known.

There are two ways, with the same result:

- The fast way keeps the program on the host, in a directory of root's, under its digest. One command over the connection, with
  the arguments on its standard input, is all that happens. A host that lacks the program says so, with its architecture, and a
  second command brings it and runs it. The program keeps the arguments beside itself, under their digest, and when it is run with
  the same ones again it does not wait for standard input, which over ssh arrives one round trip after the command.
- The ordinary transfer puts program and arguments into Ansible's temporary directory, as Ansible does with any binary module. It is
  taken by itself where the fast way is not possible: `ansible-playbook -vvv` tells why.

Of ActionBase only those names are used that are the same from ansible-core 2.14 on. Not done here: anything about Sidekiq.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from ansible import constants as C
from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure, AnsibleError
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from .binaries import Binaries
from .replies import NoResult, clean_output, end_of, read_result

display = Display()

# Where the programs stay. Every directory of its path must be root's alone, or another user could have root run a program of his. That is
# made sure of when a program is brought. Later only root could change it.
_CACHE = "/var/cache/curationexperts.sidekiq"

# The fast way's one command: run the program if it is here, else say what host this is. Standard input is the arguments, which no
# command line ever holds. Commands are one line, for the sake of login shells other than sh.
_RUN = (
    "d={cache}; if [ -O $d ]; then for f in {digests}; do if [ -f $d/$f ]; then {forget}exec $d/$f {kept}-; fi; done; fi; "
    "cat >/dev/null; echo MISSING $(uname -sm) $(id -u) $(command -v gzip)"
)

# Its second command on a host that lacks the program. Standard input is the arguments as one line, of which `read` takes no byte
# more, then the program. It is checked before it gets the name under which it is run, and then replaces those of other versions.
# Whatever fails before it runs is told as CANNOT, after the rest of the input, or ssh would call it a broken connection.
_BRING = (
    "umask 077; d={cache}; f=$d/{digest}; t=$d/.$$; IFS= read -r arguments; "
    "bring() {{ {{ [ -d $d ] || mkdir $d; }} && for p in {path}; do case $(stat -Lc %u:%A $p) in 0:d????[!w]??[!w]?) ;; "
    "*) echo $p can be written by others than root; return 1;; esac; done && chmod 700 $d "
    "&& {unpack} >$t && [ \"$(sha256sum <$t)\" = '{digest}  -' ] && chmod 700 $t && mv -f $t $f "
    "&& for o in $d/*; do [ $o = $f ] || rm -f $o; done; }}; "
    "if why=$(bring 2>&1); then printf '%s\\n' \"$arguments\" | $f {kept}-; "
    "else rm -f $t; cat >/dev/null; echo CANNOT keep the program in $d: $why; fi"
)

# What a pipe holds on whatever Ansible runs on, in bytes: 64 KiB on Linux, 16 on macOS.
_PIPE = 16384

_MISSING = re.compile(r"^MISSING (\S+ \S+) (\d+) ?(\S*)\s*$", re.MULTILINE)
_CANNOT = re.compile(r"^CANNOT (.*)", re.MULTILINE | re.DOTALL)


class NotThisWay(Exception):
    """The fast way is not possible, and the program has not been started; its text says why."""


class CompiledModule(ActionBase):
    """What the action plugins of all compiled modules do. They are one program, which goes by the name of the module in the arguments."""

    module: str
    program = "sidekiq_service"
    cache = _CACHE

    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Runs the module. What a host says comes to a person from here alone: in the result, or in an error."""
        try:
            return self._run(tmp, task_vars)
        except AnsibleError as err:
            text, unreachable = str(err), isinstance(err, AnsibleConnectionFailure)
            if text == clean_output(text):
                raise
        # Not while the other error is being handled, since ansible-core would show that one, too.
        raise (AnsibleConnectionFailure if unreachable else AnsibleActionFail)(clean_output(text))

    def _run(self, tmp: str | None, task_vars: dict[str, Any] | None) -> dict[str, Any]:
        if self._task.async_val:
            raise AnsibleActionFail(f'{self.module} cannot run asynchronously: take "async" and "poll" out of the task.')
        super().run(tmp, task_vars)
        task_vars = task_vars or {}
        arguments = dict(self._task.args)
        self._update_module_args(f"curationexperts.sidekiq.{self.module}", arguments, task_vars)
        request = json.dumps(_plain(arguments)).encode() + b"\n"
        binaries = Binaries(self.program)
        # With no_log, and where a service goes, nothing that was kept for it is to stay.
        forget = f"rm -f {self.cache}/*.request {self.cache}/.*.request*; " if self._task.no_log or arguments.get("state") == "absent" else ""
        try:
            reply = self._run_kept(binaries, request, forget, task_vars)
        except NotThisWay as why:
            display.vvv(f"{self.module}: ordinary transfer of the program: {clean_output(str(why))}", host=task_vars.get("inventory_hostname"))
            reply = self._run_transferred(binaries, request, forget)
        try:
            return read_result(self.module, reply["stdout"])
        except NoResult as what:
            said = end_of(reply["stdout"] + reply["stderr"])
            raise AnsibleActionFail(f"{self.module} gave no result: {what}. It ended with status {reply['rc']} and printed: {said}") from None

    def _run_kept(self, binaries: Binaries, request: bytes, forget: str, task_vars: dict[str, Any]) -> dict[str, Any]:
        """Runs the program that is kept on the host, and brings it first if it is not there. Raises NotThisWay."""
        self._require_standard_input(task_vars)
        # Arguments that are larger than a pipe are not kept: who sends them could be waiting, and be cut off, when the program ends without them.
        kept = "" if forget or len(request) > _PIPE else f"--cached={hashlib.sha256(request).hexdigest()} "
        reply = self._ask(_RUN.format(cache=self.cache, digests=" ".join(binaries.digests), forget=forget, kept=kept), request)
        missing = _MISSING.search(reply["stdout"])
        if not missing:
            return reply
        machine, uid, can_unpack = missing.groups()
        self._require_root(uid)
        path, digest = binaries.find(machine)
        directories = [*reversed(Path(self.cache).parents), self.cache]
        unpack = "gzip -dc" if can_unpack else "cat"
        bring = _BRING.format(cache=self.cache, digest=digest, path=" ".join(map(str, directories)), unpack=unpack, kept=kept)
        program = path.read_bytes()
        reply = self._ask(bring, request + (gzip.compress(program) if can_unpack else program))
        cannot = _CANNOT.search(reply["stdout"])
        if cannot:
            raise NotThisWay(f"cannot {cannot.group(1).strip()}")
        return reply

    def _require_standard_input(self, task_vars: dict[str, Any]) -> None:
        """Raises NotThisWay where a command would not get its standard input, or the user wants the files to be seen."""
        connection, become = self._connection, self._connection.become
        if not boolean(self._templar.template(task_vars.get("sidekiq_service_fast", True))):
            raise NotThisWay("sidekiq_service_fast is false")
        if C.DEFAULT_KEEP_REMOTE_FILES:
            raise NotThisWay("remote files are to be kept")
        if not connection.has_pipelining:
            raise NotThisWay(f"a {connection.transport} connection passes no standard input")
        # Only from ansible-core 2.19 on do become methods say that they need one; su does.
        if become and (become.require_tty or not getattr(become, "pipelining", become.name != "su")):
            raise NotThisWay(f"{become.name} needs a terminal")
        if become and connection.transport == "local" and self.get_become_option("become_pass"):
            raise NotThisWay("a local connection that gives a password passes no standard input")

    def _ask(self, command: str, standard_input: bytes) -> dict[str, Any]:
        """Runs a command of the fast way. Raises NotThisWay if the reply says that it, or the program in it, could not be started."""
        reply = self._low_level_execute_command(command, in_data=standard_input)
        if reply["rc"] and not reply["stdout"].strip():
            if reply["rc"] in (126, 127):
                raise NotThisWay(f"{self.cache} is on a file system without programs, it seems: {end_of(reply['stderr'])}")
            if re.search(r"\b(tty|terminal)\b", reply["stderr"]):
                raise NotThisWay(f"a terminal is required: {end_of(reply['stderr'])}")
        return reply

    def _run_transferred(self, binaries: Binaries, request: bytes, forget: str) -> dict[str, Any]:
        """Runs the program from Ansible's temporary directory."""
        host = self._low_level_execute_command("echo HOST $(uname -sm) $(id -u)")
        known = re.search(r"^HOST (\S+ \S+) (\d+)\s*$", host["stdout"], re.MULTILINE)
        if not known:
            raise AnsibleActionFail(
                f"The host does not say what it is: `uname -sm` and `id -u` ended with status {host['rc']} "
                f"and printed: {end_of(host['stdout'] + host['stderr'])}"
            )
        machine, uid = known.groups()
        self._require_root(uid)
        path = binaries.find(machine)[0]
        directory = self._make_tmp_path()
        try:
            program, arguments = (self._connection._shell.join_path(directory, name) for name in (self.program, "arguments"))
            try:
                self._transfer_file(str(path), program)
                self._transfer_data(arguments, request)
            except AnsibleConnectionFailure:
                raise
            except AnsibleError as err:
                raise AnsibleActionFail(f"Cannot copy the program ({path.stat().st_size >> 20} MB) to {directory}; is there space left? {err}") from err
            self._fixup_perms2((directory, program, arguments))
            reply = self._low_level_execute_command(f"{forget}{program} {arguments}")
        finally:
            self._remove_tmp_path(directory)
        if reply["rc"] == 126:
            raise AnsibleActionFail(
                f"The host does not run programs in {directory}, which is probably mounted with noexec: set ansible_remote_tmp to a "
                f"directory where it does. It said: {end_of(reply['stdout'] + reply['stderr'])}"
            )
        return reply

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
        return [_plain(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted((_plain(item) for item in value), key=str)
    if isinstance(value, date):
        return value.isoformat()
    return str(value)
