"""Double-double arithmetic on arrays, with an exponent range that cannot overflow.

A number is an unevaluated sum ``high + low`` of two float64 values (about 106 bits), times ``2**exponent``.
Everything here uses only the IEEE 754 operations ``+ - * /``, rounding to integer, ``frexp`` and ``ldexp``:
no ``exp`` and no ``log`` of a mathematical library, so the bits of a result do not depend on platform or NumPy version.

In the error figures u = 2**-53, hence u**2 = 2**-106.

Sources:
    T. J. Dekker, A floating-point technique for extending the available precision, 1971 (TwoProduct, division).
    D. E. Knuth, The Art of Computer Programming, vol. 2, 4.2.2 (TwoSum).
    M. Joldes, J.-M. Muller, V. Popescu, Tight and rigorous error bounds for basic building blocks of double-word
    arithmetic, ACM TOMS 44(2), 2017 (names and error bounds of the sums and products).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Integers = NDArray[np.int32]
    Mask = NDArray[np.bool_]
    Pair = tuple[Array, Array]

#: Veltkamp's constant 2**27 + 1: cuts 53 significant bits into 26 and 26 (Dekker 1971).
SPLITTER = 134217729.0

#: Exponent of the number zero: below that of every other number, so that aligning never moves the other operand.
ZERO_EXPONENT = -1000000


class Scaled(NamedTuple):
    """The numbers ``(high + low) * 2**exponent``; ``low`` is None where it is zero everywhere.

    ``high`` lies between 2**-150 and 2**150 in absolute value or is zero, and is ``high + low`` rounded to nearest.
    """

    high: Array
    low: Array | None
    exponent: Integers


def two_sum(x: Array, y: Array) -> Pair:
    """Return s = fl(x + y) and the exact remainder x + y - s (Knuth)."""
    s = x + y
    t = s - x
    return s, (x - (s - t)) + (y - t)


def fast_two_sum(x: Array, y: Array) -> Pair:
    """Return s = fl(x + y) and the exact remainder, for abs(x) >= abs(y) or x = 0 (Dekker)."""
    s = x + y
    return s, y - (s - x)


def split(x: Array) -> Pair:
    """Cut x into two addends of at most 26 significant bits; abs(x) below 2**996 (Veltkamp)."""
    t = SPLITTER * x
    head = t - (t - x)
    return head, x - head


def two_product(x: Array, y: Array) -> Pair:
    """Return p = fl(x * y) and the exact remainder x * y - p; abs(p) between 2**-960 and 2**990, or 0 (Dekker)."""
    p = x * y
    x_head, x_tail = split(x)
    y_head, y_tail = split(y)
    error = x_head * y_head
    error -= p
    error += x_head * y_tail
    error += x_tail * y_head
    error += x_tail * y_tail
    return p, error


def add_pairs(x: Pair, y: Pair) -> Pair:
    """Return x + y; relative error at most 3 u**2 whatever the signs (AccurateDWPlusDW)."""
    s, s_error = two_sum(x[0], y[0])
    t, t_error = two_sum(x[1], y[1])
    s, s_error = fast_two_sum(s, s_error + t)
    return fast_two_sum(s, s_error + t_error)


def normalise(high: Array, low: Array | None = None) -> Scaled:
    """Return finite ``high + low`` with ``high`` scaled to 0.5 <= abs(high) < 1, or 0."""
    mantissa, exponent = np.frexp(high)
    scaled_low = None if low is None else np.ldexp(low, -exponent)
    exponent += np.int32(ZERO_EXPONENT) * (mantissa == 0)
    return Scaled(mantissa, scaled_low, exponent)


def renormalise(x: Scaled) -> Scaled:
    """Return x with ``high`` scaled again, for a sum, which may have cancelled to any size."""
    scaled = normalise(x.high, x.low)
    return scaled._replace(exponent=scaled.exponent + x.exponent)


def negative(x: Scaled) -> Scaled:
    """Return -x."""
    return Scaled(-x.high, None if x.low is None else -x.low, x.exponent)


def absolute(x: Scaled) -> Scaled:
    """Return abs(x) rounded to 53 bits, for use as a magnitude."""
    return Scaled(np.abs(x.high), None, x.exponent)


def select(mask: Mask, x: Scaled, y: Scaled) -> Scaled:
    """Return x where mask holds, y elsewhere."""
    low: Array | None = None
    if x.low is not None or y.low is not None:
        low = np.where(mask, 0.0 if x.low is None else x.low, 0.0 if y.low is None else y.low)
    return Scaled(np.where(mask, x.high, y.high), low, np.where(mask, x.exponent, y.exponent))


def zero_where(mask: Mask, x: Scaled) -> Scaled:
    """Return x with zero where mask holds."""
    exponent = np.where(mask, np.int32(ZERO_EXPONENT), x.exponent)
    return Scaled(np.where(mask, 0.0, x.high), None if x.low is None else np.where(mask, 0.0, x.low), exponent)


def multiply(x: Scaled, y: Scaled) -> Scaled:
    """Return x * y; relative error at most 5 u**2 (DWTimesDW), none if both are single float64 values."""
    high, low = two_product(x.high, y.high)
    if x.low is not None and y.low is not None:
        low += (x.low * y.low + x.high * y.low) + x.low * y.high
    elif x.low is not None:
        low += x.low * y.high
    elif y.low is not None:
        low += x.high * y.low
    high, low = fast_two_sum(high, low)
    return Scaled(high, low, x.exponent + y.exponent)


def divide(x: Scaled, y: Scaled) -> Scaled:
    """Return x / y for y other than zero, by long division with three digits and exact remainders.

    The relative error is at most 4 u**2: that of the last additions and of what the third digit neglects.
    """
    first = x.high / y.high
    product, error = two_product(first, y.high)
    remainder, rest = two_sum(x.high - product, -error)
    if x.low is not None:
        remainder, error = two_sum(remainder, x.low)
        rest += error
    if y.low is not None:
        product, error = two_product(first, y.low)
        rest -= error
        remainder, error = two_sum(remainder, -product)
        rest += error
    second = remainder / y.high
    product, error = two_product(second, y.high)
    rest += (remainder - product) - error
    if y.low is not None:
        rest -= second * y.low
    high, low = fast_two_sum(first, second)
    high, low = fast_two_sum(high, low + rest / y.high)
    return Scaled(high, low, x.exponent - y.exponent)


def align(x: Scaled, y: Scaled) -> tuple[Pair, Pair, Integers]:
    """Return both numbers as pairs relative to the larger exponent, and that exponent."""
    exponent: Integers = np.maximum(x.exponent, y.exponent)
    return _shift(x, x.exponent - exponent), _shift(y, y.exponent - exponent), exponent


def _shift(x: Scaled, by: Integers) -> Pair:
    high = np.ldexp(x.high, by)
    return high, np.zeros_like(high) if x.low is None else np.ldexp(x.low, by)


def add(x: Scaled, y: Scaled) -> Scaled:
    """Return x + y; relative error at most 3 u**2."""
    x_pair, y_pair, exponent = align(x, y)
    high, low = add_pairs(x_pair, y_pair)
    return Scaled(high, low, exponent)


def add_magnitudes(x: Scaled, y: Scaled) -> Scaled:
    """Return abs(x) + abs(y) to about 53 bits."""
    exponent: Integers = np.maximum(x.exponent, y.exponent)
    high = np.ldexp(np.abs(x.high), x.exponent - exponent) + np.ldexp(np.abs(y.high), y.exponent - exponent)
    return Scaled(high, None, exponent)


def multiply_magnitudes(x: Scaled, y: Scaled) -> Scaled:
    """Return abs(x) * abs(y) to about 53 bits."""
    return Scaled(np.abs(x.high) * np.abs(y.high), None, x.exponent + y.exponent)


def to_float(x: Scaled) -> Array:
    """Return x rounded to float64: infinite beyond the range, gradual underflow below it."""
    result: Array = np.ldexp(x.high, x.exponent)
    return result


def to_floats(x: Scaled) -> Pair:
    """Return x as float64 ``hi`` and ``lo``, where hi is x rounded to nearest and lo the rest; lo = 0 for infinite hi.

    Where hi is subnormal it is rounded twice, so that it is up to 1 unit off; hi + lo is right to 2**-1074 everywhere.
    """
    hi = to_float(x)
    rest = x.high - np.ldexp(hi, -x.exponent)
    if x.low is not None:
        rest += x.low
    lo: Array = np.ldexp(rest, x.exponent)
    if not np.isfinite(hi).all():
        lo = np.where(np.isfinite(hi), lo, 0.0)
    return hi, lo
