"""What happened at the guilty steps, on formulas whose mechanism is known."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest

from conformance.diagnosis.guilty import Guilt
from conformance.diagnosis.mechanism import Found, mechanisms_of
from conformance.diagnosis.sentence import sentence
from conformance.diagnosis.vocabulary import DESCRIPTIONS, Mechanism
from conformance.formulas.arithmetic import Arithmetic, arithmetics
from conformance.formulas.expression import (
    Expression,
    Function,
    absolute,
    cast,
    const,
    eq,
    exp,
    ge,
    log,
    log1p,
    maximum,
    var,
    where,
)
from conformance.formulas.library import LOG_SIGMOID, SIGMOID, SOFTPLUS_NAIVE, SOFTPLUS_STEPS, log_sigmoid_by
from tests.blame import KERAS, TAIL_20, TORCH, P, Y, Z, blamed

BCE_GRADIENT = (P - Y) / maximum((1 - P) * P, const("1e-12"))

M = Mechanism


def diagnosed(
    formula: Expression,
    dtype: str,
    ideal: float,
    *,
    arithmetic: Arithmetic | None = None,
    derivative: bool = False,
    **inputs: float,
) -> tuple[Guilt, tuple[Found, ...]]:
    """Who is to blame, and what happened, with every step in the dtype where no arithmetic is given."""
    guilt = blamed(formula, dtype, ideal, arithmetic, **inputs)
    return guilt, mechanisms_of(guilt, derivative=derivative)


def names(found: Sequence[Found]) -> list[Mechanism]:
    """The mechanisms alone."""
    return [one.mechanism for one in found]


def near(number: float) -> float:
    """The nearest number of float32."""
    return float(np.float32(number))


def test_torchs_logit_loss_absorbs_the_tail_and_cancels_what_is_left() -> None:
    """-20 - 2.06e-9 is -20, and -20 - -20 is 0."""
    _, found = diagnosed(TORCH, "float32", TAIL_20, z=-20.0, y=0.0)
    assert names(found) == [M.ABSORBED, M.CANCELLED]


def test_a_sigmoid_that_is_one_is_saturated_first_of_all() -> None:
    """Its sum absorbs as well, and the difference from the label is 0."""
    _, found = diagnosed(SIGMOID(Z) - Y, "float32", -TAIL_20, derivative=True, z=20.0, y=1.0)
    assert names(found) == [M.SATURATED, M.ABSORBED, M.CANCELLED]
    assert found[0].rounded == 1


def test_the_logarithm_of_a_saturated_sigmoid_is_saturated() -> None:
    """Also where the other term is then 0 times the logarithm of 0: a check there would not help."""
    alone = -log(SIGMOID(Z))
    whole = -(Y * log(SIGMOID(Z)) + (1 - Y) * log(1 - SIGMOID(Z)))
    assert names(diagnosed(alone, "float32", TAIL_20, z=20.0)[1])[0] is M.SATURATED
    found = diagnosed(whole, "float32", TAIL_20, z=20.0, y=1.0)[1]
    assert names(found)[0] is M.SATURATED
    assert M.ZERO_TIMES_INFINITY in names(found)


def test_a_kernel_that_rounds_to_one_what_it_computed_in_more_bits_is_saturated() -> None:
    """float32 inside of a sigmoid that returns float16."""
    wide = next(one for one in arithmetics("float16", "float16") if one.inside != one.step)
    _, found = diagnosed(SIGMOID(Z) - Y, "float16", -1 / (1 + math.exp(9.0)), arithmetic=wide, z=9.0, y=1.0)
    assert names(found)[0] is M.SATURATED


def test_keras_one_minus_p_absorbs_a_part_of_p() -> None:
    """1 - 1e-7 keeps two bits of 1e-7; nothing is subtracted that is nearly equal."""
    p = near(1e-7)
    _, found = diagnosed(KERAS, "float32", -math.log1p(-p), p=p, y=0.0)
    assert names(found) == [M.ABSORBED]


def test_keras_clip_in_float16_has_no_effect() -> None:
    """1 - 1e-7 is 1 there, so that the loss is infinite, or NaN where the label is 1."""
    assert names(diagnosed(KERAS, "float16", -math.log(1e-7), p=1.0, y=0.0)[1])[0] is M.CLIP_WITHOUT_EFFECT
    found = names(diagnosed(KERAS, "float16", 1e-7, p=1.0, y=1.0)[1])
    assert found[:2] == [M.CLIP_WITHOUT_EFFECT, M.ZERO_TIMES_INFINITY]


def test_the_gradient_of_bceloss_in_float16_divides_by_zero_where_its_floor_is_zero() -> None:
    """1e-12 is below half of the smallest number of float16."""
    _, found = diagnosed(BCE_GRADIENT, "float16", 0.0, derivative=True, p=0.0, y=0.0)
    assert names(found) == [M.CLIP_WITHOUT_EFFECT, M.DIVISION_BY_ZERO]


def test_the_gradient_of_bceloss_below_its_floor_is_that_of_a_clamp() -> None:
    """-1/p at 1e-20 is -1e20, and p/1e-12 is divided."""
    p = near(1e-20)
    _, found = diagnosed(BCE_GRADIENT, "float32", -1 / p, derivative=True, p=p, y=1.0)
    assert names(found) == [M.UNDOCUMENTED_CLAMP]


def test_a_focal_factor_at_gamma_zero_multiplies_zero_by_infinity() -> None:
    """exp(0*log(exp(-200))) in float32: the product as 0 alone makes it right."""
    loss = -log_sigmoid_by(SOFTPLUS_STEPS, Z) * exp(const("0.0") * log(exp(-Z)))
    _, found = diagnosed(loss, "float32", math.exp(-200.0), z=200.0)
    assert names(found)[0] is M.ZERO_TIMES_INFINITY
    assert found[0].cause


def test_the_naive_softplus_overflows() -> None:
    """exp(100) is beyond float32, and its logarithm is not."""
    assert names(diagnosed(SOFTPLUS_NAIVE(Z), "float32", 100.0, z=100.0)[1]) == [M.OVERFLOW]


def test_a_quotient_of_two_overflows_is_an_overflow() -> None:
    """exp(z)/(1 + exp(z)) is NaN, of infinity by infinity."""
    found = names(diagnosed(exp(Z) / (1 + exp(Z)), "float32", 1.0, z=100.0)[1])
    assert found[:2] == [M.OVERFLOW, M.ZERO_TIMES_INFINITY]


def test_a_difference_of_infinities_is_told_as_what_follows() -> None:
    """exp(z) - exp(z) + 1."""
    found = diagnosed((exp(Z) - exp(Y)) + 1, "float32", 1.0, z=100.0, y=100.0)[1]
    assert names(found)[:2] == [M.OVERFLOW, M.INFINITY_MINUS_INFINITY]


def test_a_subnormal_that_becomes_zero_is_flushed() -> None:
    """exp(-90) is a number of float32."""
    flushing = next(one for one in arithmetics("float32", "float32") if one.flush)
    formula = log1p(exp(-absolute(Z)))
    _, found = diagnosed(formula, "float32", math.exp(-90.0), arithmetic=flushing, z=-90.0)
    assert names(found) == [M.FLUSHED]


def test_a_flushed_input_is_flushed() -> None:
    """Denormals are zero: -z is 0."""
    flushing = next(one for one in arithmetics("float32", "float32") if one.daz)
    assert names(diagnosed(-Z, "float32", -(2.0**-130), arithmetic=flushing, z=2.0**-130)[1]) == [M.FLUSHED]


@pytest.mark.parametrize("narrow", ["cast", "steps"])
def test_float32_in_a_float64_result_is_a_narrower_intermediate(narrow: str) -> None:
    """A cast, as in Keras' mean, or every step; in float64 the same formula is right."""
    exact = 3.3 + math.log1p(math.exp(-3.3))
    softplus = maximum(Z, 0) + log1p(exp(-absolute(Z)))
    steps = next(one for one in arithmetics("float64", "float64") if one.step == "float32")
    if narrow == "cast":
        _, found = diagnosed(cast("float32", softplus), "float64", exact, z=3.3)
    else:
        _, found = diagnosed(softplus, "float64", exact, arithmetic=steps, z=3.3)
    assert names(found) == [M.NARROWER_INTERMEDIATE]


