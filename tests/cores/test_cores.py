# SPDX-License-Identifier: GPL-3.0-or-later
"""The release under every supported ansible-core, each really run, from a controller that has that one, against hosts without a Python that
it could use.
"""

from __future__ import annotations

import base64
import json
import re
import shlex
import string
from dataclasses import dataclass, replace
from typing import Any

import hostile
import pytest
from conftest import Host

pytest.register_assert_rewrite("controllers")
from controllers import NO_PYTHON, OLD_PYTHON, Controller

pytest_plugins = ["controllers"]
MODULE = "curationexperts.sidekiq.sidekiq_service"
ROLE = [{"name": "Sidekiq", "ansible.builtin.include_role": {"name": "curationexperts.sidekiq.sidekiq"}, "vars": {"project_name": "laevigata"}}]


def counts(output: str) -> dict[str, int]:
    """What a play's recap says, of a single host."""
    return {name: int(number) for name, number in re.findall(r"(ok|changed|unreachable|failed)=(\d+)", output)}


def test_it_is_that_core(controller: Controller) -> None:
    said = controller.run("adhoc", "--version")
    assert f"[core {controller.core}." in said, said
    assert "[WARNING]" not in said, said


def test_role_from_nothing_and_again(controller: Controller, managed: dict[str, Host]) -> None:
    truth = controller.play(NO_PYTHON, ROLE, "--check --diff")
    first = controller.play(NO_PYTHON, ROLE, "--diff")
    again = controller.play(NO_PYTHON, ROLE, "-vvv")
    transferred = controller.play(NO_PYTHON, ROLE, "-e sidekiq_service_fast=false")
    assert [counts(output)["changed"] for output in (truth, first, again, transferred)] == [1, 1, 0, 0]
    assert "ExecStart=" in truth and "ExecStart=" in first, first
    assert managed[NO_PYTHON].show("ActiveState", "UnitFileState") == {"ActiveState": "active", "UnitFileState": "enabled"}
    assert len(re.findall(r"SSH: EXEC", again)) == 1, again
    for output in (truth, first, transferred):
        assert "[WARNING]" not in output, output


def test_a_variable_of_the_wrong_type_ends_the_play_before_the_host(controller: Controller) -> None:
    """Each core validates by meta/argument_specs, and not by the long texts beside it, which it would show with the error."""
    output = controller.play(NO_PYTHON, [{**ROLE[0], "vars": {"project_name": "laevigata", "sidekiq_concurrency": "many"}}], "-vvv", check=False)
    assert counts(output)["failed"] == 1 and "argument 'sidekiq_concurrency' is of type" in output, output
    assert "argument_spec_data" in output and '"description"' not in output, output
    assert "SSH: EXEC" not in output, output


# A name that ansible-core has deprecated, as each version has one, used when the action plugin is loaded.
DEPRECATED = """
from ansible.utils.display import Display
Display().deprecated("a name of ansible-core's", version="9.9")
"""


def test_what_is_deprecated_is_seen(controller: Controller) -> None:
    """Controller.python fails then, so that no other test passes with an ansible-core that calls something deprecated which we use."""
    plugin = f"/root/work-{controller.core}/ansible_collections/curationexperts/sidekiq/plugins/action/sidekiq_service.py"
    controller.host.sh(f"cp {plugin} {plugin}.was; cat >>{plugin}", stdin=DEPRECATED)
    try:
        with pytest.raises(AssertionError, match="a name of ansible-core's"):
            controller.play(NO_PYTHON, ROLE, "--check")
    finally:
        controller.host.sh(f"mv {plugin}.was {plugin}")


def test_errors_are_shown(controller: Controller) -> None:
    output = controller.play(NO_PYTHON, [{"name": "Sidekiq", MODULE: {"project_name": "laevigata", "user": "nobody-of-that-name"}}], check=False)
    assert counts(output)["failed"] == 1 and "nobody-of-that-name" in output and "Traceback" not in output, output


VALUES = """\
- name: Sidekiq
  curationexperts.sidekiq.sidekiq_service:
    project_name: laevigata
    working_directory: "{{ undefined_variable | default(omit) }}"
    group: null
    concurrency: "{{ five + 1 }}"
    start_timeout: "{{ '70' | int }}"
    restart_sec: 7
    login_shell: "{{ no_switch }}"
    enabled: "{{ five > 3 }}"
    restart_on_change: yes
    replace: "no"
    umask: "0022"
    queues: "{{ queues }}"
    after: "{{ units_with_commas }}"
    directives: "{{ {'Service': {'Nice': five, 'OOMScoreAdjust': '100'}, 'Unit': with_a_vault} }}"
    env:
      FIVE: 5
      FIVE_BY_VARIABLE: "{{ five }}"
      SIX: "{{ five + 1 }}"
      SEVEN: "{{ '7' | int }}"
      OCTAL: 0644
      QUOTED_OCTAL: "0644"
      QUOTED_YES: "yes"
      BARE_YES: yes
      COMPARED: "{{ five > 3 }}"
      BARE_DATE: 2024-01-02
      FLOAT: 1.5
      NOTHING: null
      NOTHING_BY_VARIABLE: "{{ nothing }}"
      LEFT_OUT: "{{ undefined_variable | default(omit) }}"
      BRACES: !unsafe "{{ five }} and {% raw %}"
      VAULT_BY_VARIABLE: "{{ vaulted }}"
VAULTED_HERE
  vars:
    five: 5
    no_switch: false
    nothing: null
    queues: [default, mailers]
    units_with_commas: remote-fs.target,time-sync.target
"""

