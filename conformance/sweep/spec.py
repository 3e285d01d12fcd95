"""What one sweep covers, and the shards that it is cut into."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from conformance.adapters.declaration import Declaration
from conformance.errors import InputError
from conformance.numbers.formats import FORMATS
from conformance.numbers.literals import LiteralError, bits_of
from conformance.pool.backend import Backend
from conformance.worker.sweep import space
from conformance.worker.sweep.shard import Labels, Pairs, Samples, Shard, Single

#: Labels of a sweep that names none: certain ones, the undecided one, and one that no binary format holds.
LABELS = ("0", "1", "0.5", "0.3")

#: Results in a shard: 0.15 s for the fastest calls (4 ns a result), 7 s for the slowest that was seen (214 ns, a focal
#: gradient that JAX computes op by op), so that the checkpoint grows at least every ten seconds.
SHARD = 1 << 25

#: Samples in a shard, which take a few seconds.
SAMPLES = 1 << 21

#: dtypes whose predictions can all be tried with single labels, those of which all pairs with a label can, and those of
#: which pairs can only be sampled.
OFFERED = {Single: ("float32", "float16", "bfloat16"), Pairs: ("float16", "bfloat16"), Samples: ("float64", "float32")}


@dataclass(frozen=True, kw_only=True)
class Spec:
    """The `whole` of a sweep of one backend, as if it were one shard; `step` positions make a shard."""

    backend: str
    whole: Shard
    step: int

    @property
    def size(self) -> int:
        """How many predictions there are in all."""
        return space.size(self.whole.form, self.whole.dtype)

    @property
    def proof(self) -> bool:
        """Whether every prediction is tried."""
        whole = self.whole
        return not isinstance(whole.labels, Samples) and (whole.start, whole.stop) == (0, self.size)

    @property
    def points(self) -> int:
        """How many results are judged."""
        return self.whole.points

    def shards(self) -> list[Shard]:
        """The shards, in order; each position and label is in one of them."""
        return [
            self.whole._replace(start=start, stop=stop, labels=labels)
            for start, stop in space.chunks(self.whole.start, self.whole.stop, self.step)
            for labels in self.whole.labels.parts()
        ]

    def part(self, **fields: Any) -> Spec:
        """The sweep of a part of the whole, whose `fields` are those."""
        return replace(self, whole=self.whole._replace(**fields))

    def to_wire(self) -> dict[str, Any]:
        """As JSON."""
        return {"backend": self.backend, **self.whole.to_wire(), "step": self.step}


def single(labels: Sequence[str], dtype: str) -> Single:
    """Labels as they are written.  Raises InputError."""
    try:
        return Single(tuple(bits_of(text, FORMATS[dtype]) for text in labels))
    except LiteralError as error:
        raise InputError(f"--label: {error}") from None


def pairs(which: str, dtype: str) -> Pairs:
    """All labels in [0, 1] ("unit"), or all finite ones ("all")."""
    return Pairs(0, space.size("logits", dtype) if which == "all" else space.labels_in_unit(dtype))


def make(
    backend: Backend,
    implementations: Sequence[Declaration],
    *,
    quantity: str,
    dtype: str,
    labels: Labels,
    positions: tuple[int, int] | None = None,
    chunk: int | None = None,
) -> Spec:
    """The sweep of some implementations of one backend, form and kind of labels.  Raises InputError."""
    form = implementations[0].form
    offered = OFFERED[type(labels)]
    if dtype not in offered:
        raise InputError(f"--dtype must be one of {', '.join(offered)} for this sweep (got {dtype})")
    if isinstance(labels, Pairs) and labels.stop > space.labels_in_unit(dtype) and form != "logits":
        raise InputError("--pairs all is for logits and not for samples: labels outside [0, 1] have no probabilities")
    size = labels.count if isinstance(labels, Samples) else space.size(form, dtype)
    start, stop = positions or (0, size)
    if not 0 <= start < stop <= size:
        raise InputError(f"--positions must lie within 0:{size} and not be empty (got {start}:{stop})")
    whole = Shard(
        implementations=tuple(one.key for one in implementations),
        form=form,
        quantity=quantity,
        dtype=dtype,
        start=start,
        stop=stop,
        labels=labels,
        chunk=chunk or backend.chunk * max(32 // FORMATS[dtype].width, 1),  # what float32 has, in bytes
    )
    return Spec(backend=backend.name, whole=whole, step=_step(whole))


def _step(whole: Shard) -> int:
    """Positions of a shard: whole calls."""
    if isinstance(whole.labels, Samples):
        return SAMPLES
    unit = whole.chunk
    if isinstance(whole.labels, Pairs):
        # A narrow format has few predictions: whole binades, so that calls do not depend on where shards end.
        unit = 1 << FORMATS[whole.dtype].fraction_bits
    results = len(whole.implementations) * whole.labels.parts()[0].each
    return max(SHARD // results // unit, 1) * unit


def groups(
    backends: tuple[Backend, ...], filters: Any, quantity: str, dtype: str, labels: tuple[str, ...]
) -> Iterator[tuple[Backend, list[Declaration], tuple[str, ...]]]:
    """Chosen implementations by backend, form and kind of labels: hard ones take 0 and 1 alone."""
    for backend in backends:
        kinds: dict[tuple[str, str], list[Declaration]] = {}
        for one in backend.implementations:
            able = dtype in one.dtypes and quantity in one.quantities and "none" in one.reductions
            if able and filters.takes_implementation(one):
                kinds.setdefault((one.form, one.labels), []).append(one)
        for (_, kind), found in kinds.items():
            chosen = tuple(label for label in labels if kind == "any" or label in ("0", "1"))
            if chosen:
                yield backend, found, chosen


def name_of(part: Spec) -> str:
    """Name of a certificate: the entry where there is one, else the form."""
    whole = part.whole
    what = whole.implementations[0] if len(whole.implementations) == 1 else whole.form
    words = [part.backend, what.removesuffix("/cpu"), whole.quantity, whole.dtype, *_space_of(part)]
    return re.sub(r"[^A-Za-z0-9._-]+", "-", "-".join(words)).strip("-")


def _space_of(part: Spec) -> list[str]:
    """What a name tells of labels other than single ones."""
    labels = part.whole.labels
    if isinstance(labels, Samples):
        return ["samples"]
    if isinstance(labels, Single):
        return []
    everything = part.whole.form == "logits" and labels.stop == part.size
    return ["pairs", *(["all"] if everything else [])]