def test_a_formula_that_is_wrong_in_float64_too_is_no_matter_of_narrower_steps() -> None:
    """1/(1 + e) - 1 at 40 is 0 in both."""
    steps = next(one for one in arithmetics("float64", "float64") if one.step == "float32")
    found = names(diagnosed(SIGMOID(Z) - 1, "float64", -1 / (1 + math.exp(40.0)), arithmetic=steps, z=40.0)[1])
    assert found[0] is M.SATURATED
    assert M.NARROWER_INTERMEDIATE not in found


def test_what_the_result_s_own_format_loses_comes_after_a_narrower_one() -> None:
    """1/(1 + e) - 1 at 25: all of it is lost in float32, and the last eleven digits in float64."""
    steps = next(one for one in arithmetics("float64", "float64") if one.step == "float32")
    found = diagnosed(SIGMOID(Z) - 1, "float64", -1 / (1 + math.exp(25.0)), arithmetic=steps, z=25.0)[1]
    assert found[0].mechanism is M.NARROWER_INTERMEDIATE
    assert {M.ABSORBED, M.SATURATED} <= set(names(found[1:]))
    assert found[1].lost < found[0].lost / 1000


def test_a_number_by_a_branch_where_there_is_none_is_a_missing_check() -> None:
    """xlog1py(1 - y, -p) at y = 1 is 0, whatever p is."""
    formula = where(eq(Y, 1), 0, (1 - Y) * log1p(-P))
    assert names(diagnosed(formula, "float32", math.nan, p=1.5, y=1.0)[1]) == [M.MISSING_CHECK]


