"""Presentations: the elements of a case handed over as tensors of other sizes, shapes and memory layouts.

A case writes them as text, `SHAPE [LAYOUT] [label SHAPE] [weight SHAPE] [pos_weight SHAPE]`: `17`, `1-67` (one for each
of these lengths), `scalar`, `3x4 transposed`, `5 label 5x1`.  The elements are repeated in order until a tensor is
full, so that a million positions have as few expected values as there are elements.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from conformance.adapters import LAYOUTS

#: Tensors that a presentation may give a shape of their own; the others have the prediction's.
OTHERS = ("label", "weight", "pos_weight")

#: Shapes that are tried where a framework compiles anew for every one: of each number of dimensions one with an axis of
#: 1 where it can have that, nothing at all, a length beside a vector register full, and the largest of the case files.
FEW = frozenset(
    {(), (0,), (1,), (17,), (65537,), (100_000,), (10_000_000,)}
    | {(1, 7), (2, 3), (5, 1), (4, 3), (3, 4), (1, 3), (2, 3, 5)}
)

#: Most elements of one tensor.
LARGEST = 10_000_000

_SHAPE = re.compile(r"scalar\Z|\d{1,8}(x\d{1,8})*\Z")
_RANGE = re.compile(r"(\d{1,8})-(\d{1,8})\Z")

Shape = tuple[int, ...]


class PresentationError(ValueError):
    """A text that is no presentation; the message quotes it and states the grammar."""

    def __init__(self, text: str, why: str) -> None:
        super().__init__(
            f"a presentation must be SHAPE [{'|'.join(LAYOUTS)}] [{'|'.join(OTHERS)} SHAPE] with a SHAPE like 17, "
            f"1-67, 3x4 or scalar: {why} (got {text!r})"
        )


@dataclass(frozen=True)
class Presentation:
    """One way to hand the elements over.  `others` are shapes of tensors that do not have the prediction's."""

    name: str
    shape: Shape
    layout: str = "contiguous"
    others: tuple[tuple[str, Shape], ...] = ()

    @property
    def size(self) -> int:
        """Number of elements of the prediction."""
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def few(self) -> bool:
        """Whether it is tried where every shape costs a compilation."""
        return self.shape in FEW

    def shape_of(self, tensor: str) -> Shape:
        """Shape of the prediction, the label or an option."""
        return dict(self.others).get(tensor, self.shape)

    def wire(self, tensors: Iterable[str]) -> dict[str, Any]:
        """What a worker needs to know."""
        return {"layout": self.layout, "shapes": [list(self.shape_of(name)) for name in tensors]}

    def period(self, count: int) -> int:
        """How many of `count` elements take turns."""
        return 1 if self.layout == "broadcast" else count

    def elements_of(self, tensor: str, count: int) -> Any:
        """Which of `count` elements stands at each position of a tensor."""
        shape = self.shape_of(tensor)
        return (np.arange(np.prod(shape, dtype=np.int64)) % self.period(count)).reshape(shape)

    def met(self, tensor: str, count: int) -> Any | None:
        """Which element of a tensor meets each position of the prediction, or None where it does not fit.

        The same number of elements fits whatever the shape, (n,) against (n,1) for one: a loss of as many elements is
        what anybody means by it.
        """
        elements = self.elements_of(tensor, count)
        if elements.size == self.size:
            return elements.reshape(self.shape)
        try:
            return np.broadcast_to(elements, self.shape)
        except ValueError:
            return None


def parse(texts: Sequence[str]) -> tuple[Presentation, ...]:
    """The presentations that a case writes, ranges written out.  Raises PresentationError."""
    found = [one for text in texts for one in _parse(text)]
    names = [one.name for one in found]
    double = sorted({name for name in names if names.count(name) > 1})
    if double:
        raise PresentationError(double[0], "it is there twice")
    return tuple(found)


def _parse(text: str) -> Iterator[Presentation]:
    words = text.split()
    if not words:
        raise PresentationError(text, "it is empty")
    head, rest = words[0], words[1:]
    layout = rest.pop(0) if rest and rest[0] in LAYOUTS else "contiguous"
    if len(rest) % 2 or any(name not in OTHERS for name in rest[::2]) or len(set(rest[::2])) < len(rest) // 2:
        raise PresentationError(text, "what follows the shape is not understood")
    others = tuple((name, _shape(text, shape)) for name, shape in zip(rest[::2], rest[1::2], strict=True))
    tail = "".join(f"-{word}" for word in (*([layout] if layout != "contiguous" else []), *rest))
    span = _RANGE.match(head)
    if span is None:
        shape = _shape(text, head)
        name = f"n{head}" if len(shape) == 1 else head if not shape else f"s{head}"
        yield Presentation(name + tail, shape, layout, others)
        return
    if int(span[1]) > int(span[2]) or int(span[2]) - int(span[1]) > 1000:
        raise PresentationError(text, "a range must rise by at most 1000")
    for size in range(int(span[1]), int(span[2]) + 1):
        yield Presentation(f"n{size}{tail}", (size,), layout, others)


def _shape(text: str, word: str) -> Shape:
    if not _SHAPE.match(word):
        raise PresentationError(text, f"{word!r} is no shape")
    shape = () if word == "scalar" else tuple(int(part) for part in word.split("x"))
    if np.prod(shape, dtype=np.float64) > LARGEST:
        raise PresentationError(text, f"a tensor must have at most {LARGEST} elements")
    return shape
