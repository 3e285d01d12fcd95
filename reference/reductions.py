"""Exact sums and means of reference values.

Every line of values is summed without rounding errors (`math.fsum`, or fractions where that could overflow); the result
is the exact sum of all hi and lo rounded to nearest, and the rest of it.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from reference.bce import SMALLEST, Reference

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from reference.doubledouble import Array

    Axis = int | tuple[int, ...] | None

#: Below this size even 2**60 values and their partial sums stay finite.
_SAFE = 2.0**960

#: The rest of a sum is itself rounded: 2**-53 of at most 2**-53 of the sum, with reserve.
_ROUNDING = 2.0**-105


def as_reference(values: ArrayLike) -> Reference:
    """Return given numbers as reference values that are exact, for the sum of somebody's own results."""
    hi = np.array(values, dtype=np.float64)
    return Reference(hi, np.zeros_like(hi), np.zeros_like(hi), np.abs(hi))


def exact_sum(values: Reference, axis: Axis = None) -> Reference:
    """Return the sum over axis (an integer, a tuple of them, or None for all) of ``hi + lo``.

    NaN or infinities of both signs give NaN, infinities of one sign give that; the empty sum is 0.
    The scale is the sum of the scales, the bound that of the bounds plus the rounding of the result.
    """
    return _reduce(values, axis, mean=False)


def exact_mean(values: Reference, axis: Axis = None) -> Reference:
    """Return the mean; as `exact_sum`, divided by the number of values before rounding. The empty mean is NaN."""
    return _reduce(values, axis, mean=True)


def exact_total(values: Reference, counts: ArrayLike, divisor: Fraction | None) -> Reference:
    """Return the sum of every value counts times over the divisor, as one value: a tensor that repeats a few values.

    As `exact_sum` and `exact_mean`, for any divisor; None, the mean of nothing, gives NaN.
    """
    counted = np.asarray(counts) > 0
    hi, lo, bound, scale = (part[counted].tolist() for part in values)
    times = [int(count) for count in np.asarray(counts)[counted].tolist()]
    if divisor is None or divisor == 0:
        return _single(math.nan, 0.0, 0.0, math.nan)
    special = _special_sum(np.array(hi))
    if special is not None:
        total = special if divisor > 0 else -special
        return _single(total, 0.0, 0.0, abs(total))
    pairs = zip(hi, lo, times)
    exact = sum((n * (Fraction(h) + Fraction(rest)) for h, rest, n in pairs), Fraction(0)) / divisor
    high = _nearest(exact)
    low = _nearest(exact - Fraction(high)) if math.isfinite(high) else 0.0
    error = sum(n * b for b, n in zip(bound, times)) / abs(float(divisor))
    size = sum((n * Fraction(s) for s, n in zip(scale, times)), Fraction(0)) / abs(divisor)
    rounding = abs(high) * _ROUNDING + (SMALLEST if high or error else 0.0)
    largest = float(np.finfo(np.float64).max)
    return _single(high, low, error * (1.0 + 2.0**-40) + rounding, min(_nearest(size), largest))


def _single(*fields: float) -> Reference:
    return Reference(*[np.array([field]) for field in fields])


def reduction_bound(n: int, u_acc: float, sum_abs: ArrayLike) -> Array:
    """Return (ceil(log2(n)) + 8) * u_acc * sum_abs: how far a good sum of n addends may be from the exact one.

    ceil(log2(n)) is the depth of pairwise summation, each level of which rounds once (Higham, Accuracy and Stability of
    Numerical Algorithms, 2nd ed., section 4.2); 8 leaves room for blocks that are summed naively, and for a division.

    Args:
        n: number of addends.
        u_acc: unit roundoff of the accumulator's format.
        sum_abs: the sum of their absolute values; an infinite or NaN one gives an infinite or NaN bound.

    Raises:
        ValueError: for a negative n, or a u_acc outside (0, 1).
    """
    if n < 0:
        raise ValueError(f"'n' must not be negative (got {n!r})")
    if not 0.0 < u_acc < 1.0:
        raise ValueError(f"'u_acc' must be a unit roundoff between 0 and 1 (got {u_acc!r})")
    depth = max(int(n) - 1, 0).bit_length()
    with np.errstate(over="ignore"):
        return np.asarray((depth + 8) * u_acc * np.asarray(sum_abs, dtype=np.float64))


