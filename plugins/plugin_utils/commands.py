# Copyright (c) curationexperts
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands that are sent to a host.

On its way a command passes through shells that nobody here has chosen: the login shell of the remote user, with `sudo -i` that of root, and
what ansible_shell_executable names. They may be csh or fish, and sudo escapes every character but `$` for them. So each command calls sh, in
single quotes, and what sh gets has neither `$` nor `!`, no backslash, no quote, and no second line: it means the same however often it is
quoted. What cannot be said in this way is sent on standard input.

Not done here: running them, and understanding what they print.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path

# The first word that a command prints. What stands before it are other people's words, as those of a .bashrc; without it, sh was not started.
HERE = "sidekiq-service-here"
# The words of the fast way that stand for a result which is not there.
TERMINAL, MISSING, CANNOT = "sidekiq-service-terminal", "sidekiq-service-missing", "sidekiq-service-cannot"

# What the host is, and which user the command runs as. secure_path and other PATHs may lack the places of these programs.
_WHO = "uname -sm || /bin/uname -sm; id -u || /usr/bin/id -u"

# What namei -l says of a way on which nobody but root can change anything: its head, links, whose directories decide, and directories of root's.
_ROOTS = "^(f: | *l.{9} | *d.{4}[^w].{2}[^w]. root )"

# Brings the program: sh reads this text, then a line with the arguments, then the program, from its standard input. `read` and dd take no
# byte more than they are to. Each directory in which a name on the way to the cache is looked up has to be root's alone, also behind links, as
# for `trusted` in the program. The program is checked, and on the disk, before it gets the name under which it is run, so that a power cut
# leaves no half of it there; a sync that knows no files writes everything. Then it replaces those of other versions. Whatever fails before it
# runs is told, after the rest of the input, or ssh would call it a broken connection.
_BRING = """\
PATH=$PATH:/usr/sbin:/usr/bin:/sbin:/bin; umask 077; d={cache}; f=$d/{digest}; t=$d/.$$; IFS= read -r arguments
roots() {{ case $(stat -Lc %u:%A "$1") in 0:d????[!w]??[!w]?) ;; *) echo "$1 can be written by others than root"; return 1;; esac; }}
way() {{
  at= rest=$1/ links=0
  while [ "$rest" ]; do
    name=${{rest%%/*}}; rest=${{rest#*/}}
    case $name in ''|.) continue;; ..) at=${{at%/*}}; continue;; esac
    roots "${{at:-/}}" || return
    if [ -h "$at/$name" ]; then
      link=$(readlink "$at/$name") && [ $((links+=1)) -le 40 ] || {{ echo "cannot follow $at/$name"; return 1; }}
      case $link in /*) at=;; esac
      rest=$link/$rest
    else
      at=$at/$name
    fi
  done
  roots "${{at:-/}}"
}}
bring() {{
  {{ [ -d $d ] || mkdir $d; }} && way $d || return
  chmod 700 $d && {unpack} >$t && [ "$(sha256sum <$t)" = '{digest}  -' ] && chmod 700 $t || return
  sync $t 2>/dev/null || sync
  mv -f $t $f || return
  for o in $d/*; do [ $o = $f ] || rm -f $o; done
}}
if why=$(bring 2>&1); then
  printf '%s\\n' "$arguments" | $f {options}-
else
  rm -f $t; cat >/dev/null; echo {cannot} keep the program in $d: $why
fi
exit
"""


def _by_sh(text: str) -> str:
    return f"exec /bin/sh -c {shlex.quote(f'echo {HERE}; {text}')}"


def run_kept(cache: str, sizes: Mapping[str, int], options: str, forget: str, length: int) -> str:
    """Runs the program that is kept in the directory, with the arguments on standard input, which are so many bytes. Without a program of
    the size that goes with its digest it says what host this is. A terminal, which has no end of input and changes it, is told of at once.

    Others than root may be able to write in the directory or on the way to it, so that it was never used. But they cannot put another directory
    of root's there, only a link to one; where there is a link, each directory on the way is looked at once more, as when the program was brought.
    """
    kept = "".join(
        f"if [ -f {digest} ] && [ `wc -c <{digest} || /usr/bin/wc -c <{digest}` = {size} ]; then {forget}exec {cache}/{digest} {options}-; fi; "
        for digest, size in sizes.items()
    )
    way = [*reversed(Path(cache).parents), Path(cache)][1:]
    linked, roots = (" || ".join(f"[ -h {at} ]" for at in way), " && ".join(f"[ -O {at} ]" for at in way))
    return _by_sh(
        f"if [ -t 0 ]; then echo {TERMINAL}; exit; fi; kept() {{ if cd {cache}; then {kept or ':; '}fi; }}; "
        f"if {linked}; then if namei -l {cache} >/dev/null 2>&1; then "
        f'namei -l {cache} | grep -Evq "{_ROOTS}" || kept; fi; elif {roots}; then case "`/bin/ls -ld {cache}`" in drwx------*) kept;; esac; fi; '
        f"head -c {length} >/dev/null; echo {MISSING}; {_WHO}; command -v gzip"
    )


def look(cache: str, digests: Iterable[str]) -> str:
    """Says which digests the programs have that are kept in the directory, and what host this is."""
    return _by_sh(f"sha256sum {' '.join(f'{cache}/{digest}' for digest in digests)} 2>/dev/null; {_WHO}; command -v gzip")


def bring(cache: str, digest: str, unpack: str, options: str) -> tuple[str, bytes]:
    """Keeps a program in the directory and runs it; the bytes come first on standard input, then the arguments, then the program."""
    script = _BRING.format(cache=cache, digest=digest, unpack=unpack, options=options, cannot=CANNOT).encode()
    copy = f"bs=1 count={len(script)}"
    # A .bashrc may have read it, or ssh sends nothing (-n): then there is no script, and so no end of it.
    return _by_sh(f'eval "`dd {copy} 2>/dev/null || /bin/dd {copy} 2>/dev/null`"; echo {CANNOT} read the program: nothing arrives on standard input'), script


def who() -> str:
    """Says what the host is, and which user the command runs as."""
    return _by_sh(_WHO)


def run_file(program: str, arguments: str, forget: str) -> str:
    """Runs a program with a file of arguments."""
    return _by_sh(f"{forget}exec {shlex.quote(program)} {shlex.quote(arguments)}")
