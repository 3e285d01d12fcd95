"""What one sweep covers, and the shards that it is cut into."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from conformance.errors import InputError
from conformance.formats import FORMATS
from conformance.literals import LiteralError, bits_of
from conformance.plan import Implementation
from conformance.pool import Backend
from conformance.sweep import space
from conformance.sweep.kernel import QUANTITIES, Shard

#: Labels of a sweep that names none: certain ones, the undecided one, and one that no binary format holds.
LABELS = ("0", "1", "0.5", "0.3")

#: Results in a shard: a third of a second for the fastest calls, and less than ten for the slowest.
SHARD = 1 << 26

#: dtypes whose predictions can all be tried, and those of which all pairs with a label can.
SWEPT = ("float32", "float16", "bfloat16")
PAIRED = ("float16", "bfloat16")


class Spec(Struct, frozen=True):
    """Implementations of one backend and form, one quantity and dtype, a range of positions, and labels.

    `implementations` are keys (entry/mode/device), `labels` bit patterns; with `paired` the half-open range of them.
    `start` and `stop` are positions (`space`) of `size` ones; `chunk` elements make a call, `step` positions a shard.
    """

    backend: str
    implementations: tuple[str, ...]
    form: str
    quantity: str
    dtype: str
    labels: tuple[int, ...]
    paired: bool
    start: int
    stop: int
    chunk: int
    label_step: int
    step: int

    @property
    def size(self) -> int:
        """How many predictions there are in all."""
        return space.size(self.form, self.dtype)

    @property
    def proof(self) -> bool:
        """Whether every prediction is tried."""
        return (self.start, self.stop) == (0, self.size)

    @property
    def points(self) -> int:
        """How many results are judged."""
        labels = self.labels[1] - self.labels[0] if self.paired else len(self.labels)
        return (self.stop - self.start) * labels * len(self.implementations)

    def shards(self) -> list[Shard]:
        """The shards, in order; each position and label is in one of them."""
        found = []
        for start, stop in space.chunks(self.start, self.stop, self.step):
            for labels in self._label_ranges():
                found.append(
                    Shard(
                        self.implementations,
                        self.form,
                        self.quantity,
                        self.dtype,
                        start,
                        stop,
                        labels,
                        self.paired,
                        self.chunk,
                    )
                )
        return found

    def _label_ranges(self) -> list[tuple[int, ...]]:
        if not self.paired:
            return [self.labels]
        return list(space.chunks(self.labels[0], self.labels[1], self.label_step))


def make(
    backend: Backend,
    implementations: Sequence[Implementation],
    quantity: str,
    dtype: str,
    labels: Sequence[str],
    pairs: bool,
    positions: tuple[int, int] | None,
    chunk: int | None,
    shard: int = SHARD,
) -> Spec:
    """The sweep of some implementations of one backend, form and kind of labels.  Raises InputError."""
    form = implementations[0].form
    if dtype not in SWEPT or (pairs and dtype not in PAIRED):
        offered = PAIRED if pairs else SWEPT
        raise InputError(f"--dtype must be one of {', '.join(offered)} for this sweep (got {dtype})")
    if quantity not in QUANTITIES:
        raise InputError(f"--quantity must be one of {', '.join(QUANTITIES)} for a sweep (got {quantity})")
    size = space.size(form, dtype)
    start, stop = positions or (0, size)
    if not 0 <= start < stop <= size:
        raise InputError(f"--positions must lie within 0:{size} and not be empty (got {start}:{stop})")
    bits: tuple[int, ...] = (0, space.labels_in_unit(dtype)) if pairs else tuple(_bits(text, dtype) for text in labels)
    length = chunk or backend.chunk
    count = len(implementations)
    label_step = min(space.labels_in_unit(dtype), 1 << 10) if pairs else 1
    step = max(shard // (count * (label_step if pairs else len(bits))) // length, 1) * length
    return Spec(
        backend.name,
        tuple(one.key for one in implementations),
        form,
        quantity,
        dtype,
        bits,
        pairs,
        start,
        stop,
        length,
        label_step,
        step,
    )


def _bits(text: str, dtype: str) -> int:
    try:
        return bits_of(text, FORMATS[dtype])
    except LiteralError as error:
        raise InputError(f"--label: {error}") from None


def wire(shard: Shard) -> dict[str, Any]:
    """A shard as JSON."""
    return shard._asdict()
