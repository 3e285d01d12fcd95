"""The harm of what stands in a run record: every class of finding has a word, and so has what is documented."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from conformance.judge.harm import Harm
from conformance.record.harms import documented, harms
from conformance.record.record import CheckLine, FindingLine, RunRecord, read
from tests.records import PLAIN, check, run

PINNED = Path(__file__).parents[2] / "results" / "pinned.jsonl.gz"

#: 0.5 and 1 in float32, and NaN.
HALF, ONE, NO_NUMBER = "3f000000", "3f800000", "7fc00000"


def found(what: str, detail: str = "", outcome: Any = "new", verdict: str = "deviates") -> FindingLine:
    """A finding about element b."""
    return FindingLine(element="b", outcome=outcome, verdict=verdict, what=what, cause="a/b/c/d/e", detail=detail)


def harm(one: FindingLine, record: RunRecord | None = None, **fields: Any) -> Harm | None:
    """The harm of a finding about element b, whose exact value is 0.837."""
    made = check(PLAIN, "deviates", "new", findings=(one,), **fields)
    record = replace(record or run(), checks=(made,))
    return harms(record).get((made.id, "b"))


def with_inputs(**fields: Any) -> RunRecord:
    """A record whose inputs are others."""
    record = run()
    return replace(record, inputs=(msgspec.structs.replace(record.inputs[0], **fields),))


def test_a_number_is_weighed_by_its_bits_and_the_exact_value() -> None:
    """Element b is exactly 0.837; it came back as 1, as NaN, and as 0.837 with an error of 0.2 %."""
    assert harm(found("inaccurate"), bits=(HALF, ONE)) is Harm.MISLEADS
    assert harm(found("nan"), bits=(HALF, NO_NUMBER)) is Harm.BREAKS
    near = with_inputs(ideal={"value": ("0x1p-1", "0x1.008p+0")})
    assert harm(found("inaccurate"), near, bits=(HALF, ONE)) is Harm.DRIFTS


def test_what_is_fixed_has_no_harm() -> None:
    """It is no finding of this run."""
    assert harm(found("inaccurate", outcome="fixed")) is None


@pytest.mark.parametrize("what", ["crashed", "timed-out", "raised", "accepted", "result-shape", "changed"])
def test_what_stops_a_training_or_is_wrong_in_silence_breaks(what: str) -> None:
    """Whatever numbers came back."""
    assert harm(found(what), bits=(), ulp=()) is Harm.BREAKS


def test_an_implementation_that_says_that_it_cannot_refuses() -> None:
    """Nobody trains with it unawares."""
    assert harm(found("unsupported", "TypeError: no", verdict="unsupported"), bits=(), ulp=()) is Harm.REFUSES


@pytest.mark.parametrize("bits", ["7f800000", "7fc00000", "00000001", "47800000"])
def test_inputs_beyond_use_are_an_edge_whatever_comes_back(bits: str) -> None:
    """Infinity, NaN, the least subnormal number and 65536; element a has ordinary inputs."""
    record = with_inputs(inputs={"prediction": (HALF, HALF), "label": (ONE, bits)})
    assert harm(found("nan"), record, bits=(HALF, NO_NUMBER)) is Harm.EDGE
    assert harm(found("raised"), record, bits=(), ulp=()) is Harm.EDGE
    for what in ("crashed", "timed-out", "result-shape", "changed"):
        assert harm(found(what), record, bits=(), ulp=()) is Harm.BREAKS


def test_one_input_beyond_use_is_enough_and_counts_for_what_is_made_of_several_elements() -> None:
    """The prediction of b is infinite and its label is not; `all` is made of a and b."""
    record = with_inputs(inputs={"prediction": (HALF, "7f800000"), "label": (ONE, ONE)})
    assert harm(found("nan"), record, bits=(HALF, NO_NUMBER)) is Harm.EDGE
    mean = msgspec.structs.replace(found("nan"), element="all")
    made = check(PLAIN, "deviates", "new", findings=(mean,), elements=("all",), bits=(NO_NUMBER,), ulp=(None,))
    assert harms(replace(record, checks=(made,))) == {(made.id, "all"): Harm.EDGE}


@pytest.mark.parametrize("turn", [1, -1])
def test_of_several_findings_about_one_element_the_worst_counts(turn: int) -> None:
    """In whichever order they stand."""
    both = (found("result-shape"), found("unsupported"))[::turn]
    made = check(PLAIN, "deviates", "new", findings=both, bits=(), ulp=())
    assert harms(replace(run(), checks=(made,))) == {(made.id, "b"): Harm.BREAKS}


@pytest.mark.parametrize(
    ("quantity", "what", "detail", "expected"),
    [
        ("result-dtype", "result-dtype", "returned float64 for float32, label float16", Harm.LAST_DIGITS),
        ("result-dtype", "result-dtype", "gradient-label returned bfloat16 for float32", Harm.DRIFTS),
        ("result-dtype", "result-dtype", "returned NoneType for float32", Harm.BREAKS),
        ("agreement", "result-dtype", "value: returned bfloat16, plainly float32", Harm.DRIFTS),
        ("agreement", "inaccurate", "value: 1.5, plainly 1.0", Harm.MISLEADS),
        ("agreement", "inaccurate", "gradient-prediction: 0.0, plainly -4.0", Harm.BREAKS),
        ("agreement", "nan", "value: nan, plainly 1.0", Harm.BREAKS),
        ("repeatable", "differs", "value: p0.5-y1 alone gave 1.00001, among others 1.0", Harm.LAST_DIGITS),
        ("repeatable", "differs", "value: p0.5-y1 alone gave no result, among others 1.0", Harm.BREAKS),
        ("reduction", "inaccurate", "got 8.1, its own unreduced results give 8.0, bound 8.9e-15", Harm.MISLEADS),
        ("reduction", "infinite", "got inf, its own unreduced results give 1.04, bound 0.00049", Harm.BREAKS),
        ("relation", "nan", "results [nan, -0.0]", Harm.BREAKS),
    ],
)
def test_a_finding_in_words_is_weighed_by_the_numbers_in_them(
    quantity: str, what: str, detail: str, expected: Harm
) -> None:
    """These checks have no bits of their own."""
    assert harm(found(what, detail), quantity=quantity, bits=(), ulp=(), result_dtype="") is expected


def test_a_relation_is_weighed_by_its_residual_against_its_bound() -> None:
    """The bound of two results of 1 is 8 ULP, 9.54e-7 in float32: a residual of 0.1 is 5 % of both."""
    words = "residual {}, bound 9.54e-07"
    fields: dict[str, Any] = {"quantity": "relation", "bits": (), "ulp": ()}
    assert harm(found("inaccurate", words.format(0.1)), **fields) is Harm.MISLEADS
    assert harm(found("inaccurate", words.format(-0.01)), **fields) is Harm.DRIFTS
    assert harm(found("inaccurate", words.format(1e-6)), **fields) is Harm.LAST_DIGITS


def test_without_an_exact_value_the_counted_ulp_decide() -> None:
    """Of a presentation only the error is kept: 2e5 ULP of float32 are 1.2 % to 2.4 %, 100 less than 2e-5."""
    record = with_inputs(ideal={})
    assert harm(found("inaccurate"), record, ulp=(0.25, 2e5)) is Harm.MISLEADS
    assert harm(found("inaccurate"), record, ulp=(0.25, 100.0)) is Harm.LAST_DIGITS
    # 1e5 ULP are 0.6 % to 1.2 %: the larger one is taken.
    assert harm(found("inaccurate"), record, ulp=(0.25, 1e5)) is Harm.MISLEADS
    assert harm(found("finite"), record, ulp=(0.25, None)) is Harm.MISLEADS
    assert harm(found("number"), record, ulp=(0.25, None)) is Harm.BREAKS


def by_contract(**fields: Any) -> CheckLine:
    """A check whose element b is by contract."""
    return check(PLAIN, "by-contract", **({"verdicts": ("conforms", "by-contract")} | fields))


def test_what_is_documented_is_weighed_as_if_it_were_not() -> None:
    """A clip that makes the gradient of a wrong prediction 0 teaches nothing, whoever has written it down."""
    one = by_contract(quantity="gradient-prediction", bits=(HALF, "00000000"))
    record = replace(with_inputs(ideal={"gradient-prediction": ("0x1p-1", "-0x1p+24")}), checks=(one,))
    assert documented(record) == {(one.id, "b"): Harm.BREAKS}
    assert harms(record) == {}


def test_what_is_documented_and_within_the_budget_has_no_harm() -> None:
    """A probe of a check is by contract where its result is right."""
    one = by_contract(quantity="contract", ulp=(0.25, 3.5), budget=(4.0, 4.0))
    assert documented(run((one,))) == {}


def test_a_documented_dtype_is_weighed_by_what_it_rounds_to() -> None:
    """The contract stands in the header."""
    one = check(PLAIN, "by-contract", quantity="result-dtype", elements=("all",), bits=(), ulp=())
    record = run((one,))
    line = msgspec.structs.replace(
        record.header.implementations[0], contract=[{"name": "casts_to", "dtype": "bfloat16"}]
    )
    record = replace(record, header=msgspec.structs.replace(record.header, implementations=(line,)))
    assert documented(record) == {(one.id, "all"): Harm.DRIFTS}


def test_a_relation_that_is_documented_has_the_worst_of_its_implementation() -> None:
    """Its size is not kept."""
    relation = by_contract(quantity="relation", bits=(), ulp=())
    value = by_contract(bits=(HALF, ONE))
    assert documented(run((relation, value)))[relation.id, "b"] is Harm.MISLEADS
    assert documented(run((relation,)))[relation.id, "b"] is Harm.LAST_DIGITS


def test_every_finding_and_documented_element_of_the_kept_run_has_a_word() -> None:
    """What is within the budget has none."""
    record = read(PINNED)
    asked = {(one.id, f.element) for one in record.checks for f in one.findings if f.outcome != "fixed"}
    assert harms(record).keys() == asked
    assert set(harms(record).values()) == set(Harm)
    assert documented(record).keys().isdisjoint(asked)
