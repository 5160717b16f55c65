# SPDX-License-Identifier: GPL-3.0-or-later
"""What somebody does who has installed the release: the README's play and the documentation's examples, on a real host."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import ROOT, Host, tool
from system import SYSTEMD

MODULES = sorted(path.stem for path in (ROOT / "plugins/modules").glob("*.py"))


class Workplace:
    """A directory of somebody who has installed the collection, and has a host to manage."""

    def __init__(self, directory: Path, source: str, host: Host) -> None:
        self.directory = directory
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "PYTHONPATH"))}
        self.environment = kept | {"HOME": str(directory), "ANSIBLE_COLLECTIONS_PATH": str(directory), "ANSIBLE_NOCOLOR": "1"}
        self.run("ansible-galaxy", "collection", "install", source, "-p", str(directory))
        variables = yaml.safe_load(tool("inventory", host.name, capture_output=True).stdout)["all"]["hosts"][host.name]
        (directory / "inventory.yml").write_text(yaml.safe_dump({"app": {"hosts": {host.name: variables}}}))

    def run(self, *command: str, check: bool = True) -> str:
        tool_path = Path(sys.executable).parent / command[0]
        done = subprocess.run(
            [tool_path, *command[1:]],
            cwd=self.directory,
            env=self.environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=300,
            check=False,
        )
        assert not check or done.returncode == 0, f"{command}:\n{done.stdout}"
        return done.stdout

    def play(self, plays: list[dict[str, Any]], *arguments: str, check: bool = True) -> str:
        (self.directory / "play.yml").write_text(yaml.safe_dump(plays, sort_keys=False))
        return self.run("ansible-playbook", "-i", "inventory.yml", "play.yml", *arguments, check=check)


@pytest.fixture(scope="module")
def workplace(machine: Host, tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    directory = tmp_path_factory.mktemp("workplace")
    subprocess.run([ROOT / "scripts/collection", directory], check=True, capture_output=True)
    (tarball,) = directory.glob("*.tar.gz")
    return Workplace(directory, str(tarball), machine)


def examples(workplace: Workplace, module: str) -> list[dict[str, Any]]:
    """The tasks of a module's EXAMPLES, as ansible-doc has them."""
    document = yaml.safe_load(workplace.run("ansible-doc", "--json", f"curationexperts.sidekiq.{module}"))
    text = document[f"curationexperts.sidekiq.{module}"]["examples"]
    return yaml.safe_load(text if SYSTEMD >= 231 else text.replace("MemoryMax", "MemoryLimit"))  # as it was called before


def test_the_plays_of_the_readme(host: Host, workplace: Workplace) -> None:
    found = re.findall(r"^```yaml\n(- hosts:.*?)^```", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    assert len(found) >= 2
    host.sh("mkdir -p /etc/laevigata; echo A=b >/etc/laevigata/sidekiq.env; chmod 600 /etc/laevigata/sidekiq.env")
    for text in found:
        first, second = (workplace.play(yaml.safe_load(text)) for dummy in range(2))
        assert "changed=1 " in first and "changed=0 " in second, first + second
        assert host.show("ActiveState", "UnitFileState") == {"ActiveState": "active", "UnitFileState": "enabled"}
        assert "[WARNING]" not in first + second, first


@pytest.mark.parametrize("module", MODULES)
def test_each_example_in_check_mode(host: Host, workplace: Workplace, module: str) -> None:
    host.converge()
    host.sh(
        "id bess || useradd bess; getent group operators || groupadd operators; mkdir -p /etc/laevigata; touch /etc/laevigata/sidekiq.env;"
        " chmod 600 /etc/laevigata/sidekiq.env; cp -a /opt/laevigata /opt/hyrax;"
        " ln -sfn $(readlink /opt/laevigata/current | sed s/laevigata/hyrax/) /opt/hyrax/current"
    )
    tasks = examples(workplace, module)
    before = host.snapshot()
    secrets = {name: "a secret of the test" for name in re.findall(r"\bvault_\w+", json.dumps(tasks))}
    output = workplace.play([{"name": "Examples", "hosts": "app", "gather_facts": False, "vars": secrets, "tasks": tasks}], "--check", "--diff")
    assert "a secret of the test" not in output
    assert f"ok={len(tasks) - output.count('skipping:')} " in output, output
    assert host.snapshot() == before


def test_installed_from_git_the_error_says_what_to_do(host: Host, tmp_path: Path) -> None:
    subprocess.run(["git", "clone", "--quiet", "--bare", ROOT, tmp_path / "repository.git"], check=True)
    installed = Workplace(tmp_path, f"git+file://{tmp_path}/repository.git", host)
    task = {"name": "Sidekiq", "curationexperts.sidekiq.sidekiq_service": {"project_name": "laevigata"}}
    output = installed.play([{"name": "A play", "hosts": "app", "gather_facts": False, "tasks": [task]}], check=False)
    said = " ".join(output.split())
    assert "install the release tarball, or run `make build`" in said, output