def test_a_sum_that_is_right_in_another_order_says_so() -> None:
    """max(z, 0) + log1p(exp(-|z|)) - z*y at z = 20, y = 1; with the product second nothing is lost."""
    tail = log1p(exp(-absolute(Z)))
    found = names(diagnosed((maximum(Z, 0) + tail) - Z * Y, "float32", TAIL_20, z=20.0, y=1.0)[1])
    assert {M.ABSORBED, M.REORDERED, M.CANCELLED} == set(found)


def test_a_sum_of_elements_that_is_right_pairwise_is_a_reduction_order() -> None:
    """2048 and fifteen ones in float16: one after the other they do not count."""
    elements = [var(f"x{k}") for k in range(16)]
    total = elements[0]
    for one in elements[1:]:
        total = total + one
    values = {f"x{k}": 1.0 for k in range(16)} | {"x0": 2048.0}
    found = names(diagnosed(total, "float16", 2063.0, **values)[1])
    assert M.REDUCTION_ORDER in found
    assert M.REORDERED not in found


def test_a_fused_product_that_loses_what_two_roundings_keep_is_told() -> None:
    """z*z - x*x with x = z is 0, and the error of the second square where the first is fused."""
    fused = Arithmetic(name="", inputs="float32", step="float32", inside="float32", result="float32", fused=True)
    z = 1 + 2.0**-12
    x = var("x")
    found = names(diagnosed(Z * Z - x * x, "float32", 0.0, arithmetic=fused, z=z, x=z)[1])
    assert found == [M.CANCELLED, M.REORDERED] or found == [M.REORDERED, M.CANCELLED]


def test_a_constant_that_rounds_is_a_folded_constant() -> None:
    """z - 0.1 at the nearest number to 0.1."""
    z = near(0.1)
    found = names(diagnosed(Z - const("0.1"), "float32", z - 0.1, z=z)[1])
    assert found == [M.FOLDED_CONSTANT, M.CANCELLED]


def test_the_derivative_of_a_clip_that_is_zero_is_told_as_that() -> None:
    """Below the bound, where the exact loss goes on."""
    found = names(
        diagnosed(where(ge(P, const("1e-3")), -(1 / P), 0), "float32", -(2.0**14), derivative=True, p=2.0**-14)[1]
    )
    assert found == [M.DERIVATIVE_OF_BRANCH]


def test_a_clamp_of_the_value_is_told_as_that() -> None:
    """-log(max(p, 1e-7))."""
    p = near(1e-9)
    assert names(diagnosed(KERAS, "float32", -math.log(p), p=p, y=1.0)[1]) == [M.UNDOCUMENTED_CLAMP]


def test_a_bound_and_an_epsilon_that_hide_each_other_are_not_told_apart() -> None:
    """At p = 0 log(max(p, 1e-7) + 1e-7) is log(1e-7) without either, and a contract may have documented the other."""
    _, found = diagnosed(log(maximum(P, const("1e-7")) + const("1e-7")), "float32", math.log(1e-7), p=0.0)
    assert found[0].mechanism is M.UNIDENTIFIED


def test_an_epsilon_is_a_wrong_term() -> None:
    """-log(p + 1e-7)."""
    p = near(1e-5)
    assert names(diagnosed(-log(P + const("1e-7")), "float32", -math.log(p), p=p)[1]) == [M.WRONG_TERM]


def test_another_formula_is_a_wrong_term() -> None:
    """z*z for the softplus."""
    assert names(diagnosed(Z * Z, "float32", math.log1p(math.e), z=1.0)[1]) == [M.WRONG_TERM]


def test_a_product_that_needs_a_check_for_zero_is_told() -> None:
    """y*log(p) at 0 and 0."""
    assert names(diagnosed(-(Y * log(P)), "float32", 0.0, p=0.0, y=0.0)[1]) == [M.ZERO_TIMES_INFINITY, M.MISSING_CHECK]


