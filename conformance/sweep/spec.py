"""What one sweep covers, and the shards that it is cut into."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from conformance.adapters.declaration import Declaration
from conformance.errors import InputError
from conformance.numbers.formats import FORMATS
from conformance.numbers.literals import LiteralError, bits_of
from conformance.pool.backend import Backend
from conformance.worker.sweep import space
from conformance.worker.sweep.kernel import Shard

#: Labels of a sweep that names none: certain ones, the undecided one, and one that no binary format holds.
LABELS = ("0", "1", "0.5", "0.3")

#: Results in a shard: 0.15 s for the fastest calls (4 ns a result), 7 s for the slowest that was seen (214 ns, a focal
#: gradient that JAX computes op by op), so that the checkpoint grows at least every ten seconds.
SHARD = 1 << 25

#: dtypes whose predictions can all be tried, and those of which all pairs with a label can.
SWEPT = ("float32", "float16", "bfloat16")
PAIRED = ("float16", "bfloat16")

#: Labels of pairs in a shard: what the first ones tell of a binade of predictions, the others need not be asked.
LABEL_STEP = 1 << 12

#: dtypes of which pairs with a label can only be sampled; samples in a shard, which take a few seconds.
SAMPLED = ("float64", "float32")
SAMPLES = 1 << 21


class Spec(Struct, frozen=True, kw_only=True):
    """Implementations of one backend and form, one quantity and dtype, a range of positions, and labels.

    `implementations` are keys (entry/mode/device), `labels` bit patterns; with `paired` the half-open range of them.
    `start` and `stop` are positions (`space`) of `size` ones; `chunk` elements make a call, `step` positions a shard.
    Where there are `samples`, `start` and `stop` number them.
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
    samples: int = 0
    seed: int = 0

    @property
    def size(self) -> int:
        """How many predictions there are in all."""
        return space.size(self.form, self.dtype)

    @property
    def proof(self) -> bool:
        """Whether every prediction is tried."""
        return not self.samples and (self.start, self.stop) == (0, self.size)

    @property
    def points(self) -> int:
        """How many results are judged."""
        return sum(self.points_of(shard) for shard in self.shards())

    def points_of(self, shard: Shard) -> int:
        """How many results a shard judges; those of its search are left out."""
        labels = 1 if self.samples else len(shard.labels)
        if self.paired and not self.samples:
            labels = shard.labels[1] - shard.labels[0]
        return (shard.stop - shard.start) * labels * len(self.implementations)

    def shards(self) -> list[Shard]:
        """The shards, in order; each position and label is in one of them."""
        found = []
        for start, stop in space.chunks(self.start, self.stop, self.step):
            for labels in self._label_ranges():
                found.append(
                    Shard(
                        implementations=self.implementations,
                        form=self.form,
                        quantity=self.quantity,
                        dtype=self.dtype,
                        start=start,
                        stop=stop,
                        labels=labels,
                        paired=self.paired,
                        chunk=self.chunk,
                        samples=self.samples,
                        seed=self.seed,
                    )
                )
        return found

    def _label_ranges(self) -> list[tuple[int, ...]]:
        if not self.paired or self.samples:
            return [self.labels]
        return list(space.chunks(self.labels[0], self.labels[1], self.label_step))


def make(
    backend: Backend,
    implementations: Sequence[Declaration],
    quantity: str,
    dtype: str,
    labels: Sequence[str],
    pairs: str | None = None,
    positions: tuple[int, int] | None = None,
    chunk: int | None = None,
    samples: int = 0,
    seed: int = 0,
    shard: int | None = None,
) -> Spec:
    """The sweep of some implementations of one backend, form and kind of labels.  Raises InputError.

    `pairs` are with all labels in [0, 1] ("unit") or with all finite ones ("all"); `samples` of them where they are too
    many.
    """
    form = implementations[0].form
    offered = SAMPLED if samples else PAIRED if pairs else SWEPT
    if dtype not in offered:
        raise InputError(f"--dtype must be one of {', '.join(offered)} for this sweep (got {dtype})")
    if pairs == "all" and (form != "logits" or samples):
        raise InputError("--pairs all is for logits and not for samples: labels outside [0, 1] have no probabilities")
    size = samples or space.size(form, dtype)
    start, stop = positions or (0, size)
    if not 0 <= start < stop <= size:
        raise InputError(f"--positions must lie within 0:{size} and not be empty (got {start}:{stop})")
    length = chunk or backend.chunk * max(32 // FORMATS[dtype].width, 1)  # what float32 has, in bytes
    bits = tuple(_bits(text, dtype) for text in labels)
    label_step, results = 1, len(implementations) * len(bits)
    if pairs or samples:
        bits = (0, space.labels_in_unit(dtype) if pairs == "unit" or samples else space.size("logits", dtype))
        label_step = LABEL_STEP
        results = len(implementations) * min(label_step, bits[1])
    step = SAMPLES if samples else max((shard or SHARD) // results // length, 1) * length
    if pairs:  # a narrow format has few predictions: whole binades, so that calls do not depend on where shards end
        binade = 1 << FORMATS[dtype].fraction_bits
        step = max((shard or SHARD) // results // binade, 1) * binade
    return Spec(
        backend=backend.name,
        implementations=tuple(one.key for one in implementations),
        form=form,
        quantity=quantity,
        dtype=dtype,
        labels=bits,
        paired=bool(pairs or samples),
        start=start,
        stop=stop,
        chunk=length,
        label_step=label_step,
        step=step,
        samples=samples,
        seed=seed,
    )


def _bits(text: str, dtype: str) -> int:
    try:
        return bits_of(text, FORMATS[dtype])
    except LiteralError as error:
        raise InputError(f"--label: {error}") from None


def wire(shard: Shard) -> dict[str, Any]:
    """A shard as JSON."""
    return shard._asdict()
