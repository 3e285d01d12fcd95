"""The page of a diagnosis, read back: formula, steps, windows, and text at several widths."""

from __future__ import annotations

import re
from functools import cache

import pytest

from conformance.diagnosis.diagnosis import diagnose
from conformance.diagnosis.vocabulary import Mechanism
from conformance.render import diagnosis as render
from tools.renew import vocabulary
from tools.renew.diagnoses import run, suite

LOGITS = "torch/nn.functional.binary_cross_entropy_with_logits/eager/cpu"


@cache
def pages(implementation: str, quantity: str) -> tuple[render.Page, ...]:
    """The pages of an implementation in the run that ships."""
    record = run("pinned")
    return tuple(render.pages(diagnose(record, suite(), implementation, (quantity,)), record, suite()))


@pytest.mark.slow
@pytest.mark.parametrize("width", [80, 100, 120])
def test_no_line_is_wider_than_the_page(width: int) -> None:
    """Links and long formulas are folded."""
    text = render.document(pages(LOGITS, "value"), width)
    assert max(map(len, text.splitlines())) <= width


@pytest.mark.slow
def test_the_steps_that_are_told_end_with_the_result_and_one_is_to_blame() -> None:
    """Step, exact, rounded, error, in columns that are read back."""
    text = render.document(pages(LOGITS, "value"), 120)
    steps = [
        re.split(r"\s{2,}", line.strip())
        for line in text[text.index("step  ") :].split("\n\n")[0].splitlines()[1:]
        if line.strip()
    ]
    assert [step[0] for step in steps if step[0].startswith("→ ")] == ["→ min(z, 0) - log1p(exp(-|z|))"]
    name, exact, rounded, error = steps[-1]
    assert name == "(1 - y)*z - log_sigmoid(z)"
    assert float(exact) == pytest.approx(2.06115362e-9)
    assert float(rounded) == 0
    assert float(error) > 1e6


@pytest.mark.slow
def test_brackets_of_a_formula_are_no_markup() -> None:
    """A guilty step of the formula itself stands in double brackets."""
    text = render.document(pages("torch/nn.BCELoss/eager/cpu", "second-derivative"), 120)
    assert "[]" not in text


def test_the_vocabulary_names_every_mechanism() -> None:
    """One row each, with a meaning and a condition."""
    rows = [line.split(" | ") for line in vocabulary.table().splitlines()[2:]]
    assert [row[0].removeprefix("| ") for row in rows] == [one.value for one in Mechanism]
    assert all(len(row) == 4 for row in rows)
