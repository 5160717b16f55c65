# SPDX-License-Identifier: GPL-3.0-or-later
"""Controllers with every supported ansible-core, and the hosts that they manage. Tests have them by pytest_plugins = ["controllers"].

2.14 is Debian 12's own package; the others are those of requirements/core, on the Debian whose Python they want. Controllers are hosts of
tests/machines too. They reach the managed hosts through this machine, which forwards a port to each.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import ROOT, Host, made, tool, until
from ways import PACKAGES

DEBIANS = {"3.11": ("bookworm", "ansible-core"), "3.13": ("trixie", "python3")}  # by Python, with the package that brings it
PINNED = {file.stem: re.search(r"^# Python (.*)$", file.read_text(), re.MULTILINE)[1] for file in (ROOT / "requirements/core").glob("*.in")}
CORES = {"2.14": "3.11", **PINNED}
WARNINGS = "ANSIBLE_LOCALHOST_WARNING=false ANSIBLE_DEPRECATION_WARNINGS=true"
PLATFORMS = ("manylinux_2_17_x86_64", "manylinux2014_x86_64", "manylinux_2_28_x86_64")
# Managed hosts: one without Python, one with Python 2.7 only, one with what is reached in many ways.
NO_PYTHON, OLD_PYTHON, MANY_WAYS = "core-none", "core-old", "core-ways"


@contextmanager
def forwarded(config_directory: Path, controller: Host, managed: dict[str, int]) -> Iterator[None]:
    """While this lasts, each managed host's sshd is at that port of the controller."""
    config = config_directory / "ssh_config"
    config.write_text(tool("ssh-config", controller.name, capture_output=True).stdout)
    ports = [f"-R127.0.0.1:{port}:{tool('address', name, capture_output=True).stdout.strip()}:22" for name, port in managed.items()]
    command = ["ssh", "-F", config, "-N", "-o", "ExitOnForwardFailure=yes", *ports, controller.name]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    try:
        until(lambda: controller.sh(f"ss -tln | grep -q ':{max(managed.values())} '", check=False).returncode == 0, 20, "the forwarded ports")
        yield
    finally:
        process.terminate()
        process.wait()


@dataclass
class Controller:
    """A machine with one ansible-core, and the release installed."""

    host: Host
    core: str
    other_collections: str = ""
    settings: str = ""  # of Ansible, as NAME=VALUE

    def run(self, command: str, arguments: str, check: bool = True) -> str:
        """Runs ansible-COMMAND, or ansible itself (adhoc), of this core, in its directory of work."""
        return self.python(f"-m ansible {command} {arguments}", check)

    def python(self, arguments: str, check: bool = True) -> str:
        path = "" if self.core == "2.14" else f"PYTHONPATH=/root/cores/{self.core}"
        settings = f"{path} ANSIBLE_COLLECTIONS_PATH={self.collections} ANSIBLE_NOCOLOR=1 {WARNINGS} {self.settings}"
        done = self.host.sh(f"cd /root/work-{self.core} && exec env {settings} python3 {arguments} 2>&1", check=False)
        assert not check or done.returncode == 0, f"ansible-core {self.core}, {arguments}:\n{done.stdout}"
        # What we use of ansible-core is not to be deprecated, with any version. Others' collections are not ours.
        assert self.other_collections or not deprecations(done.stdout), f"ansible-core {self.core}, {arguments}:\n{done.stdout}"
        return done.stdout

    @property
    def collections(self) -> str:
        return self.other_collections or f"/root/work-{self.core}"

    def with_program(self, text: str) -> Controller:
        """The same with this script in place of the compiled program."""
        where = f"/root/work-{self.core}/other"
        binaries = f"{where}/ansible_collections/curationexperts/sidekiq/plugins/plugin_utils/_bin"
        self.host.sh(f"rm -rf {where}; mkdir {where} && cp -a /root/work-{self.core}/ansible_collections {where}")
        self.host.sh(f"cd {binaries} && cat >program && sed -i /amd64/d SHA256SUMS", stdin=text)
        self.host.sh(f"cd {binaries} && sha256sum program | sed s/program/sidekiq_service_linux_amd64/ >>SHA256SUMS")
        self.host.sh(f"cd {binaries} && gzip -c program >sidekiq_service_linux_amd64.gz")
        return replace(self, other_collections=where)

    def prepare(self, ports: dict[str, int]) -> None:
        common = "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR"
        access = {"ansible_host": "127.0.0.1", "ansible_user": "root", "ansible_ssh_private_key_file": "/root/key", "ansible_ssh_common_args": common}
        hosts = {name: {**access, "ansible_port": port} for name, port in ports.items()}
        hosts[OLD_PYTHON]["ansible_python_interpreter"] = "/usr/bin/python2"
        self.host.sh(f"mkdir -p /root/work-{self.core}/group_vars")
        self.write("password", "secret\n")
        self.write("inventory.yml", yaml.safe_dump({"all": {"hosts": hosts}}))
        self.run("galaxy", f"collection install --offline /root/release/*.tar.gz -p /root/work-{self.core}")

    def vault(self, name: str, text: str) -> str:
        """YAML that gives a variable this text, encrypted by this core."""
        said = self.run("vault", f"encrypt_string --vault-password-file password --name {name} {shlex.quote(text)}")
        return name + said.partition(name)[2].replace("Encryption successful", "")

    def write(self, name: str, text: str) -> None:
        self.host.sh(f"cat >/root/work-{self.core}/{shlex.quote(name)}", stdin=text)

    def play(self, host: str, tasks: list[dict[str, Any]] | str, arguments: str = "", check: bool = True) -> str:
        text = tasks if isinstance(tasks, str) else yaml.safe_dump(tasks, sort_keys=False)
        indented = "\n".join("    " + line for line in text.splitlines())
        self.write("play.yml", f"- name: A play\n  hosts: {host}\n  gather_facts: false\n  tasks:\n{indented}\n")
        return self.run("playbook", f"-i inventory.yml --vault-password-file password {arguments} play.yml", check)