def test_a_number_where_there_is_none_is_a_missing_check() -> None:
    """A loss of a prediction that is outside of what it can be."""
    assert names(diagnosed(maximum(P, const("1e-7")), "float32", math.nan, p=-2.0)[1]) == [M.MISSING_CHECK]


def test_what_no_condition_explains_is_unidentified() -> None:
    """A large exponent makes the rounding of a product count; nothing in the list says so."""
    z, y = near(87.3), near(0.7)
    _, found = diagnosed(exp(Z * Y * const("1.25")), "float32", math.exp(z * y * 1.25), z=z, y=y)
    assert names(found) == [M.UNIDENTIFIED]


def test_what_cannot_be_computed_exactly_is_not_blamed_on_the_formula() -> None:
    """log(1 + exp(z)) at 1e30: the overflow is seen, no guilty step is."""
    guilt, found = diagnosed(log(1 + exp(Z)), "float32", 1e30, z=1e30)
    assert guilt.unresolved
    assert names(found) == [M.OVERFLOW]


def test_every_mechanism_has_a_meaning_a_condition_and_links() -> None:
    """For a person who reads its name for the first time."""
    assert set(DESCRIPTIONS) == set(Mechanism)
    for mechanism, one in DESCRIPTIONS.items():
        assert one.meaning.endswith(".")
        assert one.condition.endswith(".")
        assert one.links or mechanism is M.UNIDENTIFIED


def spelled(x: Expression) -> str:
    """An expression, with parentheses around every operation that has two arguments."""
    if x.op in ("var", "const"):
        return str(x.name)
    args = [spelled(one) for one in x.args]
    signs = {"add": "+", "sub": "-", "mul": "*", "div": "/"}
    if x.op in signs:
        return f"({args[0]} {signs[x.op]} {args[1]})"
    name = x.name.name if isinstance(x.name, Function) else x.op
    return f"{name}({', '.join(args)})"


@pytest.mark.parametrize(
    ("formula", "dtype", "ideal", "inputs", "said"),
    [
        (
            TORCH,
            "float32",
            TAIL_20,
            {"z": -20.0, "y": 0.0},
            "at z = -20, y = 0: log_sigmoid(z) = (min(z, 0) - log1p(exp(neg(abs(z))))) absorbs 2.06e-9 into -20"
            " and the subtraction in (((1 - y) * z) - log_sigmoid(z)) leaves 0, not 2.06e-9",
        ),
        (
            SIGMOID(Z) - Y,
            "float32",
            -TAIL_20,
            {"z": 20.0, "y": 1.0},
            "at z = 20, y = 1: sigmoid(z) = (1 / (1 + exp(neg(z)))) is 1, not 1 - 2.06e-9"
            " and the subtraction in (sigmoid(z) - y) leaves 0, not -2.06e-9",
        ),
        (
            BCE_GRADIENT,
            "float16",
            0.0,
            {"p": 0.0, "y": 0.0},
            "at p = 0, y = 0: the clip has no effect: 1e-12 rounds to 0"
            " and ((p - y) / max(((1 - p) * p), 1e-12)) divides by zero",
        ),
        (
            SOFTPLUS_NAIVE(Z),
            "float32",
            100.0,
            {"z": 100.0},
            "at z = 100: exp(z) in softplus(z) overflows float32: it is 2.69e+43",
        ),
        (
            -log(P + const("1e-7")),
            "float32",
            -math.log(near(1e-5)),
            {"p": near(1e-5)},
            "at p = 0.00001: (p + 1e-7) is wrong even if exact: the formula is right without the epsilon",
        ),
    ],
)
def test_a_sentence_says_where_what_and_what_is_left(
    formula: Expression, dtype: str, ideal: float, inputs: dict[str, float], said: str
) -> None:
    """Made of the mechanism, the step and its values."""
    assert sentence(*diagnosed(formula, dtype, ideal, **inputs), spelled) == said


def test_a_difference_that_is_exactly_0_is_not_told_as_cancelled() -> None:
    """t - t loses nothing, whatever was lost in t: "leaves 0, not 0" says nothing."""
    tail = LOG_SIGMOID(Z)
    _, found = diagnosed((tail - tail) + TORCH, "float32", TAIL_20, z=-20.0, y=0.0)
    (cancelled,) = (one for one in found if one.mechanism is M.CANCELLED)
    assert cancelled.rounded == 0
    assert float(cancelled.exact) == pytest.approx(TAIL_20, rel=1e-6)
