"""What came back of a call, as it travels: bits, compared and condensed, or an exception.

Worker-side code: standard library and NumPy only, Python 3.7 on.
"""

from __future__ import annotations

from typing import List, Sequence, Tuple

import numpy as np

from conformance.numbers.arrays import Bits
from conformance.numbers.formats import Tensor
from conformance.worker.protocol import Header

#: Results up to this size travel as they are.
LARGEST_WHOLE = 256


def condensed(result: Tensor, period: int) -> Tuple[Tensor, List[int], List[int], List[int]]:
    """A result whose elements repeat: distinct bit patterns by element, the shape, where each stands first, how often.

    Nothing that a verdict depends on is lost: every pattern that came back for an element is there.
    """
    flat = result.bits.ravel()
    shape = list(result.shape)
    if flat.size <= LARGEST_WHOLE:
        return Tensor(result.dtype, flat), shape, list(range(flat.size)), [1] * flat.size
    patterns: List[Bits] = []
    positions: List[int] = []
    counts: List[int] = []
    for element in range(min(period, flat.size)):
        column = flat[element::period]
        if (column == column[0]).all():
            found, first, times = column[:1], np.zeros(1, dtype=np.int64), np.array([column.size])
        else:
            found, first, times = np.unique(column, return_index=True, return_counts=True)
        patterns.append(found)
        positions += (first * period + element).tolist()
        counts += times.tolist()
    return Tensor(result.dtype, np.concatenate(patterns)), shape, positions, counts


def cut(result: Tensor, padded_size: int, size: int) -> Tensor:
    """The result without what padding appended; a result of another shape is left as it is, to be reported."""
    if padded_size != size and result.shape == (padded_size,):
        return Tensor(result.dtype, result.bits[:size])
    return result


def joined(results: Sequence[Tensor]) -> Tensor:
    """The results of several calls in one dimension; one of another dtype than the first is left as it is."""
    first = results[0]
    other = [one for one in results if one.dtype != first.dtype]
    return other[0] if other else Tensor(first.dtype, np.concatenate([one.bits.ravel() for one in results]))


def row(result: Tensor, index: int) -> Tensor:
    """What belongs to one element of a result."""
    return Tensor(result.dtype, result.bits[index : index + 1])


def raised(error: BaseException) -> Header:
    """The observation of an exception: its type and the start of its message."""
    try:
        message = str(error)
    except Exception:  # an exception whose __str__ fails is still an observation
        message = ""
    return {"kind": "raised", "type": type(error).__name__, "message": message[:4000]}


def same_bits(left: Tensor, right: Tensor) -> bool:
    """Whether two tensors hold the same dtype, shape and bit patterns."""
    return left.dtype == right.dtype and left.shape == right.shape and _equal(left.bits, right.bits)


def _equal(left: Bits, right: Bits) -> bool:
    """Whether arrays of one shape hold the same bytes: patterns are integers, anything else is compared as bytes."""
    if left.dtype == right.dtype and left.dtype.kind in "uib":
        return bool((left == right).all())
    return bool(left.tobytes() == right.tobytes())
