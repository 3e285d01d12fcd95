"""Certified values by Arb (python-flint) for the few points where double-double is not certain enough."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import flint
import numpy as np
from flint import arb

from conformance.formats import FORMATS, ulp
from reference import Reference

#: Bits of precision tried, in turn; the last one resolves every pair of float64 inputs met so far.
PRECISIONS = (256, 1024, 4096)

#: Relative accuracy in bits that a value must have to count as certified.
WANTED = 120


def escalate(form: str, quantity: str, arrays: Sequence[Any], found: Reference, share: float) -> Reference:
    """`found` with every point recomputed whose bound exceeds `share` float64 ULPs of its value.

    What Arb does not resolve keeps its bound.  At infinite inputs the special values decide, which are exact.
    """
    doubtful = np.isfinite(found.hi) & (found.bound > share * ulp(found.hi, FORMATS["float64"]))
    if not doubtful.any():
        return found
    columns = [np.array(field) for field in found]
    for index in np.flatnonzero(doubtful):
        inputs = [float(array[index]) for array in arrays]
        certified = exact(form, quantity, *inputs) if np.isfinite(inputs).all() else (found.hi[index], found.lo[index])
        if certified is not None:
            columns[0][index], columns[1][index] = certified
            columns[2][index] = 0.0
    return Reference(*columns)


def exact(form: str, quantity: str, p: float, y: float, w: float, q: float) -> tuple[float, float] | None:
    """(hi, lo) of `quantity` for finite inputs inside the domain, or None where Arb does not reach `WANTED` bits."""
    before = flint.ctx.prec
    try:
        for precision in PRECISIONS:
            flint.ctx.prec = precision
            # dL/dy is the loss with the coefficients' derivatives by y in place of the coefficients.
            by_label = quantity == "gradient-label"
            a, b = (arb(w) * q, -arb(w)) if by_label else (arb(w) * q * y, w * (1 - arb(y)))
            value = _FORMULA[form, "value" if by_label else quantity](arb(p), a, b)
            if value.is_exact() or value.rel_accuracy_bits() >= WANTED:
                return _split(value)
    finally:
        flint.ctx.prec = before
    return None


def _split(value: arb) -> tuple[float, float]:
    hi = float(value.mid())
    return hi, float((value - arb(hi)).mid())


def _softplus(x: arb) -> arb:
    return x.exp().log1p()


def _sigmoid(x: arb) -> arb:
    return 1 / (1 + (-x).exp())


def _sum(a: arb, positive: Callable[[], arb], b: arb, negative: Callable[[], arb]) -> arb:
    """a·positive + b·negative; a coefficient 0 annihilates its term, which then need not exist."""
    total = arb(0)
    if a != 0:
        total += a * positive()
    if b != 0:
        total += b * negative()
    return total


_FORMULA: dict[tuple[str, str], Any] = {
    ("logits", "value"): lambda z, a, b: _sum(a, lambda: _softplus(-z), b, lambda: _softplus(z)),
    ("logits", "gradient-prediction"): lambda z, a, b: _sum(-a, lambda: _sigmoid(-z), b, lambda: _sigmoid(z)),
    ("logits", "second-derivative"): lambda z, a, b: (a + b) * _sigmoid(z) * _sigmoid(-z),
    ("probabilities", "value"): lambda p, a, b: _sum(-a, lambda: p.log(), -b, lambda: (-p).log1p()),
    ("probabilities", "gradient-prediction"): lambda p, a, b: _sum(-a, lambda: 1 / p, b, lambda: 1 / (1 - p)),
    ("probabilities", "second-derivative"): lambda p, a, b: _sum(a, lambda: p**-2, b, lambda: (1 - p) ** -2),
}
