"""Which steps are to blame, on formulas whose mistakes are known; exact values by `math` and Arb."""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal

import numpy as np
import pytest

from conformance.diagnosis.guilty import Guilt, Kind, guilty, minimal_sets, table
from conformance.formulas.arithmetic import arithmetics
from conformance.formulas.exact import PartlyExact, Steps
from conformance.formulas.expression import (
    Expression,
    absolute,
    cast,
    const,
    eq,
    exp,
    ge,
    log,
    log1p,
    maximum,
    sign,
    where,
)
from conformance.formulas.library import LOG_SIGMOID, SIGMOID
from tests.blame import BUDGET, KERAS, KERAS_Q, TAIL_20, TORCH, P, Y, Z, blamed


def parts(guilt: Guilt) -> list[list[Expression]]:
    """What the steps of each set compute."""
    return [[one.step.shown for one in each] for each in guilt.sets]


def test_of_torchs_logit_loss_the_difference_inside_of_log_sigmoid_is_to_blame() -> None:
    """And it alone: at z = -20 it is -20, and the tail is gone."""
    guilt = blamed(TORCH, "float32", TAIL_20, z=-20.0, y=0.0)
    assert len(guilt.sets) == 1
    assert guilt.smallest
    (step,) = guilt.sets[0]
    assert step.step.op == "sub"
    assert step.step.call is LOG_SIGMOID(Z)
    assert step.rounded == -20
    assert math.isclose(float(step.exact + 20), -TAIL_20, rel_tol=1e-6)


def test_what_remains_of_larger_terms_is_right_to_an_ulp_of_those() -> None:
    """The error of 2 - 2 + tail is an ULP of 2 at most, which is many of the tail: nobody is to blame."""
    steps = PartlyExact(
        Steps((Z - 2) + log1p(exp(-absolute(Z) * 10)), arithmetics("float32", "float32")[0]), {"z": 2.0}
    )
    exact = TAIL_20 + 1e-10
    condition = 2.0**-22 / 2.0**-52
    with pytest.raises(ValueError, match="above"):
        guilty(steps, exact, BUDGET, condition)
    assert guilty(steps, exact, BUDGET).by_formula


def test_the_effect_of_a_guilty_step_is_in_ulp_of_the_result_and_its_loss_in_its_own() -> None:
    """At z = -20 a thousandth of an ULP of 20 is 9.28 million of the result."""
    (step,) = blamed(TORCH, "float32", TAIL_20, z=-20.0, y=0.0).sets[0]
    assert math.isclose(step.lost, TAIL_20 / 2.0**-19, rel_tol=1e-6)
    assert math.isclose(step.effect, TAIL_20 / 2.0**-52, rel_tol=1e-6)


def test_of_a_saturated_sigmoid_the_sum_and_the_quotient_are_to_blame_together() -> None:
    """One at a time is not enough: 1/(1 + e) is rounded to 1 after an exact sum, too."""
    e = exp(-Z)
    guilt = blamed(SIGMOID(Z) - Y, "float32", -TAIL_20, z=20.0, y=1.0)
    assert parts(guilt) == [[1 + e, 1 / (1 + e)]]
    assert guilt.smallest


def test_of_keras_probabilities_one_minus_p_is_to_blame() -> None:
    """At p = 1e-7 it is a multiple of 2^-24."""
    p = float(np.float32(1e-7))
    guilt = blamed(KERAS, "float32", -math.log1p(-p), p=p, y=0.0)
    assert parts(guilt) == [[1 - KERAS_Q]]


def test_of_a_clip_in_float16_its_bound_is_to_blame() -> None:
    """1 - 1e-7 is 1 there; the difference from it is then rounded among subnormals."""
    guilt = blamed(KERAS, "float16", -math.log(1e-7), p=1.0, y=0.0)
    assert parts(guilt) == [[const("1 - 1e-7"), 1 - KERAS_Q]]


def test_a_float32_cast_in_a_float64_result_is_to_blame() -> None:
    """Keras averages float64 losses in float32."""
    exact = -3.3 - math.log1p(math.exp(-3.3))
    guilt = blamed(cast("float32", LOG_SIGMOID(Z)), "float64", exact, z=-3.3)
    assert [[one.op for one in each] for each in ([one.step for one in each] for each in guilt.sets)] == [["cast"]]


def test_a_right_result_has_no_guilty_steps() -> None:
    """Nothing is claimed about it."""
    with pytest.raises(ValueError, match="above 4"):
        blamed(TORCH, "float32", math.log1p(math.exp(1.0)), z=1.0, y=0.0)


def test_where_the_exact_formula_is_wrong_no_step_is_to_blame_but_the_clamp() -> None:
    """-log(1e-9) with p clipped at 1e-7, in float32: exact steps give 16.1 as well."""
    p = float(np.float32(1e-9))
    guilt = blamed(KERAS, "float32", -math.log(p), p=p, y=1.0)
    assert guilt.by_formula
    assert guilt.sets == ()
    assert [one.kinds for one in guilt.changes] == [(Kind.CLAMP,)]
    assert guilt.changes[0].parts == (maximum(P, const("1e-7")),)


def test_an_added_epsilon_is_found() -> None:
    """-log(p + 1e-7) at 1e-5."""
    p = float(np.float32(1e-5))
    guilt = blamed(-log(P + const("1e-7")), "float32", -math.log(p), p=p)
    assert [(one.kinds, one.expression) for one in guilt.changes] == [((Kind.EPSILON,), -log(P))]


