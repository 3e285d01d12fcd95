"""exp, log, log1p, expm1, tanh and pow of float64 numbers, rounded to nearest, from `reference.elementary`.

NumPy's own differ between processors and err by up to an ULP, which is enough in float32 but not in float64.  Here a
result is computed to about 2^-100 and rounded once; it is not the nearest only where the exact value lies closer than
that to the middle of two numbers.  Special values are those of IEEE 754-2019, 9.2.1.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from reference import doubledouble as dd
from reference import elementary

if TYPE_CHECKING:
    from conformance.numbers.arrays import Floats, Mask

    Function = Callable[[Floats], dd.Scaled]


def to_odd(high: Floats, low: Floats) -> Floats:
    """high + low with the last bit set if it is not exact; `high` is the sum rounded to nearest.

    What is rounded again, to fewer bits, is then rounded as if it had been exact (S. Boldo, G. Melquiond, Emulation of
    FMA and correctly rounded sums: proved algorithms using rounding to odd, IEEE Trans. Computers 57(4), 2008).
    """
    even = (np.asarray(high, order="C").view(np.int64) & 1) == 0
    move = even & (low != 0) & np.isfinite(high) & np.isfinite(low)
    return np.where(move, np.nextafter(high, np.where(low > 0, np.inf, -np.inf)), high)


def sum_to_odd(x: Floats, y: Floats) -> Floats:
    """x + y rounded to odd, for what rounds it to a narrower format."""
    return to_odd(*dd.two_sum(x, y))


def fused(x: Floats, y: Floats, z: Floats) -> Floats:
    """x*y + z rounded once to float64 (Boldo and Melquiond 2008, figure 4), where x*y is not near 2^±1000."""
    plain = x * y + z
    product, rest = dd.two_product(x, y)
    low_sum, low_rest = dd.two_sum(z, rest)
    high_sum, high_rest = dd.two_sum(product, low_sum)
    found = high_sum + sum_to_odd(low_rest, high_rest)
    return np.where(np.isfinite(found) & (found != 0), found, plain)


def _rounded(x: dd.Scaled) -> Floats:
    """Rounded to nearest, once: `to_float` rounds a subnormal result twice, so what is left decides in the middle."""
    if x.low is None:
        return dd.to_float(x)
    high, low = dd.fast_two_sum(x.high, x.low)
    found = dd.to_float(dd.Scaled(high, None, x.exponent))
    rest = high - np.ldexp(found, -x.exponent)
    half = np.ldexp(1.0, -1075 - x.exponent)  # of the smallest number
    middle = (rest != 0) & (np.abs(rest) == half) & (np.sign(low) == np.sign(rest))
    return np.where(middle, np.nextafter(found, np.copysign(np.inf, rest)), found)


def _where_ordinary(function: Function, ordinary: Mask, x: Floats, others: Floats) -> Floats:
    """`function` where it is `ordinary`, elsewhere what NumPy gives for special values."""
    return np.where(ordinary, _rounded(function(np.where(ordinary, x, 0.5))), others)


def _exp(x: Floats) -> dd.Scaled:
    minus = elementary.exp_minus(np.abs(x))
    return dd.select(x < 0, minus, dd.divide(dd.normalise(np.ones_like(x)), minus))


def exp(x: Floats) -> Floats:
    """e^x."""
    return _where_ordinary(_exp, np.isfinite(x) & (x != 0), x, np.exp(x))


def _pair(pair: dd.Pair) -> dd.Scaled:
    return dd.normalise(*pair)


def _log(x: Floats) -> dd.Scaled:
    return _pair(elementary.log(x, None, (x - 1, np.zeros_like(x))))


def log(x: Floats) -> Floats:
    """The natural logarithm."""
    return _where_ordinary(_log, (x > 0) & np.isfinite(x) & (x != 1), x, np.log(x))


def _log1p(x: Floats) -> dd.Scaled:
    return _pair(elementary.log(*dd.two_sum(np.ones_like(x), x), (x, np.zeros_like(x))))


def log1p(x: Floats) -> Floats:
    """log(1 + x); below 2^-1000 it is x, since the next term is beyond the last bit."""
    return _where_ordinary(_log1p, (x > -1) & np.isfinite(x) & (np.abs(x) > 2.0**-1000), x, np.log1p(x))


def _expm1_minus(x: Floats) -> tuple[dd.Scaled, dd.Scaled]:
    """e^-x, and e^-x - 1, for x >= 0."""
    power, less_1, small = elementary.exp_and_expm1_minus(x)
    rest = dd.renormalise(dd.add(power, dd.normalise(-np.ones_like(x))))
    return power, dd.select(small, _pair(less_1), rest)


def _expm1(x: Floats) -> dd.Scaled:
    power, less_1 = _expm1_minus(np.abs(x))
    return dd.select(x < 0, less_1, dd.divide(dd.negative(less_1), power))


def expm1(x: Floats) -> Floats:
    """e^x - 1."""
    return _where_ordinary(_expm1, np.isfinite(x) & (np.abs(x) > 2.0**-900), x, np.expm1(x))


def _tanh(x: Floats) -> dd.Scaled:
    """(1 - e^-2x)/(1 + e^-2x)."""
    power, less_1 = _expm1_minus(2 * np.abs(x))
    found = dd.divide(less_1, dd.renormalise(dd.add(power, dd.normalise(np.ones_like(x)))))
    return dd.select(x < 0, found, dd.negative(found))


def tanh(x: Floats) -> Floats:
    """The hyperbolic tangent."""
    return _where_ordinary(_tanh, np.isfinite(x) & (np.abs(x) > 2.0**-900), x, np.tanh(x))


def power(x: Floats, y: Floats) -> Floats:
    """x^y: e^(y log x), the square as a product, whose exact value may lie in the middle of two numbers, and 1/x."""
    x, y = np.broadcast_arrays(x, y)
    others = np.where(y == 2, x * x, np.where(y == -1, 1 / x, np.power(x, y)))
    # Beyond 800 the result is 0 or infinite: e^800 = 2^1154.
    ordinary = (x > 0) & (x != 1) & np.isfinite(x) & np.isfinite(y) & (y != 0) & (y != 1) & (y != 2) & (y != -1)
    if not ordinary.any():
        return others
    ordinary &= np.abs(y * np.log(np.where(ordinary, x, 1.0))) < 800
    base, exponent = np.where(ordinary, x, 0.5), np.where(ordinary, y, 0.5)
    product = dd.multiply(_log(base), dd.normalise(exponent))
    high, low = dd.to_floats(product)
    # e^(high + low) = e^high*(1 + low), since low is below 2^-44.
    rest = dd.Scaled(np.ones_like(low), low, np.zeros(low.shape, np.int32))
    return np.where(ordinary, _rounded(dd.multiply(_exp(high), rest)), others)
