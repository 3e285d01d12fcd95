"""The tolerance report: what a test by rtol and atol would have to allow, and what no tolerance can."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from conformance.judge.verdicts import Judged
from conformance.numbers.formats import FORMATS, Tensor, decode
from conformance.quantities import NUMERIC


@dataclass(kw_only=True)
class Tolerance:
    """One implementation × dtype × case family × quantity.

    `rtol` is the smallest relative tolerance with atol=0, and `atol` the smallest absolute one with rtol=0, with which
    `assert_close(got, ideal rounded to float64)` passes on all finite points; None where none does.  `worst_ulp` is the
    largest condition-scaled error, `budget` what was allowed.  `no_tolerance` counts the points that no tolerance
    covers: NaN, infinity, exception, zero (an ideal of 0 that came back as something else, for rtol).
    """

    points: int = 0
    budget: float = 0.0
    worst_ulp: float | None = None
    rtol: float | None = 0.0
    atol: float | None = 0.0
    no_tolerance: dict[str, int] = field(default_factory=dict)

    def add(self, got: Any, ideal: Any, returned: Any, scaled: Any, budget: float) -> None:
        """Take in the points of one check."""
        self.points += len(ideal)
        self.budget = max(self.budget, budget)
        finite = returned & np.isfinite(got) & np.isfinite(ideal)
        agree = returned & ((got == ideal) | np.isnan(got) & np.isnan(ideal))
        self._count("exception", ~returned)
        self._count("NaN", returned & ~agree & ~finite & (np.isnan(got) | np.isnan(ideal)))
        self._count("infinity", returned & ~agree & ~finite & ~np.isnan(got) & ~np.isnan(ideal))
        if finite.any():
            self._measure(got[finite], ideal[finite])
        known = scaled[np.isfinite(scaled)]
        if len(known):
            self.worst_ulp = max(self.worst_ulp or 0.0, float(known.max()))

    def _count(self, what: str, mask: Any) -> None:
        if mask.any():
            self.no_tolerance[what] = self.no_tolerance.get(what, 0) + int(mask.sum())

    def _measure(self, got: Any, ideal: Any) -> None:
        with np.errstate(all="ignore"):
            error = np.abs(got - ideal)
            relative = np.where(error == 0, 0.0, error / np.abs(ideal))
        # One step up makes the product rtol * |ideal| reach the error in spite of its own rounding.
        self.atol = _larger(self.atol, error.max())
        self.rtol = _larger(self.rtol, np.nextafter(relative.max(), np.inf) if relative.max() else 0.0)
        if not np.isfinite(relative).all():
            self.rtol = None


def _larger(old: float | None, new: Any) -> float | None:
    return None if old is None or not np.isfinite(new) else max(old, float(new))


Key = tuple[str, str, str, str]


def tolerances(checks: Sequence[Judged]) -> dict[Key, Tolerance]:
    """By (implementation, dtype, family, quantity), in the order of the checks."""
    found: dict[Key, Tolerance] = {}
    for check in checks:
        request = check.request
        if check.quantity not in NUMERIC or request.presentations:  # of many places a presentation tells the worst
            continue
        key = (request.implementation.id, request.dtype, request.family, check.quantity)
        returned = np.array([bool(bits) for bits in check.bits], dtype=bool)
        ideal = np.array(check.ideal)
        found.setdefault(key, Tolerance()).add(
            values_of(check), ideal, returned, np.array(check.scaled), max(check.budget)
        )
    return found


def values_of(check: Judged) -> Any:
    """The results of a check as float64, NaN where nothing came back."""
    if check.result_dtype not in FORMATS:
        return np.full(len(check.bits), np.nan)
    fmt = FORMATS[check.result_dtype]
    patterns = np.array([int(bits, 16) if bits else 0 for bits in check.bits], dtype=fmt.storage)
    return np.where([bool(bits) for bits in check.bits], decode(Tensor(fmt.name, patterns)), np.nan)
