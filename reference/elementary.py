"""exp, log and softplus in double-double, by table look-up and Taylor series.

Argument reduction makes the rest r so small (2**-11.5 for exp, 2**-9.9 for log) that few terms need a pair:
those are evaluated by Horner's rule in pairs, the others in plain float64.

Source of the method: P. T. P. Tang, Table-driven implementation of the exponential function in IEEE floating-point
arithmetic, ACM TOMS 15(2), 1989, and of the logarithm function, ACM TOMS 16(4), 1990.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from reference import tables
from reference.doubledouble import Scaled, fast_two_sum, split, two_sum

if TYPE_CHECKING:
    from reference.doubledouble import Array, Integers, Mask, Pair

#: Arguments of exp(-x) are cut here. exp(-4000) = 2**-5770 times three factors below 2**1024 still underflows to 0,
#: and 4000*STEPS/ln(2) < 2**23 keeps the argument reduction exact.
LARGEST_ARGUMENT = 4000.0

#: Below 2**-64, log1p(t) = t - t**2/2 to 128 bits, and t may be far below the range of float64.
_FAR = -64


class _Factor(NamedTuple):
    """A pair that is multiplied by several pairs: its high part is split once."""

    high: Array
    low: Array
    head: Array
    tail: Array


def _factor(high: Array, low: Array) -> _Factor:
    head, tail = split(high)
    return _Factor(high, low, head, tail)


def _times(r: _Factor, high: Array, low: Array) -> Pair:
    """Return r * (high + low), unnormalised, relative error about 4 u**2."""
    product = r.high * high
    head, tail = split(high)
    error = r.head * head
    error -= product
    error += r.head * tail
    error += r.tail * head
    error += r.tail * tail
    error += r.high * low
    error += r.low * high
    return product, error


def _horner(r: _Factor, high: Array, low: Array, coefficient: float, rest: float) -> Pair:
    """Return (coefficient + rest) + r * (high + low), where the coefficient dominates."""
    product, error = _times(r, high, low)
    total, remainder = fast_two_sum(np.float64(coefficient), product)  # type: ignore[arg-type]
    remainder += error
    if rest:
        remainder += rest
    return total, remainder


class Exponential(NamedTuple):
    """exp(-x) = table * (1 + p) * 2**exponent with table = 2**(step/STEPS - 1/2)."""

    step: Integers
    exponent: Integers
    p: Pair


def _reduce_exponential(x: Array) -> Exponential:
    """Return the parts of exp(-x) for 0 <= x <= LARGEST_ARGUMENT."""
    steps = np.rint(x * tables.STEPS_PER_UNIT)
    r_high, error_2 = two_sum(steps * tables.STEP_1 - x, steps * tables.STEP_2)
    r_high, error_3 = two_sum(r_high, steps * tables.STEP_3)
    error_2 += error_3
    error_2 += steps * tables.STEP_4
    shifted = (tables.STEPS // 2) - steps.astype(np.int32)
    exponent = shifted >> 10  # STEPS = 2**10
    index = shifted & (tables.STEPS - 1)
    return Exponential(index, exponent, _expm1_series(_factor(*fast_two_sum(r_high, error_2))))


def _expm1_series(r: _Factor) -> Pair:
    """Return exp(r) - 1 for abs(r) <= 2**-11.5; absolute error about 2**-116."""
    x = r.high
    tail = x * (1 / 40320.0)
    tail += 1 / 5040.0
    tail *= x
    tail += 1 / 720.0
    tail *= x
    tail += 1 / 120.0
    tail *= x
    high, low = fast_two_sum(np.float64(tables.INVERSE[24][0]), tail)  # type: ignore[arg-type]
    low += tables.INVERSE[24][1]
    high, low = _horner(r, high, low, *tables.INVERSE[6])
    high, low = _horner(r, high, low, 0.5, 0.0)
    high, low = _times(r, *_times(r, high, low))
    high, error = fast_two_sum(r.high, high)
    low += error
    low += r.low
    return fast_two_sum(high, low)


def _from_table(base_high: Array, base_low: Array, factor: _Factor, p: Pair) -> Pair:
    """Return base + factor * p, where the base dominates."""
    product, error = _times(factor, *p)
    high, low = two_sum(base_high, product)
    error += base_low
    low += error
    return fast_two_sum(high, low)


def exp_minus(x: Array) -> Scaled:
    """Return exp(-x) for x >= 0, cut at LARGEST_ARGUMENT; relative error below 2 u**2."""
    parts = _reduce_exponential(np.minimum(x, LARGEST_ARGUMENT))
    power = _factor(tables.POWER_HIGH.take(parts.step), tables.POWER_LOW.take(parts.step))
    high, low = _from_table(power.high, power.low, power, parts.p)
    return Scaled(high, low, parts.exponent)


def exp_and_expm1_minus(x: Array) -> tuple[Scaled, Pair, Mask]:
    """Return exp(-x) as above, exp(-x) - 1 for small x as a pair, and the mask where x is small (below 0.347)."""
    parts = _reduce_exponential(np.minimum(x, LARGEST_ARGUMENT))
    power = _factor(tables.POWER_HIGH.take(parts.step), tables.POWER_LOW.take(parts.step))
    high, low = _from_table(power.high, power.low, power, parts.p)
    less_1 = tables.POWER_LESS_1_HIGH.take(parts.step), tables.POWER_LESS_1_LOW.take(parts.step)
    return Scaled(high, low, parts.exponent), _from_table(*less_1, power, parts.p), parts.exponent == 0


def _log1p_series(r: _Factor) -> Pair:
    """Return log(1 + r) for abs(r) <= 2**-9.9; relative error about u**2."""
    x = r.high
    tail = x * (-1 / 12.0)
    for coefficient in (1 / 11.0, -1 / 10.0, 1 / 9.0, -1 / 8.0, 1 / 7.0):
        tail += coefficient
        tail *= x
    high, low = fast_two_sum(np.float64(-tables.INVERSE[6][0]), tail)  # type: ignore[arg-type]
    low -= tables.INVERSE[6][1]
    high, low = _horner(r, high, low, *tables.INVERSE[5])
    high, low = _horner(r, high, low, -tables.INVERSE[4][0], 0.0)
    high, low = _horner(r, high, low, *tables.INVERSE[3])
    high, low = _horner(r, high, low, -0.5, 0.0)
    high, low = _times(r, *_times(r, high, low))
    high, error = fast_two_sum(r.high, high)
    low += error
    low += r.low
    return fast_two_sum(high, low)


def log_of_sum(s_high: Array, s_low: Array | None, exponent: Integers | None = None) -> Pair:
    """Return log(1 + s) + exponent*log(2) for -1/2 <= s <= 1; the exponent and log(1 + s) must not cancel.

    Relative error about 3 u**2; for s near 0 (and exponent 0) the result is relative to s, not to 1.
    """
    index = np.rint(s_high * tables.STEPS).astype(np.int32)
    index += tables.STEPS // 2
    c = tables.RECIPROCAL.take(index)
    head, tail = split(s_high)
    head *= c
    head += c - 1.0
    tail *= c
    r_high, r_low = two_sum(head, tail)
    if s_low is not None:
        r_low += c * s_low
    high, low = _log1p_series(_factor(*fast_two_sum(r_high, r_low)))
    low += tables.MINUS_LOG_LOW.take(index)
    high, error = two_sum(tables.MINUS_LOG_HIGH.take(index), high)
    low += error
    if exponent is not None:
        n = exponent.astype(np.float64)
        high, error = two_sum(n * tables.LN2_1, high)
        low += error
        high, error = fast_two_sum(high, n * tables.LN2_2)
        low += n * tables.LN2_3
        low += error
    return fast_two_sum(high, low)


def log(high: Array, low: Array | None, less_1: Pair) -> Pair:
    """Return the logarithm of high + low, positive and finite, given also that less 1 to full relative accuracy."""
    mantissa, exponent = np.frexp(high)
    near = (high >= 0.5) & (high <= 2.0)
    exponent = np.where(near, np.int32(0), exponent)
    s_high, s_low = mantissa - 1.0, None
    if low is not None:
        s_high, s_low = two_sum(s_high, np.ldexp(low, -exponent))
        s_low = np.where(near, less_1[1], s_low)
    return log_of_sum(np.where(near, less_1[0], s_high), s_low, exponent)


def softplus_minus(x: Array) -> Scaled:
    """Return softplus(-x) = log(1 + exp(-x)) for x >= 0; relative error about 3 u**2."""
    t = exp_minus(x)
    assert t.low is not None
    shift = np.maximum(t.exponent, -1000)
    t_high = np.ldexp(t.high, shift)
    high, low = log_of_sum(t_high, np.ldexp(t.low, shift))
    far = t.exponent < _FAR
    far_low = t.low - 0.5 * t.high * t_high
    exponent = np.where(far, t.exponent, np.int32(0))
    return Scaled(np.where(far, t.high, high), np.where(far, far_low, low), exponent)
