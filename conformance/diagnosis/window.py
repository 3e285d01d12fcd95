"""Where a formula is wrong: the predictions for which its emulation is out of budget, and where it is worst.

By predictions spread evenly over the exponents, so the ends are known to a few per cent; a certificate of `sweep` has
the exact ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

import reference
from conformance.formulas.arithmetic import Arithmetic, rounded
from conformance.formulas.evaluate import emulated
from conformance.formulas.expression import Expression, inputs
from conformance.numbers.formats import FORMATS
from conformance.numbers.measurement import Limits, measure

if TYPE_CHECKING:
    from conformance.numbers.arrays import Floats, Mask
    from conformance.numbers.formats import Format

#: Predictions on each side of 0, or of 1/2.
POINTS = 1200
#: Right results between wrong ones that do not end a window.
GAP = POINTS // 20
#: Logits from here on saturate every dtype but float64, whose exp(-z) is a number up to 745.
_LARGEST = {"float64": 800.0}


@dataclass(frozen=True, kw_only=True)
class Window:
    """Predictions from `low` to `high`, between which results for `label` are wrong, most of them, at worst at `worst`.

    `error` is condition-scaled, in ULP of the result; infinite where it is no number that is told in ULP.
    """

    label: float
    low: float
    high: float
    worst: float
    error: float
    #: Whether it goes on to the first and to the last prediction that was tried.
    from_first: bool
    to_last: bool


def windows(
    expression: Expression, arithmetic: Arithmetic, form: str, quantity: str, label: float
) -> tuple[Window, ...]:
    """The windows of a formula in a prediction and a label alone, from the smallest prediction on.

    Raises ValueError if it has other inputs.
    """
    name = "z" if form == "logits" else "p"
    if not inputs(expression) <= {name, "y"}:
        raise ValueError(f"a formula in {name} and y is required, got {sorted(inputs(expression))}")
    fmt = FORMATS[arithmetic.result]
    x = _predictions(form, FORMATS[arithmetic.inputs])
    y = np.full(x.size, float(rounded(np.array(label), FORMATS[arithmetic.inputs])))
    got = np.broadcast_to(emulated(expression, {name: x, "y": y}, arithmetic), x.shape)
    exact = reference.FUNCTIONS[quantity](form, x, y)
    measured = measure(got, exact, Limits.of([fmt], [x.size]))
    wrong = _joined(~measured.ok)
    error = np.where(np.isnan(measured.scaled), np.inf, measured.scaled)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], wrong, [False]]).astype(np.int8)))
    found = []
    for first, end in zip(edges[::2], edges[1::2], strict=True):
        worst = int(first + np.argmax(error[first:end]))
        found.append(
            Window(
                label=label,
                low=float(x[first]),
                high=float(x[end - 1]),
                worst=float(x[worst]),
                error=float(error[worst]),
                from_first=bool(first == 0),
                to_last=bool(end == x.size),
            )
        )
    return tuple(found)


def _joined(wrong: Mask) -> Mask:
    """`wrong` with gaps closed that are short: among wrong results a few are right by chance."""
    places = np.flatnonzero(wrong)
    for before, after in pairwise(places):
        if after - before <= GAP:
            wrong[before:after] = True
    return wrong


def _predictions(form: str, fmt: Format) -> Floats:
    """Finite ones of `fmt`, sorted; probabilities are those inside of (0, 1)."""
    if form == "logits":
        sizes = np.geomspace(1e-4, min(_LARGEST.get(fmt.name, 110.0), float(fmt.largest)), POINTS)
        x = np.concatenate([-sizes, [0.0], sizes])
    else:
        sizes = np.geomspace(max(2.0**fmt.emin, 1e-30), 0.5, POINTS)
        x = np.concatenate([sizes, 1 - sizes])
    x = np.unique(rounded(x, fmt))
    return x if form == "logits" else x[(x > 0) & (x < 1)]
