"""The inputs of one call that are judged together: predictions of one binade and a few labels.

Worker-side code: standard library and NumPy only, Python 3.7 on.
"""

from __future__ import annotations

from typing import NamedTuple, Tuple, TypeVar, Union

import numpy as np

from conformance.numbers.arrays import Bits, Floats, Index, Mask, Signed
from conformance.numbers.formats import Tensor, decode
from reference.operands import VALUE

#: Flat indices of a block, or a slice of them.
Places = Union[Index, slice]

#: Numbers, patterns or answers: what is taken of an array is of its kind.
Array = TypeVar("Array", Floats, Signed, Mask)


class Predictions:
    """Predictions of one binade, in order; as float64 when they are asked for."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor
        self._values: Floats | None = None

    @property
    def ends(self) -> Floats:
        """The first and the last."""
        return decode(Tensor(self.tensor.dtype, self.tensor.bits[[0, -1]]))

    def values(self) -> Floats:
        """All of them."""
        if self._values is None:
            self._values = decode(self.tensor)
        return self._values


class Block(NamedTuple):
    """Inputs of one call: predictions of one binade in a row, and labels as float64 in a column, both in order.

    `start` is the position of the first prediction, `label_bits` has the bit patterns of the labels, `label_ends` the
    values of the first and of the last.  Where the natural terms may have different signs (`cancels`), a
    condition-scaled error says something of its own.
    """

    form: str
    quantity: str
    predictions: Predictions
    label: Floats
    start: int
    label_bits: Bits
    label_ends: Tuple[float, float]
    binade: str
    shape: tuple[int, int]
    cancels: bool

    @property
    def prediction(self) -> Floats:
        """The predictions as float64 in a row."""
        return self.predictions.values()[np.newaxis, :]

    def taken(self, values: Array, index: Places) -> Array:
        """What broadcasts with the block, at flat indices of it."""
        if values.shape == self.shape:
            return values.reshape(-1)[index]
        if isinstance(index, slice):
            return np.broadcast_to(values, self.shape).reshape(-1)[index]
        values = np.atleast_2d(values)
        rows, columns = np.divmod(index, self.shape[1])
        found: Array = values[rows * (values.shape[0] > 1), columns * (values.shape[1] > 1)]
        return found

    def order(self, index: Index) -> Index:
        """Numbers that sort flat indices by prediction, then by label."""
        rows, columns = self.shape
        return index % columns * rows + index // columns

    def place(self, index: int) -> tuple[int, int]:
        """Position of the prediction and bit pattern of the label at a flat index."""
        row, column = divmod(index, self.shape[1])
        return self.start + column, int(self.label_bits[row])


class Documented(NamedTuple):
    """Values of one reading of a contract on a block, and their nearest bit patterns.

    Where `hull` is True any value between 0 and the value is right: the subdifferential at a clip bound.
    """

    values: Floats
    nearest: Signed
    hull: Mask | None


def can_cancel(quantity: str, label: Floats) -> bool:
    """Whether the natural terms of a quantity may have different signs for some of the labels."""
    return quantity != VALUE or float(label.max()) > 1.0 or float(label.min()) < 0.0