ENVIRONMENT = {
    "FIVE": "5",
    "FIVE_BY_VARIABLE": "5",
    "SIX": "6",
    "SEVEN": "7",
    "OCTAL": "420",
    "QUOTED_OCTAL": "0644",
    "QUOTED_YES": "yes",
    "BARE_YES": "true",
    "COMPARED": "true",
    "BARE_DATE": "2024-01-02",
    "FLOAT": "1.5",
    "NOTHING": "",
    "NOTHING_BY_VARIABLE": "",
    "BRACES": "{{ five }} and {% raw %}",
    "VAULT_BY_VARIABLE": "in a variable",
    "VAULT_HERE": "in the task",
}


def test_values_of_every_kind(controller: Controller, managed: dict[str, Host]) -> None:
    host = managed[NO_PYTHON]
    in_a_dictionary = "with_a_vault:\n" + "\n".join("  " + line for line in controller.vault("Documentation", "man:in-a-dictionary(7)").splitlines())
    controller.write("group_vars/all.yml", controller.vault("vaulted", "in a variable") + "\n" + in_a_dictionary + "\n")
    here = "\n".join("      " + line for line in controller.vault("VAULT_HERE", "in the task").splitlines())
    tasks = VALUES.replace("VAULTED_HERE", here)
    output = controller.play(NO_PYTHON, tasks, "--diff -vvv")
    assert "in the task" not in output and "in a variable" not in output, output
    assert host.show("Documentation")["Documentation"].strip('"') == "man:in-a-dictionary(7)"
    shown = host.show(
        "Environment", "Group", "Nice", "OOMScoreAdjust", "RestartUSec", "TimeoutStartUSec", "UMask", "WorkingDirectory", "UnitFileState", "After"
    )
    found = dict(word.split("=", 1) for word in shlex.split(shown.pop("Environment")))
    assert {name: found.get(name) for name in ENVIRONMENT} == ENVIRONMENT
    assert "LEFT_OUT" not in found
    assert {"remote-fs.target", "time-sync.target"} <= set(shown.pop("After").split())
    assert shown == {
        "Group": "deploy", "Nice": "5", "OOMScoreAdjust": "100", "RestartUSec": "7s", "TimeoutStartUSec": "1min 10s", "UMask": "0022",
        "WorkingDirectory": "/opt/laevigata/current", "UnitFileState": "enabled",
    }  # fmt: skip
    assert "-c 6 -q default -q mailers" in host.out("systemctl cat sidekiq")
    assert counts(controller.play(NO_PYTHON, tasks))["changed"] == 0


def test_words_of_a_command_line(controller: Controller) -> None:
    words = "project_name=laevigata concurrency=6 restart_sec=7 queues=default,mailers login_shell=no enabled=yes umask=0022"
    typed = {"concurrency": 6, "restart_sec": 7, "queues": ["default", "mailers"], "login_shell": False, "enabled": True, "umask": "0022"}
    output = controller.run("adhoc", f"-i inventory.yml {NO_PYTHON} -m {MODULE} -a {shlex.quote(words)}")
    assert "CHANGED" in output, output
    assert counts(controller.play(NO_PYTHON, [{"name": "Sidekiq", MODULE: {"project_name": "laevigata", **typed}}]))["changed"] == 0


LISTS = ['["critical","default"]', "['critical', 'default']", "[critical, default]", "critical,default"]
NO_LISTS = {"[[critical, 2], default]": "critical,2", "critical:2": "critical,2", '["critical"': "queues"}


def as_text(queues: str) -> str:
    """The variable as an argument, with a text as its value; as NAME=VALUE, it would end at a blank."""
    return shlex.quote(json.dumps({"sidekiq_queues": queues}))


@pytest.mark.parametrize("text", LISTS)
def test_a_list_given_as_text_is_one(controller: Controller, text: str) -> None:
    output = controller.play(NO_PYTHON, ROLE, f"--check --diff -e {as_text(text)}")
    assert "-q critical -q default" in output, output


