# SPDX-License-Identifier: GPL-3.0-or-later
"""What a play takes: RESULTS.md, chart.svg and the figures of the README, from results.json, which bench.py writes."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

from tables import ROOT, Documents, table

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results.json"
BOOTED = 20  # hosts of a kind, at most

CASES = {
    "raw": "`raw: true`, the smallest task there is",
    "module": "our module, nothing to change",
    "role": "our role, nothing to change",
    "unvalidated": "our role without ansible-core's validation of its parameters",
    "first": "our module, everything to do, program not yet on the host",
    "ordinary-first": "ordinary tasks, everything to do, and not waiting for Sidekiq to be up",
    "ordinary": "ordinary tasks, nothing to change",
    "pipelining": "ordinary tasks with pipelining",
    "mitogen": "ordinary tasks under Mitogen",
}

Results = dict[str, Any]


class Setting:
    """What was measured with so many hosts at such a distance."""

    def __init__(self, data: dict[str, Any]) -> None:
        self.hosts, self.round_trip, self.runs = data["hosts"], data["round_trip_ms"], data["runs"]
        self.commit, self.load = data["commit"], data["load"]

    def values(self, case: str, figure: str) -> list[float]:
        return [run[figure] for run in self.runs[case]]

    def median(self, case: str, figure: str = "seconds") -> float:
        return statistics.median(self.values(case, figure))

    def ratio(self, case: str, other: str, figure: str = "seconds") -> float:
        return self.median(case, figure) / self.median(other, figure)

    def memory(self, case: str) -> str:
        return f"{self.median(case, 'memory'):.0f}" if "memory" in self.runs[case][0] else ""

    def shared(self) -> bool:
        """Whether several names of the inventory were one booted host. Nothing is promised of these."""
        return self.hosts > BOOTED

    def title(self) -> str:
        if self.shared():
            return f"{self.hosts} names in the inventory that share {BOOTED} hosts, round trip {self.round_trip} ms"
        return f"{self.hosts} host{'s' if self.hosts > 1 else ''}, round trip {self.round_trip} ms"


def render(documents: Documents) -> None:
    results, settings = read(RESULTS)
    documents.put(HERE / "RESULTS.md", document(results, settings))
    documents.put(HERE / "chart.svg", chart(settings))
    documents.fill(ROOT / "README.md", {"bench": shown(settings)})


def read(path: Path) -> tuple[Results, list[Setting]]:
    results = json.loads(path.read_text())
    return results, [Setting(data) for data in results["settings"]]


def missed(path: Path) -> list[str]:
    """The ratios that are not what they must be. They are of medians, within one run on one machine; the times themselves are no promise."""
    results, settings = read(path)
    return [name for name, value, limit, least in ratios(settings, results["commands"]) if not holds(value, limit, least)]


Gate = tuple[str, float, float, bool]  # what, its value, its limit, whether that is the least (else the most)


def ratios(settings: list[Setting], commands: dict[str, int | None]) -> Any:
    """What must be so, as gates."""
    for s in settings:
        if s.hosts > 1:
            continue
        at = f"at {s.round_trip} ms"
        yield f"our module / raw {at}", s.ratio("module", "raw"), 1.15, False
        yield f"our role / raw {at}", s.ratio("role", "raw"), 1.25, False
        for case, limits in {"ordinary": {0: 4.5, 50: 15}, "pipelining": {0: 4, 50: 6}, "mitogen": {0: 4, 50: 8}}.items():
            if s.round_trip in limits:
                yield f"{CASES[case]} / our module {at}", s.ratio(case, "module"), limits[s.round_trip], True
        if s.round_trip in (first := {0: 3, 50: 6}) and "ordinary-first" in s.runs:
            yield f"ordinary tasks / our module, everything to do {at}", s.ratio("ordinary-first", "first"), first[s.round_trip], True
        for case in ("module", "role"):
            moved = max(a + b for a, b in zip(s.values(case, "sent"), s.values(case, "received")))
            yield f"KB moved by our {case}, the most {at}", moved / 1000, 16, False
    one = next((s for s in settings if s.hosts == 1 and s.round_trip == 0), None)
    many = max((s for s in settings if not s.shared()), key=lambda s: s.hosts)
    if one and many.hosts > 1:
        yield f"processor of the controller, our module / raw, {many.hosts} hosts", many.ratio("module", "raw", "cpu"), 1.3, False
        growth = {case: many.median(case) / one.median(case) for case in ("module", "raw")}
        # No more than raw's; a tenth is within the spread of the medians.
        yield f"growth from 1 to {many.hosts} hosts, our module's / raw's", growth["module"] / growth["raw"], 1.1, False
    yield "remote commands of our module, nothing to change", commands["module"] or 0, 1, False
    yield "remote commands of our module, program not yet on the host", commands["first"] or 0, 2, False


def holds(value: float, limit: float, least: bool) -> bool:
    return value >= limit if least else value <= limit


def document(results: Results, settings: list[Setting]) -> str:
    gates = ratios(settings, results["commands"])
    runs = len(settings[0].runs["raw"])
    about = "\n".join(f"| {name} | {value} |" for name, value in results["machine"].items())
    program = results["program"]
    return "\n".join([
        "# What a play takes",
        "",
        f"Measured by `make bench`, which writes this file: medians of {runs} runs, the least and the most in brackets. All plays of a table ran in",
        "turn, over ssh connections that stay open between plays and are compressed, as Ansible has them by itself. All but the one with everything",
        "to do had run before with the same options. Times differ from machine to machine, the ratios hardly.",
        "Where several hosts worked at once, Ansible had one half of the processors and all hosts the other. Ordinary tasks do most of their work",
        "on the hosts, so they would take less time with hosts that are machines of their own; the controller's processor time would be the same.",
        "The ordinary tasks are six: Redis, the unit, the sudoers file, daemon-reload, enabled, started ([the play](plays/ordinary.yml)).",
        "The processor time is that of the controller's `ansible-playbook` and what it starts; the bytes are those of the ssh connections.",
        "",
        "![Seconds of a play by round trip](chart.svg)",
        "",
        "| | |\n|---|---|\n" + about,
        "",
        f"The program itself, on its host and with nothing to change, takes {program['ms']} ms ({program['cpu_ms']} ms of processor) and no more than "
        f"{program['memory_mb']} MB of memory.",
        "",
        "## What must be so",
        "",
        "| | measured | must be |\n|---|---|---|",
        *(f"| {name} | {value:.2f} | {'at least' if least else 'at most'} {limit:g} |" for name, value, limit, least in gates),
        "",
        "## What the role costs beside `raw`",
        "",
        "<!-- parts: begin -->",
        "<!-- parts: end -->",
        "",
        *growth(settings),
        *tables(settings, results["commands"]),
    ])  # fmt: skip


def growth(settings: list[Setting]) -> list[str]:
    """What one more host costs the controller, from one host to the most that were measured."""
    one = settings[0]
    if one.hosts > 1 or settings[-1].hosts == 1:
        return []
    lines = [
        "## What one more host costs",
        "",
        "At a round trip of 0 ms, with 20 forks. The role's cost beside the module's is ansible-core's own, as the section before this one shows.",
        "",
        "| play | from 1 host to | seconds | controller CPU, s | its largest process, KB |",
        "|---|---|---|---|---|",
    ]
    for case, label in CASES.items():
        most = next((s for s in reversed(settings) if case in s.runs), one)
        if case in one.runs and most is not one and most.hosts > 1:
            more = most.hosts - 1
            memory = f"{(most.median(case, 'memory') - one.median(case, 'memory')) * 1000 / more:.0f}" if one.memory(case) and most.memory(case) else ""
            seconds, cpu = ((most.median(case, figure) - one.median(case, figure)) / more for figure in ("seconds", "cpu"))
            lines.append(f"| {label} | {most.hosts} | {seconds:.3f} | {cpu:.3f} | {memory} |")
    return [*lines, ""]


def shown(settings: list[Setting]) -> str:
    """The few figures that the README shows."""
    alone = [s for s in settings if s.hosts == 1]
    rows = [[CASES[case].removesuffix(", nothing to change"), *(f"{s.median(case):.2f}" for s in alone)] for case in COLOURS]
    return table(["seconds for a play with nothing to change", *(f"{s.round_trip} ms" for s in alone)], rows)


def tables(settings: list[Setting], commands: dict[str, int | None]) -> list[str]:
    return [line for s in settings for line in of_setting(s, commands)]


def of_setting(s: Setting, commands: dict[str, int | None]) -> list[str]:
    about = f"{len(s.runs['raw'])} runs of commit {s.commit}. Load of the machine before and after: {s.load[0]} and {s.load[1]}."
    lines = [
        f"## {s.title()}",
        "",
        about,
        "",
        "| play | seconds | × raw | controller CPU, s | its largest process, MB | sent, KB | received, KB | remote commands |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for case, label in CASES.items():
        if case not in s.runs:
            continue
        seconds = s.values(case, "seconds")
        lines.append(
            f"| {label} | {s.median(case):.2f} ({min(seconds):.2f} to {max(seconds):.2f}) | {s.ratio(case, 'raw'):.2f} "
            f"| {s.median(case, 'cpu'):.2f} | {s.memory(case)} | {s.median(case, 'sent') / 1000:.1f} | {s.median(case, 'received') / 1000:.1f} "
            f"| {'its own protocol' if commands[case] is None else commands[case] * s.hosts} |"
        )
    return [*lines, ""]


# --- the chart: bars of seconds, a group for each round trip ---

COLOURS = {"raw": "#8a8f98", "module": "#0b7285", "role": "#3bc9db", "mitogen": "#f08c00", "pipelining": "#e8590c", "ordinary": "#c92a2a"}
LABELS = {
    "raw": "raw: true (floor)",
    "module": "this module",
    "role": "this role",
    "mitogen": "6 ordinary tasks, Mitogen",
    "pipelining": "6 ordinary tasks, pipelining",
    "ordinary": "6 ordinary tasks",
}
WIDTH, LEFT, BAR, GAP, TOP = 760, 190, 15, 26, 64


def chart(settings: list[Setting]) -> str:
    groups = [s for s in settings if s.hosts == 1]
    longest = max(s.median(case) for s in groups for case in COLOURS)
    scale = (WIDTH - LEFT - 70) / longest
    parts: list[str] = []
    y = TOP
    for s in groups:
        parts.append(f'<text class="group" x="12" y="{y + len(COLOURS) * BAR / 2 + 4:g}">{s.round_trip} ms</text>')
        for case, colour in COLOURS.items():
            seconds = s.median(case)
            parts.append(f'<text class="label" x="{LEFT - 8}" y="{y + 11}">{LABELS[case]}</text>')
            parts.append(f'<rect x="{LEFT}" y="{y + 1}" width="{seconds * scale:.1f}" height="{BAR - 3}" fill="{colour}"/>')
            parts.append(f'<text class="value" x="{LEFT + seconds * scale + 5:.1f}" y="{y + 11}">{seconds:.2f} s</text>')
            y += BAR
        y += GAP
    runs = len(groups[0].runs["raw"])
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" role="img" font-family="sans-serif">'
        "<title>Seconds that a play with nothing to change takes, by round trip to the host</title>"
        "<style>.title{font-size:15px;font-weight:bold}.group{font-size:14px;font-weight:bold}.label{font-size:10px;text-anchor:end}"
        ".value{font-size:10px}text{fill:#212529}</style>"
        f'<rect width="{WIDTH}" height="{y}" fill="#ffffff"/>'
        '<text class="title" x="12" y="24">Seconds for a play with nothing to change, by round trip to the host</text>'
        f'<text class="label" style="text-anchor:start" x="12" y="42">Median of {runs} runs, one host, over ssh. Shorter is better.</text>'
    )
    return head + "\n" + "\n".join(parts) + "\n</svg>\n"
