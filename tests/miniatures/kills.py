"""Which case files catch which miniature: one run of all of them, and the matrix that it gives."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from conformance.known.record import Record
from conformance.plan import cases
from conformance.plan.filters import Filters
from conformance.plan.plan import Plan
from conformance.record.record import CheckLine, RunRecord
from conformance.run import run as runs

ROOT = Path(__file__).resolve().parents[2]
ADAPTER = ROOT / "tests" / "miniatures" / "adapter.py"
MATRIX = ROOT / "tests" / "miniatures" / "kills.yaml"

HEADER = """\
# Which case files catch which wrong implementation; written by `python -m tests.miniatures.renew`.
"""

#: Miniatures that are asked for tensors of ten million elements, a right one among them.
ABOUT_LARGE = ("sum_stagnates", "natural_terms")

#: (miniature, everything about a finding that does not name the miniature).
Outcomes = dict[str, frozenset[tuple[str, ...]]]

#: Case files, by their family, that catch a miniature.
Kills = dict[str, tuple[str, ...]]


def run(*implementations: str, families: tuple[str, ...] = (), quantities: tuple[str, ...] = ()) -> RunRecord:
    """Run the miniatures (all of them, or those that match a glob) on every case, nothing being recorded.

    Families of cases and quantities narrow it.
    """
    filters = Filters(backend=("mini-*",), implementation=implementations, case=families, quantity=quantities)
    options = runs.Options(filters=filters, adapters=(ADAPTER,))
    with runs.open_pool(options) as pool:
        backends = runs.discover(pool, options)
        plan = without_large(runs.planned(backends, cases.load_suite(ROOT / "cases"), options))
        return runs.execute(pool, backends, plan, Record(), options).record


def without_large(plan: Plan) -> Plan:
    """The plan without the large tensors of those miniatures that are not about them: each takes seconds."""
    kept = tuple(
        one for one in plan.requests if "large" not in one.case.flags or one.implementation.entry in ABOUT_LARGE
    )
    return replace(plan, requests=kept)


def miniature(line: CheckLine) -> str:
    """The miniature that a check is about."""
    return line.implementation.split("/")[1]


def outcomes(record: RunRecord) -> Outcomes:
    """What was found about each miniature: check, element, verdict and class."""
    found: dict[str, set[tuple[str, ...]]] = {miniature(line): set() for line in record.checks}
    for line in record.checks:
        mode = line.implementation.split("/")[2]
        found[miniature(line)] |= {
            (line.case, mode, line.dtype, line.quantity, one.element, one.verdict, one.what) for one in line.findings
        }
    return {name: frozenset(those) for name, those in found.items()}


def kills(record: RunRecord) -> Kills:
    """The case files that catch each miniature, in order; none for one that nothing catches."""
    found: dict[str, set[str]] = {miniature(line): set() for line in record.checks}
    for line in record.checks:
        if line.findings:
            found[miniature(line)].add(line.family)
    return {name: tuple(sorted(files)) for name, files in sorted(found.items())}


def written(matrix: Kills) -> str:
    """The text of kills.yaml for the miniatures that something catches."""
    return HEADER + "".join(f"{name}: [{', '.join(files)}]\n" for name, files in matrix.items() if files)


def sole(matrix: Kills) -> dict[str, list[str]]:
    """The miniatures that one case file alone catches, by that file."""
    alone: dict[str, list[str]] = {}
    for name, files in matrix.items():
        if len(files) == 1:
            alone.setdefault(files[0], []).append(name)
    return alone
