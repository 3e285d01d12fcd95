"""A binary cross-entropy whose every result is the exact value rounded once: the control that must conform.

Independent of `reference/`: rational functions by Fraction, logarithms and exponentials by Arb at rising precision
until both ends of the ball round to the same number.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import flint
import numpy as np
from flint import arb

from conformance.adapters import ALL_DTYPES, Adapter, Implementation
from conformance.numbers.formats import FORMATS, infinity_bits, nan_bits, round_to_bits

INF, NAN = float("inf"), float("nan")
Real = Fraction | float  # a float only where it is infinite or NaN
Ball = Callable[[], arb]  # evaluated anew at each working precision


def to_arb(value: Fraction) -> arb:
    return arb(value.numerator) / arb(value.denominator)


def bits(value: Real | Ball, dtype: str) -> int:
    """`value` rounded to nearest even in `dtype`."""
    fmt = FORMATS[dtype]
    if callable(value):
        for precision in (128, 512, 2048, 8192):
            flint.ctx.prec = precision
            low, high = ends(value())
            below, above = round_to_bits(low, fmt), round_to_bits(high, fmt)
            if below == above or {below, above} == {0, 1 << (fmt.width - 1)}:  # the sign of a zero is free
                return above
        raise ArithmeticError("no precision decides the rounding")
    if isinstance(value, Fraction):
        return round_to_bits(value, fmt)
    sign = 1 << (fmt.width - 1) if value < 0 else 0
    return nan_bits(fmt) if math.isnan(value) else sign | infinity_bits(fmt)


def ends(ball: arb) -> tuple[Fraction, Fraction]:
    def exact(x: arb) -> Fraction:
        mantissa, exponent = x.man_exp()
        return Fraction(int(mantissa)) * Fraction(2) ** int(exponent)

    return exact(ball.mid()) - exact(ball.rad()), exact(ball.mid()) + exact(ball.rad())


def exponential(x: Fraction) -> arb:
    """exp(x) for x of moderate size or negative; below -7000 the ball [0, 2^-10000], far below 2^-1075."""
    if x < -7000:
        half = arb(2) ** -10001
        return arb(half, half)
    return to_arb(x).exp()


def softplus(z: Fraction) -> Ball:
    return lambda: to_arb(max(z, Fraction(0))) + exponential(-abs(z)).log1p()


def sigmoid(z: Fraction) -> Ball:
    def small() -> arb:
        return exponential(-abs(z))

    return (lambda: 1 / (1 + small())) if z > 0 else (lambda: small() / (1 + small()))


def combine(terms: list[tuple[Real, Real | Ball]]) -> Real | Ball:
    """Sum of coefficient × term in extended-real arithmetic; a coefficient 0 annihilates its term."""
    finite: list[tuple[Fraction, Fraction | Ball]] = []
    infinite: list[float] = []
    for coefficient, term in terms:
        if coefficient == 0:
            continue
        if isinstance(coefficient, float) or isinstance(term, float):
            if isinstance(term, Fraction) and term == 0:
                infinite.append(NAN)
                continue
            sign = 1.0 if callable(term) or term > 0 else -1.0
            infinite.append(math.copysign(INF, 1.0 if coefficient > 0 else -1.0) * sign)
        else:
            finite.append((coefficient, term))
    if infinite:
        return sum(infinite)
    if all(isinstance(term, Fraction) for _, term in finite):
        return sum((coefficient * term for coefficient, term in finite), Fraction(0))  # type: ignore[operator,misc]

    def total() -> arb:
        value = arb(0)
        for coefficient, term in finite:
            value += to_arb(coefficient) * (term() if callable(term) else to_arb(term))
        return value

    return total


def coefficients(y: Real, w: Real, q: Real) -> tuple[Real, Real]:
    """(w q y, w (1 - y))."""
    if isinstance(y, float):
        return math.copysign(INF, y), -math.copysign(INF, y)
    assert isinstance(w, Fraction)
    assert isinstance(q, Fraction)
    return w * q * y, w * (1 - y)


def losses(form: str, x: Real) -> tuple[Real | Ball, Real | Ball]:
    """The two terms of the loss: of label 1 and of label 0."""
    if form == "logits":
        if isinstance(x, float):
            return (Fraction(0), INF) if x > 0 else (INF, Fraction(0))
        return softplus(-x), softplus(x)
    assert isinstance(x, Fraction)
    one = INF if x == 0 else Fraction(0) if x == 1 else lambda: -to_arb(x).log()
    zero = INF if x == 1 else Fraction(0) if x == 0 else lambda: -(-to_arb(x)).log1p()
    return one, zero


def value(form: str, x: Real, y: Real, w: Real, q: Real) -> Real | Ball:
    a, b = coefficients(y, w, q)
    one, zero = losses(form, x)
    return combine([(a, one), (b, zero)])


def gradient_prediction(form: str, x: Real, y: Real, w: Real, q: Real) -> Real | Ball:
    a, b = coefficients(y, w, q)
    if form == "probabilities":
        assert isinstance(x, Fraction)
        return combine([(b, INF if x == 1 else 1 / (1 - x)), (a, -INF if x == 0 else -1 / x)])
    up, down = sigmoids(x)
    return combine([(b, up), (-a, down)])


def sigmoids(z: Real) -> tuple[Real | Ball, Real | Ball]:
    """(sigmoid(z), sigmoid(-z))."""
    if isinstance(z, float):
        return (Fraction(1), Fraction(0)) if z > 0 else (Fraction(0), Fraction(1))
    if z == 0:
        return Fraction(1, 2), Fraction(1, 2)
    return sigmoid(z), sigmoid(-z)


def gradient_label(form: str, x: Real, y: Real, w: Real, q: Real) -> Real | Ball:
    if q == 1 and form == "logits":
        assert not isinstance(w, float)
        return -w * x if isinstance(x, Fraction) else combine([(w, -x)])
    if q == 1 and x == Fraction(1, 2):
        return Fraction(0)
    assert isinstance(w, Fraction)
    assert isinstance(q, Fraction)
    one, zero = losses(form, x)
    return combine([(w * q, one), (-w, zero)])


def second_derivative(form: str, x: Real, y: Real, w: Real, q: Real) -> Real | Ball:
    a, b = coefficients(y, w, q)
    if form == "probabilities":
        assert isinstance(x, Fraction)
        return combine([(b, INF if x == 1 else (1 - x) ** -2), (a, INF if x == 0 else x**-2)])
    if isinstance(x, float):
        return Fraction(0)
    assert isinstance(a, Fraction)
    assert isinstance(b, Fraction)
    up, down = sigmoids(x)
    if not callable(up) or not callable(down):
        return (a + b) / 4
    return combine([(a + b, lambda: up() * down())])


FUNCTIONS = {
    "value": value,
    "gradient-prediction": gradient_prediction,
    "gradient-label": gradient_label,
    "second-derivative": second_derivative,
}


def real(number: float) -> Real:
    return Fraction(number) if math.isfinite(number) else number


def distinct(columns: list[Any]) -> tuple[Any, Any, Any]:
    """(first place, code of each place, count) of the rows that differ in a bit: presentations repeat few elements."""
    codes = np.zeros(columns[0].size, dtype=np.int64)
    for column in columns:
        values, code = np.unique(column.view(np.uint64), return_inverse=True)
        codes = codes * len(values) + code.ravel()
    _, first, inverse, counts = np.unique(codes, return_index=True, return_inverse=True, return_counts=True)
    return first, inverse.ravel(), counts


def elementwise(form: str, quantity: str) -> Callable[..., Any]:
    """A function of NumPy arrays that computes `quantity` element by element, reductions included."""

    def function(
        prediction: Any, label: Any, reduction: str = "none", weight: Any = None, pos_weight: Any = None
    ) -> Any:
        dtype = str(prediction.dtype)
        ones = np.ones(prediction.size)
        columns = [
            ones if one is None else np.asarray(one).astype(np.float64).ravel()
            for one in (prediction, label, weight, pos_weight)
        ]
        if any(column.size != prediction.size for column in columns):
            raise ValueError("label and weights must have as many elements as the prediction")
        first, places, counts = distinct(columns)
        exact = []
        for numbers in zip(*(column[first].tolist() for column in columns), strict=True):
            outside = form == "probabilities" and not 0 <= numbers[0] <= 1
            nan = outside or any(math.isnan(number) for number in numbers)
            exact.append(NAN if nan else FUNCTIONS[quantity](form, *(real(number) for number in numbers)))
        if reduction != "none" and quantity == "value":
            if not prediction.size:
                return np.array(NAN if reduction == "mean" else 0.0).astype(prediction.dtype)
            share = Fraction(1, prediction.size) if reduction == "mean" else Fraction(1)
            reduced = combine([(share * int(count), one) for count, one in zip(counts, exact, strict=True)])
            return np.array(bits(reduced, dtype), dtype=FORMATS[dtype].storage).view(prediction.dtype)
        if reduction == "mean":
            exact = [combine([(Fraction(1, prediction.size), one)]) for one in exact]
        patterns = np.array([bits(one, dtype) for one in exact], dtype=FORMATS[dtype].storage)
        return patterns.view(prediction.dtype)[places].reshape(prediction.shape)

    return function


adapters = [
    Adapter(
        "exact",
        [
            Implementation(
                f"correctly_rounded_{form}",
                form,
                elementwise(form, "value"),
                dtypes=ALL_DTYPES,
                options=("weight", "pos_weight"),
                reductions=("none", "mean", "sum"),
                derivatives={name: elementwise(form, name) for name in FUNCTIONS if name != "value"},
            )
            for form in ("probabilities", "logits")
        ],
        backend="numpy",
    )
]
