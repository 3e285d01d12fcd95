"""The functions that formulas are made of, against decimal arithmetic, their backward formulas against differences."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Context, Decimal, localcontext

import numpy as np
import pytest

from conformance.formulas import library
from conformance.formulas.arithmetic import Arithmetic, arithmetics
from conformance.formulas.derivative import RULES, derivative
from conformance.formulas.evaluate import emulated
from conformance.formulas.expression import Expression, Function, var
from conformance.numbers.formats import FORMATS, ulp

FLOAT64 = arithmetics("float64", "float64")[0]
FLOAT32 = arithmetics("float32", "float32")[0]
x, y = var("x"), var("y")
STEP = Decimal(10) ** -20


def sigmoid(t: Decimal) -> Decimal:
    """1/(1 + exp(-t))."""
    return 1 / (1 + (-t).exp())


#: Functions of one argument by what they are; those of PyTorch, TensorFlow and JAX differ in their backward formulas.
OF_ONE: dict[str, tuple[Function, Callable[[Decimal], Decimal], str]] = {
    "torch sigmoid": (library.SIGMOID, sigmoid, "torch"),
    "jax logistic": (library.LOGISTIC, sigmoid, "jax"),
    "tensorflow sigmoid": (library.LOGISTIC_TF, sigmoid, "tensorflow"),
    "stable sigmoid": (library.SIGMOID_STABLE, sigmoid, "torch"),
    "log_sigmoid": (library.LOG_SIGMOID, lambda t: sigmoid(t).ln(), "torch"),
    "logaddexp": (library.SOFTPLUS_STEPS, lambda t: (1 + t.exp()).ln(), "jax"),
    "softplus": (library.SOFTPLUS, lambda t: (1 + t.exp()).ln(), "tensorflow"),
}


@contextmanager
def precise() -> Iterator[None]:
    """Eighty digits."""
    with localcontext(Context(prec=80)):
        yield


def value(expression: Expression, arithmetic: Arithmetic = FLOAT64, **inputs: float) -> float:
    """What an expression gives for one point."""
    return float(emulated(expression, {name: np.array([one]) for name, one in inputs.items()}, arithmetic)[0])


@pytest.mark.parametrize("name", OF_ONE)
def test_a_function_its_slope_and_the_slope_of_that_are_those_of_decimal_arithmetic(name: str) -> None:
    """A backward kernel that is differentiated gives the second derivative of its function."""
    function, decimal, rules = OF_ONE[name]
    once = derivative(function(x), "x", RULES[rules])
    twice = derivative(once, "x", RULES[rules])
    for point in (-3.0, -0.5, 0.25, 2.0):
        t = Decimal(point)
        with precise():
            exact = (
                float(decimal(t)),
                float((decimal(t + STEP) - decimal(t - STEP)) / (2 * STEP)),
                float((decimal(t + STEP) - 2 * decimal(t) + decimal(t - STEP)) / STEP**2),
            )
        found = tuple(value(one, x=point) for one in (function(x), once, twice))
        assert found == pytest.approx(exact, rel=1e-13)


def test_pytorchs_cross_entropy_has_the_gradient_and_second_derivative_of_its_two_kernels() -> None:
    """(p - y)/((1 - p)*p), and (p*p - 2*p*y + y)/(p*(1 - p))**2, up to an epsilon of 1e-12."""
    p, label = 0.375, 0.25
    once = derivative(library.BCE(x, y), "x", RULES["torch"])
    assert value(library.BCE(x, y), x=p, y=label) == pytest.approx(-0.25 * np.log(p) - 0.75 * np.log1p(-p), rel=1e-14)
    assert value(once, x=p, y=label) == pytest.approx((p - label) / (p * (1 - p)), rel=1e-14)
    twice = value(derivative(once, "x", RULES["torch"]), x=p, y=label)
    assert twice == pytest.approx((p * p - 2 * p * label + label) / (p * (1 - p)) ** 2, rel=1e-10)


def test_the_epsilon_of_pytorchs_kernel_is_a_float32_in_float64_too() -> None:
    """1e-12 as float32 is 9.999999960041972e-13: the gradient at p = 0, y = 1 is not -1e12."""
    gradient = derivative(library.BCE(x, y), "x", RULES["torch"])
    assert value(gradient, x=0.0, y=1.0) == -1 / float(np.float32(1e-12))


def test_in_float16_the_epsilon_of_pytorchs_kernel_is_zero() -> None:
    """The gradient at p = 0 divides by it."""
    gradient = derivative(library.BCE(x, y), "x", RULES["torch"])
    assert value(gradient, arithmetics("float16", "float16")[0], x=0.0, y=1.0) == -np.inf


@pytest.mark.parametrize("point", [np.inf, -np.inf])
def test_the_slope_of_jaxs_logaddexp_is_finite_at_infinity(point: float) -> None:
    """Both infinities are replaced by 0 before they are subtracted."""
    gradient = derivative(library.SOFTPLUS_STEPS(x), "x", RULES["jax"])
    assert value(gradient, FLOAT32, x=point) == (1.0 if point > 0 else 0.0)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (0.25, 0.75, 0.25 * np.log(0.25 / 0.75)),
        (0.5, 0.5078125, 0.5 * np.log1p((0.5 - 0.5078125) / 0.5078125)),
        (1e-300, 1e300, 1e-300 * (np.log(1e-300) - np.log(1e300))),
        (0.0, 0.5, 0.0),
        (0.5, 0.0, np.inf),
        (-0.5, 0.5, np.inf),
        (np.nan, 0.5, np.nan),
        (0.5, np.nan, np.nan),
    ],
)
def test_the_relative_entropy_is_that_of_scipys_definition(first: float, second: float, expected: float) -> None:
    """x*log(x/y), by two logarithms where the quotient is 0; infinity outside of the domain."""
    found = value(library.RELATIVE_ENTROPY(x, y), x=first, y=second)
    assert found == pytest.approx(expected, rel=1e-14, nan_ok=True)


def test_functions_of_scipy_that_know_zero_times_a_logarithm() -> None:
    """xlogy(0, 0) is 0, and NaN stays NaN; entr(0) is 0."""
    assert value(library.XLOGY(x, y), x=0.0, y=0.0) == 0.0
    assert value(library.XLOG1PY(x, y), x=0.0, y=-1.0) == 0.0
    assert np.isnan(value(library.XLOGY(x, y), x=0.0, y=np.nan))
    assert value(library.ENTROPY(x), x=0.0) == 0.0
    assert value(library.ENTROPY(x), x=-1.0) == -np.inf


def test_a_kernel_is_rounded_once_and_several_operations_each() -> None:
    """In 16 bits with float32 inside, sigmoid errs by half an ULP, and by more where each step is rounded."""
    each, inside = arithmetics("bfloat16", "bfloat16")[:2]
    points = np.array([-6.0, -2.5, 0.75, 3.0])
    with precise():
        exact = np.array([float(sigmoid(Decimal(t))) for t in points])
    errors = [
        np.abs(emulated(library.SIGMOID(x), {"x": points}, one) - exact) / ulp(exact, FORMATS["bfloat16"])
        for one in (inside, each)
    ]
    assert errors[0].max() <= 0.5 + 2**-12
    assert errors[1].max() > 0.6