def deprecations(output: str) -> list[str]:
    """What Ansible says that is deprecated, or was."""
    return re.findall(r"\[DEPRECAT[^]]*\].*", output)


def send(source: Path, host: Host, target: str) -> None:
    """Copies a directory to a host."""
    with subprocess.Popen(["tar", "-C", source, "-cz", "."], stdout=subprocess.PIPE) as tar:
        unpack = [ROOT / "tests/machines/machine", "ssh", host.name, f"mkdir -p {target} && tar -xz -C {target}"]
        subprocess.run(unpack, stdin=tar.stdout, check=True)


def packages(core: str, python: str, into: Path) -> Path:
    """That ansible-core with all it needs, as pinned, for a Python that this machine may not have."""
    target = into / core
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes", "--only-binary", ":all:", "--no-deps",
         "--target", target, "--python-version", python, "--ignore-requires-python", "--implementation", "cp", *(f"--platform={name}" for name in PLATFORMS),
         "--requirement", ROOT / f"requirements/core/{core}.txt"],
        check=True,
    )  # fmt: skip
    return target


@pytest.fixture(scope="session")
def managed() -> Iterator[dict[str, Host]]:
    with ExitStack() as stack:
        yield {
            NO_PYTHON: stack.enter_context(made(NO_PYTHON, "bookworm")),
            OLD_PYTHON: stack.enter_context(made(OLD_PYTHON, "bullseye", "--with", "python2")),
            MANY_WAYS: stack.enter_context(made(MANY_WAYS, "bookworm", "--with", PACKAGES)),
        }


@pytest.fixture(scope="session")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the release tarball and nothing else."""
    directory = tmp_path_factory.mktemp("release")
    subprocess.run([ROOT / "scripts/collection", directory], check=True, capture_output=True)
    return directory


@pytest.fixture(scope="session")
def controllers(managed: dict[str, Host], release: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Controller]]:
    key = Path(tool("key", capture_output=True).stdout.strip())
    ports = {name: 2201 + number for number, name in enumerate(managed)}
    found: dict[str, Controller] = {}
    with ExitStack() as stack:
        for python, (suite, package) in DEBIANS.items():
            host = stack.enter_context(made(f"core-{suite}", suite, "--no-app", "--with", f"{package},openssh-client,python3-paramiko"))
            stack.enter_context(forwarded(tmp_path_factory.mktemp("ssh"), host, ports))
            send(release, host, "/root/release")
            host.sh("cat >/root/key && chmod 600 /root/key", stdin=key.read_text())
            for core in (core for core, wanted in CORES.items() if wanted == python):
                if core in PINNED:
                    send(packages(core, python, tmp_path_factory.mktemp("core")), host, f"/root/cores/{core}")
                found[core] = Controller(host, core)
                found[core].prepare(ports)
        yield found


@pytest.fixture(params=sorted(CORES))
def controller(request: pytest.FixtureRequest, controllers: dict[str, Controller], managed: dict[str, Host]) -> Controller:
    """One after the other, with managed hosts on which nothing of ours is."""
    for host in managed.values():
        host.reset()
        host.sh("rm -rf /var/cache/curationexperts.sidekiq")
    return controllers[request.param]