@pytest.mark.parametrize("text", NO_LISTS)
def test_what_is_no_list_is_refused_with_what_to_write(controller: Controller, text: str) -> None:
    output = controller.play(NO_PYTHON, ROLE, f"--check -e {as_text(text)}", check=False)
    assert counts(output)["failed"] == 1 and NO_LISTS[text] in output, output


# One service, with values of their types, and the texts that mean the same.
TYPED = {"concurrency": 6, "queues": ["critical", "default"], "login_shell": False, "enabled": True, "env": {"A": "b c"}}
MEANT = [
    {"concurrency": "6", "queues": '["critical","default"]', "login_shell": "no", "enabled": "yes", "env": '{"A": "b c"}'},
    {"concurrency": " 6 ", "queues": "['critical', 'default']", "login_shell": "off", "enabled": "on", "env": "{'A': 'b c'}"},
    {"concurrency": "6", "queues": "[critical, default]", "login_shell": "0", "enabled": "1", "env": '{"A": "b c",}'},
    {"concurrency": 6, "queues": " critical, default", "login_shell": "False", "enabled": "True", "env": "{'A':'b c'}"},
    {"concurrency": "6", "queues": "['critical', 'default',]", "login_shell": "f", "enabled": "T", "env": {"A": "b c"}},
]
# What no option takes. Only with native types is the text None nothing, and so the default.
NOT_MEANT = [
    {"concurrency": "six", "queues": '["critical", "default"', "login_shell": "maybe", "env": "A=b", "instances": "{'name': 'a'}"},
    {"concurrency": "[6]", "queues": "- critical\n- default", "login_shell": "[]", "env": "[]", "instances": "a"},
    {"concurrency": "6 7", "queues": "~", "login_shell": "2", "env": '["A"]', "instances": "[a]"},
    {"concurrency": "1.5", "queues": "critical default", "login_shell": "yes please", "env": "{'A': ", "instances": "[{'name': 'a'}"},
    {"concurrency": "None", "queues": "None", "login_shell": "None", "env": "None", "instances": "None"},
]
NATIVE = pytest.mark.parametrize("native", ["ANSIBLE_JINJA2_NATIVE=0", "ANSIBLE_JINJA2_NATIVE=1"], ids=["texts", "native types"])


def natively(controller: Controller, native: str) -> Controller:
    """From ansible-core 2.19 on all types are native."""
    if controller.core not in ("2.14", "2.16", "2.17", "2.18"):
        if native.endswith("1"):
            pytest.skip("this ansible-core has native types only")
        return controller
    return replace(controller, settings=native)


def role_with(values: dict[str, Any]) -> dict[str, Any]:
    return {**ROLE[0], "vars": {"project_name": "laevigata", **{f"sidekiq_{option}": value for option, value in values.items()}}}


@NATIVE
def test_a_text_means_the_same_everywhere(controller: Controller, native: str) -> None:
    """In the last play, the inventory gives it."""
    native_or_not = natively(controller, native)
    assert counts(native_or_not.play(NO_PYTHON, [role_with(TYPED)]))["changed"] == 1
    again = native_or_not.play(NO_PYTHON, [role_with(texts) for texts in MEANT], "--check --diff")
    controller.write("more.ini", "[all:vars]\n" + "".join(f"sidekiq_{option}={text}\n" for option, text in MEANT[0].items()))
    by_inventory = native_or_not.play(NO_PYTHON, ROLE, "--check --diff -i more.ini")
    assert counts(again)["changed"] == counts(by_inventory)["changed"] == 0, again + by_inventory


@NATIVE
def test_what_is_not_meant_is_refused_by_the_option_s_name(controller: Controller, native: str) -> None:
    for texts in NOT_MEANT[: -1 if native.endswith("1") else None]:
        task = [{"name": "Sidekiq", MODULE: {"project_name": "laevigata", **{option: f"{{{{ given_{option} }}}}" for option in texts}}}]
        given = json.dumps({f"given_{option}": text for option, text in texts.items()})
        output = natively(controller, native).play(NO_PYTHON, task, f"--check -e {shlex.quote(given)}", check=False)
        assert counts(output)["failed"] == 1, output
        assert [option for option in texts if f'option \\"{option}\\"' not in output] == [], output


@pytest.mark.parametrize("option", ["concurrency", "start_timeout", "login_shell", "enabled"])
def test_null_is_the_default_and_an_empty_text_is_refused_by_name(controller: Controller, option: str) -> None:
    for task, name in ((ROLE, f"sidekiq_{option}"), ([{"name": "Sidekiq", MODULE: {"project_name": "laevigata", option: "{{ given }}"}}], "given")):
        null, empty = (shlex.quote(json.dumps({name: value})) for value in (None, ""))
        assert counts(controller.play(NO_PYTHON, task, f"--check -e {null}"))["failed"] == 0
        output = controller.play(NO_PYTHON, task, f"--check -e {empty}", check=False)
        assert counts(output)["failed"] == 1 and option in output, output


