"""Tables and constants for exp and log, computed once at import with Python integers.

Nothing is taken from a mathematical library: every entry comes from integer arithmetic with 200 fractional bits.
Building takes some milliseconds.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

#: Fractional bits of the integers used while building: 106 for a pair of float64, the rest is reserve.
BITS = 200
_ONE = 1 << BITS

#: Table steps per factor of 2 in exp, and per unit in log.
STEPS = 1024

#: Fractional bits of the factors that log multiplies by: 13 significant bits times 26 fit a float64.
RECIPROCAL_BITS = 12


def _pair(exact: Fraction) -> tuple[float, float]:
    """Return a fraction as nearest float64 and nearest float64 of the rest."""
    high = exact.numerator / exact.denominator
    rest = exact - Fraction(high)
    return high, rest.numerator / rest.denominator


def _pairs(values: list[int]) -> tuple[Array, Array]:
    both = np.array([_fixed_pair(value) for value in values])
    return both[:, 0].copy(), both[:, 1].copy()


def _fixed_pair(value: int) -> tuple[float, float]:
    """Do the same for a fixed point number; conversion of an integer to float rounds to nearest."""
    high = float(value)
    return high / _ONE, float(value - int(high)) / _ONE


def _log_of_ratio(numerator: int, denominator: int) -> int:
    """Return log(numerator / denominator) in fixed point, by 2*atanh((n - d)/(n + d)) and its Taylor series."""
    if numerator < denominator:
        return -_log_of_ratio(denominator, numerator)
    power = ((numerator - denominator) << BITS) // (numerator + denominator)
    square = (power * power) >> BITS
    total, order = 0, 1
    while power:
        total += power // order
        power = (power * square) >> BITS
        order += 2
    return 2 * total


def _square_root(value: int) -> int:
    """Return the square root of a fixed point number, by Newton's method on integers."""
    target = value << BITS
    root = 1 << ((target.bit_length() + 1) // 2)
    while True:
        better = (root + target // root) >> 1
        if better >= root:
            return root
        root = better


def _powers_of_two() -> list[int]:
    """Return 2**(j/STEPS) for j = -STEPS/2 ... STEPS/2 - 1."""
    root = 2 * _ONE
    for _ in range(STEPS.bit_length() - 1):
        root = _square_root(root)
    value = _square_root(_ONE // 2)
    values = []
    for _ in range(STEPS):
        values.append(value)
        value = (value * root) >> BITS
    return values


def _reciprocals() -> list[int]:
    """Return 1/(1 + i/STEPS), i = -STEPS/2 ... STEPS, rounded to RECIPROCAL_BITS fractional bits, as integers."""
    unit = STEPS << RECIPROCAL_BITS
    return [(2 * unit + n) // (2 * n) for n in range(STEPS // 2, 2 * STEPS + 1)]


def _truncated(value: Fraction, fraction_bits: int) -> Fraction:
    return Fraction(int(value * 2**fraction_bits), 2**fraction_bits)


_LN2 = _log_of_ratio(2, 1)
_LN2_FRACTION = Fraction(_LN2, _ONE)

#: 2**(j/STEPS), j = -STEPS/2 ... STEPS/2 - 1, as pairs; and the same minus 1, each to its own 106 bits.
_POWERS = _powers_of_two()
POWER_HIGH, POWER_LOW = _pairs(_POWERS)
_POWERS[STEPS // 2] = _ONE
POWER_HIGH[STEPS // 2], POWER_LOW[STEPS // 2] = 1.0, 0.0
POWER_LESS_1_HIGH, POWER_LESS_1_LOW = _pairs([value - _ONE for value in _POWERS])

#: Factors c close to 1/(1 + i/STEPS), i = -STEPS/2 ... STEPS, short enough for exact products; and -log(c) as pairs.
_FACTORS = _reciprocals()
RECIPROCAL = np.array(_FACTORS, dtype=np.float64) / 2**RECIPROCAL_BITS
_LOGS = {n: _log_of_ratio(n, 1 << RECIPROCAL_BITS) for n in set(_FACTORS)}
MINUS_LOG_HIGH, MINUS_LOG_LOW = _pairs([-_LOGS[n] for n in _FACTORS])

#: ln(2)/STEPS in four pieces; the first three have at most 30 bits, so that products with integers < 2**23 are exact.
_STEP = _LN2_FRACTION / STEPS
_STEP_1 = _truncated(_STEP, 40)
_STEP_2 = _truncated(_STEP - _STEP_1, 70)
_STEP_3 = _truncated(_STEP - _STEP_1 - _STEP_2, 100)
STEP_1, STEP_2, STEP_3, STEP_4 = (float(x) for x in (_STEP_1, _STEP_2, _STEP_3, _STEP - _STEP_1 - _STEP_2 - _STEP_3))
STEPS_PER_UNIT = float(1 / _STEP)

#: ln(2) in three pieces of 42 bits, so that products with integers < 2**11 are exact.
_LN2_1 = _truncated(_LN2_FRACTION, 42)
_LN2_2 = _truncated(_LN2_FRACTION - _LN2_1, 84)
LN2_1, LN2_2, LN2_3 = (float(x) for x in (_LN2_1, _LN2_2, _LN2_FRACTION - _LN2_1 - _LN2_2))

#: 1/n as pairs, for the Taylor series of exp (factorials) and log.
INVERSE = {n: _pair(Fraction(1, n)) for n in (3, 4, 5, 6, 24)}
