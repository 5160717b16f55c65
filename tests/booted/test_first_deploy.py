# SPDX-License-Identifier: GPL-3.0-or-later
"""A host is provisioned before anything is deployed to it: the first deploy finds a service that it only has to start."""

from __future__ import annotations

from typing import Any

import pytest
from conftest import APP, UNIT, Host, tool
from system import SIDEKIQ, SIDEKIQ_VERSION, TYPE

HOST_OPTIONS = ["--no-app"]


@pytest.fixture
def bare(host: Host) -> Host:
    """A host that nothing has been deployed to."""
    host.sh(f"rm -rf {APP}")
    return host


def deploy(host: Host) -> None:
    """As Capistrano does: a new release, then a restart by the deploy user."""
    tool("deploy", host.name, capture_output=True)
    tool("ssh", f"deploy@{host.name}", "sudo -n systemctl restart sidekiq", capture_output=True)


def succeeded(result: dict[str, Any]) -> dict[str, Any]:
    assert not result.get("failed"), result["msg"]
    return result


def works(host: Host) -> None:
    host.push("WriteFile", f"{APP}/shared/tmp/done")
    host.wait(f"cat {APP}/shared/tmp/done && rm {APP}/shared/tmp/done")


def test_before_the_first_deploy_it_is_enabled_and_not_started(bare: Host) -> None:
    first = succeeded(bare.converge())
    assert (first["changed"], first["deployed"], first["sidekiq_version"]) == (True, False, None)
    assert bare.show("ActiveState", "UnitFileState") == {"ActiveState": "inactive", "UnitFileState": "enabled"}
    assert any(f"{APP}/current is not there yet" in w and "sudo systemctl restart sidekiq" in w for w in first["warnings"]), first["warnings"]
    again = succeeded(bare.converge())
    assert (again["changed"], again["steps"], again["deployed"]) == (False, [], False)


def test_a_missing_application_is_an_error_where_it_has_to_be_there(bare: Host) -> None:
    before = bare.snapshot()
    result = bare.converge(require_deployed=True)
    assert result["failed"] and 'option "require_deployed"' in result["msg"] and f"{APP}/current" in result["msg"], result
    assert bare.snapshot() == before
    assert not bare.converge(check=True, require_deployed=True).get("failed")


def test_the_first_deploy_starts_it_and_the_next_run_fits_the_unit_to_its_sidekiq(bare: Host) -> None:
    bare.converge()
    deploy(bare)
    bare.wait("ps -o args= -p $(systemctl show -p MainPID sidekiq | cut -d = -f 2-) | grep busy")
    works(bare)
    pid = bare.main_pid()

    check = succeeded(bare.converge(check=True))
    result = succeeded(bare.converge())
    assert (result["deployed"], result["sidekiq_version"], result["steps"]) == (True, SIDEKIQ_VERSION, check["steps"])
    assert bare.show("Type", "ActiveState") == {"Type": TYPE, "ActiveState": "active"}
    if TYPE == "notify":
        assert result["steps"][0] == f"change {UNIT}: its type is notify now, since Sidekiq {SIDEKIQ_VERSION} tells systemd when it is up"
        assert bare.main_pid() != pid
    else:
        # Before Sidekiq 5 the signal for quiet is another one than a unit has whose Sidekiq is not known. That restarts nothing.
        assert (result["changed"], bare.main_pid()) == (SIDEKIQ < (5,), pid), result
    assert not succeeded(bare.converge())["changed"]
    works(bare)


def test_it_is_up_after_a_reboot_that_came_before_the_first_deploy(bare: Host) -> None:
    bare.converge()
    tool("reboot", bare.name, capture_output=True)
    assert bare.show("ActiveState")["ActiveState"] == "activating", "it is tried again and again, at growing intervals"
    deploy(bare)
    bare.wait("systemctl is-active sidekiq")
    works(bare)


def test_a_run_while_the_application_is_gone_leaves_the_service_running(bare: Host) -> None:
    """As for a moment in a deploy that removes and makes the link, or while a disk is not mounted: it would not come up again."""
    bare.converge()
    deploy(bare)
    bare.converge()
    pid = bare.main_pid()
    bare.sh(f"mv {APP}/current {APP}/gone")
    result = succeeded(bare.converge())
    assert (result["deployed"], bare.main_pid()) == (False, pid)
    bare.sh(f"mv {APP}/gone {APP}/current")
    assert succeeded(bare.converge())["deployed"]
    assert bare.show("Type", "ActiveState") == {"Type": TYPE, "ActiveState": "active"}
    works(bare)
