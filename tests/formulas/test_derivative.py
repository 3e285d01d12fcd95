"""Derivatives of formulas, against central differences in decimal arithmetic, and each framework's rule at a tie."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Context, Decimal, localcontext

import numpy as np
import pytest

from conformance.formulas.arithmetic import arithmetics
from conformance.formulas.derivative import RULES, derivative
from conformance.formulas.evaluate import emulated
from conformance.formulas.expression import (
    Expression,
    Function,
    absolute,
    clip,
    exp,
    expm1,
    log,
    log1p,
    maximum,
    minimum,
    sqrt,
    tanh,
    var,
    where,
)
from conformance.formulas.expression import gt as greater
from conformance.formulas.library import RELU, STOP_GRADIENT

x, y = var("x"), var("y")
FLOAT64 = arithmetics("float64", "float64")[0]
FLOAT16 = arithmetics("float16", "float16")[0]
FRAMEWORKS = ("torch", "tensorflow", "jax")

#: Smooth formulas, and what they are in decimal arithmetic.
SMOOTH: dict[str, tuple[Expression, Callable[[Decimal], Decimal]]] = {
    "a quotient": ((x * x + 1) / (3 - x), lambda t: (t * t + 1) / (3 - t)),
    "a logarithm": (log(x) * x, lambda t: t.ln() * t),
    "log1p of exp": (log1p(exp(-x)), lambda t: (1 + (-t).exp()).ln()),
    "a power": ((1 - x / 4) ** 2.5, lambda t: (1 - t / 4) ** Decimal("2.5")),
    "a root less expm1": (sqrt(x) - expm1(x), lambda t: t.sqrt() - t.exp() + 1),
    "tanh": (tanh(x) * x, lambda t: t * ((2 * t).exp() - 1) / ((2 * t).exp() + 1)),
    "a sum of one part used thrice": (x * x * x - x, lambda t: t**3 - t),
}


def at(expression: Expression, *values: float) -> list[float]:
    """What it gives for each value of x."""
    found = emulated(expression, {"x": np.array(values)}, FLOAT64)
    return [float(one) for one in np.broadcast_to(found, len(values))]


@pytest.mark.parametrize("rules", RULES)
@pytest.mark.parametrize("name", SMOOTH)
def test_by_every_rule_a_smooth_formula_has_the_derivative_of_calculus(name: str, rules: str) -> None:
    """Frameworks differ in how they round, not in what they mean."""
    formula, decimal = SMOOTH[name]
    points = (0.3, 0.75, 1.5, 2.25)
    with localcontext(Context(prec=80)):
        step = Decimal(10) ** -20
        exact = [float((decimal(Decimal(t) + step) - decimal(Decimal(t) - step)) / (2 * step)) for t in points]
        twice = [
            float((decimal(Decimal(t) + step) - 2 * decimal(Decimal(t)) + decimal(Decimal(t) - step)) / step**2)
            for t in points
        ]
    once = derivative(formula, "x", RULES[rules])
    assert at(once, *points) == pytest.approx(exact, rel=1e-13)
    assert at(derivative(once, "x", RULES[rules]), *points) == pytest.approx(twice, rel=1e-12)


@pytest.mark.parametrize(("rules", "low", "high"), [("torch", 1.0, 1.0), ("tensorflow", 1.0, 1.0), ("jax", 0.5, 0.5)])
def test_at_the_bounds_of_a_clip_each_framework_passes_on_what_its_source_says(
    rules: str, low: float, high: float
) -> None:
    """clamp_backward and _MaximumMinimumGrad pass all of it on, _balanced_eq one half."""
    gradient = derivative(clip(x, 0.25, 0.75), "x", RULES[rules])
    assert at(gradient, 0.0, 0.25, 0.5, 0.75, 1.0) == [0.0, low, 1.0, high, 0.0]


@pytest.mark.parametrize(("rules", "expected"), [("torch", 3.0), ("tensorflow", 3.0), ("jax", 2.5)])
def test_where_two_arguments_of_a_minimum_are_equal_jax_alone_shares(rules: str, expected: float) -> None:
    """3*x and 2*x + 1 meet at 1: the others take the slope of the first."""
    assert at(derivative(minimum(3 * x, 2 * x + 1), "x", RULES[rules]), 1.0) == [expected]


@pytest.mark.parametrize("rules", FRAMEWORKS)
def test_the_slope_of_an_absolute_value_is_zero_at_zero(rules: str) -> None:
    """All three multiply by the sign, which is 0 there."""
    assert at(derivative(absolute(x), "x", RULES[rules]), -2.0, 0.0, 2.0) == [-1.0, 0.0, 1.0]


def test_relu_passes_nothing_on_at_zero() -> None:
    """Unlike a maximum with 0 in the same framework."""
    assert at(derivative(RELU(x), "x", RULES["tensorflow"]), 0.0, 1.0) == [0.0, 1.0]
    assert at(derivative(maximum(x, 0), "x", RULES["tensorflow"]), 0.0) == [1.0]


@pytest.mark.parametrize(("rules", "expected"), [("torch", 0.0), ("tensorflow", np.nan), ("jax", np.nan)])
def test_the_slope_of_a_power_zero_of_zero_is_0_times_infinity_but_in_torch(rules: str, expected: float) -> None:
    """pow_backward asks whether the exponent is 0; the others multiply 0 by 0**-1."""
    assert at(derivative(x**0.0, "x", RULES[rules]), 2.0) == [0.0]
    np.testing.assert_equal(at(derivative(x**0.0, "x", RULES[rules]), 0.0), [expected])


@pytest.mark.parametrize(("rules", "expected"), [("torch", 0.0), ("tensorflow", 0.0), ("jax", np.nan)])
def test_an_infinite_cotangent_at_a_clipped_argument_is_nan_in_jax_alone(rules: str, expected: float) -> None:
    """JAX multiplies by a factor of 0 where the others select."""
    gradient = derivative(1 / maximum(x, 0.0), "x", RULES[rules])
    np.testing.assert_equal(at(gradient, -1.0), [expected])


@pytest.mark.parametrize("rules", FRAMEWORKS)
def test_a_selection_does_not_keep_the_infinite_slope_of_what_is_not_taken_away(rules: str) -> None:
    """The branch that is not taken gets a cotangent of 0, and 0 times its infinite slope is NaN, in every framework."""
    gradient = derivative(where(greater(x, 0), log(x), x), "x", RULES[rules])
    np.testing.assert_equal(at(gradient, 2.0, 0.0), [0.5, np.nan])


def test_tensorflow_sums_cotangents_in_the_order_of_its_tape() -> None:
    """1 and -1 first, as AddN gets them, so that the third term keeps its digits; the others add that one earlier."""
    small = 2.0**-12
    formula = (x - x * var("one")) + (x * small) * 1
    inputs = {"x": np.array([1.0]), "one": np.array([1.0])}
    by = {name: emulated(derivative(formula, "x", RULES[name]), inputs, FLOAT16)[0] for name in ("tensorflow", "torch")}
    assert by == {"tensorflow": small, "torch": 0.0}


def test_the_backward_formula_of_a_function_goes_before_its_body() -> None:
    """A framework's kernel has the gradient that its author wrote, right or wrong."""
    odd = Function("odd", ("x",), x * x, lambda g, args, result: (g * 7,))
    assert at(derivative(odd(x), "x", RULES["torch"]), 5.0) == [7.0]
    plain = Function("plain", ("x",), x * x)
    assert at(derivative(plain(x), "x", RULES["torch"]), 5.0) == [10.0]


