"""Judging a block of results: the screen by integers, and exact care for what it lets through.

Blocks that the screen cannot take are looked at result by result, by the definitions of
`conformance.numbers.measurement`, which runs use as well.

Worker-side code: standard library and NumPy only, Python 3.7 on.
"""

from __future__ import annotations

from typing import Sequence

import numpy as np

from conformance.numbers.arrays import Mask, Signed
from conformance.numbers.formats import Tensor, decode, infinity_bits
from conformance.worker.sweep import screen
from conformance.worker.sweep.adding import Adding
from conformance.worker.sweep.block import Documented
from conformance.worker.sweep.expected import Expected
from conformance.worker.sweep.rounding import SIGNED, magnitude_mask, ulp_of
from conformance.worker.sweep.statistics import Statistics


def judge(statistics: Statistics, expected: Expected, got: Tensor, contract: Sequence[Documented] | None) -> None:
    """Add the results of one block; `got` has the shape of the block that is `expected`, and its dtype.

    `contract` holds the readings of a contract on this block, nothing where that asks for the ideal here, and is None
    where there is no contract.
    """
    fmt = expected.format
    bits = got.bits.view(SIGNED[fmt.width])
    statistics.points += bits.size
    adding = Adding(statistics, expected, shared=contract is not None and not contract)
    if contract:
        _against_contract(adding, contract, bits)
    if expected.regular and screen.screened(adding, bits):
        return
    if expected.zero and not np.minimum.reduce(bits, None) and not np.maximum.reduce(bits, None):
        statistics.add_ordinals([bits.size])
        return
    wrong = _count_ordinals(adding, bits)
    odd = _is_odd(expected, bits)
    flat = bits.reshape(-1)
    if odd.any():
        adding.carefully(flat, np.flatnonzero(odd))
        wrong &= ~odd
    adding.plainly(flat, np.flatnonzero(wrong))


def _count_ordinals(adding: Adding, bits: Signed) -> Mask:
    """Count distances in bit patterns; the answer tells which results are not the nearest."""
    expected = adding.expected
    if expected.regular:  # of one sign: the difference of two patterns can wrap around, but not to a small number
        distance = np.abs(bits - expected.nearest)
    else:
        mask = magnitude_mask(expected.format)
        pair = [np.where(one < 0, -(one & mask).astype(np.int64), one) for one in (bits, expected.nearest)]
        distance = np.abs(pair[0] - pair[1])
    adding.distances(distance)
    wrong: Mask = distance != 0
    return wrong


def _is_odd(expected: Expected, bits: Signed) -> Mask:
    """Where a result or what is expected is not finite, or the sign is wrong."""
    fmt = expected.format
    mask = magnitude_mask(fmt)
    magnitude = bits & mask
    odd = magnitude >= infinity_bits(fmt)
    odd |= (bits ^ expected.nearest < 0) & (magnitude != 0)
    if expected.high >= infinity_bits(fmt):
        odd |= (expected.nearest & mask) >= infinity_bits(fmt)
    return odd


def _against_contract(adding: Adding, contract: Sequence[Documented], bits: Signed) -> None:
    """Errors of finite results against the nearest of several readings of a contract, in ULP of that reading."""
    fmt, taken = adding.expected.format, adding.block.taken
    flat = bits.reshape(-1)
    got = decode(Tensor(fmt.name, flat.view(fmt.storage)))
    nearest = np.full(flat.shape, np.inf)
    for reading in contract:
        values = taken(reading.values, slice(None))
        with np.errstate(all="ignore"):
            error = np.abs(got - values) / ulp_of(values, fmt)
        right = (got == values) | (flat == taken(reading.nearest, slice(None)))
        if reading.hull is not None:
            between = np.minimum(values, 0.0) <= got
            between &= got <= np.maximum(values, 0.0)
            right |= between & taken(reading.hull, slice(None))
        error[right] = 0.0
        np.fmin(nearest, error, out=nearest)
    where = np.flatnonzero(np.isfinite(nearest) & (nearest > 0.5))
    if where.size:
        adding.worst(["contract"], where, flat[where], nearest[where])
