"""What people say of a problem holds: the mechanism that its file names is diagnosed of its findings."""

from __future__ import annotations

from collections import Counter
from itertools import chain
from pathlib import Path

import pytest

from conformance.diagnosis.diagnosis import diagnosed
from conformance.diagnosis.identify import Identified, identify_record
from conformance.diagnosis.of_run import agreed
from conformance.judge.harm import Harm
from conformance.known.record import default_place, load
from conformance.plan.cases import default_folder, load_suite
from conformance.record.harms import harms
from conformance.record.problems import problems
from conformance.record.record import RunRecord, read

RESULTS = Path(__file__).parents[2] / "results"

#: Runs of the pinned versions: all plain calls, and three losses in all modes.
RUNS = ("pinned.jsonl.gz", "modes.jsonl.gz")

#: Of derivatives by the label and second ones the same formulas tell the same, in as much time again.
QUANTITIES = ("value", "gradient-prediction")


def problems_of(record: RunRecord) -> dict[tuple[str, str, str], str]:
    """The problem of a finding, by check and element and cause."""
    return {(check.id, one.element, one.cause): one.problem for check in record.checks for one in check.findings}


def seen_in(record: RunRecord) -> dict[str, Counter[str]]:
    """How often each mechanism is diagnosed of the findings of each problem: first of all that happened."""
    problems, found = problems_of(record), dict[str, Counter[str]]()
    together: dict[str, list[Identified]] = {}
    for one in identify_record(record, load_suite(default_folder()), QUANTITIES):
        if not one.group.reduced:
            together.setdefault(one.group.implementation, []).append(one)
    for identified in chain.from_iterable(map(agreed, together.values())):
        group = identified.group
        for example in diagnosed(identified).examples:
            check = f"{example.case}::{group.implementation}::{group.dtype}::{group.quantity}"
            problem = problems.get((check, example.element, example.cause))
            if problem and not example.cause.endswith("/number"):  # NaN is owed, and no step is to blame for a number
                found.setdefault(problem, Counter())[example.mechanism.value] += 1
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", RUNS)
def test_the_mechanism_that_is_diagnosed_most_of_a_problem_is_one_that_its_file_names(name: str) -> None:
    """Findings of one problem can have several, and one file explains what follows from it as well."""
    known = load((default_place(),)).problems
    wrong = {
        problem: dict(seen.most_common(3))
        for problem, seen in seen_in(read(RESULTS / name)).items()
        if known[problem].mechanism and seen.most_common(1)[0][0] not in known[problem].mechanism
    }
    assert wrong == {}


@pytest.mark.slow
@pytest.mark.parametrize("name", RUNS)
def test_who_meets_a_problem_that_breaks_or_misleads_is_told_what_to_write_instead(name: str) -> None:
    """By a line `workaround` in its file, whoever's mistake it is."""
    known, record = load((default_place(),)).problems, read(RESULTS / name)
    harmful = {one.line.problem for one in problems(record, harms(record)) if one.worst >= Harm.MISLEADS}
    assert harmful
    assert sorted(problem for problem in harmful if not known[problem].workaround) == []
