"""A call of a loss: its inputs, and the calls that are derived from it.

Worker-side code: standard library and NumPy only, Python 3.7 on.
"""

from __future__ import annotations

from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from conformance.adapters import Implementation
from conformance.numbers.arrays import Bits
from conformance.numbers.formats import FORMATS, Tensor, encode

#: Values of the paired control: inside the domain of both forms, with a label that every entry point takes.
CONTROL = {"prediction": 0.5, "label": 1.0}

#: Name, dtype and shape of all inputs of a call.
Kinds = Tuple[Tuple[str, str, Tuple[int, ...]], ...]


class Call(NamedTuple):
    """Inputs of one call, and the calls derived from it.

    `tensors` holds prediction, label and options, in the order in which they travel; `period` is the number of elements
    that a presentation repeats, 0 for a call that is no presentation; `producer` makes the prediction of its `logits`.
    """

    implementation: Implementation
    reduction: str
    tensors: Dict[str, Tensor]
    parameters: Dict[str, float]
    layout: str = "contiguous"
    period: int = 0
    producer: str = ""
    logits: Optional[Tensor] = None

    def with_tensors(self, tensors: Dict[str, Tensor]) -> Call:
        """The same call on other tensors, none of which is produced."""
        return self._replace(tensors=tensors, producer="", logits=None)

    @property
    def prediction(self) -> Tensor:
        """The prediction."""
        return self.tensors["prediction"]

    @property
    def options(self) -> Dict[str, Tensor]:
        """Tensors other than prediction and label."""
        return {name: tensor for name, tensor in self.tensors.items() if name not in ("prediction", "label")}

    @property
    def shape(self) -> Tuple[int, ...]:
        """Shape of the prediction."""
        return self.prediction.shape

    @property
    def size(self) -> int:
        """Number of elements of the prediction."""
        return int(self.prediction.bits.size)

    @property
    def kinds(self) -> Kinds:
        """Name, dtype and shape of all inputs."""
        return tuple((name, tensor.dtype, tensor.shape) for name, tensor in self.tensors.items())

    @property
    def separable(self) -> bool:
        """Whether each element has a call of its own: an unreduced, one-dimensional request."""
        return self.reduction == "none" and len(self.shape) == 1 and not self.period

    @property
    def singly(self) -> bool:
        """Whether each element is called alone, because the loss cannot be had without its mean or sum."""
        return self.implementation.singly and self.reduction == "none"

    def presented(self, layout: str, shapes: List[List[int]]) -> Call:
        """The elements repeated in order until tensors of these shapes are full, in a memory layout."""
        tensors = {}
        for (name, tensor), shape in zip(self.tensors.items(), shapes):
            bits = tensor.bits[:1] if layout == "broadcast" else tensor.bits
            tensors[name] = Tensor(tensor.dtype, repeated(bits, tuple(shape)))
        return self.with_tensors(tensors)._replace(layout=layout, period=self.size)

    def element(self, index: int) -> Call:
        """The call of element `index` alone, as a tensor of shape (1,)."""

        def pick(tensor: Tensor) -> Tensor:
            return Tensor(tensor.dtype, tensor.bits[index : index + 1] if tensor.shape == self.shape else tensor.bits)

        return self.with_tensors({name: pick(tensor) for name, tensor in self.tensors.items()})

    def control(self) -> Call:
        """The paired control: same dtypes and options, values inside the domain, shapes that fit together."""
        controls = {
            name: filled(tensor, self.shape, CONTROL[name]) if name in CONTROL else reshaped(tensor, self.shape)
            for name, tensor in self.tensors.items()
        }
        return self.with_tensors(controls)

    def padded(self, sizes: Sequence[int]) -> Call:
        """This one-dimensional call with control elements appended up to the next of `sizes`, if there is one.

        A framework that compiles anew for every shape then compiles for a few sizes only.  What a layer hands out stays
        as it is: a padded copy is not what the layer has made.
        """
        if self.logits is not None:
            return self
        extra = min((size - self.size for size in sizes if size >= self.size), default=0)
        if extra == 0:
            return self

        def pad(name: str, tensor: Tensor) -> Tensor:
            if tensor.shape != self.shape:
                return tensor
            more = filled(tensor, (extra,), CONTROL.get(name, 1.0))
            return Tensor(tensor.dtype, np.concatenate([tensor.bits, more.bits]))

        return self.with_tensors({name: pad(name, tensor) for name, tensor in self.tensors.items()})


def reshaped(tensor: Tensor, shape: Tuple[int, ...]) -> Tensor:
    """The tensor's values repeated to another shape."""
    if tensor.shape == shape or not tensor.bits.size:
        return tensor
    return Tensor(tensor.dtype, repeated(tensor.bits, shape))


def repeated(bits: Bits, shape: Tuple[int, ...]) -> Bits:
    """A few numbers, in order again and again until an array is full: np.resize, which is slow for many.

    What is filled is copied behind itself, twice as much each time.
    """
    flat = bits.ravel()
    full = np.empty(shape, dtype=flat.dtype)
    there = full.reshape(-1)
    filled = min(flat.size, there.size)
    there[:filled] = flat[:filled]
    while filled < there.size:
        more = min(filled, there.size - filled)
        there[filled : filled + more] = there[:more]
        filled += more
    return full


def filled(like: Tensor, shape: Tuple[int, ...], value: float) -> Tensor:
    """A tensor of `shape` full of `value`, in the dtype of `like`; it is encoded once, narrow formats being slow."""
    one = np.array([value])
    known = encode(one, like.dtype) if like.dtype in FORMATS else Tensor(like.dtype, one.astype(like.bits.dtype))
    return Tensor(like.dtype, np.full(shape, known.bits[0]))
