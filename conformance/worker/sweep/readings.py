"""What a contract makes of predictions, for the column that holds results against the documentation.

Fields that change a value: clip, log_clamp, epsilon (casts_to changes the format of the result, which is judged as it
comes).  A clip bound may be rounded either way, which gives up to four readings.

Worker-side code: standard library and NumPy only, Python 3.7 on.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from conformance.contracts import Contract
from conformance.numbers.arrays import Floats, Mask
from conformance.numbers.documented import Documented, Interval, documents_values
from conformance.numbers.formats import Format
from conformance.worker.sweep import block as blocks
from conformance.worker.sweep.block import Block, Predictions
from conformance.worker.sweep.rounding import rounded
from reference import FUNCTIONS
from reference.operands import GRADIENT_PREDICTION
from reference.split import Split, split


class Reading(NamedTuple):
    """One reading of a contract for a chunk of predictions, after the clip; without `terms` a term is infinite."""

    terms: Split | None
    prediction: Floats
    constants: dict[str, float]
    outside: Mask | None
    hull: Mask | None

    def expected(self, block: Block, fmt: Format) -> blocks.Documented:
        """Its values for the labels of a block."""
        if self.terms is not None:
            values = self.terms.at(block.label)
        else:
            values = FUNCTIONS[block.quantity](block.form, self.prediction, block.label, **self.constants).hi
        if self.outside is not None:
            values = np.where(self.outside, 0.0, values)
        return blocks.Documented(values, rounded(values, fmt), self.hull)


def readings(
    contract: Contract, form: str, quantity: str, dtype: str, predictions: Predictions, single: bool
) -> list[Reading] | None:
    """The readings for predictions of one binade, in order; none where all are the ideal, None without a contract.

    `quantity` is one of `reference.special`; a `single` prediction is 0 or 1.
    """
    if not documents_values(form, contract):
        return None
    prediction = predictions.values()
    said = Documented.by(contract, dtype)
    constants = dict(said.constants)
    if "log_clamp" in constants:
        with np.errstate(divide="ignore"):
            least = min(np.log(prediction[0]), np.log1p(-prediction[-1]))
        if not least < constants["log_clamp"]:
            del constants["log_clamp"]
    return [
        _reading(form, quantity, prediction, interval, constants, single)
        for interval in said.intervals
        if constants or not interval.low < prediction[0] or not prediction[-1] < interval.high
    ]


def _reading(
    form: str, quantity: str, prediction: Floats, interval: Interval, constants: dict[str, float], single: bool
) -> Reading:
    confined = interval.confined(prediction)
    if confined[0] == confined[-1]:
        confined = confined[:1]
    terms = None
    if not single or 0.0 < confined[0] < 1.0:
        terms = split(form, quantity, confined, **constants)
    outside = hull = None
    if quantity == GRADIENT_PREDICTION:
        outside, hull = interval.outside(prediction), interval.at_bound(prediction)
    return Reading(terms, confined, constants, outside, hull)
