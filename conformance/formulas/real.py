"""Real numbers as `decimal` with as many digits as are asked for, and their rounding to binary formats.

NaN, infinities and signed zeros are those of IEEE 754-2019.
"""

from __future__ import annotations

import decimal
import math
import operator
import struct
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np

from conformance.formulas.expression import number_of
from conformance.numbers.formats import FORMATS, ulp

if TYPE_CHECKING:
    from conformance.formulas.arithmetic import Arithmetic
    from conformance.numbers.formats import Format

#: A number, or the truth of a comparison.
Value = Any

#: Digits beyond those that the exponents ask for: twice the 17 of float64, for the results of a dozen steps.
GUARD = 34

_NAN, _ONE, _ZERO = Decimal("NaN"), Decimal(1), Decimal(0)


def context(digits: int) -> decimal.Context:
    """Numbers of so many digits, of any exponent, and no exceptions: a NaN or an infinity is a result."""
    return decimal.Context(digits, decimal.ROUND_HALF_EVEN, decimal.MIN_EMIN, decimal.MAX_EMAX, traps=[])


#: Sums and products of two numbers of float64 have at most 2,149 digits, half as many bits again below the point.
WHOLE = context(2200)


# ------------------------------------------------------------------------------------------------------- operations


def log1p(x: Decimal) -> Decimal:
    """log(1 + x) to the digits of the context, by 2*atanh(x/(2 + x)) where 1 + x would lose digits."""
    if x == 0 or not x.is_finite() or abs(x) >= Decimal("0.1"):
        return x if x == 0 else (1 + x).ln()
    ratio = x / (2 + x)
    return 2 * _series(ratio, lambda term, k: term * ratio * ratio, lambda term, k: term / (2 * k + 1))


def expm1(x: Decimal) -> Decimal:
    """exp(x) - 1 to the digits of the context, by Taylor's series where the difference would lose digits."""
    if x == 0 or not x.is_finite() or abs(x) >= Decimal("0.1"):
        return x if x == 0 else x.exp() - 1
    return _series(x, lambda term, k: term * x / (k + 1), lambda term, k: term)


def _series(
    first: Decimal, following: Callable[[Decimal, int], Decimal], part: Callable[[Decimal, int], Decimal]
) -> Decimal:
    """The sum of `part(term, k)`, where `following` makes the next term, until it no longer changes."""
    total, term, k = first, first, 0
    while True:
        k += 1
        term = following(term, k)
        more = total + part(term, k)
        if more == total:
            return total
        total = more


def tanh(x: Decimal) -> Decimal:
    """By expm1(2*x)."""
    twice = expm1(2 * x)
    return twice / (twice + 2) if twice.is_finite() or twice.is_nan() else _ONE


def power(x: Decimal, y: Decimal) -> Decimal:
    """IEEE 754-2019, 9.2.1: x**0 and 1**y are 1, whatever the other is; an odd power alone keeps a sign."""
    odd = y.is_finite() and abs(y % 2) == 1
    if y.is_infinite() or ((x == 0 or x.is_infinite()) and not odd):
        x = x.copy_abs()
    if y == 0 or x == 1:
        return _ONE
    return _NAN if x < 0 and y != y.to_integral_value() else x**y


def _extreme(prefers: Callable[[Any, Any], bool]) -> Callable[[Decimal, Decimal], Decimal]:
    """Maximum and minimum, 9.6: NaN where an argument is."""
    return lambda x, y: _NAN if x.is_nan() or y.is_nan() else x if prefers(x, y) else y


def _ordered(compares: Callable[[Any, Any], bool]) -> Callable[[Decimal, Decimal], bool]:
    return lambda x, y: not x.is_nan() and not y.is_nan() and compares(x, y)


def _sign(x: Decimal) -> Decimal:
    return x if x == 0 or x.is_nan() else _ONE.copy_sign(x)


OPERATIONS: dict[str, Callable[..., Value]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": operator.truediv,
    "pow": power,
    "max": _extreme(operator.ge),
    "min": _extreme(operator.le),
    "neg": Decimal.copy_negate,
    "abs": Decimal.copy_abs,
    "sign": _sign,
    "exp": Decimal.exp,
    "log": Decimal.ln,
    "log1p": log1p,
    "expm1": expm1,
    "sqrt": Decimal.sqrt,
    "tanh": tanh,
    "ge": _ordered(operator.ge),
    "gt": _ordered(operator.gt),
    "le": _ordered(operator.le),
    "lt": _ordered(operator.lt),
    "eq": _ordered(operator.eq),
    "where": lambda condition, x, y: x if condition else y,
}
#: Before they are rounded to a binary format these are not rounded at all: a tie would not stay one.
UNROUNDED: dict[str, Callable[..., Value]] = {
    **OPERATIONS,
    "add": WHOLE.add,
    "sub": WHOLE.subtract,
    "mul": WHOLE.multiply,
}


def constant(text: str, arithmetic: Arithmetic) -> Decimal:
    """What the text of a constant says, computed in decimal; "eps" is an exact power of two."""
    if text == "eps":
        return Decimal(2.0 * FORMATS[arithmetic.inputs].unit_roundoff)
    return number_of(text, Decimal)  # by its digits, which may be more than float64 holds


# --------------------------------------------------------------------------------------------------------- rounding


def nearest(x: Decimal, fmt: Format, flush: bool = False) -> Decimal:
    """`x` rounded once to nearest even in `fmt`, also where it has more digits than float64.

    Through float64, rounded to odd, after which a second rounding is innocuous (S. Boldo, G. Melquiond, Emulation of
    FMA and correctly rounded sums, IEEE Transactions on Computers 57(4), 2008).  Under `flush` what is below the
    smallest normal number is zero of the same sign.
    """
    value = float(x)
    if not math.isfinite(value):
        return Decimal(value)
    if fmt.name != "float64":
        if Decimal(value) != x and _is_even(value):
            value = math.nextafter(value, math.inf if x > Decimal(value) else -math.inf)
        # Above this even the next number is an infinity, and the scaling below would overflow.
        value = math.copysign(min(abs(value), 2.0 ** (fmt.emax + 2)), value)
        last = max(math.frexp(value)[1] - 1, fmt.emin) - fmt.fraction_bits
        # Python rounds to even, and below 2^p + 1 nothing is lost on the way.
        value = math.copysign(math.ldexp(round(math.ldexp(value, -last)), last), value)
        if abs(value) >= 2.0 ** (fmt.emax + 1):
            value = math.copysign(math.inf, value)
    if flush and abs(value) < 2.0**fmt.emin:
        value = math.copysign(0.0, value)
    return Decimal(value)


def _is_even(value: float) -> bool:
    """Whether the last bit of the significand is 0."""
    return not struct.unpack("<q", struct.pack("<d", value))[0] & 1


def error_in_ulp(value: Decimal, exact: Decimal, fmt: Format) -> float:
    """|value - exact| in ULP of `fmt` at `exact`; infinity where one is a number and the other none.

    An exact number beyond the largest of `fmt` is its infinity there.
    """
    if value.is_nan() or exact.is_nan():
        return 0.0 if value.is_nan() and exact.is_nan() else math.inf
    to = nearest(exact, fmt)
    if not to.is_finite() or not value.is_finite():
        return 0.0 if nearest(value, fmt) == to else math.inf
    unit = Decimal(float(ulp(np.array(float(to)), fmt)))
    return abs(float(context(GUARD).divide(WHOLE.subtract(value, exact), unit)))