def test_a_python_too_old(controller: Controller, managed: dict[str, Host]) -> None:
    ping = controller.run("adhoc", f"-i inventory.yml {OLD_PYTHON} -m ansible.builtin.ping", check=False)
    assert ("SUCCESS" in ping) == (controller.core in ("2.14", "2.16")), ping  # else this host shows nothing
    task = [{"name": "Sidekiq", MODULE: {"project_name": "laevigata"}}]
    assert [counts(controller.play(OLD_PYTHON, task))["changed"] for dummy in range(2)] == [1, 0]
    assert managed[OLD_PYTHON].show("ActiveState")["ActiveState"] == "active"


def test_no_python(controller: Controller) -> None:
    ping = controller.run("adhoc", f"-i inventory.yml {NO_PYTHON} -m ansible.builtin.ping", check=False)
    assert "SUCCESS" not in ping, ping


STEERED = """\
- name: The task
  curationexperts.sidekiq.MODULE:
  vars:
    sidekiq_service_fast: FAST
  register: registered
  ignore_errors: true
  ignore_unreachable: true
- name: What is known after it
  ansible.builtin.debug:
    msg: "KNOWN<{{ known | to_json | b64encode }}>"
  vars:
    known:
      result: "{{ registered }}"
      text: "{{ registered.msg | default('') }} {{ registered.warnings | default('') }} {{ registered.diff | default('') }}"
      hosts: "{{ groups.all | sort }}"
      groups: "{{ groups | list | sort }}"
      fact: "{{ steered_fact | default('none') }}"
"""


@dataclass
class Known:
    """What the controller knows after a task that a hostile host has answered."""

    output: str

    @property
    def all(self) -> dict[str, Any]:
        found = re.search(r"KNOWN<([A-Za-z0-9+/=]*)>", self.output)
        assert found, self.output
        return json.loads(base64.b64decode(found[1]))


def after_hostile_answer(controller: Controller, module: str, fast: bool, arguments: str) -> Known:
    controller.host.sh(f"rm -f {hostile.MARK}")
    output = controller.play(NO_PYTHON, STEERED.replace("MODULE", module).replace("FAST", str(fast).lower()), arguments, check=False)
    assert controller.host.sh(f"test -e {hostile.MARK}", check=False).returncode == 1, f"the host had a program run on the controller:\n{output}"
    assert not set(output) & set(hostile.ESCAPE) - set(string.printable), output
    return Known(output)


@pytest.mark.parametrize("fast", [True, False], ids=["fast", "transferred"])
@pytest.mark.parametrize("module", ["sidekiq_service", "sidekiq_service_info", "sidekiq_service_verify"])
def test_a_host_does_not_steer_the_controller(controller: Controller, managed: dict[str, Host], module: str, fast: bool) -> None:
    controller.write("keys.py", hostile.KEYS_OF_CORE)
    keys = json.loads(controller.python("keys.py").rpartition("KEYS")[2])
    assert {"ansible_facts", "ansible_stats", "ansible_job_id"} <= set(keys), keys
    name = f"curationexperts.sidekiq.{module}"
    documented = json.loads(controller.run("doc", f"--json {name}"))[name]["return"]
    taken = controller.with_program(hostile.answering(keys, documented))
    known = after_hostile_answer(taken, module, fast, "--diff -v").all
    assert set(known["result"]) <= set(documented) | hostile.ALLOWED, known["result"]
    inside = json.dumps({**known["result"], "warnings": None})
    assert not [key for key in hostile.EFFECTS if f'"{key}"' in inside], inside
    assert known["result"]["changed"] is True and not known["result"].get("failed")
    assert len([warning for warning in known["result"]["warnings"] if "was left out" in warning]) == 1
    assert (known["hosts"], known["fact"]) == (sorted(managed), "none")
    assert "steered_group" not in known["groups"]


@pytest.mark.parametrize("fast", [True, False], ids=["fast", "transferred"])
@pytest.mark.parametrize("status", [3, 255], ids=["failed", "unreachable"])
def test_an_error_of_a_host_does_not_steer_the_controller(controller: Controller, fast: bool, status: int) -> None:
    """With status 255, ssh and so ansible-core take it for an error of the connection, and show what the host printed on standard error as
    that; on a terminal, which the ordinary transfer has, nothing is printed there.
    """
    known = after_hostile_answer(controller.with_program(hostile.failing(status)), "sidekiq_service", fast, "-v").all
    assert known["result"]["failed" if status == 3 else "unreachable"], known
    assert (hostile.TEMPLATE in known["result"]["msg"]) == (status == 3 or fast), known
