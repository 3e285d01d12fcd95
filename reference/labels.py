"""Labels as the two terms of the loss see them: y and 1 - y, or y' and 1 - y' where y' = y*(1 - s) + s/2.

s is the label smoothing. Nothing is lost by cancellation, also for labels outside [0, 1]: every sum of smoothed labels
is that of at most five float64 values, added without error.

Source of the sums: J. R. Shewchuk, Adaptive precision floating-point arithmetic and fast robust geometric predicates,
Discrete & Computational Geometry 18, 1997 (Grow-Expansion).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from reference import doubledouble as dd

if TYPE_CHECKING:
    from reference.doubledouble import Array, Scaled
    from reference.operands import Operands

#: Smoothing below this, other than 0, is refused: the exact sums align all their addends within the range of float64.
SMALLEST_SMOOTHING = 2.0**-500


def label(operands: Operands) -> Scaled:
    """Return y', relative error at most 4 u**2 and none without smoothing."""
    if operands.label_smoothing is None:
        return dd.normalise(operands.label)
    return _exact_sum(_addends(operands, operands.label_smoothing))


def less_label(x: Array, operands: Operands) -> Scaled:
    """Return x - y', relative error at most 4 u**2 and none without smoothing."""
    if operands.label_smoothing is None:
        return dd.normalise(*dd.two_sum(x, -operands.label))
    return _exact_sum([dd.normalise(x), *map(dd.negative, _addends(operands, operands.label_smoothing))])


def less_twice_label(operands: Operands) -> Scaled:
    """Return 1 - 2*y' = (1 - s)*(1 - 2*y), relative error at most 5 u**2 and none without smoothing."""
    half = dd.normalise(*dd.two_sum(np.full(1, 0.5), -operands.label))
    twice = half._replace(exponent=half.exponent + np.int32(1))
    return twice if operands.label_smoothing is None else dd.multiply(slope(operands.label_smoothing), twice)


def slope(smoothing: float) -> Scaled:
    """Return dy'/dy = 1 - s, exact."""
    return dd.normalise(*dd.two_sum(np.ones(1), np.full(1, -smoothing)))


def _addends(operands: Operands, smoothing: float) -> list[Scaled]:
    """Return single float64 values whose exact sum is y' = y + s/2 - y*s.

    Where s is 1 that is 1/2, which beside a huge y would be too small to be kept until y - y*s has cancelled.
    """
    if smoothing == 1.0:
        return [dd.normalise(np.full_like(operands.label, 0.5))]
    y, s = dd.normalise(operands.label), dd.normalise(np.full(1, smoothing))
    product = dd.negative(dd.multiply(y, s))
    assert product.low is not None
    half = s._replace(exponent=s.exponent - np.int32(1))
    return [y, half, product._replace(low=None), product._replace(high=product.low, low=None)]


def _exact_sum(addends: list[Scaled]) -> Scaled:
    """Return the sum of single float64 values, relative error at most 4 u**2 however much they cancel."""
    exponent = addends[0].exponent
    for x in addends[1:]:
        exponent = np.maximum(exponent, x.exponent)
    expansion: list[Array] = []
    for x in addends:
        expansion = _grow(expansion, np.ldexp(x.high, x.exponent - exponent))
    high = sum(expansion, np.zeros(1))
    low = sum(_grow(expansion, -high), np.zeros(1))
    total = dd.normalise(*dd.fast_two_sum(high, low))
    return total._replace(exponent=total.exponent + exponent)


def _grow(expansion: list[Array], x: Array) -> list[Array]:
    """Return an expansion with x added: non-overlapping addends by increasing size, zeros among them."""
    grown = []
    for part in expansion:
        x, rest = dd.two_sum(x, part)
        grown.append(rest)
    return [*grown, x]