def test_clamps_and_epsilons_that_are_wrong_together_are_found_together() -> None:
    """tf_keras clips and adds: without either alone it is still wrong."""
    q = maximum(P, const("1e-7"))
    p = float(np.float32(1e-9))
    guilt = blamed(-log(q + const("1e-7")), "float32", -math.log(p), p=p)
    assert [one.kinds for one in guilt.changes] == [(Kind.CLAMP, Kind.EPSILON)]


def test_a_clip_that_stops_the_derivative_is_found_as_a_mask() -> None:
    """-1/p, and 0 below the bound."""
    gradient = where(ge(P, const("1e-3")), -(1 / P), 0)
    guilt = blamed(gradient, "float32", -(2.0**14), p=2.0**-14)
    assert [(one.kinds, one.expression) for one in guilt.changes] == [((Kind.MASK,), -(1 / P))]


def test_a_slope_of_zero_at_a_corner_is_found() -> None:
    """|z|' at 0 as 0, where the derivative of -|z| + ... should be -1."""
    guilt = blamed(-sign(Z), "float32", -1.0, z=0.0)
    assert [one.kinds for one in guilt.changes] == [(Kind.SLOPE,)]


def test_a_product_of_zero_and_infinity_that_should_be_zero_is_found() -> None:
    """y*log(p) at y = 0, p = 0, exact steps included; xlogy has a check."""
    guilt = blamed(-(Y * log(P)), "float32", 0.0, p=0.0, y=0.0)
    assert guilt.by_formula
    assert [one.kinds for one in guilt.changes] == [(Kind.ZERO,)]


def test_a_wrong_formula_is_told_apart_from_the_rounding_that_comes_on_top() -> None:
    """(p - y)/max((1 - p)*p, 1e-12) at p = 0: exactly 0 where 1 is right, and NaN because 1e-12 is 0 in float16."""
    guilt = blamed((P - Y) / maximum((1 - P) * P, const("1e-12")), "float16", 1.0, p=0.0, y=0.0)
    assert guilt.by_formula
    assert parts(guilt) == [[const("1e-12")]]


def test_a_choice_by_the_label_is_no_mask() -> None:
    """The other branch is what helps there."""
    guilt = blamed(where(eq(Y, 0), 1 + Z, 2 + Z), "float32", 2.0, z=0.0, y=0.0)
    assert [one.kinds for one in guilt.changes] == [(Kind.BRANCH,)]


def test_what_cannot_be_computed_exactly_is_unresolved() -> None:
    """log(1 + exp(1e30)): neither the steps nor the formula are blamed."""
    guilt = blamed(log(1 + exp(Z)), "float32", 1e30, z=1e30)
    assert guilt.unresolved
    assert not guilt.by_formula
    assert (guilt.sets, guilt.changes) == ((), ())


def test_a_table_has_every_step_exact_and_as_rounded() -> None:
    """Of log1p(exp(-|z|)) with exp flushed: 8.2e-40 and 0, 584,664 ULP of 2^-149."""
    flushing = next(one for one in arithmetics("float32", "float32") if one.flush)
    rows = table(blamed(log1p(exp(-absolute(Z))), "float32", math.exp(-90.0), flushing, z=-90.0))
    assert [row.step.op for row in rows] == ["var", "abs", "neg", "exp", "log1p"]
    assert [row.guilty for row in rows] == [False, False, False, True, True]
    assert [row.rounded for row in rows] == [-90, 90, -90, 0, 0]
    assert math.isclose(float(rows[3].exact), math.exp(-90.0), rel_tol=1e-12)
    assert math.isclose(rows[3].error, math.exp(-90.0) / 2.0**-149, rel_tol=1e-12)
    assert rows[0].error == 0


def enough(*sets: set[int]) -> object:
    """Right is what has one of `sets` in it."""

    def right(exact: Sequence[int]) -> bool:
        return any(one <= set(exact) for one in sets)

    return right


@pytest.mark.parametrize("many", [8, 200])
def test_of_many_steps_the_smallest_sets_are_found(many: int) -> None:
    """Few steps by trying all sets; of 200 there are 19,900 pairs, and delta debugging finds disjoint minimal ones."""
    found, all_tried = minimal_sets(enough({1, 5}, {2, 7}, {0, 3, 4}), tuple(range(many)))  # type: ignore[arg-type]
    assert set(found) == {(1, 5), (2, 7)}
    assert all_tried == (many == 8)


def test_a_set_of_all_steps_is_found_where_each_is_needed() -> None:
    """As in an intermediate format that is narrower."""
    everything = tuple(range(100))
    assert minimal_sets(enough(set(everything)), everything) == ([everything], False)  # type: ignore[arg-type]


def test_guilty_steps_are_the_same_each_time() -> None:
    """Nothing depends on hashes or on what was computed before."""
    first, second = (blamed(SIGMOID(Z) - Y, "float32", -TAIL_20, z=20.0, y=1.0) for _ in range(2))
    assert (first.sets, first.got, first.error) == (second.sets, second.got, second.error)
    assert first.ideal == Decimal(-TAIL_20)


def test_a_step_is_flushed_where_its_number_is_subnormal_and_not_where_it_cancels() -> None:
    """e^-90 is a number of float32; 2.06e-9, which comes out as 0 as well, is no subnormal one."""
    flushing = next(one for one in arithmetics("float32", "float32") if one.flush)
    tail = table(blamed(log1p(exp(-absolute(Z))), "float32", math.exp(-90.0), flushing, z=-90.0))
    assert {row.step.op for row in tail if row.flushed} == {"exp", "log1p"}
    lost = table(blamed(TORCH, "float32", TAIL_20, flushing, z=-20.0, y=0.0))
    assert lost[-1].rounded == 0
    assert not any(row.flushed for row in lost)
