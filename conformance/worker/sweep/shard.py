"""What a shard of a sweep is about: implementations, a range of predictions, and labels of one of three kinds.

Worker-side code: standard library only, Python 3.7 on.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Dict, NamedTuple, Tuple, Union

from conformance.worker.sweep import space

#: Labels of pairs in a shard: what the first ones tell of a binade of predictions, the others need not be asked.
LABEL_STEP = 1 << 12


@dataclass(frozen=True)
class Single:
    """Labels by their bit patterns, each of which has a result of its own."""

    bits: Tuple[int, ...]

    @property
    def names(self) -> Tuple[str, ...]:
        """What results are called that are told apart."""
        return tuple("%x" % one for one in self.bits)

    @property
    def each(self) -> int:
        """How many labels each prediction is tried with."""
        return len(self.bits)

    def parts(self) -> Tuple[Single, ...]:
        """The labels of each shard."""
        return (self,)


@dataclass(frozen=True)
class Pairs:
    """All labels at positions [start, stop), which have one result."""

    start: int
    stop: int

    names = ("pairs",)

    @property
    def each(self) -> int:
        """How many labels each prediction is tried with."""
        return self.stop - self.start

    def parts(self) -> Tuple[Pairs, ...]:
        """The labels of each shard."""
        return tuple(Pairs(*ends) for ends in space.chunks(self.start, self.stop, LABEL_STEP))


@dataclass(frozen=True)
class Samples:
    """Random labels in [0, 1], drawn from `seed`, which have one result: a shard numbers samples, of `count` in all."""

    count: int
    seed: int

    names = ("pairs",)
    each = 1

    def parts(self) -> Tuple[Samples, ...]:
        """The labels of each shard."""
        return (self,)


Labels = Union[Single, Pairs, Samples]

#: Kinds of labels, by the names under which they travel.
KINDS: Dict[str, Any] = {"single": Single, "pairs": Pairs, "samples": Samples}


class Shard(NamedTuple):
    """What a shard is about.

    `implementations` are keys of one adapter; `start` and `stop` positions of predictions, or of Samples their numbers.
    `chunk` is the number of elements of one call.
    """

    implementations: tuple[str, ...]
    form: str
    quantity: str
    dtype: str
    start: int
    stop: int
    labels: Labels
    chunk: int

    @property
    def points(self) -> int:
        """How many results are judged; those that a search around samples adds are left out."""
        return (self.stop - self.start) * self.labels.each * len(self.implementations)

    def to_wire(self) -> dict[str, Any]:
        """As JSON; the inverse is `from_wire`."""
        (kind,) = (name for name, of in KINDS.items() if isinstance(self.labels, of))
        return {**self._asdict(), "labels": {kind: asdict(self.labels)}}

    @classmethod
    def from_wire(cls, item: dict[str, Any]) -> Shard:
        """The inverse of `to_wire`; JSON has lists for tuples."""
        ((kind, fields),) = item["labels"].items()
        labels = KINDS[kind](**{name: tuple(one) if isinstance(one, list) else one for name, one in fields.items()})
        return cls(**{**item, "implementations": tuple(item["implementations"]), "labels": labels})
