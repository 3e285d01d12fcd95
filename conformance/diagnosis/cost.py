"""Bits in which numbers are told: between two ends, and by their errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from conformance.diagnosis.results import Group
from conformance.numbers.formats import FORMATS, ulp

if TYPE_CHECKING:
    from conformance.numbers.arrays import Floats
    from conformance.numbers.formats import Format


def width(low: Floats, high: Floats, fmt: Format) -> Floats:
    """Bits that tell numbers between two ends apart, an ULP of the wider end apart; infinity is one beyond the largest.

    At most 2 more than the precision of `fmt`.
    """
    beyond = 2.0 ** (fmt.emax + 1) if fmt.emax < 1023 else float(np.finfo(np.float64).max)
    low, high = (np.minimum(np.maximum(end, -beyond), beyond) for end in (low, high))
    exponent = np.maximum(np.frexp(np.maximum(np.abs(low), np.abs(high)))[1] - 1, fmt.emin) - fmt.fraction_bits
    bits = np.log2(1 + (np.ldexp(high, -exponent) - np.ldexp(low, -exponent)))
    return np.where(np.isnan(bits), 0.0, bits)


def cost_of_errors(group: Group) -> float:
    """Bits in which the wrong results are told by someone who has the exact values, by their errors in ULP.

    Where there is no exact value, or no finite error, a result is spelled.
    """
    fmt = FORMATS[group.result_dtype]
    total = 0.0
    for part in group.parts:
        got, rows = part.got[part.wrong], part.rows[part.wrong]
        ideal = part.table.ideal.get(group.quantity)
        exact = np.full(got.shape, np.nan) if ideal is None else ideal[rows]
        with np.errstate(all="ignore"):
            error = np.abs(got - exact) / ulp(exact, fmt)
        finite = np.isfinite(error)
        total += float(np.sum(np.where(finite, 1 + np.log2(1 + np.where(finite, error, 0)), 1.0 + fmt.width)))
    return total
