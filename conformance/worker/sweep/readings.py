"""What a contract makes of predictions, for the column that holds results against the documentation.

Fields that change a value: clip, log_clamp, epsilon (casts_to changes the format of the result, which is judged as it
comes).  A clip bound may be rounded either way, which gives up to four readings.

Worker-side code: standard library and NumPy only, Python 3.7 on.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from conformance import contracts
from conformance.contracts import Contract
from conformance.numbers.clipping import clip_intervals
from conformance.numbers.formats import FORMATS, Format
from conformance.worker.sweep.block import Block, Documented, Predictions
from conformance.worker.sweep.expected import EXACT
from conformance.worker.sweep.rounding import rounded
from reference.operands import GRADIENT_PREDICTION
from reference.split import Split, split


class Reading(NamedTuple):
    """One reading of a contract for a chunk of predictions, after the clip; without `terms` a term is infinite."""

    terms: Split | None
    prediction: Any
    constants: dict[str, float]
    outside: Any
    hull: Any

    def expected(self, block: Block, fmt: Format) -> Documented:
        """Its values for the labels of a block."""
        if self.terms is not None:
            values = self.terms.at(block.label)
        else:
            values = EXACT[block.quantity](block.form, self.prediction, block.label, **self.constants).hi
        if self.outside is not None:
            values = np.where(self.outside, 0.0, values)
        return Documented(values, rounded(values, fmt), self.hull)


def readings(
    contract: Contract, form: str, quantity: str, dtype: str, predictions: Predictions, single: bool
) -> list[Reading] | None:
    """The readings for predictions of one binade, in order; none where all are the ideal, None without a contract.

    `quantity` is one of `reference.special`; a `single` prediction is 0 or 1.
    """
    clip, clamp, epsilon = (contracts.find(contract, name) for name in ("clip", "log_clamp", "epsilon"))
    if form == "logits" or (clip is None and clamp is None and epsilon is None):
        return None
    prediction = predictions.values()
    constants = {}
    if clamp is not None:
        with np.errstate(divide="ignore"):
            least = min(np.log(prediction[0]), np.log1p(-prediction[-1]))
        if least < clamp.bound:
            constants["log_clamp"] = clamp.bound
    if epsilon is not None:
        constants["epsilon"] = epsilon.value
    cast = contracts.find(contract, "casts_to")
    found = []
    for low, high in clip_intervals(clip, FORMATS[cast.dtype if cast is not None else dtype]):
        if low < prediction[0] and prediction[-1] < high and not constants:
            continue
        found.append(_reading(form, quantity, prediction, low, high, constants, single))
    return found


def _reading(
    form: str, quantity: str, prediction: Any, low: float, high: float, constants: dict[str, float], single: bool
) -> Reading:
    clipped = np.clip(prediction, low, high)
    if clipped[0] == clipped[-1]:
        clipped = clipped[:1]
    terms = None
    if not single or 0.0 < clipped[0] < 1.0:
        terms = split(form, quantity, clipped, **constants)
    outside = hull = None
    if quantity == GRADIENT_PREDICTION:
        outside = (prediction < low) | (prediction > high)
        hull = (prediction == low) | (prediction == high)
    return Reading(terms, clipped, constants, outside, hull)
