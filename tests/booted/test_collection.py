# SPDX-License-Identifier: GPL-3.0-or-later
"""The release tarball: what is in it, that it is the same each time, and that Ansible installs and uses it in an empty environment."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NAME = "curationexperts.sidekiq"

# All that may be in the tarball. Who adds a file that users are to have adds its pattern.
EXPECTED = re.compile(r"""(?x)
    MANIFEST\.json | FILES\.json | (README|CODE_OF_CONDUCT|CONTRIBUTING|MAINTAINING|SECURITY)\.md | CHANGELOG\.rst | LICENSE | go\.(mod|sum)
    | changelogs/(changelog|config)\.yaml | changelogs/fragments/([\w.-]+\.yml|\.keep)
    | docs/([\w-]+/)?[\w-]+\.(md|json) | docs/docsite/([\w-]+\.yml|rst/[\w-]+\.rst)
    | licenses/([\w.-]+/)+(LICENSE|COPYING|NOTICE|PATENTS)[\w.-]*
    | meta/(runtime|execution-environment)\.yml
    | module_src/([\w-]+/)*[\w-]+\.go | module_src/(.*/)?testdata/.+
    | playbooks/\w+\.yml | playbooks/files/[\w.]+
    | plugins/(action|modules|plugin_utils)/\w+\.py
    | plugins/plugin_utils/_bin/(SHA256SUMS|sidekiq_service_linux_(amd64|arm64|ppc64le|s390x|riscv64)\.gz)
    | roles/sidekiq/README\.md | roles/sidekiq/meta/argument_specs | roles/sidekiq/(defaults|handlers|meta|tasks)/\w+\.yml
    """)


@pytest.fixture(scope="module")
def tarball(tmp_path_factory: pytest.TempPathFactory) -> Path:
    into = tmp_path_factory.mktemp("built")
    subprocess.run([ROOT / "scripts/collection", into], check=True, capture_output=True)
    (built,) = into.glob("*.tar.gz")
    return built


class Installed:
    """The collection installed from the tarball, where Ansible knows nothing else."""

    def __init__(self, home: Path, tarball: Path):
        self.home = home
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "PYTHONPATH"))}
        self.env = kept | {"HOME": str(home), "ANSIBLE_COLLECTIONS_PATH": str(home), "NO_COLOR": "1", "ANSIBLE_HOME": str(home / ".ansible")}
        self.run("ansible-galaxy", "collection", "install", str(tarball), "-p", str(home))
        self.path = home / "ansible_collections/curationexperts/sidekiq"

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(command, text=True, capture_output=True, cwd=self.home, env=self.env, timeout=300, check=False)
        assert done.returncode == 0, f"{command}:\n{done.stdout}{done.stderr}"
        return done


@pytest.fixture
def installed(tmp_path: Path, tarball: Path) -> Installed:
    return Installed(tmp_path, tarball)


def test_only_expected_files(tarball: Path) -> None:
    with tarfile.open(tarball) as tar:
        unexpected = [file.name for file in tar if not file.isdir() and not EXPECTED.fullmatch(file.name)]
        names = set(tar.getnames())
    assert unexpected == []
    sums = ROOT / "plugins/plugin_utils/_bin/SHA256SUMS"
    programs = {f"plugins/plugin_utils/_bin/{line.split()[1]}.gz" for line in sums.read_text().splitlines()}
    sources = subprocess.run(["git", "ls-files", "module_src", "go.mod", "go.sum"], cwd=ROOT, text=True, capture_output=True, check=True).stdout.split()
    missing = ({"LICENSE", "README.md", "CHANGELOG.rst", "plugins/plugin_utils/_bin/SHA256SUMS"} | programs | set(sources)) - names
    assert not missing and len(programs) > 1


def test_links_between_the_documents_lead_to_what_is_shipped(tarball: Path) -> None:
    with tarfile.open(tarball) as tar:
        names = {name.removeprefix("./") for name in tar.getnames()}
        pages = {name: tar.extractfile(name).read().decode() for name in tar.getnames() if name.endswith(".md")}
    dead = []
    for page, text in pages.items():
        for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", text):
            if os.path.normpath(os.path.join(os.path.dirname(page), target)) not in names:
                dead.append(f"{page}: {target}")
    assert not dead and len(pages) > 10


def test_licences_of_every_linked_module(tarball: Path) -> None:
    amd64 = ROOT / "plugins/plugin_utils/_bin/sidekiq_service_linux_amd64"
    built = subprocess.run(["go", "version", "-m", amd64], text=True, capture_output=True, check=True).stdout
    modules = {fields[1] for fields in map(str.split, built.splitlines()) if fields and fields[0] == "dep"}
    with tarfile.open(tarball) as tar:
        names = tar.getnames()
    assert modules
    for module in modules | {"go"}:
        assert f"licenses/{module}/LICENSE" in names


def test_same_bytes_when_built_again(tarball: Path, tmp_path: Path) -> None:
    subprocess.run([ROOT / "scripts/collection", tmp_path], check=True, capture_output=True)
    assert (tmp_path / tarball.name).read_bytes() == tarball.read_bytes()


def test_installed_files_are_verified(installed: Installed) -> None:
    verify = ("ansible-galaxy", "collection", "verify", "--offline", NAME, "-p", str(installed.home))
    installed.run(*verify)
    with (installed.path / "README.md").open("a") as readme:
        readme.write("changed\n")
    with pytest.raises(AssertionError, match=r"README\.md"):
        installed.run(*verify)


def test_documentation_without_a_warning(installed: Installed) -> None:
    modules = sorted(f"{NAME}.{file.stem}" for file in (installed.path / "plugins/modules").glob("*.py"))
    listed = installed.run("ansible-doc", "--list", "--json", NAME)
    assert sorted(json.loads(listed.stdout)) == modules
    shown = installed.run("ansible-doc", *modules)
    role = installed.run("ansible-doc", "--type", "role", f"{NAME}.sidekiq")
    assert (listed.stderr, shown.stderr, role.stderr) == ("", "", "")
    for module in modules:
        assert module.rpartition(".")[2].upper() in shown.stdout.upper()


def test_playbooks_are_found_by_name(installed: Installed) -> None:
    for playbook in (installed.path / "playbooks").glob("*.yml"):
        installed.run("ansible-playbook", "--syntax-check", "-i", "localhost,", f"{NAME}.{playbook.stem}")


def test_plugins_roles_and_playbooks_suffice(installed: Installed) -> None:
    for entry in installed.path.iterdir():
        if entry.name not in ("meta", "plugins", "roles", "playbooks"):
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    with pytest.raises(AssertionError, match="no_such_option"):
        installed.run("ansible", "-i", "localhost,", "-c", "local", "-C", "-m", f"{NAME}.sidekiq_service", "-a", "no_such_option=1", "all")


def test_links_of_the_readme_lead_somewhere_on_galaxy_too() -> None:
    """Galaxy shows the README without the files beside it."""
    text = (ROOT / "README.md").read_text()
    links = re.findall(r"\]\(([^)#]+)[)#]", text) + re.findall(r"^\[[^]]+\]: (\S+)$", text, re.MULTILINE)
    assert len(links) > 10
    for link in links:
        path = re.match(r"https://(?:github\.com|raw\.githubusercontent\.com)/curationexperts/ansible-sidekiq/(?:(?:blob|tree)/)?main/(.*)", link)
        ours = "curationexperts/ansible-sidekiq" in link or "://" not in link
        assert not ours or link.endswith(("/issues", "ansible-sidekiq")) or path and (ROOT / path[1]).exists(), link
