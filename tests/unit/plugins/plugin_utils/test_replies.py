# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a host's reply becomes the result of a task. tests/cores shows with real plays that nothing else has an effect."""

from __future__ import annotations

import json
import time

import pytest

from ansible_collections.curationexperts.sidekiq.plugins.plugin_utils import replies

MODULES = ("sidekiq_service", "sidekiq_service_info", "sidekiq_service_verify")
OPEN = {"options"}  # dictionaries that hold what their own documentation tells elsewhere
SAMPLES = {"bool": True, "int": 4098, "str": "text", "path": "/a", "float": 1.5}


def read(reply, module="sidekiq_service"):
    return replies.read_result(module, reply if isinstance(reply, str) else json.dumps(reply))


def sample(described):
    """A value as documented."""
    if described["type"] == "dict":
        return {key: sample(inner) for key, inner in described.get("contains", {"a": {"type": "str"}}).items()}
    if described["type"] == "list":
        return [sample({**described, "type": described["elements"]})] * 2
    return SAMPLES[described["type"]]


def walk(returns, place=""):
    for name, described in returns.items():
        yield f"{place}{name}", described
        yield from walk(described.get("contains", {}), f"{place}{name}.")


@pytest.mark.parametrize("module", MODULES)
def test_every_documented_value_says_what_it_may_hold(module):
    """Or it would be left out of every result."""
    for name, described in walk(replies.documented_returns(module)):
        kinds = [described["type"]] + ([described["elements"]] if described["type"] == "list" else [])
        assert set(kinds) <= set(replies._PYTHON), f"{name} in plugins/modules/{module}.py has a type that no reply is held against"
        assert "dict" not in kinds or described.get("contains") or name in OPEN, f"{name} in plugins/modules/{module}.py needs `contains`"


@pytest.mark.parametrize("module", MODULES)
def test_what_is_documented_arrives_as_it_is(module):
    reply = {"changed": False, "failed": True, "msg": "why", "warnings": ["a warning"]}
    reply.update({name: sample(described) for name, described in replies.documented_returns(module).items()})
    assert read(reply, module) == reply
    nothing = {"changed": True, **dict.fromkeys(set(reply) - {"changed", "failed", "msg", "warnings", "diff"})}
    assert read(nothing, module) == nothing


@pytest.mark.parametrize("module", MODULES)
def test_another_type_than_the_documented_is_left_out(module):
    values = [True, 1, 1.5, "text", ["text"], [1], {"add_host": 1}, [{"add_host": 1}], [["text"]]]
    for name, described in replies.documented_returns(module).items():
        right = sample(described)
        for value in values:
            kept = read({"changed": False, name: value}, module).get(name)
            if name == "warnings":
                kept = [text for text in kept if "does not return" not in text] if kept else kept
            assert type(kept) in (type(None), type(right))
            assert kept in (None, value, [], {}, [{}]), (name, value)
            if isinstance(kept, list):
                assert {type(item) for item in kept} <= {type(right[0])}, (name, value)


LEFT_OUT = {
    "a key": ({"add_host": {"host_name": "other"}}, '"add_host"'),
    "an internal key": ({"_ansible_verbose_always": True}, '"_ansible_verbose_always"'),
    "facts": ({"ansible_facts": {"a": 1}}, '"ansible_facts"'),
    "a type": ({"unit": {"add_host": {}}}, '"unit"'),
    "a truth in place of a number": ({"service": {"before": {"main_pid": True}}}, '"service.before.main_pid"'),
    "a key of a dictionary": ({"service": {"after": {"add_host": {}}}}, '"service.after.add_host"'),
    "an item of a list": ({"steps": ["one", {"add_host": {}}]}, '"steps[]"'),
    "a key in a list": ({"diff": [{"before": "a", "prepared": "b"}]}, '"diff[].prepared"'),
    "an item of the warnings": ({"warnings": [{"add_host": {}}]}, '"warnings[]"'),
    "a key of a deprecation": ({"deprecations": [{"msg": "old", "removed": True}]}, '"deprecations[].removed"'),
}


@pytest.mark.parametrize("what", LEFT_OUT)
def test_what_is_left_out_is_named_in_one_warning(what):
    reply, name = LEFT_OUT[what]
    result = read({"changed": False, **reply})
    assert len(result["warnings"]) == 1 and name in result["warnings"][0]
    assert "add_host" not in json.dumps({**result, "warnings": []})


