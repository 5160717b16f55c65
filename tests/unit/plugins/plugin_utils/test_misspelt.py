# Copyright (c) curationexperts
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from ansible_collections.curationexperts.sidekiq.plugins.modules import sidekiq_service
from ansible_collections.curationexperts.sidekiq.plugins.plugin_utils.misspelt import misspelt, options

ROOT = Path(__file__).parents[4]


def test_the_options_are_those_that_are_documented():
    assert options() == list(yaml.safe_load(sidekiq_service.DOCUMENTATION)["options"])


@pytest.mark.parametrize(
    ("variable", "meant"),
    [
        ("sidekiq_concurency", "sidekiq_concurrency"),
        ("sidekiq_queue", "sidekiq_queues"),
        ("sidekiq_env_file", "sidekiq_env_files"),
        ("sidekiq_anme", "sidekiq_name"),
        ("sidekiq_stat", "sidekiq_state"),
        ("sidekiq_workingdirectory", "sidekiq_working_directory"),
        ("sidekiq_sudo_uesrs", "sidekiq_sudo_users"),
    ],
)
def test_a_misspelt_variable_is_found(variable, meant):
    assert misspelt([variable, "sidekiq_name"], options()) == [(variable, meant)]


@pytest.mark.parametrize("variable", ["sidekiq_concurrency", "sidekiq_home", "sidekiq_web_port", "sidekiq_", "concurency", "sidekiq_service_fast", "sidekiq"])
def test_other_variables_are_left_alone(variable):
    assert misspelt([variable], options()) == []


def test_no_variable_of_the_role_itself_is_taken_for_misspelt():
    text = "".join(file.read_text() for file in (ROOT / "roles" / "sidekiq" / "tasks").glob("*.yml"))
    assert misspelt(set(re.findall(r"\bsidekiq_[a-z_]+", text)), options()) == []
