"""Every backend in every mode, in one run: the table of upstream reports in docs/upstream.md, and what is recorded.

`python -m tests.known.test_upstream` prints the last two columns of each row as they are seen.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import pytest

from conformance.adapters.declaration import BASE_MODE
from conformance.judge.verdicts import Judged
from conformance.known.record import default_place, load
from conformance.plan import cases
from conformance.plan.filters import Filters
from conformance.plan.plan import make_plan
from conformance.plan.requests import Request
from conformance.quantities import AGREEMENT
from conformance.run import run as runs
from conformance.run.run import Run

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "upstream.md"

#: What all modes are asked beside the rows: the families that the question is about, in one dtype.
MODES = Filters(
    case=("hard-labels", "out-of-range-labels", "extreme-predictions", "special-values"), dtype=("float32",)
)

#: Elements of a finding that a row names; the rest is an ellipsis.
NAMED = 3


@dataclass(frozen=True)
class Row:
    """A report, a check that shows it, and what was seen: the verdict, and the elements of the finding.

    `problem` explains what is recorded of the check; "" where it is no finding.
    """

    link: str
    problem: str
    check: str
    verdict: str
    elements: str


def rows() -> list[Row]:
    """The rows of the page."""
    found = []
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        link = re.search(r"\((https://github\.com/[^)]+)\)", cells[0])
        if link and "::" in cells[3]:
            found.append(Row(link[1], cells[1].strip("`"), cells[3].strip("`"), *cells[4:6]))
    return found


@cache
def run() -> Run:
    """One run of the checks of all rows, of what MODES takes, and of the plain calls that agreement needs.

    Frameworks are imported once for both, which takes longer than their answers.
    """
    suite = cases.load_suite(ROOT / "cases")
    checks = {row.check for row in rows()}
    with runs.open_pool(runs.Options()) as pool:
        backends = pool.discover()
        plan = make_plan(suite, [one for backend in backends for one in backend.implementations])
        asked = [one for one in plan.requests if of_modes(one) or checks & set(map(one.check_id, one.quantities))]
        compared = {one.call for one in asked if AGREEMENT in one.quantities}
        plain = [one for one in plan.requests if one.implementation.mode == BASE_MODE and one.call in compared]
        plan = replace(plan, requests=tuple({id(one): one for one in (*asked, *plain)}.values()))
        return runs.execute(pool, backends, plan, load((default_place(),)), runs.Options())


def of_modes(request: Request) -> bool:
    """Whether MODES takes a request."""
    return request.dtype in MODES.dtype and MODES.takes_scenario(request.case.id, request.family, request.case.flags)


@cache
def judged() -> dict[str, Judged]:
    """The checks of the run, by id."""
    return {check.id: check for check in run().checks}


def seen(check: Judged) -> tuple[str, str]:
    """Verdict and elements of a check as a row has them."""
    names = [finding.element for finding in check.findings]
    return check.verdict, ", ".join(f"`{name}`" for name in names[:NAMED]) + (" …" if len(names) > NAMED else "")


def test_the_page_has_a_row_for_every_problem_that_is_known_upstream() -> None:
    """With one of its links and a check that shows it, whatever else is linked beside."""
    assert len({row.link for row in rows()}) >= 18
    assert all(row.check.count("::") == 3 for row in rows())
    shown = {row.link for row in rows()}
    assert [one.id for one in load((default_place(),)).problems.values() if one.links and not shown & {*one.urls}] == []


def test_the_problem_of_a_row_explains_what_is_recorded_of_its_check() -> None:
    """A row without one has nothing recorded: it is documented, refused, or an observation."""
    explained: dict[str, set[str]] = {}
    for one in load((default_place(),)).rows:
        for implementation in one.implementations:
            for quantity in one.quantities:
                check = f"{one.case}::{implementation}::{one.dtype}::{quantity}"
                explained.setdefault(check, set()).add(one.problem)
    assert [row for row in rows() if row.problem not in explained.get(row.check, {""})] == []


@pytest.mark.slow
@pytest.mark.parametrize("row", rows(), ids=lambda row: row.check)
def test_the_check_shows_the_report(row: Row) -> None:
    """With the installed versions the check has the verdict and the elements that the page says."""
    check = judged().get(row.check)
    if check is None:
        pytest.skip(f"{row.check.split('::')[1].split('/')[0]} is absent")
    assert seen(check) == (row.verdict, row.elements)


@pytest.mark.slow
def test_every_mode_does_what_is_recorded_of_it() -> None:
    """`pytest cases` judges plain calls; here compiled, exported and other modes are held against the record, too."""
    footer = run().record.footer
    assert footer is not None
    assert footer.not_run == footer.absent
    assert {line.implementation.split("/")[2] for line in run().record.checks} > {BASE_MODE}
    assert [line.id for line in run().record.checks if run().record.fails(line)] == []


if __name__ == "__main__":
    for one in rows():
        print(one.check, *seen(judged()[one.check]), sep=" | ")
