"""Calls that requests share: a loss is elementwise, so the elements of many cases can travel in one call.

What is about shapes, layouts, positions, reductions or the domain keeps a call of its own.  A combined call counts only
where it returned and there is nothing else to tell of it; otherwise it is divided until the requests that it is about
are alone, and are then called as if nothing had been combined.  That the implementation *is* elementwise is checked
apart: drawn elements are also called alone, and must then give the same, within the budgets of both.
"""

from __future__ import annotations

import random
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from conformance.numbers.formats import Tensor
from conformance.plan.domain import regions
from conformance.plan.presentations import Presentation
from conformance.plan.requests import Request
from conformance.pool.observation import Observation, Observed
from conformance.worker.protocol import Header

#: Most elements of a combined call; runtimes that compile for every length pad to it (`adapters.SIZES`).
LARGEST = 4096

#: One of so many elements of a combined call is also called alone, at least one of each call.
DRAWN = 256

#: Elements from which on a presentation's own unreduced results are those of a shorter one: a quarter of what a level-2
#: cache holds in float32, so that every block and tail of vector code is in it.
LONG = 1 << 16

#: Regions of inputs in the order in which requests of a call are put: those that raise or warn together stand together,
#: so that few divisions separate them.
_REGIONS = ("ordinary", "saturated", "infinite", "nan", "outside")

#: A request with its index in the plan.
Member = tuple[int, Request]

#: What calls have in common that requests share.
Key = tuple[Hashable, ...]


