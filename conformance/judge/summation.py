"""Judging reductions: is the result the sum or the mean of the implementation's own unreduced results?

Errors of the terms do not count here, so that a mean that accumulates in too narrow a format, drops an element or
divides by the wrong number is seen however poor the terms are.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from conformance import contracts
from conformance.judge.points import Points
from conformance.judge.verdicts import Element, Judged, judged, verdict_of
from conformance.numbers.formats import FORMATS, Format, decode, ulp
from conformance.pool.observation import Observation
from conformance.quantities import REDUCTION, UNREDUCED
from reference import Reference, as_reference, exact_total, reduction_bound


def accumulator(check: Points) -> Format:
    """The format in which a reduction accumulates: what is documented, else the result's, but float32 for 16 bits."""
    documented = contracts.find(check.request.implementation.contract, "accumulation")
    if documented is not None:
        return FORMATS[documented.dtype]
    return check.fmt if check.fmt.precision >= FORMATS["float32"].precision else FORMATS["float32"]


def budget(check: Points) -> Any:
    """What summation adds to the budget of a reduced value, in ULP: `reduction_bound`, and the last rounding.

    In ULP of the result at the size of sum|x|, which is at most 2^p of them.
    """
    u, size = accumulator(check).unit_roundoff, 2.0**check.fmt.precision
    return np.array([float(reduction_bound(count, u, size)) for count in _counts(check)]) + 0.5


def _counts(check: Points) -> list[int]:
    """How many terms each point sums."""
    presentations = check.request.presentations
    if not presentations:
        return [len(check.request.inputs.elements)] * check.count
    lines = [max(presentations[owner].size, 1) for owner in check.owner.tolist()]
    points_of = np.bincount(check.owner, minlength=len(presentations))
    return [size // int(points_of[owner]) for size, owner in zip(lines, check.owner.tolist(), strict=True)]


def judge(value: Points, exact: Reference, regions: tuple[str, ...]) -> Judged:
    """The check `reduction`: `exact` are the reduced ideals of the points of `value`.

    A result that reduces the exact terms is as right as one that reduces the implementation's own, rounded ones.
    """
    unreduced = value.outcome[UNREDUCED]
    elements = []
    for index, name in enumerate(value.names):
        seen = value.observation(index)
        own = unreduced[index if len(unreduced) > 1 else 0]
        if seen.kind != "returned" or own.kind != "returned" or value.trouble(index):
            # What came back instead of a value is judged where the value is.
            elements.append(Element(name, "recorded"))
            continue
        what, detail = _compared(value, index, own, len(unreduced), exact)
        verdict, what = verdict_of("value", seen, "", what or "ok", False)
        elements.append(Element(name, verdict, what, regions[index], detail))
    return judged(value.request, REDUCTION, elements, result_dtype=value.dtype)


def _compared(value: Points, index: int, own: Observation, split: int, exact: Reference) -> tuple[str, str]:
    """Class and words of what is wrong with the reduction of one element; ("", "") where it is right."""
    assert own.tensor is not None
    if own.tensor.dtype not in FORMATS:
        return "", ""
    terms = decode(own.tensor).ravel()
    counts = np.array(own.counts if value.request.presentations else np.ones(len(terms)), dtype=np.int64)
    members = np.flatnonzero(value.owner == index)
    if len(members) != 1 or (split > 1 and not value.request.presentations):
        return "", ""  # several lines: the end-to-end check of the value has them
    point = int(members[0])
    got = float(value.got[point])
    divisor = _divisor(value, index)
    total = float(exact_total(as_reference(terms), counts, divisor).hi[0])
    bound = _bound(value, terms, counts, divisor, total)
    if any(_near(got, right, bound, value.fmt) for right in (total, float(exact.hi[point]))):
        return "", ""
    what = "nan" if np.isnan(got) else "infinite" if np.isinf(got) else "inaccurate"
    return what, f"got {got!r}, its own unreduced results give {total!r}, bound {bound:.3g}"


def _divisor(value: Points, index: int) -> Fraction | None:
    implementation = value.request.implementation
    divisor = contracts.divisor(implementation.contract, implementation.masks)
    return value.divided_by(value.line(index), value.request.case.reduction, divisor)


def _bound(value: Points, terms: Any, counts: Any, divisor: Fraction | None, total: float) -> float:
    """(ceil(log2 n) + 8) u_acc sum|x| + 0.5 ulp, the sum divided like the mean is; infinite terms allow nothing."""
    if divisor is None or not np.isfinite(terms).all():
        return 0.0
    size = sum((int(n) * Fraction(abs(x)) for n, x in zip(counts.tolist(), terms.tolist(), strict=True)), Fraction(0))
    share = float(min(size / abs(divisor), Fraction(_LARGEST)))
    summed = reduction_bound(int(counts.sum()), accumulator(value).unit_roundoff, share)
    return float(summed) + 0.5 * float(ulp(np.array(total), value.fmt))


_LARGEST = float(np.finfo(np.float64).max)


def _near(got: float, exact: float, bound: float, fmt: Format) -> bool:
    """Within the bound; NaN is near NaN alone, and an infinity what rounds to it."""
    if np.isnan(exact) or np.isnan(got):
        return bool(np.isnan(exact) and np.isnan(got))
    overflow = np.isinf(got) and got * exact > 0 and Fraction(abs(exact)) > fmt.largest if np.isfinite(exact) else False
    return bool(got == exact or overflow or abs(got - exact) <= bound)
