"""What kind of input an element of a run is, from its exact numbers alone: what a person asks of a loss kind by kind.

The ranges stand in one place, `INPUTS` and the constants above it; no name of a case is read.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

import numpy as np

from conformance.judge.harm import beyond_use
from conformance.numbers.formats import FORMATS, decode_hexadecimal
from conformance.quantities import BEHAVIOUR, GRADIENT_PREDICTION, REDUCTION, VALUE
from conformance.record.record import CheckLine, InputsLine

#: A prediction this close to 0 or 1 is confident: the spacing of float16's numbers at 1 (IEEE 754-2019, table 3.5),
#: beyond which 1 - p has no digit left in 16 bits.
CONFIDENT = 2 * FORMATS["float16"].unit_roundoff

#: The same of a logit: sigmoid(-z) is CONFIDENT.
CONFIDENT_LOGIT = float(np.log(1 / CONFIDENT - 1))

#: Formats of less than 32 bits, in which a loss has less than four digits.
NARROW = frozenset(name for name, fmt in FORMATS.items() if fmt.width < 32)

#: The name of what is said of all elements of a case at once.
TOGETHER = "all"


class Kind(Enum):
    """The kinds, in the order in which they are shown, with the heading of its column and its inputs in short.

    The first three are of 32 and 64 bits and about the loss; GRADIENT is of all their inputs, NARROW of both.
    """

    EVERYDAY = "everyday", "everyday: label 0 or 1, logit to 6.9"
    SOFT = "soft", "soft labels"
    CONFIDENT = "sure", "sure: p within 0.001 of 0 or 1"
    GRADIENT = "gradient", "gradient by p or logit"
    NARROW = "16-bit", "16-bit floats"
    OPTIONS = "options", "options: weights, shapes, dtypes"
    OUTSIDE = "outside", "outside [0, 1]"
    EXTREME = "infinite", "infinite, tiny, huge"

    @property
    def word(self) -> str:
        """The heading of its column."""
        return self.value[0]

    @property
    def meaning(self) -> str:
        """Which inputs it has."""
        return self.value[1]


#: What the kinds are told of: what a training step calls, and how that came back.  Other derivatives, relations and
#: probes follow from it or are asked by few.
TOLD = frozenset({VALUE, GRADIENT_PREDICTION, REDUCTION, *BEHAVIOUR})

#: Where the numbers of an element lie, from what is asked by most to what is asked by least.  Of several elements the
#: last one counts.
INPUTS = (Kind.EVERYDAY, Kind.SOFT, Kind.CONFIDENT, Kind.OPTIONS, Kind.OUTSIDE, Kind.EXTREME)


class Kinds(NamedTuple):
    """The kinds of the elements of a case in one dtype, whether that is `narrow`, and of all of them together."""

    elements: dict[str, Kind]
    together: Kind
    narrow: bool

    def of(self, check: CheckLine, element: str) -> Kind:
        """The kind that an element of a check is told under; what is no element of the case is a presentation of it."""
        kind = self.together if element == TOGETHER else self.elements.get(element, Kind.OPTIONS)
        if kind in (Kind.OPTIONS, Kind.OUTSIDE, Kind.EXTREME):
            return kind
        if self.narrow:
            return Kind.NARROW
        return Kind.GRADIENT if check.quantity == GRADIENT_PREDICTION else kind


def kinds(line: InputsLine) -> Kinds:
    """The kinds of a case's elements."""
    read = {name: decode_hexadecimal(bits, line.dtypes.get(name, line.dtype)) for name, bits in line.inputs.items()}
    prediction, label = read["prediction"], read["label"]
    beyond = np.zeros(len(line.elements), np.bool_)
    options = np.full(len(line.elements), bool(line.dtypes))
    for name, values in read.items():
        dtype = line.dtypes.get(name, line.dtype)
        beyond |= beyond_use(values, dtype if dtype in FORMATS else line.dtype)
        if name not in ("prediction", "label"):
            options |= values != 1
    outside = (label < 0) | (label > 1)
    if line.form == "probabilities":
        outside |= (prediction < 0) | (prediction > 1)
        confident = np.minimum(prediction, 1 - prediction) < CONFIDENT
    else:
        confident = np.abs(prediction) > CONFIDENT_LOGIT
    soft = (label > 0) & (label < 1)
    places = np.select([beyond, outside, options, confident, soft], [5, 4, 3, 2, 1], 0).tolist()
    found = [INPUTS[place] for place in places]
    # Only cases of presentations have no exact value of each element.
    together = INPUTS[max(places)] if found and line.ideal else Kind.OPTIONS
    return Kinds(dict(zip(line.elements, found, strict=True)), together, line.dtype in NARROW)
