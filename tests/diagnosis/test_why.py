"""Why, in one line: of the result that is shown, short enough, and nothing where nothing is sure."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace as replace_fields

from conformance import measure
from conformance.contracts import Clip
from conformance.diagnosis.why import LENGTH, Result, brief, examples, sentences, short
from conformance.formulas.catalogue import LOSSES, Options, candidates
from conformance.formulas.expression import Expression
from conformance.formulas.text import text
from conformance.plan.cases import Suite
from conformance.record.record import RunRecord
from conformance.record.summary import causes
from conformance.render.text import findings
from tests.builders import SOURCE, deterministic

#: Numbers as they are written in a formula.
NUMBER = re.compile(r"(?<![\w.])\d[\d.]*(?:e-?\d+)?")


def from_logits(z: Any, y: Any) -> Any:
    """(1 - y)*z - log_sigmoid(z), each step in the dtype, as PyTorch evaluates it."""
    one = z.dtype.type(1)
    with np.errstate(all="ignore"):
        return (one - y) * z - (np.minimum(z, 0) - np.log1p(np.exp(-np.abs(z))))


def never_twice(z: Any, y: Any) -> Any:
    """What no formula gives: off by a factor that follows from the bits of the input."""
    bits = z.view(np.uint32).astype(np.uint64) * np.uint64(2654435761) % np.uint64(1009)
    return from_logits(z, y) * (1 + bits.astype(np.float32) / np.float32(4096))


def run(loss: Any, *cases: str) -> RunRecord:
    """The values of a loss of logits in float32."""
    with np.errstate(all="ignore"):
        return measure(
            loss, form="logits", backend="numpy", dtypes=["float32"], quantities=["value"], cases=cases
        ).record


FAMILIES = ("hard-labels", "soft-labels", "extreme-predictions", "special-values")


@pytest.fixture(scope="module")
def record() -> RunRecord:
    """A run of a loss that is in the catalogue."""
    return run(from_logits, *FAMILIES)


def test_a_sentence_is_about_the_result_that_is_shown(record: RunRecord) -> None:
    """A reader holds it against the line above it, so its input is that one's, to three digits."""
    found = causes(record)
    said = sentences(record, found)
    assert len(said) >= 3
    for one in found:
        if one.cause in said:
            assert one.example is not None
            z, y = (float(one.example.inputs[name][0]) for name in ("prediction", "label"))
            told = re.match(r"at z = (\S+), y = (\S+): ", said[one.cause])
            assert told is not None
            assert [float(word) for word in told.groups()] == pytest.approx([z, y], rel=5e-3)


def test_the_step_is_the_one_that_the_loss_has(record: RunRecord) -> None:
    """The tail of log_sigmoid is lost beside z: the function that it is called from subtracts it."""
    said = sentences(record, causes(record))
    (tail,) = (one for cause, one in said.items() if cause.endswith("value/ordinary/inaccurate"))
    assert "log_sigmoid(z) = min(z, 0) - log1p(" in tail
    assert "absorbs" in tail


def test_results_of_no_formula_have_no_sentence() -> None:
    """The nearest formula is not told."""
    unknown = run(never_twice, *FAMILIES)
    assert len(causes(unknown)) > 1
    assert sentences(unknown, causes(unknown)) == {}


def test_one_result_that_many_formulas_give_has_no_sentence(record: RunRecord) -> None:
    """0 for 2e-9 comes from 1 + exp(z), from 1 - sigmoid(z) and from z - log_sigmoid(z)."""
    alone = _only(record, "extreme-predictions/logits-tail", "m20-y0")
    (one,) = causes(alone)
    assert one.elements == 1
    assert sentences(alone, [one]) == {}


