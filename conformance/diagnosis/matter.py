"""How much a wrong result matters: the absolute error, what is exact where the result is 0 or no number.

An ULP of a small loss is small, too: 10^6 of them can be 10^-9.  The exact values are those of the reference.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from conformance.diagnosis.window import Points, Where, end
from conformance.numbers.formats import ulp

if TYPE_CHECKING:
    from conformance.numbers.arrays import Floats


class Place(NamedTuple):
    """A prediction, and what is exact there."""

    prediction: float
    exact: float


@dataclass(frozen=True, kw_only=True)
class Matter:
    """Of the wrong results for a `label`: the largest absolute `error` of those that are numbers, and where.

    `steps`: the largest error in ULP of the prediction, by which no loss can be known better than the prediction is.
    `zero`: where the result is 0, the place with the largest exact value.  `lost`: where it is no number although the
    exact value is one, the place with the smallest.
    """

    label: float
    error: float
    at: Place | None
    steps: float
    zero: Place | None
    lost: Place | None


def matter(where: Where) -> Matter | None:
    """How much it matters, by emulation or, where that disagrees with the run, in the run; None where none is wrong."""
    points = _emulated(where) if where.agrees else where.recorded
    points = points.only(points.wrong & np.isfinite(points.exact))
    if not points.x.size:
        return None
    numbers = points.only(np.isfinite(points.got))
    error = np.abs(numbers.got - numbers.exact)
    with np.errstate(over="ignore"):
        steps = error / ulp(numbers.x, where.curve.format)
    return Matter(
        label=where.curve.label,
        error=float(np.max(error, initial=0.0)),
        at=_place(numbers, error),
        steps=float(np.max(steps, initial=0.0)),
        zero=_zero(where, points.only(points.got == 0)),
        lost=_place(lost := points.only(~np.isfinite(points.got)), -np.abs(lost.exact)),
    )


def _emulated(where: Where) -> Points:
    ends = [one.at for window in where.windows for one in (window.low, window.high)]
    return where.curve.at(np.unique([*where.curve.tried().x, *ends]))


def _place(points: Points, by: Floats) -> Place | None:
    """The place where `by` is largest."""
    if not points.x.size:
        return None
    place = int(np.argmax(by))
    return Place(float(points.x[place]), float(points.exact[place]))


def _zero(where: Where, zeros: Points) -> Place | None:
    """The largest exact value for which the result is 0; by emulation, to the last number of the dtype."""
    found = _place(zeros, np.abs(zeros.exact))
    if found is None or not where.agrees:
        return found
    tried = where.curve.tried()
    beside = tried.only(np.abs(tried.exact) > abs(found.exact))
    if not beside.x.size:
        return found
    outside = float(beside.x[np.argmin(np.abs(beside.x - found.prediction))])
    last = end(where.curve, lambda points: points.wrong & (points.got == 0), found.prediction, outside)
    place = where.curve.at(np.array([last.at]))
    return Place(last.at, float(place.exact[0]))
