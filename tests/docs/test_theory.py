"""docs/theory.md: every claim names checks that exist, and every number on the page is computed again."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from conformance.plan import cases
from conformance.plan.relations import RELATIONS

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "theory.md").read_text(encoding="utf-8")

CLAIM = re.compile(r"^### Claim (\d+): (.+?)$\n(.*?)(?=^##|\Z)", re.MULTILINE | re.DOTALL)
CHECK = re.compile(r"\[`([^`]+)`\]\(reference/cases\.md#([^)]+)\)")
NUMBER = re.compile(r"^\| `([^`]+)` \| (\S+) \|$", re.MULTILINE)


@dataclass(frozen=True)
class Claim:
    """A numbered claim with its text."""

    number: int
    title: str
    text: str

    @property
    def checks(self) -> list[str]:
        """The ids of the cases that its line of checks names."""
        lines = [line for line in self.text.splitlines() if line.startswith("*Checks:*")]
        return [found[1] for line in lines for found in CHECK.finditer(line)]


CLAIMS = [Claim(int(number), title, text) for number, title, text in CLAIM.findall(PAGE)]


@pytest.fixture(scope="module")
def suite() -> cases.Suite:
    """The cases of this checkout."""
    return cases.load_suite(ROOT / "cases")


def test_the_claims_are_numbered_one_after_the_other() -> None:
    """So that a text can refer to one, and none is skipped by the other tests."""
    assert [claim.number for claim in CLAIMS] == list(range(1, PAGE.count("### Claim ") + 1))
    assert len(CLAIMS) >= 12


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.title)
def test_every_claim_is_proved_and_names_checks(claim: Claim) -> None:
    """A proof with its end, and one check at least."""
    assert "*Proof*" in claim.text or "*Proof.*" in claim.text
    assert "∎" in claim.text
    assert claim.checks
    assert len(claim.checks) == len(set(claim.checks))


def test_every_named_check_exists_and_is_what_is_linked(suite: cases.Suite) -> None:
    """Whether the anchor of the link exists is for the site's own tests."""
    named = CHECK.findall(PAGE)
    assert named
    assert {one for one, _ in named} <= {one.case.id for one in suite.cases}
    assert [one for one in named if re.sub(r"[^a-z0-9-]", "", one[0]) != one[1]] == []


def test_every_relation_and_every_experiment_of_the_question_belongs_to_a_claim(suite: cases.Suite) -> None:
    """A relation without a proof would be a guess."""
    claimed = {check for claim in CLAIMS for check in claim.checks}
    owed = {one.case.id for one in suite.cases if one.case.relation or one.case.id.startswith("question/")}
    assert owed - claimed == set()
    assert {suite.find(check).case.relation for check in claimed} >= set(RELATIONS)


def times(coefficient: float, logarithm: float) -> float:
    """A product in which a coefficient of 0 annihilates, as the page defines it."""
    return 0.0 if coefficient == 0 else coefficient * logarithm


def log(x: float) -> float:
    """The natural logarithm, -inf at 0."""
    return math.log(x) if x else -math.inf


def cross_entropy(p: float, y: float) -> float:
    """The page's definition, in float64 of Python's own mathematics: 15 digits, the page prints at most 8."""
    return times(-y, log(p)) + times(y - 1, math.log1p(-p) if p < 1 else -math.inf)


def divergence(y: float, p: float) -> float:
    """KL(y ‖ p), by its definition."""
    return sum(times(q, log(q) - log(r)) for q, r in ((y, p), (1 - y, 1 - p)) if q)


NAMES: dict[str, Any] = {
    "L": cross_entropy,
    "H": lambda y: cross_entropy(y, y),
    "KL": divergence,
    "exp": math.exp,
    "log": log,
    "log1p": math.log1p,
    "float32": lambda x: float(np.float32(x)),
    "float16": lambda x: float(np.float16(x)),
    "bfloat16": lambda x: float(ml_dtypes.bfloat16(x)),
}


def half_digit(text: str) -> float:
    """Half a unit of the last digit of a printed number."""
    mantissa, _, exponent = text.partition("e")
    return 0.5 * 10.0 ** (int(exponent or 0) - len(mantissa.partition(".")[2]))


@pytest.mark.parametrize(("expression", "printed"), NUMBER.findall(PAGE))
def test_every_number_of_the_page_is_what_its_expression_gives(expression: str, printed: str) -> None:
    """To the last digit that is printed; an infinite number has its sign, and 0 is exact."""
    value = eval(expression, {"__builtins__": {}}, NAMES)  # the page is part of this repository
    if "∞" in printed:
        assert value == float(printed.replace("∞", "inf"))
    elif float(printed) == 0:
        assert value == 0
    else:
        assert abs(value - float(printed)) <= half_digit(printed) * (1 + 1e-6)


def test_no_row_of_a_table_of_numbers_is_overlooked() -> None:
    """A row that is written otherwise would not be computed."""
    found = re.findall(r"^\| number \| value \|\n\|---\|---\|\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    assert len(found) == PAGE.count("| number | value |")
    assert sum(rows.count("\n") for rows in found) == len(NUMBER.findall(PAGE))


def test_the_printed_results_of_the_question_are_those_of_the_cases(suite: cases.Suite) -> None:
    """The two tables at the top repeat what is pinned in the cases."""
    rows = [line for line in PAGE.split("## Definitions")[0].splitlines() if line.startswith("| [`question/")]
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    printed = {CHECK.search(row[0])[1]: row[3].replace("\N{MINUS SIGN}", "-") for row in cells}  # type: ignore[index]
    pinned = {
        one.case.id: one.case.historical.value
        for one in suite.cases
        if one.case.historical and one.case.id.startswith("question/")
    }
    assert printed == pinned
