"""At which stage of a mode a result changes first, and which of the mode and the plain call is nearer to exact."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import pytest

from conformance.adapters.declaration import Declaration, Stage
from conformance.diagnosis.stages import Change, changes, told
from conformance.pool.observation import Observation
from conformance.quantities import AGREEMENT
from tests.builders import case, implementation, judged_all, raised, request, returned

#: A mode with a stage before the whole of it.
MODE = implementation(mode="jit", stages=(Stage("graph", "tracing"), Stage("jit", "fusion")))
PLAIN, STAGE = implementation(), implementation(mode="graph", stage_of="jit")
ONE = case(("0.5", "1"))

#: -log(1/2), and numbers that are wrong by far more than the budgets.
EXACT, NEAR, FAR = math.log(2), 0.7, 0.5


def found(plain: Observation, stage: Observation | None, mode: Observation) -> list[Change]:
    """The changes of one value; without a stage that was not run."""
    observed: Mapping[Declaration, Observation | None] = {PLAIN: plain, STAGE: stage, MODE: mode}
    requests = [replace(request(ONE, by), quantities=("value", *_agreement(by))) for by in observed]
    answers = [None if seen is None else {"value": (seen,)} for seen in observed.values()]
    return changes(judged_all(requests, answers), MODE)


def _agreement(by: Declaration) -> tuple[str, ...]:
    return () if by is PLAIN else (AGREEMENT,)


def sentences(changed: list[Change]) -> list[str]:
    """What is told of changes."""
    return [one.sentence for one in told(changed)]


def test_what_does_as_the_plain_call_does_has_no_change() -> None:
    """However wrong both are."""
    assert found(returned([FAR]), returned([FAR]), returned([FAR])) == []


@pytest.mark.parametrize(("stage", "step"), [(FAR, "tracing"), (NEAR, "fusion")])
def test_the_first_stage_that_differs_as_the_mode_does_is_told(stage: float, step: str) -> None:
    """One before it gives what the plain call gives."""
    (one,) = found(returned([NEAR]), returned([stage]), returned([FAR]))
    assert (one.stage.step, one.place, one.element) == (step, "stub/loss/jit/cpu float32 value", "e0")


def test_a_stage_that_differs_in_another_way_is_not_where_the_result_changed() -> None:
    """A graph that cannot be made, and a mode that gives another number."""
    (one,) = found(returned([EXACT]), raised(), returned([FAR]))
    assert one.stage == Stage("jit", "fusion")


def test_a_stage_that_was_not_run_is_passed_over() -> None:
    """Its worker ended."""
    (one,) = found(returned([EXACT]), None, returned([FAR]))
    assert one.stage == Stage("jit", "fusion")


def test_a_mode_that_is_nearer_to_exact_is_called_no_fault() -> None:
    """Float32 has 24 bits, so that an ULP of log(2) is 2^-24."""
    (one,) = found(returned([FAR]), returned([FAR]), returned([EXACT]))
    assert one.plain_error == pytest.approx((EXACT - FAR) * 2**24, rel=1e-3)
    assert one.mode_error <= 0.5
    (said,) = sentences([one])
    assert said.startswith("first changed by fusion: jit is nearer to exact than the plain call (0.")
    assert said.endswith("at small/one#e0), which is no fault of the mode")


@pytest.mark.parametrize("wrong", [FAR, math.nan, math.inf])
def test_where_the_plain_call_is_nearer_nothing_is_excused(wrong: float) -> None:
    """A NaN or an infinity is farther than any number."""
    (one,) = found(returned([EXACT]), returned([EXACT]), returned([wrong]))
    (said,) = sentences([one])
    assert one.nearer == "eager"
    assert said.startswith("first changed by fusion: the plain call is nearer to exact than jit (")
    assert "no fault" not in said


def test_numbers_of_two_wrong_classes_are_equally_far() -> None:
    """NaN plainly, and an infinity."""
    (one,) = found(returned([math.nan]), returned([math.nan]), returned([math.inf]))
    assert one.nearer == ""
    assert "equally far from exact (a result of another class at small/one#e0)" in sentences([one])[0]


def test_of_a_mode_that_raises_no_distance_is_told() -> None:
    """There is none."""
    (one,) = found(returned([EXACT]), returned([EXACT]), raised())
    assert sentences([one]) == [
        "first changed by fusion: jit gives another answer than the plain call (raised at small/one#e0)"
    ]


def test_elements_that_are_told_alike_are_one_sentence_about_the_farthest() -> None:
    """Of the same quantity, dtype and stage."""
    (one,) = found(returned([FAR]), returned([FAR]), returned([EXACT]))
    worse = replace(one, element="e1", plain_error=1e9)
    other = replace(one, element="e2", plain_error=0.0)
    assert [[each.element for each in of.changes] for of in told([one, worse, other])] == [["e0", "e1"], ["e2"]]
    assert [of.shown.element for of in told([one, worse])] == ["e1"]
