"""Certified values by Arb (python-flint) for the few points where double-double is not certain enough."""

from __future__ import annotations

from collections.abc import Sequence
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
    """`found` with every point recomputed whose bound exceeds `share` float64 ULPs; what fails keeps its bound."""
    scale = np.maximum(np.abs(found.hi), found.scale)
    doubtful = np.isfinite(found.hi) & (found.bound > share * ulp(scale, FORMATS["float64"]))
    if not doubtful.any():
        return found
    columns = [np.array(field) for field in found]
    for index in np.flatnonzero(doubtful):
        certified = exact(form, quantity, *(float(array[index]) for array in arrays))
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
            value = _FORMULA[form, quantity](arb(p), arb(y), arb(w), arb(q))
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


_FORMULA: dict[tuple[str, str], Any] = {
    ("logits", "value"): lambda z, y, w, q: w * (q * y * _softplus(-z) + (1 - y) * _softplus(z)),
    ("logits", "gradient-prediction"): lambda z, y, w, q: w * ((1 - y) * _sigmoid(z) - q * y * _sigmoid(-z)),
    ("logits", "gradient-label"): lambda z, y, w, q: w * (q * _softplus(-z) - _softplus(z)),
    ("logits", "second-derivative"): lambda z, y, w, q: w * (q * y + 1 - y) * _sigmoid(z) * _sigmoid(-z),
    ("probabilities", "value"): lambda p, y, w, q: -w * (q * y * p.log() + (1 - y) * (-p).log1p()),
    ("probabilities", "gradient-prediction"): lambda p, y, w, q: w * ((1 - y) / (1 - p) - q * y / p),
    ("probabilities", "gradient-label"): lambda p, y, w, q: w * ((-p).log1p() - q * p.log()),
    ("probabilities", "second-derivative"): lambda p, y, w, q: w * (q * y / p**2 + (1 - y) / (1 - p) ** 2),
}
