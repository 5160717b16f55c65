# SPDX-License-Identifier: GPL-3.0-or-later
"""What a play through the role costs the controller, part by part: the section of RESULTS.md, from parts.json.

Plays are measured that differ by one part each. Their module does nothing at all, so what they cost beside each other is ansible-core's own:
a task, a role with one task of that kind, the same with the expressions of our role's task, and the same with our role's argument specs.
`.cache/bench-venv/bin/python benchmarks/tables.py measure parts` measures them. They are measured with many hosts, where each part is large beside
what else happens to the machine, and the share of one host is told. What our module costs is no part of this: bench.py measures it beside raw.
"""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

from tables import ROOT, Documents, table

HERE = Path(__file__).resolve().parent
DATA = HERE / "parts.json"
HOSTS, RUNS = 20, 10
PLACE = ROOT / ".cache/bench-parts"
COLLECTION = PLACE / "ansible_collections/bench/parts"
ROLE = ROOT / "roles/sidekiq"
MODULE = "curationexperts.sidekiq.sidekiq_service"
SPECS = ("argument_specs", "argument_specs.yml")

NOTHING = '''"""Does nothing."""
from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    def run(self, tmp=None, task_vars=None):
        return {"changed": False, **super().run(tmp, task_vars)}
'''
PLAY = "- hosts: all\n  gather_facts: false\n  {}\n"
PLAYS = {
    "nothing": "tasks: [{ name: Do nothing, bench.parts.nothing: { project_name: laevigata } }]",
    "bare": "roles: [{ role: bench.parts.bare, project_name: laevigata }]",
    "mapped": "roles: [{ role: bench.parts.mapped, project_name: laevigata }]",
    "validated": "roles: [{ role: bench.parts.validated, project_name: laevigata }]",
}

# The parts, each as the plays whose difference it is.
PARTS = {
    "a role of one task in place of the task": ("bare", "nothing"),
    "the {options} expressions of the task, which say what goes where": ("mapped", "bare"),
    "the validation of {variables} variables by the argument specs, in a task of its own": ("validated", "mapped"),
    "all three": ("validated", "nothing"),
}


def measure(suites: tuple[str, ...]) -> None:
    """The plays in turn. All names of the inventory share one host, since only the controller is looked at."""
    import bench
    from proxy import Proxy

    assert not suites, "the controller is what is measured, not the host"
    write_collection()
    bench.NO_SETTINGS.write_text("")
    paths = {"ANSIBLE_COLLECTIONS_PATH": f"{ROOT / '.cache'}:{PLACE}"}
    cases = {name: bench.Case(str(PLACE / name) if name in PLAYS else name, settings=paths) for name in ("raw", *PLAYS)}
    with bench.fleet("parts", 1) as one:
        figures = {"machine": bench.machine(one.names[0]), "hosts": HOSTS, **sizes()}
        address = bench.as_root(bench.HOST_TOOL, "address", one.names[0]).strip()
        fleet = bench.Fleet("parts", one.names, Proxy([address] * HOSTS))
        # Not all connections are opened at once: sshd would turn some away.
        bench.run(*bench.playbook(HOSTS, "--forks", 4, "-i", fleet.inventory(HOSTS), HERE / "plays/raw.yml"), env=bench.environment(cases["raw"]))
        bench.PROCESSORS = bench.CONTROLLERS  # so that with one host, too, Ansible keeps to its part of the machine
        plays = [("raw of one host", cases["raw"], 1), *((name, case, HOSTS) for name, case in cases.items())]
        runs: dict[str, list[float]] = {name: [] for name, dummy, dummy in plays}
        for dummy in range(RUNS):
            for name, case, hosts in plays:
                runs[name].append(bench.measure(case, fleet, hosts)["cpu"])
    DATA.write_text(json.dumps({**figures, "runs": runs}, indent=1) + "\n")


def write_collection() -> None:
    """A collection with a module that does nothing, and roles of it that are ours but for that."""
    shutil.rmtree(PLACE, ignore_errors=True)
    (COLLECTION / "plugins/action").mkdir(parents=True)
    (COLLECTION / "plugins/action/nothing.py").write_text(NOTHING)
    (COLLECTION / "meta").mkdir()
    for file in ("galaxy.yml", "meta/runtime.yml"):
        (COLLECTION / file).write_text((ROOT / file).read_text().replace("curationexperts", "bench").replace("name: sidekiq", "name: parts"))
    for name in ("bare", "mapped", "validated"):
        role = COLLECTION / "roles" / name
        shutil.copytree(ROLE, role)
        for file in ("tasks/main.yml", "handlers/main.yml"):
            text = (role / file).read_text().replace(MODULE, "bench.parts.nothing")
            (role / file).write_text(re.sub(r" # BEGIN options.*?# END options", " project_name: laevigata", text, flags=re.DOTALL) if name == "bare" else text)
        if name != "validated":
            for file in SPECS:
                (role / "meta" / file).unlink()
    for name, play in PLAYS.items():
        (PLACE / f"{name}.yml").write_text(PLAY.format(play))


def sizes() -> dict[str, int]:
    """How many expressions the role's task has, and how many variables are validated."""
    expressions = re.findall(r'^    \w+: "\{\{', (ROLE / "tasks/main.yml").read_text(), re.MULTILINE)
    variables = json.loads((ROLE / "meta/argument_specs").read_text())["argument_specs"]["main"]["options"]
    return {"options": len(expressions), "variables": len(variables)}


def render(documents: Documents) -> None:
    documents.fill(HERE / "RESULTS.md", {"parts": section(json.loads(DATA.read_text()))})


def section(data: dict[str, Any]) -> str:
    """The least of each play's runs: whatever else the machine does only adds to it."""
    least = {name: min(seconds) * 1000 for name, seconds in data["runs"].items()}
    hosts, machine = data["hosts"], data["machine"]
    own = least["validated"] - least["nothing"]
    parts = {label.format(**data): least[play] - least[other] for label, (play, other) in PARTS.items()}
    rows = [[label, f"{took:.0f}", f"{took / hosts:.0f}"] for label, took in ({"`raw: true`, all of the play": least["raw"]} | parts).items()]
    many, one = 1 + own / least["raw"], 1 + own / hosts / least["raw of one host"]
    return "\n".join([
        "What ansible-core itself does for our role, whose module does nothing at all here: milliseconds of the controller's processor, each part the",
        f"difference of two plays that differ by it ([parts.py](parts.py)), the least of {len(data['runs']['raw'])} runs. "
        f"ansible-core {machine['ansible-core']}, Python {machine['python']}, {machine['processor']}.",
        "",
        table(["", f"{hosts} hosts, ms", "for each, ms"], rows),
        f"So a role that declares these variables, and says option by option what goes where, takes at least {many:.2f} times the processor of `raw` with",
        f"{hosts} hosts. With one, where `raw` takes {least['raw of one host']:.0f} ms, it is {one:.2f} times by the share of a host.",
    ])  # fmt: skip
