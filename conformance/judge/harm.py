"""What a wrong result does to a training that meets it: one of six words, from exact values alone.

No weights are mixed: a word follows from the exact value, the result, the dtype and where the inputs lie, whatever the
name of the implementation and whatever it documents.  docs/harm.md derives the cut-offs.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum

import numpy as np

from conformance.numbers.arrays import Codes, Floats, Mask
from conformance.numbers.formats import FORMATS, Format
from conformance.numbers.measurement import BUDGET
from conformance.quantities import GRADIENT_PREDICTION, NUMERIC, VALUE


class Harm(IntEnum):
    """The words, worst first; a larger number is worse."""

    BREAKS = 5
    MISLEADS = 4
    DRIFTS = 3
    LAST_DIGITS = 2
    EDGE = 1
    REFUSES = 0

    @property
    def word(self) -> str:
        """As a person reads it."""
        return self.name.lower().replace("_", " ")

    @property
    def meaning(self) -> str:
        """What it says, in one sentence."""
        return _MEANING[self]


_MEANING = {
    Harm.BREAKS: "training stops, goes the wrong way or learns nothing, at inputs that it meets.",
    Harm.MISLEADS: "the number is wrong by more than 1 %, and a batch with ordinary losses shows it.",
    Harm.DRIFTS: "the number is wrong by more than 0.1 %, but by 1 % at most or too little to be seen in a batch.",
    Harm.LAST_DIGITS: "only the last digits are wrong, by 0.1 % at most.",
    Harm.EDGE: "the inputs are infinite, NaN, subnormal or beyond any use, or only a subnormal number is lost.",
    Harm.REFUSES: "the implementation says that it cannot, and gives no number.",
}

#: Relative errors above which a result misleads and drifts.  Keras prints losses with four decimals (progbar.py, 3.15):
#: 0.1 % moves the last one of a loss of 0.1, 1 % moves two.
MISLEADING, DRIFTING = 1e-2, 1e-3

#: Larger inputs are beyond any use: the largest number of float16, in which networks are trained (IEEE 754-2019, table
#: 3.5).
USED = float(FORMATS["float16"].largest)

#: Exponent of the smallest number that is in use: float32's (IEEE 754-2019, table 3.5), or float64's.  Many
#: gradients of a network are subnormal in float16 (Micikevicius et al., Mixed Precision Training, 2018, section 3.2).
LEAST_EXPONENT = FORMATS["float32"].emin

#: A gradient by the prediction decides from here on, by form: its size at p = 1/2 under a hard label, where prediction
#: and label part: |sigmoid(z) - y| = 1/2, and 1/p = 2.
DECIDING = {"logits": 0.5, "probabilities": 2.0}


def worst(harms: Iterable[Harm]) -> Harm | None:
    """The worst of several; None of none."""
    return max(harms, default=None)


def beyond_use(values: Floats, dtype: str) -> Mask:
    """Which inputs no training has: infinite, NaN, subnormal in `dtype` (not in 16 bits of IEEE), or above USED."""
    with np.errstate(invalid="ignore"):
        size = np.abs(values)
        beyond: Mask = ~(size <= USED) | ((size < _least(FORMATS[dtype])) & (size != 0))
    return beyond


def harms(got: Floats, exact: Floats, dtype: str, quantity: str, form: str) -> Codes:
    """The harm of wrong results at inputs that are not `beyond_use`, as numbers of `Harm`.

    `got` are results of `dtype` as float64, `exact` the exact values rounded to float64.  That rounding moves a word
    only where an error is within 1e-16 (relative) of a cut-off.  `form` is that of the loss.
    """
    fmt = FORMATS[dtype]
    seen = within_budget(dtype)
    with np.errstate(all="ignore"):
        largest = float(fmt.largest)
        owed = np.where(np.abs(exact) > largest, np.copysign(np.inf, exact), exact)
        size, error = np.abs(owed), np.abs(got - owed)
        wrong = error > max(MISLEADING, seen) * size
        misleads = (wrong & (error > seen)) | (np.isinf(owed) & (got != owed))
        found = np.full(np.shape(got), Harm.LAST_DIGITS, np.int8)
        found[error > max(DRIFTING, seen) * size] = Harm.DRIFTS
        found[(size < _least(fmt)) & (size != 0)] = Harm.EDGE
        found[misleads] = Harm.MISLEADS
        found[(np.isnan(got) != np.isnan(owed)) | (np.isinf(got) & (got != owed))] = Harm.BREAKS
        if quantity in NUMERIC and quantity != VALUE:
            told = np.minimum(np.abs(got), size) >= fmt.unit_roundoff
            found[told & (np.sign(got) != np.sign(owed))] = Harm.BREAKS
        if quantity == GRADIENT_PREDICTION:
            found[(got == 0) & (size >= DECIDING[form])] = Harm.BREAKS
    return found


def within_budget(dtype: str) -> float:
    """The largest relative error within the budget, which is also the largest absolute one beside a loss of 1.

    An ULP is at most 2u of a normal number.
    """
    return BUDGET * 2 * FORMATS[dtype].unit_roundoff


def of_dtype(returned: str, asked: str) -> Harm:
    """A result in another dtype: it breaks if that holds no such number, else its unit roundoff is the error.

    A wider one loses nothing.
    """
    if returned not in FORMATS or asked not in FORMATS:
        return Harm.BREAKS
    error = FORMATS[returned].unit_roundoff
    if error <= FORMATS[asked].unit_roundoff:
        return Harm.LAST_DIGITS
    return Harm.MISLEADS if error > MISLEADING else Harm.DRIFTS if error > DRIFTING else Harm.LAST_DIGITS


def _least(fmt: Format) -> float:
    return 2.0 ** min(fmt.emin, LEAST_EXPONENT)