def test_an_input_that_a_formula_does_not_have_has_the_derivative_zero() -> None:
    """And so has what is stopped."""
    assert at(derivative(x * 2, "w", RULES["jax"]), 1.0) == [0.0]
    assert at(derivative(STOP_GRADIENT(x), "x", RULES["jax"]), 1.0) == [0.0]


def test_forwards_and_backwards_products_are_rounded_in_other_orders() -> None:
    """The tangent of 3*exp(x) is multiplied by 3 last, its cotangent first; of exp(x*x*x) by exp last, and first."""
    formula = log(exp(x) * 3 + 1)
    backwards, forwards = (derivative(formula, "x", RULES[rules]) for rules in ("torch", "torch forwards"))
    values = {"x": np.linspace(0.1, 2, 50)}
    assert np.any(emulated(backwards, values, FLOAT16) != emulated(forwards, values, FLOAT16))


def test_tensorflow_multiplies_the_zeros_that_it_takes_for_the_tangent_of_a_label() -> None:
    """0 times an infinite logit is NaN; PyTorch has no tangent there."""
    infinite = {"x": np.array([np.inf, 1.0]), "y": np.array([0.5])}
    of_label = {
        rules: emulated(derivative(x * y, "x", RULES[rules]), infinite, FLOAT64)
        for rules in ("tensorflow", "torch forwards", "tensorflow forwards")
    }
    assert np.broadcast_to(of_label["tensorflow"], 2).tolist() == [0.5, 0.5]
    assert np.broadcast_to(of_label["torch forwards"], 2).tolist() == [0.5, 0.5]
    assert np.isnan(of_label["tensorflow forwards"][0])
    assert of_label["tensorflow forwards"][1] == 0.5


def test_the_optimizer_of_a_tf_function_adds_by_name() -> None:
    """Neg, Select and mul, where the tape has them in the order of their operations.

    By hand: eager 1 - y first, which is 0, so that -e is left; in order of names -e + 1 is rounded first.
    """
    formula = (where(greater(x, 0), x, 0) - x * y) + log1p(exp(where(greater(x, 0), -x, x)))
    inputs = {"x": np.array([10.0]), "y": np.array([1.0])}
    eager, graph = (
        emulated(derivative(formula, "x", RULES[rules]), inputs, FLOAT16)
        for rules in ("tensorflow", "tensorflow, sums in the order of names")
    )
    assert eager[0] == -float(np.float16(np.exp(-10)))
    assert graph[0] == 0.0