@dataclass(frozen=True)
class Batch:
    """One call for one request or for several: its name, and the requests with their indices in the plan.

    `twins` are the indices of requests for which the very same call would be made again.  `whole` is a presentation as
    long as the case has it, where a shorter one would tell as much.
    """

    call: str
    members: tuple[Member, ...]
    twins: tuple[int, ...] = ()
    whole: bool = True

    @property
    def combined(self) -> bool:
        """Whether it has the elements of more than one request."""
        return len(self.members) > 1

    @property
    def first(self) -> Request:
        """The request that stands for what all have in common."""
        return self.members[0][1]

    @property
    def name(self) -> str:
        """Case, implementation and dtype, as the footer of a run names what cost a worker."""
        others = f" and {len(self.members) - 1} more" if self.combined else ""
        return f"{self.first.case.id}{others}::{self.first.implementation.id}::{self.first.dtype}"

    @property
    def tensors(self) -> list[Tensor]:
        """The tensors of all requests, joined in their order."""
        parts = [list(request.inputs.tensors.values()) for _, request in self.members]
        return parts[0] if len(parts) == 1 else [_joined(together) for together in zip(*parts, strict=True)]

    def message(self, seed: int) -> Header:
        """What a worker is told of the call, beside its tensors."""
        request = self.first if self.whole else _shortened(self.first)
        return request.message((self.call,)) | {"combined": self.combined, "alone": self._drawn(seed)}

    @property
    def counts(self) -> tuple[int, ...]:
        """How many observations an answer can have: of each presentation, or of the whole or of each element."""
        request = self.first if self.whole else _shortened(self.first)
        if request.presentations:
            return (len(request.presentations),)
        return (1,) if self.combined else (1, len(request.inputs.elements))

    def divided(self) -> Iterator[Batch]:
        """What is called where this call does not tell enough: a longer one, or each half of the requests."""
        if not self.whole:
            yield replace(self, whole=True)
            return
        middle = len(self.members) // 2
        yield Batch(self.call, self.members[:middle])
        yield Batch(self.call, self.members[middle:])

    def parted(self, seen: Observed) -> dict[int, Observed] | None:
        """The observation of each request by its index; None where the call must be divided to know them."""
        if self.combined:
            return self._parts(seen[0])
        known = seen if self.whole else _lengthened(seen, self.first)
        return None if known is None else self.for_all(known)

    def for_all(self, seen: Observed) -> dict[int, Observed]:
        """One observation for all requests."""
        return dict.fromkeys((*(index for index, _ in self.members), *self.twins), seen)

    def _drawn(self, seed: int) -> list[int]:
        """The positions of the elements that are also called alone."""
        if not self.combined:
            return []
        size = sum(len(request.inputs.elements) for _, request in self.members)
        draw = random.Random(f"{seed}/{self.call}/{self.first.implementation.id}/{self.first.dtype}/{size}")
        return sorted(draw.sample(range(size), -(-size // DRAWN)))

    def _parts(self, whole: Observation) -> dict[int, Observed] | None:
        sizes = [len(request.inputs.elements) for _, request in self.members]
        if not _is_plain(whole, sum(sizes)):
            return None
        starts = (np.cumsum(sizes) - sizes).tolist()
        return {
            index: (_part(whole, size, start),)
            for (index, _), size, start in zip(self.members, sizes, starts, strict=True)
        }


def batches(members: Iterable[Member]) -> list[Batch]:
    """The calls that the requests of one backend need, those of one dtype and shape together (`_shapes`)."""
    alike = _Likeness()
    together: dict[tuple[str, bool, Key], list[Member]] = {}
    for index, request in members:
        for call in request.calls:
            shares = _elementwise(request, call) and not alike.may_be_rejected(request)
            key = _kind(request) if shares else _identity(request, call)
            together.setdefault((call, shares, key), []).append((index, request))
    found = [
        one
        for (call, shares, _), group in together.items()
        for one in (_cut(call, sorted(group, key=alike)) if shares else (_once(call, group),))
    ]
    return sorted(found, key=_shapes)


def _shapes(batch: Batch) -> tuple[str, int, tuple[str, ...]]:
    """What calls are ordered by: dtype and shapes, so that what was compiled is used before it is forgotten."""
    request = batch.first
    size = 0 if _elementwise(request, batch.call) else len(request.inputs.elements)
    return request.dtype, size, tuple(one.name for one in request.presentations)


def _once(call: str, members: Sequence[Member]) -> Batch:
    """The call that is the same one for all `members`."""
    twins = tuple(index for index, _ in members[1:])
    long = call == "unreduced" and any(map(_long, members[0][1].presentations))
    return Batch(call, (members[0],), twins, whole=not long)


def _cut(call: str, members: Sequence[Member]) -> Iterator[Batch]:
    """Batches of at most LARGEST elements."""
    chosen: list[Member] = []
    size = 0
    for member in members:
        count = len(member[1].inputs.elements)
        if chosen and size + count > LARGEST:
            yield Batch(call, tuple(chosen))
            chosen, size = [], 0
        chosen.append(member)
        size += count
    yield Batch(call, tuple(chosen))


def _elementwise(request: Request, call: str) -> bool:
    """Whether a call is about nothing but the elements: no shape, order or sum of them."""
    return not request.presentations and request.case.reduction == "none" and call != "reversed"


def _kind(request: Request) -> Key:
    """What requests of one call have in common: implementation, names and dtypes of tensors, numbers."""
    kinds = tuple((name, tensor.dtype) for name, tensor in request.inputs.tensors.items())
    return request.implementation.id, kinds, tuple(request.inputs.parameters.items())


def _identity(request: Request, call: str) -> Key:
    """All that a call depends on: without its reduction it is the same for a mean and for a sum."""
    reduction = "none" if call == "unreduced" else request.case.reduction
    bits = tuple(tensor.bits.tobytes() for tensor in request.inputs.tensors.values())
    return *_kind(request), bits, reduction, request.presentations


class _Likeness:
    """What requests are ordered by: where their inputs lie, worst first; computed once for each case and dtype."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], list[int]] = {}

    def __call__(self, member: Member) -> list[int]:
        return self.ranks(member[1])

    def may_be_rejected(self, request: Request) -> bool:
        """Whether inputs lie outside of the domain: who checks that refuses a call, by all of its elements or one."""
        return _REGIONS.index("outside") in self.ranks(request)

    def ranks(self, request: Request) -> list[int]:
        """Where the inputs of a request lie."""
        key = request.case.id, request.dtype
        if key not in self._known:
            ranks = {_REGIONS.index(word) for word in regions(request.inputs)}
            self._known[key] = sorted(ranks, reverse=True)
        return self._known[key]


def _joined(tensors: Sequence[Tensor]) -> Tensor:
    return Tensor(tensors[0].dtype, np.concatenate([one.bits for one in tensors]))


def _is_plain(whole: Observation, size: int) -> bool:
    """Whether there is nothing to tell of a combined call but one result for each element."""
    if whole.tensor is None or whole.changed or whole.differs or whole.warnings:
        return False
    return whole.tensor.bits.ndim > 0 and len(whole.tensor.bits) == size


def _part(whole: Observation, count: int, start: int) -> Observation:
    """What a combined call says of the `count` elements of one request, which begin at `start`."""
    assert whole.tensor is not None
    own = Tensor(whole.tensor.dtype, whole.tensor.bits[start : start + count])
    alone = tuple((index - start, one) for index, one in whole.alone if start <= index < start + count)
    return replace(whole, tensor=own, alone=alone)


def _long(one: Presentation) -> bool:
    """Whether a shorter presentation tells as much about what a loss gives without its reduction."""
    return 2 * one.size > 3 * LONG and len(one.shape) == 1 and one.layout == "contiguous" and not one.others


def _shortened(request: Request) -> Request:
    """The request with about LONG elements in place of many more, and the same one last."""
    period = len(request.inputs.elements)
    shorter = [replace(one, shape=(_short(one, period),)) if _long(one) else one for one in request.presentations]
    return replace(request, presentations=tuple(shorter))


def _short(one: Presentation, period: int) -> int:
    return one.size % period + LONG // period * period


def _lengthened(seen: Observed, request: Request) -> Observed | None:
    """What a shortened call says of the whole one; None where an element did not always give the same there."""
    period = len(request.inputs.elements)
    found = [
        _at_length(*pair, period) if _long(pair[1]) else pair[0]
        for pair in zip(seen, request.presentations, strict=True)
    ]
    return None if None in found else tuple(one for one in found if one is not None)


def _at_length(seen: Observation, one: Presentation, period: int) -> Observation | None:
    if seen.kind != "returned":
        return seen
    if seen.shape != (_short(one, period),) or seen.positions != tuple(range(period)):
        return None
    counts = [one.size // period + (element < one.size % period) for element in range(period)]
    return replace(seen, whole=one.shape, counts=tuple(counts))
