"""Parts of a sweep that are done again to see whether its certificate still holds.

A part is a sweep of its own, of fewer predictions and labels, whose calls have the same elements in the same places as
those of the whole: even an implementation whose results depend on the place in a tensor gives the same bits.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from conformance.errors import InputError
from conformance.sweep.certificate import Certificate, Result, Worst, maxima
from conformance.sweep.covered import ranges
from conformance.sweep.spec import Spec
from conformance.worker.sweep import sampling, space
from conformance.worker.sweep.shard import Labels, Pairs, Samples, Shard, Single
from conformance.worker.sweep.space import Range, position_of

#: Results up to which a sweep is done again as a whole: each of a 16-bit type with single labels.
WHOLE = 1 << 20

#: Of so many certificates, one is chosen by each commit.
SHARE = 10

Item = TypeVar("Item")


@dataclass(frozen=True)
class Part:
    """A sweep that is done again: `binade` is the one that it covers with all that it was swept with, if it does.

    A part without one covers a call with a largest error, or all of the certificate (`whole`).
    """

    spec: Spec
    whole: bool = False
    binade: str | None = None


def swept(one: Certificate) -> Spec:
    """What a certificate is about.  Raises InputError where it does not tell."""
    (start, stop), labels = ranges(one.covered, one.dtype)
    keys = dict.fromkeys(result.implementation.removeprefix(f"{one.backend}/") for result in one.results)
    whole = Shard(
        implementations=tuple(keys),
        form=one.form,
        quantity=one.quantity,
        dtype=one.dtype,
        start=start,
        stop=stop,
        labels=labels,
        chunk=one.chunk,
    )
    return Spec(backend=one.backend, whole=whole, step=stop)


def with_largest_errors(one: Certificate) -> Iterator[tuple[Part, Result, str, Worst]]:
    """Each largest error of a certificate, with the part that has its call."""
    spec = swept(one)
    for result in one.results:
        key = result.implementation.removeprefix(f"{one.backend}/")
        for column, worst in result.worst.items():
            place = position_of(int(worst.prediction, 16), one.dtype), int(worst.label, 16)
            yield Part(_around(spec.part(implementations=(key,)), *place)), result, column, worst


def _around(spec: Spec, position: int, label: int) -> Spec:
    """The call of a sweep that has an input; of samples, all calls from which a search may have come there."""
    whole = spec.whole
    if isinstance(whole.labels, Samples):
        width = spec.size // whole.labels.count
        reach = sampling.ROUNDS << sampling.REACH
        ends = max(position - reach, 0) // width, min((position + reach) // width, whole.labels.count - 1)
        start, stop = ends[0] // whole.chunk * whole.chunk, (ends[1] // whole.chunk + 1) * whole.chunk
        return spec.part(start=start, stop=min(stop, whole.stop))
    start, stop = _with(_calls(whole), position)
    labels: Labels = Single((label,))
    if isinstance(whole.labels, Pairs):
        place = position_of(label, whole.dtype)
        together = _with(((one.start, one.stop) for one in whole.labels.parts()), place)
        together = _with(space.signs(whole.dtype, *together), place)
        labels = Pairs(*_with(space.chunks(*together, max(whole.chunk // (stop - start), 1)), place))
    return spec.part(start=start, stop=stop, labels=labels)


def _with(ranges: Iterable[Range], at: int) -> Range:
    """The range that has a position.  Raises InputError where none does."""
    for start, stop in ranges:
        if start <= at < stop:
            return start, stop
    raise InputError("has a largest error at an input that it does not cover")


def at_random(one: Certificate, commit: str) -> list[Part]:
    """What of a certificate is done again for a commit: all of a small one.

    Of others it is a binade, with one of the labels or, of pairs, with all of them, and a binade that has an error; one
    call where the sweep is of samples, or has no whole binade.
    """
    spec = swept(one)
    sampled = isinstance(spec.whole.labels, Samples)
    name = "/".join([one.backend, *spec.whole.implementations, one.quantity, one.dtype])
    if not sampled and one.covered["points"] <= WHOLE:
        return [Part(spec, whole=True)]
    binades = {} if sampled else _whole_binades(spec)
    if not binades:
        start, stop = _chosen(list(_calls(spec.whole)), commit, name)
        return [Part(spec.part(start=start, stop=stop))]
    made = []
    for which in ("any", "with an error"):
        result = _chosen(one.results, commit, name, which, "label")
        wrong = [binade for binade in maxima(result, "ideal") if binade in binades]
        binade = _chosen(wrong if wrong and which != "any" else sorted(binades), commit, name, which, "binade")
        start, stop = binades[binade]
        labels = Single((int(result.label, 16),)) if isinstance(spec.whole.labels, Single) else spec.whole.labels
        made.append(Part(spec.part(start=start, stop=stop, labels=labels), binade=binade))
    return made


def _whole_binades(spec: Spec) -> dict[str, Range]:
    """Binades that are swept from end to end; 0 is one with the subnormal numbers."""
    found: list[dict[str, Range]] = []
    whole = spec.whole
    for ends in ((whole.start, whole.stop), (0, spec.size)):
        found.append({})
        for start, stop, _ in space.pieces(whole.form, whole.dtype, *ends):
            name = space.binade(start, whole.dtype)
            found[-1][name] = found[-1].get(name, (start, stop))[0], stop
    return {name: ends for name, ends in found[0].items() if found[1][name] == ends}


def _calls(whole: Shard) -> Iterator[Range]:
    """Predictions, or samples, of each call."""
    pieces: Iterable[Range] = [(whole.start, whole.stop)]
    if not isinstance(whole.labels, Samples):
        pieces = (ends[:2] for ends in space.pieces(whole.form, whole.dtype, whole.start, whole.stop))
    return (call for ends in pieces for call in space.chunks(*ends, whole.chunk))


def tenth(names: Sequence[str], commit: str) -> list[str]:
    """The names whose turn it is: each is one of SHARE commits' on average, and no two of these share one."""
    return sorted(names)[_number(commit) % SHARE :: SHARE]


def _chosen(items: Sequence[Item], *words: str) -> Item:
    return items[_number(*words) % len(items)]


def _number(*words: str) -> int:
    """A number that some words make: the same everywhere."""
    return int.from_bytes(hashlib.sha256("\0".join(words).encode()).digest()[:8], "big")