def test_many_long_and_wild_names_make_a_short_warning():
    result = read({"changed": False, **{f"{number}\x1b[2J\n{'x' * 10_000}": 1 for number in range(1000)}})
    assert len(result["warnings"]) == 1 and len(result["warnings"][0]) < 700
    assert "and 995 more" in result["warnings"][0]
    assert not set(result["warnings"][0]) & {"\x1b", "\n"}


def test_a_deprecation_without_a_message_is_left_out():
    assert read({"changed": False, "deprecations": [{"version": "1"}, {"msg": "old"}]})["deprecations"] == [{"msg": "old"}]


CONTROL = [chr(code) for code in [*range(0x20), *range(0x7F, 0xA0), 0x61C, 0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2066, 0x2070)]]


def test_text_is_harmless_for_a_terminal_everywhere_in_a_result():
    evil = "".join(CONTROL) + "\ud800"
    texts = {"msg": evil, "unit": evil, "steps": [evil], "warnings": [evil], "diff": [{"before": evil}], "deprecations": [{"msg": evil}]}
    result = read({"changed": False, **texts, "service": {"before": {"active_state": evil}}})
    shown = [result["msg"], result["unit"], *result["steps"], *result["warnings"], result["diff"][0]["before"], result["deprecations"][0]["msg"]]
    for text in (*shown, result["service"]["before"]["active_state"]):
        assert not set(text) & (set(CONTROL) - {"\n", "\t"})
        assert "\n" in text and "\t" in text and "\\x1b" in text
        text.encode()


def test_text_of_every_language_stays():
    text = "Größe\t日本語 עברית 🙂\nend"
    assert read({"changed": False, "msg": text})["msg"] == text


def test_lines_end_as_a_terminal_ends_them_or_as_the_file_does():
    assert replies.end_of("one\r\ntwo\r") == "one\ntwo"
    assert replies.clean("one\r\ntwo") == "one\\r\ntwo"


def test_noise_around_the_result():
    for printed in (
        'hello\n{"changed": true}\n',
        '\x1b]0;title\x07{"changed": true}\r\n',
        '{"motd": 1}\n{"changed": true}\nlogout {"\n',
        '{"{"{"changed": true} bye\n{"motd": 1}\n',
    ):
        assert read(printed) == {"changed": True}, printed


NO_RESULT = {
    "nothing": "",
    "no object": "true",
    "a list": '[{"changed": fa]',
    "neither changed nor failed": '{"msg": "fine"}',
    "cut short": '{"changed": false, "msg": "',
    "too deep": '{"changed":' + '{"a":' * 100_000,
    "a number that is too long": '{"changed": false, "x": ' + "1" * 100_000 + "}",
    "no truth": '{"changed": "no"}',
    "a failure that is no truth": '{"changed": false, "failed": "yes"}',
    "a null": '{"changed": false, "failed": null}',
}


@pytest.mark.parametrize("what", NO_RESULT)
def test_a_reply_that_is_no_result(what):
    with pytest.raises(replies.NoResult):
        read(NO_RESULT[what])


def test_a_long_line_without_a_result_is_soon_done_with():
    start = time.monotonic()
    with pytest.raises(replies.NoResult):
        read('{"a":' * 400_000)
    assert time.monotonic() - start < 5


def test_of_an_open_dictionary_all_is_kept_but_what_ansible_gives_a_meaning(monkeypatch):
    monkeypatch.setattr(replies, "documented_returns", lambda module: {"options": {"type": "dict"}})
    deep = {"a": {"a": {"a": {"a": {"a": {"a": {"a": {"a": {"a": {"a": 1}}}}}}}}}}
    options = {"queues": ["a", 2], "env": {"A_B": "x\x1b[0m", "_ansible_x": 1, "ansible_connection": "local", "__ansible_type": 1}, "deep": deep, "none": None}
    result = read({"changed": False, "options": options})
    assert result["options"]["queues"] == ["a", 2] and result["options"]["env"] == {"A_B": "x\\x1b[0m"} and result["options"]["none"] is None
    assert "ansible_connection" in result["warnings"][0] and json.dumps(result["options"]["deep"]).count("a") < 10
