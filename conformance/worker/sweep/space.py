"""What is swept: predictions as positions in the order of their bit patterns, and labels.

Positive bit patterns come first, by size, then the negative ones, by size as well: a position is a bit pattern without
its sign, and no run of positions inside one binade mixes signs.

Worker-side code: standard library and NumPy only, Python 3.7 on.
"""

from __future__ import annotations

from typing import Iterator, Tuple

import numpy as np

from conformance.numbers.arrays import Bits
from conformance.numbers.formats import FORMATS, Format, infinity_bits

#: Half-open range of positions.
Range = Tuple[int, int]


def one_bits(fmt: Format) -> int:
    """Bit pattern of 1.0."""
    return -(fmt.emin - 1) << fmt.fraction_bits


def sign_bit(fmt: Format) -> int:
    """The bit pattern of -0.0."""
    return 1 << (fmt.width - 1)


def size(form: str, dtype: str) -> int:
    """How many predictions there are: all finite logits of both signs, or all probabilities in [0, 1]."""
    fmt = FORMATS[dtype]
    return 2 * infinity_bits(fmt) if form == "logits" else one_bits(fmt) + 1


def labels_in_unit(dtype: str) -> int:
    """How many labels there are in [0, 1]: the bit patterns from 0 to that of 1.0."""
    return one_bits(FORMATS[dtype]) + 1


def prediction_bits(position: int, dtype: str) -> int:
    """The bit pattern at a position."""
    fmt = FORMATS[dtype]
    half = infinity_bits(fmt)
    return position if position < half else sign_bit(fmt) | (position - half)


def position_of(bits: int, dtype: str) -> int:
    """The position of a bit pattern: the inverse of `prediction_bits`."""
    fmt = FORMATS[dtype]
    sign = sign_bit(fmt)
    return bits if bits < sign else infinity_bits(fmt) + (bits - sign)


def pieces(form: str, dtype: str, start: int, stop: int) -> Iterator[tuple[int, int, bool]]:
    """[start, stop) cut where sign or binade changes: (start, stop, whether it needs every element looked at).

    The probabilities 0 and 1, where a term is infinite, are pieces of their own and need that.
    """
    fmt = FORMATS[dtype]
    half = infinity_bits(fmt)
    singles = (0, one_bits(fmt)) if form == "probabilities" else ()
    at = start
    while at < stop:
        if at in singles:
            yield at, at + 1, True
            at += 1
            continue
        base = half if at >= half else 0
        until = base + (((at - base) >> fmt.fraction_bits) + 1 << fmt.fraction_bits)
        until = min([until, stop] + [one for one in singles if one > at])
        yield at, until, False
        at = until


def signs(dtype: str, start: int, stop: int) -> Iterator[Range]:
    """Positions [start, stop) cut where the sign changes."""
    half = infinity_bits(FORMATS[dtype])
    for low, high in ((start, min(stop, half)), (max(start, half), stop)):
        if low < high:
            yield low, high


def chunks(start: int, stop: int, length: int) -> Iterator[Range]:
    """[start, stop) in pieces that end at multiples of `length`, counted from 0: the same wherever a shard starts."""
    while start < stop:
        until = min((start // length + 1) * length, stop)
        yield start, until
        start = until


def patterns(dtype: str, start: int, stop: int) -> Bits:
    """The bit patterns at the positions of one piece, in order."""
    fmt = FORMATS[dtype]
    first = prediction_bits(start, dtype)
    return np.arange(first, first + (stop - start), dtype=fmt.storage)


def binade(position: int, dtype: str) -> str:
    """The binade of a position by sign and exponent, "+-3" for [2^-3, 2^-2), "+s" for the subnormal ones."""
    fmt = FORMATS[dtype]
    half = infinity_bits(fmt)
    field = (position % half) >> fmt.fraction_bits
    exponent = "s" if field == 0 else str(field + fmt.emin - 1)
    return ("-" if position >= half else "+") + exponent


def shards(total: int, length: int) -> list[Range]:
    """[0, total) in ranges of `length` positions."""
    return [(start, min(start + length, total)) for start in range(0, total, length)]
