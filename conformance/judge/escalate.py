"""Certified values by Arb (python-flint) for the few points where double-double is not certain enough."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import flint
import numpy as np
from flint import arb, fmpq

from conformance.numbers.formats import FORMATS, ulp
from reference import Reference

#: Bits of precision tried, in turn; the last one resolves every pair of float64 inputs met so far.
PRECISIONS = (256, 1024, 4096)

#: Relative accuracy in bits that a value must have to count as certified.
WANTED = 120

#: Beside numbers above this the smallest float64, which stands for a low part that is none, is below 2**-120 of them.
LARGE = 2.0**-900


def escalate(
    form: str, quantity: str, arrays: Sequence[Any], found: Reference, share: float, **parameters: float
) -> Reference:
    """`found` with every point recomputed whose bound exceeds `share` float64 ULPs of its value.

    `parameters` are those of `exact`.
    What Arb does not resolve keeps its bound.  At infinite inputs the special values decide, which are exact.
    """
    doubtful = np.isfinite(found.hi) & (found.bound > share * ulp(found.hi, FORMATS["float64"]))
    if not doubtful.any():
        return found
    columns = [np.array(field) for field in found]
    for index in np.flatnonzero(doubtful):
        inputs = [float(array[index]) for array in arrays]
        certified: tuple[float, float] | None = (found.hi[index], found.lo[index])
        if np.isfinite(inputs).all():
            certified = exact(form, quantity, *inputs, **parameters)
        if certified is not None:
            columns[0][index], columns[1][index] = certified
            columns[2][index] = 0.0
    return Reference(*columns)


def exact(
    form: str,
    quantity: str,
    p: float,
    y: float,
    w: float,
    q: float,
    label_smoothing: float | None = None,
    gamma: float | None = None,
    alpha: float | None = None,
) -> tuple[float, float] | None:
    """(hi, lo) of `quantity` for finite inputs inside the domain, or None where Arb does not reach `WANTED` bits.

    Next to a power of two `lo` tells on which side the value is, as long as the last precision does.
    """
    smoothing = _rational(label_smoothing or 0)
    label = _rational(y) * (1 - smoothing) + smoothing / 2
    weight = fmpq(1) if quantity == "gradient-weight" else _rational(w)
    if alpha is not None:
        weight *= label * _rational(alpha) + (1 - label) * (1 - _rational(alpha))
    factor, power = weight, int(gamma or 0)
    return certified(lambda: arb(factor) * _unweighted(form, quantity, p, label, 1 - smoothing, q, power))


def certified(compute: Callable[[], arb]) -> tuple[float, float] | None:
    """(hi, lo) of what `compute` gives in the working precision, or None where no precision reaches `WANTED` bits."""
    before = flint.ctx.prec
    try:
        for precision in PRECISIONS:
            flint.ctx.prec = precision
            value = compute()
            known = value.is_exact() or value.rel_accuracy_bits() >= WANTED
            if known and (precision == PRECISIONS[-1] or _side_is_known(value)):
                return _split(value)
    finally:
        flint.ctx.prec = before
    return None


def scale(form: str, quantity: str, p: float, y: float) -> tuple[float, float]:
    """(hi, lo) of the natural terms' size, which has no cancellation; where it may be a power of two it is not less.

    For the value and the gradient by the prediction, at finite inputs where both terms are finite.
    """
    label = _rational(y)
    a = abs(label) if quantity == "value" else -abs(label)  # the first term of the gradient is negative
    before = flint.ctx.prec
    try:
        flint.ctx.prec = PRECISIONS[0]
        return _split(_FORMULA[form, quantity](arb(p), a, abs(1 - label)).upper())
    finally:
        flint.ctx.prec = before


def _unweighted(form: str, quantity: str, p: float, y: fmpq, slope: fmpq, q: float, gamma: int) -> arb:
    """`quantity` for the smoothed label `y`, whose derivative by the label is `slope`."""
    a, b = _rational(q) * y, 1 - y
    if quantity == "gradient-label":
        a, b = _rational(q) * slope, -slope
    elif quantity == "gradient-pos_weight":
        a, b = y, fmpq(0)
    value: arb = _FORMULA[form, _LIKE.get(quantity, quantity)](arb(p), a, b)
    if gamma == 0:
        return value
    miss, rise = _miss(form, p, y)
    value *= miss**gamma
    if quantity == "gradient-prediction" and y != fmpq(1, 2):
        value += gamma * miss ** (gamma - 1) * rise * _FORMULA[form, "value"](arb(p), a, b)
    return value


def _miss(form: str, p: float, y: fmpq) -> tuple[arb, arb]:
    """1 - p_t of the focal loss, and its derivative by the prediction."""
    if form == "logits":
        hit, miss = _sigmoid(arb(p)), _sigmoid(-arb(p))
        return y * miss + (1 - y) * hit, (1 - 2 * y) * (hit * miss)
    return arb(y * (1 - _rational(p)) + (1 - y) * _rational(p)), arb(1 - 2 * y)


def _rational(x: float) -> fmpq:
    return fmpq(*float(x).as_integer_ratio())


def _side_is_known(value: arb) -> bool:
    """Whether a value is exact, or nearest to a float64 that is no power of two, or known to be on one side of it."""
    hi = float(value.mid())
    return value.is_exact() or abs(math.frexp(hi)[0]) != 0.5 or not (value - arb(hi)).contains(0)


def _split(value: arb) -> tuple[float, float]:
    hi = float(value.mid())
    rest = value - arb(hi)
    lo = float(rest.mid())
    if lo == 0.0 and abs(hi) > LARGE and not rest.contains(0):  # no float64, but it has a side
        lo = math.copysign(math.ulp(0.0), 1.0 if rest > 0 else -1.0)
    return hi, lo


def _softplus(x: arb) -> arb:
    return x.exp().log1p()


def _sigmoid(x: arb) -> arb:
    return 1 / (1 + (-x).exp())


def _sum(a: fmpq, positive: Callable[[], arb], b: fmpq, negative: Callable[[], arb]) -> arb:
    """a·positive + b·negative; a coefficient 0 annihilates its term, which then need not exist."""
    total = arb(0)
    if a != 0:
        total += a * positive()
    if b != 0:
        total += b * negative()
    return total


#: Quantities that are the loss with coefficients of their own.
_LIKE = dict.fromkeys(("gradient-label", "gradient-weight", "gradient-pos_weight"), "value")

#: By form and quantity: of the prediction and the coefficients of its two terms.
_FORMULA: dict[tuple[str, str], Any] = {
    ("logits", "value"): lambda z, a, b: _sum(a, lambda: _softplus(-z), b, lambda: _softplus(z)),
    ("logits", "gradient-prediction"): lambda z, a, b: _sum(-a, lambda: _sigmoid(-z), b, lambda: _sigmoid(z)),
    ("logits", "second-derivative"): lambda z, a, b: (a + b) * _sigmoid(z) * _sigmoid(-z),
    ("probabilities", "value"): lambda p, a, b: _sum(-a, lambda: p.log(), -b, lambda: (-p).log1p()),
    ("probabilities", "gradient-prediction"): lambda p, a, b: _sum(-a, lambda: 1 / p, b, lambda: 1 / (1 - p)),
    ("probabilities", "second-derivative"): lambda p, a, b: _sum(a, lambda: p**-2, b, lambda: (1 - p) ** -2),
}
