# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action plugin, over Ansible's real local connection, with shell scripts in place of the compiled programs.

The commands that ask the host what it is and who owns a file (uname, id, stat) are replaced by ones on PATH, so that the tests need
not be root and can be any host.
"""

from __future__ import annotations

import datetime
import gzip
import hashlib
import json
import shutil
from types import SimpleNamespace

import pytest
from ansible.errors import AnsibleActionFail
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.play_context import PlayContext
from ansible.playbook.task import Task
from ansible.plugins import loader as plugins
from ansible.template import Templar

from ansible_collections.curationexperts.sidekiq.plugins.action.sidekiq_service import ActionModule
from ansible_collections.curationexperts.sidekiq.plugins.action.sidekiq_service_info import ActionModule as InfoModule
from ansible_collections.curationexperts.sidekiq.plugins.action.sidekiq_service_verify import ActionModule as VerifyModule
from ansible_collections.curationexperts.sidekiq.plugins.plugin_utils import binaries, commands, run

# Returns its arguments, where they came from, and where it was told to keep them, as JSON in its message.
PROGRAM = """#!/bin/sh
kept=
case $1 in --cached=*) kept=${1#--cached=}; shift;; esac
seen=$(printf '{"arguments": %s, "from": "%s", "kept": "%s"}' "$(cat "$1")" "$1" "$kept" | sed 's/[\\\\"]/\\\\&/g')
printf 'noise before the result\\n{"changed": false, "msg": "%s"}\\n' "$seen"
"""


class Host:
    """This machine, as the host that a task runs on."""

    def __init__(self, path, monkeypatch):
        self.path, self.monkeypatch = path, monkeypatch
        self.cache = path / "cache"
        self.commands = []
        self.is_called("Linux x86_64", 0)
        self.has("stat", 'echo "${OWNER:-0:drwx------}"')
        self.ships({"amd64": PROGRAM, "arm64": PROGRAM + "# arm64\n"})
        monkeypatch.setenv("PATH", str(path / "bin"), prepend=":")
        monkeypatch.setenv("ANSIBLE_REMOTE_TMP", str(path / "tmp"))
        monkeypatch.setattr(run.CompiledModule, "cache", str(self.cache))

    def has(self, command, script):
        file = self.path / "bin" / command
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"#!/bin/sh\n{script}\n")
        file.chmod(0o755)

    def is_called(self, machine, uid):
        self.has("uname", f"echo {machine}")
        self.has("id", f"echo {uid}")

    def ships(self, programs):
        directory = self.path / "_bin"
        directory.mkdir(exist_ok=True)
        sums = ""
        for architecture, text in programs.items():
            name = f"sidekiq_service_linux_{architecture}"
            (directory / f"{name}.gz").write_bytes(gzip.compress(text.encode()))
            sums += f"{hashlib.sha256(text.encode()).hexdigest()}  {name}\n"
        (directory / "SHA256SUMS").write_text(sums)
        self.monkeypatch.setattr(run, "Binaries", lambda program: binaries.Binaries(program, directory))

    def run(self, arguments=None, variables=None, keyword=None, module=ActionModule, role=None, input_arrives=True, **connection_attributes):
        loader = DataLoader()
        task = Task.load({"action": "curationexperts.sidekiq.sidekiq_service", **(keyword or {})}, loader=loader)
        task.args = arguments or {}
        task._role = role
        play_context = PlayContext()
        connection = plugins.connection_loader.get("local", play_context, None)  # until 2.15 it wants a standard input
        connection.set_options(var_options={})
        for name, value in connection_attributes.items():
            setattr(connection, name, value)
        exec_command = connection.exec_command
        arrives = {} if input_arrives else {"in_data": b""}
        connection.exec_command = lambda cmd, **kwargs: self.commands.append(cmd) or exec_command(cmd, **{**kwargs, **arrives})
        action = module(task, connection, play_context, loader, Templar(loader=loader), None)
        self.commands.clear()
        return action.run(task_vars=variables or {})

    def seen(self, *args, **kwargs):
        """What PROGRAM saw."""
        return json.loads(self.run(*args, **kwargs)["msg"])


@pytest.fixture(scope="session", autouse=True)
def _plugins():
    getattr(plugins, "init_plugin_loader", lambda paths: None)([])  # not needed before ansible-core 2.15


@pytest.fixture
def host(tmp_path, monkeypatch):
    return Host(tmp_path, monkeypatch)


def test_a_host_with_the_program_takes_one_command(host):
    host.run()
    assert host.seen({"name": "sidekiq"})["from"] == "-"
    assert len(host.commands) == 1


def test_a_host_without_the_program_takes_two(host):
    result = host.seen({"name": "sidekiq"})
    assert (result["from"], result["arguments"]["name"]) == ("-", "sidekiq")
    assert len(host.commands) == 2


@pytest.mark.parametrize("fast", [True, False])
def test_the_program_is_told_which_module_it_is(host, fast):
    modules = {"sidekiq_service": ActionModule, "sidekiq_service_info": InfoModule, "sidekiq_service_verify": VerifyModule}
    for name, module in modules.items():
        result = host.seen(variables={"sidekiq_service_fast": fast}, module=module)
        assert result["arguments"]["_ansible_module_name"] == f"curationexperts.sidekiq.{name}"


def test_both_modules_share_the_program_on_the_host(host):
    host.run()
    host.run(module=InfoModule)
    assert len(host.commands) == 1


def test_no_command_line_holds_an_argument(host):
    host.run({"env": {"TOKEN": "geheim"}})
    host.run({"env": {"TOKEN": "geheim"}}, {"sidekiq_service_fast": False})
    assert not any("geheim" in command for command in host.commands)


def test_the_program_keeps_the_same_arguments_in_the_same_place_and_others_elsewhere(host):
    places = [host.seen(arguments)["kept"] for arguments in ({"name": "a"}, {"name": "a"}, {"name": "b"})]
    assert places[0] == places[1] != places[2]
    assert all(len(place) == 64 for place in places)


def test_the_role_is_warned_of_a_misspelt_variable(host, monkeypatch):
    said = []
    monkeypatch.setattr(run.display, "warning", said.append)
    variables = {"sidekiq_concurency": 5, "sidekiq_concurrency": 5}
    host.run(variables=variables)
    assert not said
    host.run(variables=variables, role=SimpleNamespace(get_name=lambda: "curationexperts.sidekiq.sidekiq"))
    assert said == ["The variable sidekiq_concurency has no effect, since the role has none of that name; is sidekiq_concurrency meant?"]


NO_TRACE = {
    "no_log": {"keyword": {"no_log": True}},
    "absent": {"arguments": {"state": "absent"}},
    "secrets": {"arguments": {"name": "sidekiq", "secret_env": {"TOKEN": "geheim"}}},
    "secrets of an instance": {"arguments": {"instances": [{"name": "a", "secret_env": {"TOKEN": "geheim"}}]}},
}


@pytest.mark.parametrize("why", NO_TRACE)
def test_nothing_is_kept_where_nothing_is_to_stay(host, why):
    assert [host.seen(**NO_TRACE[why])["kept"] for dummy in ("brings the program", "has it")] == ["", ""]


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("why", NO_TRACE)
def test_what_was_kept_before_goes_too(host, why, fast):
    host.run()
    mine, others = (host.seen({"name": name})["kept"][:16] for name in ("", "sidekiq-b"))
    kept = [host.cache / f"{mine}0.request", host.cache / f".{mine}1.request234"]
    other = host.cache / f"{others}0.request"
    for file in [*kept, other]:
        file.write_text("{}")
    host.run()
    assert all(file.exists() for file in kept)
    host.run(variables={"sidekiq_service_fast": fast}, **NO_TRACE[why])
    assert not any(file.exists() for file in kept)
    assert other.exists()
    assert len(list(host.cache.iterdir())) == 2  # and the program


def test_arguments_that_fill_a_pipe_are_not_kept(host):
    assert host.seen({"env": {"A": "x" * 40_000}})["kept"] == ""


def test_nothing_is_kept_by_the_ordinary_transfer(host):
    assert host.seen(variables={"sidekiq_service_fast": False})["kept"] == ""


def test_arguments_arrive_as_they_are(host):
    value = "a 'b' \"c\" \\n \\\\ $HOME `id` %s ü \u2028 \n end"
    for dummy in ("brings the program", "has it"):
        assert host.seen({"env": {"A": value}})["arguments"]["env"]["A"] == value
    assert host.seen({"env": {"A": value}}, {"sidekiq_service_fast": False})["arguments"]["env"]["A"] == value


def test_long_arguments_arrive(host):
    value = "x" * 200_000
    for dummy in ("brings the program", "has it"):
        assert host.seen({"env": {"A": value}})["arguments"]["env"]["A"] == value


def test_a_host_on_which_no_standard_input_arrives_gets_the_program_by_the_ordinary_transfer(host):
    """As with ssh's -n, or where a .bashrc reads it."""
    assert host.seen(input_arrives=False)["from"] != "-"


def test_a_new_version_replaces_the_old(host):
    host.run()
    host.ships({"amd64": PROGRAM + "# new\n"})
    host.run()
    assert [file.read_text() for file in host.cache.iterdir()] == [PROGRAM + "# new\n"]


def test_each_architecture_gets_its_program(host):
    host.is_called("Linux aarch64", 0)
    host.run()
    assert [file.read_text() for file in host.cache.iterdir()] == [PROGRAM + "# arm64\n"]


def test_a_host_without_gzip_gets_the_program_as_it_is(host, monkeypatch):
    for command in ("cat", "chmod", "mkdir", "mv", "rm", "sed", "sha256sum", "sh", "sleep"):
        (host.path / "bin" / command).symlink_to(shutil.which(command))
    monkeypatch.setenv("PATH", str(host.path / "bin"))
    assert host.seen()["from"] == "-"


def test_ordinary_transfer_when_asked_for(host):
    assert host.seen(variables={"sidekiq_service_fast": "no"})["from"].startswith(str(host.path / "tmp"))
    assert not host.cache.exists() and not list((host.path / "tmp").iterdir())


def test_ordinary_transfer_over_a_connection_without_standard_input(host, monkeypatch):
    told = []
    monkeypatch.setattr(run.display, "vvv", lambda text, **kwargs: told.append(text))
    assert host.seen(has_pipelining=False)["from"] != "-"
    assert [text for text in told if "ordinary transfer" in text and "connection local passes no standard input" in text]


def test_only_root_can_enter_the_directory(host):
    host.cache.mkdir(mode=0o755)
    host.run()
    assert host.cache.stat().st_mode & 0o777 == 0o700


def test_ordinary_transfer_when_others_may_write_the_directory(host, monkeypatch):
    monkeypatch.setenv("OWNER", "0:drwxrwxr-x")
    assert host.seen()["from"] != "-"
    assert not list(host.cache.iterdir())


def test_ordinary_transfer_when_the_program_is_damaged_on_the_way(host):
    host.has("gzip", "cat >/dev/null; echo something else")
    assert host.seen()["from"] != "-"
    assert not list(host.cache.iterdir())


def test_ordinary_transfer_when_the_kept_program_does_not_run(host):
    host.run()
    next(host.cache.iterdir()).chmod(0o600)
    assert host.seen()["from"] != "-"


DAMAGES = {
    "empty": (lambda whole: b"", 2),
    "cut off": (lambda whole: whole[:100], 2),
    "one byte too long": (lambda whole: whole + b"\n", 2),
    "zeros": (lambda whole: bytes(len(whole)), 3),
    "no program": (lambda whole: b"\x7fELF".ljust(len(whole), b"\x01"), 3),
    "ends at once": (lambda whole: b"#!/bin/sh\nexit 0\n".ljust(len(whole), b"\n"), 3),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_program_is_brought_anew(host, damage):
    host.run()
    program = next(host.cache.iterdir())
    whole = program.read_bytes()
    damaged, commands_taken = DAMAGES[damage]
    program.write_bytes(damaged(whole))
    assert host.seen({"name": "sidekiq"})["from"] == "-"
    assert len(host.commands) == commands_taken
    assert [file.read_bytes() for file in host.cache.iterdir()] == [whole]
    assert host.seen({"name": "sidekiq"})["from"] == "-"
    assert len(host.commands) == 1


def test_a_program_that_gives_no_result_and_is_whole_is_not_run_twice(host):
    host.ships({"amd64": f"#!/bin/sh\ncat >/dev/null; echo >>{host.path}/runs; exit 3\n"})
    for runs in (1, 2):
        with pytest.raises(AnsibleActionFail, match="gave no result"):
            host.run()
        assert len((host.path / "runs").read_text()) == runs
        assert len(host.commands) == 2


def test_what_is_brought_is_on_the_disk_before_it_gets_its_name(host):
    host.has("sync", f"test $# = 1 && case $1 in {host.cache}/.*) wc -c <$1 >>{host.path}/synced; ls {host.cache} >>{host.path}/synced;; esac")
    host.run()
    assert (host.path / "synced").read_text() == f"{len(PROGRAM)}\n"


@pytest.mark.parametrize("old", ['test $# = 0 || { echo "ignoring all arguments" >&2; exit 1; }', "exit 127"], ids=["knows no files", "is not there"])
def test_a_host_with_an_old_sync(host, old):
    host.has("sync", old)
    assert host.seen()["from"] == "-"
    assert len(host.commands) == 2


@pytest.mark.parametrize("fast", [True, False])
def test_only_what_the_module_documents_is_returned(host, fast):
    host.ships({"amd64": '#!/bin/sh\necho \'{"changed": true, "add_host": {"host_name": "other"}, "unit": "/a", "rolled_back": "no"}\'\n'})
    result = host.run(variables={"sidekiq_service_fast": fast})
    warning = result.pop("warnings")[0]
    assert result == {"changed": True, "unit": "/a"}
    assert '"add_host", "rolled_back"' in warning


@pytest.mark.parametrize("word", [commands.HERE, commands.TERMINAL, commands.MISSING, commands.CANNOT])
def test_a_result_may_hold_every_word_of_ours(host, word):
    host.ships({"amd64": f'#!/bin/sh\ncat >/dev/null\necho \'{{"changed": true, "msg": "{word} Linux x86_64 0"}}\'\n'})
    for dummy in ("brings the program", "has it"):
        assert host.run()["msg"] == f"{word} Linux x86_64 0"
    assert len(host.commands) == 1


def test_check_mode_and_diff_are_passed_on(host):
    passed = host.seen(keyword={"check_mode": True, "diff": True})["arguments"]
    assert passed["_ansible_check_mode"] is True and passed["_ansible_diff"] is True


def test_values_that_are_not_json_are_made_so():
    value = {"date": datetime.date(2024, 1, 2), "set": {"b", "a"}, "tuple": (1, None), "deep": [{"t": datetime.datetime(2024, 1, 2, 3)}]}
    assert json.dumps(run._plain(value)) == ('{"date": "2024-01-02", "set": ["a", "b"], "tuple": [1, null], "deep": [{"t": "2024-01-02T03:00:00"}]}')


def test_an_omitted_item_of_a_list_is_left_out():
    """ansible-core until 2.18 hands on what stands in its place."""
    omitted = "__omit_place_holder__0123456789abcdef"
    assert run._plain({"queues": ["a", omitted, "b"], "instances": [{"queues": [omitted]}]}) == {"queues": ["a", "b"], "instances": [{"queues": []}]}


@pytest.mark.parametrize("fast", [True, False])
class TestError:
    """Each error is the same in both ways."""

    def fails(self, host, fast, *parts, **kwargs):
        try:
            result = host.run(variables={"sidekiq_service_fast": fast}, **kwargs)
        except AnsibleActionFail as error:
            result = {"failed": True, "msg": str(error)}
        assert result["failed"]
        for part in parts:
            assert part in result["msg"]

    def test_not_root(self, host, fast):
        host.is_called("Linux x86_64", 1000)
        self.fails(host, fast, "user id 1000", "become: true")

    def test_asynchronous(self, host, fast):
        self.fails(host, fast, "asynchronously", keyword={"async": 10})

    def test_a_text_with_omit_in_it(self, host, fast):
        self.fails(host, fast, '"omit"', "part of a text", arguments={"queues": ["critical,__omit_place_holder__0123"]})

    def test_installed_from_git(self, host, fast):
        (host.path / "_bin" / "SHA256SUMS").unlink()
        self.fails(host, fast, "git", "release tarball", "make build")

    def test_architecture_without_a_program(self, host, fast):
        host.is_called("Linux mips64", 0)
        self.fails(host, fast, "Linux mips64", "linux_amd64", "make build")

    @pytest.mark.parametrize("content", [gzip.compress(b"changed"), b"changed", gzip.compress(b"changed")[:-9], b""])
    def test_changed_binary(self, host, fast, content):
        (host.path / "_bin" / "sidekiq_service_linux_amd64.gz").write_bytes(content)
        self.fails(host, fast, "SHA256SUMS")

    def test_no_result(self, host, fast):
        host.ships({"amd64": "#!/bin/sh\ncat >/dev/null\necho out; echo err >&2; exit 3\n"})
        self.fails(host, fast, "status 3", "out", "err")

    def test_what_the_host_says_is_harmless_for_a_terminal(self, host, fast):
        host.ships({"amd64": "#!/bin/sh\nprintf '\\033[2Jout\\302\\233'; printf '\\007err' >&2; exit 3\n"})
        self.fails(host, fast, "\\x1b[2Jout\\x9b", "\\x07err")

    def test_what_the_host_is_called_is_harmless_for_a_terminal(self, host, fast):
        host.is_called("Linux \033[2Jmips", 0)
        self.fails(host, fast, "Linux \\x1b[2Jmips")

    def test_no_template_of_the_host_is_raised(self, host, fast):
        """ansible-core until 2.18 would evaluate it. tests/cores shows that it does not evaluate a result."""
        host.ships({"amd64": '#!/bin/sh\necho \'{{ lookup("pipe", "id") }}\'; exit 3\n'})
        assert host.run(variables={"sidekiq_service_fast": fast})["failed"]

    def test_a_reply_without_changed_and_failed(self, host, fast):
        host.ships({"amd64": '#!/bin/sh\ncat >/dev/null\necho \'{"msg": "fine"}\'\n'})
        self.fails(host, fast, 'without "changed" and "failed"', "status 0")

    def test_long_output_without_a_result_is_cut(self, host, fast):
        host.ships({"amd64": "#!/bin/sh\nhead -c 100000 /dev/zero | tr '\\0' x\n"})
        with pytest.raises(AnsibleActionFail) as error:
            host.run(variables={"sidekiq_service_fast": fast})
        assert len(str(error.value)) < 3000


def test_remote_tmp_without_programs_is_named(host):
    host.ships({"amd64": "#!/nonexistent\n"})
    with pytest.raises(AnsibleActionFail, match="126|127|ansible_remote_tmp"):
        host.run(variables={"sidekiq_service_fast": False})
