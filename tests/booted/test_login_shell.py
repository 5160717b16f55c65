# SPDX-License-Identifier: GPL-3.0-or-later
"""Ruby from rbenv, Debian's own: in which file its line may stand for login_shell to find it, and what a run says where it does not.

docs/rbenv.md has the same table.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from conftest import ROOT, Host

HOST_OPTIONS = ["--with", "rbenv,zsh"]
HOME = "/home/deploy"
LINE = 'eval "$(rbenv init -)"'


@dataclass
class Place:
    """A place of the line, by the script that puts it there, and whether a login shell of bash finds it."""

    script: str
    found: bool


def at_end(file: str) -> str:
    return f"echo '{LINE}' >>{file}"


def at_top(file: str) -> str:
    return f"{{ echo '{LINE}'; cat {file}; }} >{file}.new; mv {file}.new {file}"


PLACES = {
    "`~/.profile`": Place(at_end(".profile"), True),
    "`~/.bash_profile`": Place(at_end(".bash_profile"), True),
    "`~/.bash_login`": Place(at_end(".bash_login"), True),
    "`~/.profile`, beside a `~/.bash_profile` without it": Place(f"echo true >.bash_profile; {at_end('.profile')}", False),
    "`~/.bashrc` of Debian, at its top": Place(at_top(".bashrc"), True),
    "`~/.bashrc` of Debian, at its end": Place(at_end(".bashrc"), False),
    "`~/.bashrc`, beside a `~/.bash_profile` that does not read it": Place(f"echo true >.bash_profile; {at_top('.bashrc')}", False),
    **{f"`~/{file}`, with zsh as the login shell": Place(f"usermod -s /bin/zsh deploy; {at_end(file)}", False) for file in (".zshenv", ".zprofile", ".zshrc")},
    "`/etc/profile.d/rbenv.sh`": Place(at_end("/etc/profile.d/rbenv.sh"), True),
    "`/etc/bash.bashrc`, at its end": Place(at_end("/etc/bash.bashrc"), False),
}

# Nothing is fetched, so there is no other Ruby than Debian's: that one becomes a version of rbenv, and nothing else has a bundler.
EQUIP = f"""set -e
cd {HOME}; cp -a /etc/bash.bashrc /root/bash.bashrc
version=$(ruby -e 'print RUBY_VERSION'); bin=.rbenv/versions/$version/bin; mkdir -p $bin
ln -s /usr/bin/ruby $bin/ruby
cp -L /usr/bin/bundle $bin/bundle; sed -i '1s,.*,#!/usr/bin/env ruby,' $bin/bundle
mkdir /root/bundlers; mv /usr/bin/bundle* /root/bundlers/
chown -R deploy: .rbenv; runuser -u deploy -- env HOME={HOME} sh -c "cd; rbenv global $version; rbenv rehash"
"""
AS_BEFORE = f"""
usermod -s /bin/bash deploy; cd {HOME}; rm -rf .rbenv .bash_profile .bash_login .z* /etc/profile.d/rbenv.sh; cp /etc/skel/.profile /etc/skel/.bashrc .
cp -a /root/bash.bashrc /etc/bash.bashrc; mv /root/bundlers/* /usr/bin/; rmdir /root/bundlers
"""


@pytest.fixture
def host(host: Host) -> Iterator[Host]:
    """A host on which rbenv has the only bundler."""
    host.sh(EQUIP)
    yield host
    host.sh(AS_BEFORE)


def one_line(text: str) -> str:
    return " ".join(text.split())


def uses_rbenv(host: Host) -> None:
    environ = host.out(f"tr '\\0' '\\n' </proc/{host.main_pid()}/environ")
    assert f"RBENV_VERSION={host.out(f'ls {HOME}/.rbenv/versions')}" in environ.splitlines(), environ


# What the guide says that a run says.
(MESSAGE,) = re.findall(r"^```\n(a login shell.*?)^```", (ROOT / "docs/rbenv.md").read_text(), re.MULTILINE | re.DOTALL)

# All take minutes; one of each kind is tried in the quick tests, too.
QUICK = ("`~/.profile`", "`~/.bashrc` of Debian, at its end")


@pytest.mark.parametrize("place", [pytest.param(place, marks=[] if place in QUICK else pytest.mark.long) for place in PLACES])
def test_where_the_line_stands(host: Host, place: str) -> None:
    host.sh(f"cd {HOME}; {PLACES[place].script}; chown -R deploy: {HOME}")
    result = host.converge(login_shell=True)
    if PLACES[place].found:
        assert not result.get("failed"), result["msg"]
        uses_rbenv(host)
    else:
        assert result.get("failed") and one_line(MESSAGE) in one_line(result["msg"]), result["msg"]


@pytest.mark.long
def test_a_shim_needs_no_login_shell(host: Host) -> None:
    result = host.converge(bundle=f"{HOME}/.rbenv/shims/bundle")
    assert not result.get("failed"), result["msg"]
    uses_rbenv(host)


def test_without_login_shell_it_is_told_to_set_it(host: Host) -> None:
    msg = host.converge()["msg"]
    assert 'option "bundle"' in msg and "login_shell: true" in msg, msg


def test_the_guide_has_the_same_table() -> None:
    rows = re.findall(r"^\| (`.*) \| (yes|no) \|$", (ROOT / "docs/rbenv.md").read_text(), re.MULTILINE)
    assert dict(rows) == {place: "yes" if where.found else "no" for place, where in PLACES.items()}