def _only(record: RunRecord, case: str, element: str) -> RunRecord:
    """One element of a record."""
    (check,) = (one for one in record.checks if one.case == case and one.quantity == "value")
    (line,) = (one for one in record.inputs if one.case == case)
    place, row = check.elements.index(element), line.elements.index(element)
    check = replace_fields(
        check,
        elements=(element,),
        bits=(check.bits[place],),
        ulp=(check.ulp[place],),
        verdicts=("deviates",),
        findings=tuple(one for one in check.findings if one.element == element),
    )
    line = replace_fields(
        line,
        elements=(element,),
        inputs={name: (bits[row],) for name, bits in line.inputs.items()},
        ideal={"value": (line.ideal["value"][row],)},
    )
    return replace(record, checks=(check,), inputs=(line,))


def test_few_results_in_another_dtype_are_given_by_no_other_formula_than_the_most() -> None:
    """With labels of float64 there are seven results, which log1p(exp(z)) - z*y would give as well."""

    def of_size(z: Any, y: Any) -> Any:
        with np.errstate(all="ignore"):
            return np.maximum(z, 0) - z * y + np.log1p(np.exp(-np.abs(z)))

    found = run(of_size, *FAMILIES, "dtypes")
    asked = [
        Result(check.implementation, check.quantity, check.dtype, check.case, one.element)
        for check in found.checks
        if check.case.startswith("dtypes/")
        for one in check.findings
    ]
    assert asked
    assert not [one for one in examples(found, asked).values() if "exp(z)" in brief(one)]


def test_a_result_is_held_against_what_is_documented() -> None:
    """With a clip that is documented, 1e-7 is right; that it came out as 1.19e-7 is the rounding of 1 - p."""

    def clipped(p: Any, y: Any) -> Any:
        low, high = np.asarray([1e-7, 1 - 1e-7], p.dtype)
        p = np.clip(p, low, high)
        return -(y * np.log(p) + (1 - y) * np.log(1 - p))

    asked: dict[str, Any] = {"form": "probabilities", "backend": "numpy", "dtypes": ["float32"]}
    contract = (Clip("1e-7", "0.9999999", SOURCE),)
    found = measure(clipped, contract=contract, quantities=["value"], cases=FAMILIES, **asked)
    said = sentences(found.record, found.findings)
    (ends,) = (one for cause, one in said.items() if cause.endswith("value/saturated/inaccurate"))
    assert "absorbs a part of 1e-7 into 1" in ends


def test_causes_that_are_about_no_number_have_no_sentence(record: RunRecord) -> None:
    """Nothing is read or computed for them."""
    told = [one for one in causes(record) if one.example is not None and one.example.quantity != "value"]
    assert sentences(record, told, Suite.of("none")) == {}


def test_findings_are_printed_with_their_reasons(record: RunRecord) -> None:
    """A line of its own between the example and the command, two lines of a terminal of 80 columns at most."""
    lines = list(findings(record, 200))
    said = set(sentences(record, causes(record)).values())
    printed = [line for line in lines if line.startswith("    why: ")]
    assert {line.removeprefix("    why: ") for line in printed} == said
    assert all(len(line) <= 160 for line in printed)


ALL = [
    (form, quantity)
    for form in sorted({one.form for one in LOSSES})
    for quantity in ("value", "gradient-prediction", "second-derivative")
]


@deterministic
@given(st.sampled_from(ALL), st.integers(0, 10_000), st.integers(12, 90))
def test_what_is_left_out_of_an_expression_is_whole_parts(which: tuple[str, str], place: int, length: int) -> None:
    """Parentheses close, and no number is another one than in the formula."""
    found = candidates(*which, Options())
    x: Expression = found[place % len(found)].expression
    said = short(x, length)
    assert said.count("(") == said.count(")")
    assert set(NUMBER.findall(said)) <= set(NUMBER.findall(text(x)))
    assert len(said) <= length or "…" in said
    if len(text(x)) <= length:
        assert said == text(x)


def test_no_sentence_is_longer_than_two_lines() -> None:
    """With the word before it and its indent."""
    assert LENGTH + len("    why: ") <= 160
