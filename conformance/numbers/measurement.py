"""How far results are from a reference: error in ULP of the returned dtype, and the class of what went wrong.

Everything here works on flat arrays of points, one call for a whole run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from conformance.numbers.arrays import Codes, Floats, Index, Mask, Numbers
from conformance.numbers.formats import Format, ulp_exponent
from reference import Reference

#: Largest admissible condition-scaled error in ULP of the returned dtype, for values and gradients.  OpenCL's full
#: profile demands 3 of exp and log (OpenCL C 3.0, table "ULP values for single precision"); a loss composes two such
#: functions and a product.
BUDGET = 4.0

#: In units of a subnormal ULP an error can exceed the range of float64; beyond this number errors are not told apart.
LARGEST = 1e300

#: Classes of a point, in the order of their codes.
CLASSES = (
    "ok",
    "nan",  # NaN where the reference is a number or an infinity
    "number",  # a number or an infinity where the reference is NaN
    "infinite",  # an infinity where the reference is a finite number, or the other infinity
    "finite",  # a finite number where the reference is infinite
    "sign",  # the wrong sign, outside the budget
    "zero",  # 0 for a reference that is not 0, outside the budget
    "inaccurate",  # outside the budget otherwise
    "flushed",  # 0 for a subnormal reference, outside the budget: of the least numbers 0 is as good as any neighbour
    "undecided",  # the reference itself is not certain enough
)
CODE = {name: code for code, name in enumerate(CLASSES)}


@dataclass(frozen=True)
class Limits:
    """Format parameters of each point, as integer arrays."""

    precision: Index
    emin: Index
    emax: Index

    @classmethod
    def of(cls, formats: Sequence[Format], counts: Sequence[int]) -> Limits:
        """Parameters of `formats`, each repeated for its count of points."""
        table = np.array([(one.precision, one.emin, one.emax) for one in formats], dtype=np.int64).reshape(-1, 3)
        return cls(*np.repeat(table, np.asarray(counts, dtype=np.int64), axis=0).T)

    def take(self, index: Index | Mask) -> Limits:
        """The parameters of some points."""
        return Limits(self.precision[index], self.emin[index], self.emax[index])


@dataclass(frozen=True)
class Measured:
    """Per point: class code, condition-scaled error and plain error, both in ULP (NaN where they do not apply)."""

    code: Codes
    scaled: Floats
    plain: Floats

    @property
    def ok(self) -> Mask:
        """Points inside the budget."""
        inside: Mask = self.code == CODE["ok"]
        return inside


def concatenate(references: Sequence[Reference]) -> Reference:
    """References of many checks as one."""
    if not references:
        return Reference(*(np.zeros(0) for _ in Reference._fields))
    return Reference(*(np.concatenate([np.atleast_1d(part) for part in parts]) for parts in zip(*references)))


def measure(got: Floats, exact: Reference, limits: Limits, budget: Numbers = BUDGET) -> Measured:
    """Class and error of every point of `got` (float64, exactly decoded) against `exact`.

    An infinite result stands at +-2^(emax+1); where the exact value is at or beyond the overflow threshold an infinity
    of its sign is an error of 0.  The sign of a zero is free.  `budget` is in ULP, a number or one for each point.
    """
    with np.errstate(all="ignore"):
        return _measure(np.asarray(got, dtype=np.float64), exact, limits, np.asarray(budget, dtype=np.float64))


def _measure(got: Floats, exact: Reference, limits: Limits, budget: Floats) -> Measured:
    if not (np.isfinite(budget).all() and (budget > 0).all()):
        raise ValueError("a budget must be a positive finite number")
    hi = exact.hi
    shift = _shift(got, hi, limits)
    distance = _distance(got, exact, limits, shift)
    # The ULP is that of the unrounded value, which lies in the binade below hi where lo takes it there.
    magnitude = np.where(-exact.lo * np.sign(hi) > exact.bound, np.nextafter(np.abs(hi), 0.0), np.abs(hi))
    plain = np.minimum(distance / _ulp(magnitude, limits, shift), LARGEST)
    scale = np.where(exact.scale == np.abs(hi), magnitude, exact.scale)
    scaled = np.minimum(distance / _ulp(scale, limits, shift), LARGEST)
    equal = (
        (got == hi) & ((exact.lo == 0) | ~np.isfinite(hi)) | np.isnan(got) & np.isnan(hi) | _overflowed(got, hi, limits)
    )
    plain = np.where(equal, 0.0, plain)
    scaled = np.where(equal, 0.0, scaled)

    code = np.full(got.shape, CODE["ok"], dtype=np.int8)
    outside = ~(scaled <= budget)
    code[outside] = CODE["inaccurate"]
    code[outside & (got == 0)] = CODE["zero"]
    code[outside & (np.sign(got) * np.sign(hi) < 0)] = CODE["sign"]
    code[outside & _flushed(got, exact, limits)] = CODE["flushed"]
    # An infinite result counts as a large number only while it stays in the budget.
    code[outside & np.isinf(got)] = CODE["infinite"]
    uncertain = exact.bound > budget / 16 * np.ldexp(
        1.0, ulp_exponent(exact.scale, limits.emin, 1023) - limits.precision + 1
    )
    code[uncertain & np.isfinite(hi)] = CODE["undecided"]
    code[np.isinf(hi) & ~equal & np.isfinite(got)] = CODE["finite"]
    code[np.isinf(hi) & ~equal & np.isinf(got)] = CODE["infinite"]
    code[np.isnan(hi) & ~np.isnan(got)] = CODE["number"]
    code[np.isnan(got) & ~np.isnan(hi)] = CODE["nan"]
    unmeasured = ~np.isfinite(hi) & ~equal | np.isnan(got) & ~equal
    return Measured(code, np.where(unmeasured, np.nan, scaled), np.where(unmeasured, np.nan, plain))


def _shift(got: Floats, hi: Floats, limits: Limits) -> Index:
    """Power of two that keeps 2^(emax+1) and sums near it inside float64: -8 near the top of float64, else 0."""
    return np.where((np.abs(hi) > 2.0**1000) | np.isinf(got) & (limits.emax > 1000), -8, 0)


def _distance(got: Floats, exact: Reference, limits: Limits, shift: Index) -> Floats:
    beyond = np.copysign(np.ldexp(1.0, limits.emax + 1 + shift), got)
    placed = np.where(np.isinf(got), beyond, np.ldexp(got, shift))
    distance: Floats = np.abs((placed - np.ldexp(exact.hi, shift)) - np.ldexp(exact.lo, shift))
    return distance


def _ulp(magnitude: Floats, limits: Limits, shift: Index) -> Floats:
    exponent = ulp_exponent(magnitude, limits.emin, limits.emax)
    ulp: Floats = np.ldexp(1.0, exponent - limits.precision + 1 + shift)
    return ulp


def _overflowed(got: Floats, hi: Floats, limits: Limits) -> Mask:
    """An infinity of the right sign for an exact value that rounds to infinity: |r| >= (2 - 2^-p) 2^emax."""
    threshold = np.where(
        limits.emax > 1000,
        np.inf,
        (2.0 - np.ldexp(1.0, -limits.precision)) * np.ldexp(1.0, np.minimum(limits.emax, 1000)),
    )
    overflowed: Mask = np.isinf(got) & (np.abs(hi) >= threshold) & (np.sign(got) == np.sign(hi))
    return overflowed


def _flushed(got: Floats, exact: Reference, limits: Limits) -> Mask:
    """0 for an exact value that rounds to a subnormal number other than 0."""
    smallest_normal = np.ldexp(1.0, limits.emin)
    least = np.ldexp(1.0, limits.emin - limits.precision + 1)
    flushed: Mask = (got == 0) & (exact.scale < smallest_normal) & (np.abs(exact.hi) > least / 2)
    return flushed
