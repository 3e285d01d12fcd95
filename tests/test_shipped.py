"""What ships with the suite is up to date: records of older versions, probes, the printed runs."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import pytest

from conformance import contracts
from conformance.adapters import BUILTIN, load_builtin
from conformance.plan import cases
from conformance.plan.plan import Plan, make_plan
from conformance.record import record
from conformance.record.record import RunRecord
from conformance.run import run as runs
from tools.renew import readme

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize("version", range(1, record.SCHEMA + 1))
def test_a_record_of_every_schema_version_is_read(version: int) -> None:
    """Readers accept older files: one of each version is kept."""
    found = record.read(ROOT / "tests" / "data" / f"record-schema-{version}.jsonl")
    assert found.header.schema == version
    assert not found.interrupted
    assert len(found.checks) == found.header.planned


@pytest.fixture(scope="module")
def plan() -> Plan:
    """The plan of everything."""
    with runs.open_pool(runs.Options()) as pool:
        backends = pool.discover()
    return make_plan(cases.load_suite(ROOT / "cases"), [one for backend in backends for one in backend.implementations])


def test_every_field_of_every_contract_is_probed(plan: Plan) -> None:
    """A field without a probe could be wrong unnoticed."""
    probed = {
        (request.implementation.id, contracts.probed(request.implementation.contract, request.case.probe))
        for request in plan.requests
        if request.case.probe is not None
    }
    # Probes look at single elements: an entry without them cannot be asked.
    asked = [one for one in plan.implementations if "none" in one.reductions]
    declared = {(one.id, field) for one in asked for field in one.contract}
    probed = {pair for pair in probed if pair[0] in {one.id for one in asked}}
    assert declared
    assert declared == probed


def test_no_implementation_is_checked_less_than_before(plan: Plan) -> None:
    """Planned checks of each implementation against tests/data/coverage.json: what is not planned cannot fail."""
    before = json.loads((ROOT / "tests" / "data" / "coverage.json").read_text())
    now = Counter(
        {
            one.id: sum(len(r.quantities) for r in plan.requests if r.implementation is one)
            for one in plan.implementations
        }
    )
    assert {name: now[name] for name, count in before.items() if now[name] < count} == {}


def test_every_case_is_planned_for_some_implementation(plan: Plan) -> None:
    """A case that nobody runs proves nothing; probes of fields that nobody declares wait for one who does."""
    planned = {request.case.id for request in plan.requests}
    idle = {one.case.id for one in plan.suite.cases if one.case.id not in planned}
    waiting = {"daz", "ftz"}
    assert {one.case.probe for one in plan.suite.cases if one.case.id in idle} <= waiting


def test_every_flag_is_used(plan: Plan) -> None:
    """A flag that no case has explains nothing."""
    assert {flag for one in plan.suite.cases for flag in one.case.flags} == set(plan.suite.flags)


def test_every_built_in_source_has_a_quote_and_a_link() -> None:
    """A contract's field says where it is documented, and in which words."""
    fields = [
        field
        for module in BUILTIN
        for adapter in load_builtin(module)
        for one in adapter.implementations
        for field in one.contract
    ]
    assert fields
    assert all(field.source.quote and field.source.link.startswith("https://") for field in fields)


def test_the_page_of_a_whole_run_shows_the_output_as_it_is_printed(whole_run: RunRecord | None) -> None:
    """What the page shows is what this session's run says, on whatever processor.

    How many elements are right and how far others are off depends on a kernel's last digits; what was run, the rows and
    columns, and how it ended do not.
    """
    output = readme.counts(needed(whole_run))
    shown = readme.block(readme.PAGE.read_text(encoding="utf-8"), "counts-output")
    assert meaning(shown) == meaning(output)


@pytest.mark.parametrize("page", [readme.README, readme.PAGE], ids=lambda page: page.stem)
def test_the_first_screen_that_is_shown_is_printed(whole_run: RunRecord | None, page: Path) -> None:
    """How much was run, the kinds of input, the backends of the rows and how it ended; a word may be a kernel's."""
    output = readme.first_screen(needed(whole_run))
    shown = readme.block(page.read_text(encoding="utf-8"), "run-output")
    assert told(shown) == told(output)


def test_the_finding_of_the_readme_is_seen(whole_run: RunRecord | None) -> None:
    """PyTorch's loss is 0 at logit -20 and label 0, its gradient at 20 and 1; TensorFlow's loss is right at all."""
    checks = {one.id: one for one in needed(whole_run).checks}

    def seen(implementation: str, quantity: str) -> dict[str, list[str]]:
        one = checks[f"extreme-predictions/logits-tail::{implementation}/eager/cpu::float32::{quantity}"]
        verdicts = one.verdicts or (one.verdict,) * len(one.elements)
        return {name: pair for name, *pair in zip(one.elements, verdicts, one.bits, strict=True)}

    torch = "torch/nn.functional.binary_cross_entropy_with_logits"
    assert seen(torch, "value")["m20-y0"] == ["deviates", "00000000"]
    assert seen(torch, "value")["z20-y1"][0] == "conforms"
    assert seen(torch, "gradient-prediction")["z20-y1"] == ["deviates", "00000000"]
    right = seen("tensorflow/nn.sigmoid_cross_entropy_with_logits", "value")
    assert {verdict for verdict, _ in right.values()} <= {"conforms", "by-contract"}


def test_the_readme_is_short() -> None:
    """Who opens the project reads one page, and finds the rest by its links."""
    assert readme.README.stat().st_size <= 12_288


def needed(run: RunRecord | None) -> RunRecord:
    """A whole run, or the test is skipped."""
    if run is None:
        pytest.skip("needs a whole run: `make test`, or `pytest` without filters")
    return run


def meaning(output: str) -> list[str]:
    """What was run, the columns and backends of the scoreboard, and how the run ended.

    Entries with equal results share a row, so that the rows depend on last digits as well.
    """
    lines = [line.rstrip() for line in output.splitlines() if line.strip() and not line.startswith("another processor")]
    start = next(index for index, line in enumerate(lines) if line.startswith("implementation "))
    backends = [line for line in lines[start:] if re.fullmatch(r"[a-z][a-z0-9-]*", line)]
    return [*lines[:start], " ".join(lines[start].split()), *backends, lines[-1].rpartition("·")[2].strip()]


def told(screen: str) -> list[str]:
    """The first line of a screen, its kinds of input, and its last word."""
    lines = screen.splitlines()
    heading = next(line for line in lines if "everyday" in line.split())
    return [lines[0], " ".join(heading.split()), screen.rpartition("·")[2].strip()]