def _reduce(values: Reference, axis: Axis, mean: bool) -> Reference:
    lines = [_lines(np.asarray(part, dtype=np.float64), axis) for part in values]
    shape, count = lines[0].shape[:-1], lines[0].shape[-1]
    rows = [part.reshape(-1, count) if count else np.zeros((int(np.prod(shape)), 0)) for part in lines]
    divisor = count if mean else 1
    results = np.empty((4, rows[0].shape[0]))
    with np.errstate(all="ignore"):
        for index in range(rows[0].shape[0]):
            results[:, index] = _line(rows[0][index], rows[1][index], rows[2][index], rows[3][index], divisor)
    return Reference(*[result.reshape(shape) for result in results])


def _lines(values: Array, axis: Axis) -> Array:
    """Return the values with the reduced axes joined into one, the last."""
    if axis is None:
        return values.reshape(-1)
    axes = [a % values.ndim if -values.ndim <= a < values.ndim else a for a in np.atleast_1d(axis).tolist()]
    if not all(0 <= a < values.ndim for a in axes) or len(set(axes)) != len(axes):
        raise ValueError(f"'axis' must name axes of {values.ndim} dimensions once each (got {axis!r})")
    kept = [a for a in range(values.ndim) if a not in axes]
    size = int(np.prod([values.shape[a] for a in axes], dtype=np.int64))
    return values.transpose(kept + axes).reshape([values.shape[a] for a in kept] + [size])


def _line(hi: Array, lo: Array, bound: Array, scale: Array, divisor: int) -> tuple[float, float, float, float]:
    """Return sum or mean of one line: hi, lo, bound, scale."""
    special = _special_sum(hi) if divisor else math.nan  # the mean of nothing
    if special is not None:
        return special, 0.0, 0.0, abs(special)
    total, rest = _round(hi.tolist() + lo.tolist(), divisor)
    if math.isinf(total):
        return total, 0.0, 0.0, math.inf
    error = _upwards(bound.tolist(), divisor) + abs(total) * _ROUNDING
    if total or error:
        error += SMALLEST
    return total, rest, error, min(_round(scale.tolist(), divisor)[0], float(np.finfo(np.float64).max))


def _special_sum(hi: Array) -> float | None:
    """Return the sum if it is decided by infinities and NaN, else None."""
    if np.isfinite(hi).all():
        return None
    if np.isnan(hi).any() or (np.any(hi == np.inf) and np.any(hi == -np.inf)):
        return math.nan
    return math.inf if np.any(hi == np.inf) else -math.inf


def _round(values: list[float], divisor: int) -> tuple[float, float]:
    """Return the exact sum divided by the divisor, rounded to nearest, and the rest, rounded to nearest."""
    if not values:
        return 0.0, 0.0
    if divisor == 1 and max(map(abs, values)) < _SAFE:
        total = math.fsum(values)
        return total, math.fsum([*values, -total])
    exact = _exact(values) / divisor
    total = _nearest(exact)
    return total, 0.0 if math.isinf(total) else _nearest(exact - Fraction(total))


def _exact(values: list[float]) -> Fraction:
    """Return the exact sum."""
    if max(map(abs, values)) >= _SAFE:
        return sum(map(Fraction, values), Fraction(0))
    total = Fraction(0)
    parts = list(values)
    while True:  # each turn takes off the leading 53 bits of what is left, at most some forty times
        part = math.fsum(parts)
        if part == 0.0:
            return total
        total += Fraction(part)
        parts.append(-part)


def _nearest(exact: Fraction) -> float:
    """Return the nearest float64, infinite beyond the range."""
    try:
        return exact.numerator / exact.denominator
    except OverflowError:
        return math.inf if exact > 0 else -math.inf


def _upwards(bounds: list[float], divisor: int) -> float:
    """Return at least the sum of bounds divided by the divisor."""
    return _round(bounds, divisor)[0] * (1.0 + 2.0**-50)
