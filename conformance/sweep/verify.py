"""Whether certificates still hold: their largest errors and parts of their sweeps are done again, and compared.

Everything is judged by today's kernel and confirmed by Arb, as in a sweep.  Where versions, switches and instruction
set are those of the certificate, the bits must be, too; elsewhere another result is news, and no mistake.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from conformance.errors import HarnessError, InputError
from conformance.pool.backend import Backend
from conformance.pool.pool import Pool
from conformance.pool.process import Ended, Worker
from conformance.sweep import certificate, parts
from conformance.sweep.basis import Basis, basis_of
from conformance.sweep.certificate import ROUNDING, Certificate, Result, Worst, maxima
from conformance.sweep.consistency import contradictions
from conformance.sweep.parts import Part
from conformance.sweep.schedule import ask
from conformance.sweep.spec import Spec
from conformance.worker.sweep.shard import Pairs, Shard, Single
from conformance.worker.sweep.space import position_of
from conformance.worker.sweep.statistics import COLUMNS

#: What a result may depend on, by field of the certificate; of these Python computes nothing.
BASIS = ("versions", "environment", "machine")
IRRELEVANT = ("python",)

#: Is told how many results were judged.
Progress = Callable[[int], None]


@dataclass(frozen=True, kw_only=True)
class Verified:
    """What became of a certificate.

    `contradictions` are within it; `differences` are between it and what was done again: `largest` errors, and
    `points` results beside them.  `elsewhere` tells how versions, switches or processor differ, `other_code` whether it
    was judged by other files of the suite; `absent` why nothing could be done again.
    """

    certificate: Certificate
    contradictions: tuple[str, ...] = ()
    differences: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()
    largest: int = 0
    points: int = 0
    other_code: bool = False
    absent: str | None = None

    @property
    def fails(self) -> bool:
        """Whether the certificate says what is not so."""
        return bool(self.contradictions or (self.differences and not self.elsewhere))


def verify(
    pool: Pool,
    backends: Sequence[Backend],
    certificates: Mapping[str, Certificate],
    commit: str,
    sampled: Sequence[str],
    progress: Progress = lambda points: None,
) -> dict[str, Verified]:
    """Do again every largest error of some certificates, and of the `sampled` ones what `commit` chooses.

    The answer has the same keys.  Raises InputError where no backend is called like that of a certificate, HarnessError
    where a shard is void or ends its worker.
    """
    known = {backend.name: backend for backend in backends}
    read: dict[str, dict[str, Verified]] = {}
    for name, one in certificates.items():
        if one.backend not in known:
            raise InputError(f"{name}: no backend is called {one.backend!r}", "--adapter names the file that has it")
        contracts = {each.id: each.contract for each in known[one.backend].implementations}
        try:
            read.setdefault(one.backend, {})[name] = Verified(
                certificate=one, contradictions=tuple(contradictions(one, contracts))
            )
        except InputError as error:
            raise InputError(f"{name}: {error.message}", error.hint) from None
    chosen = frozenset(sampled)

    def of(backend: Backend) -> dict[str, Verified]:
        return dict(_of_backend(pool, backend, read[backend.name], commit, chosen, progress))

    order = sorted((known[name] for name in read), key=lambda backend: backend.cost, reverse=True)
    with ThreadPoolExecutor(max_workers=max(pool.jobs, 1)) as threads:
        found = [threads.submit(of, backend) for backend in order]
        try:
            done = {name: one for future in found for name, one in future.result().items()}
        except BaseException:
            pool.stop()
            threads.shutdown(cancel_futures=True)
            raise
    return {name: done[name] for name in certificates}


def _of_backend(
    pool: Pool,
    backend: Backend,
    read: Mapping[str, Verified],
    commit: str,
    sampled: frozenset[str],
    progress: Progress,
) -> Iterator[tuple[str, Verified]]:
    """What becomes of certificates of a backend that were `read`, one after the other, in one worker."""
    with pool.worker(backend.interpreter, backend.source) as worker:
        try:
            basis, _ = basis_of(worker, backend)
        except InputError as absent:
            yield from ((name, replace(one, absent=absent.message)) for name, one in read.items())
            return
        except Ended as end:
            raise HarnessError(f"backend {backend.name} could not be opened: {end.observation.message}") from None
        for name, one in read.items():
            again = _Again(pool=pool, backend=backend, worker=worker, basis=basis, progress=progress)
            try:
                yield name, again.verified(one, commit if name in sampled else None)
            except Ended as end:
                raise HarnessError(f"{name}: what it is about ended the worker: {end.observation.message}") from None


@dataclass(kw_only=True)
class _Again:
    """Parts of one certificate in an open worker; `done` has the certificate of each."""

    pool: Pool
    backend: Backend
    worker: Worker
    basis: Basis
    progress: Progress
    done: dict[Spec, Certificate] = field(default_factory=dict)

    def verified(self, read: Verified, commit: str | None) -> Verified:
        """A certificate that does not contradict itself against what is done again: parts where there is a `commit`."""
        one, basis = read.certificate, self.basis
        here = replace(
            read,
            elsewhere=tuple(_elsewhere(one, basis)),
            other_code=(one.kernel, one.code) != (basis.code["kernel"], basis.digest),
        )
        if read.contradictions:
            return here
        gone = {result.implementation for result in one.results} - {each.id for each in self.backend.implementations}
        if gone:
            return replace(here, differences=tuple(f"no implementation is called {name}" for name in sorted(gone)))
        differences: list[str] = []
        largest = list(parts.with_largest_errors(one))
        for part, result, column, worst in largest:
            (found,) = self.certified(part).results
            differences += _largest(result, column, worst, found.worst.get(column))
            differences += _beyond(part, result, found)
        chosen = parts.at_random(one, commit) if commit is not None else []
        for part in chosen:
            small = {(found.implementation, found.label): found for found in self.certified(part).results}
            for result in one.results:
                if (result.implementation, result.label) in small:
                    differences += _compared(part, result, small[result.implementation, result.label])
        unique = tuple(dict.fromkeys(differences))
        points = sum(part.spec.points for part in chosen)
        return replace(here, differences=unique, largest=len(largest), points=points)

    def certified(self, part: Part) -> Certificate:
        """The certificate of a part, which is swept where it was not."""
        spec = part.spec
        if spec not in self.done:
            found = [ask(self.worker, self.backend, shard, self.pool.timeout)["found"] for shard in spec.shards()]
            contracts = {one.key: one.contract for one in self.backend.implementations}
            self.done[spec] = certificate.certificate(spec, self.basis, contracts, found, "")
            self.progress(spec.points)
        return self.done[spec]


def _elsewhere(one: Certificate, now: Basis) -> Iterator[str]:
    """How that on which bits depend differs; what an older certificate does not tell is left out."""
    for name in BASIS:
        before, here = getattr(one, name), getattr(now, name)
        for key, value in sorted(before.items()):
            if key not in IRRELEVANT and here.get(key) != value:
                yield f"{key} {value} then, {here.get(key)} now"


def _largest(result: Result, column: str, worst: Worst, found: Worst | None) -> Iterator[str]:
    if found != worst:
        now = "none in its call" if found is None else _told(found)
        yield f"{_name(result)}: the largest error ({column}) was {_told(worst)}, and is {now}"


def _compared(part: Part, result: Result, found: Result) -> Iterator[str]:
    """How the result of a part differs from what the certificate says of it."""
    if part.whole:
        for name in Result.__struct_fields__:
            if getattr(found, name) != getattr(result, name):
                yield f"{_name(result)}: {name} was {getattr(result, name)}, and is {getattr(found, name)}"
        return
    yield from _beyond(part, result, found)
    if part.binade is not None:
        for column in COLUMNS:
            before, now = (maxima(each, column).get(part.binade) for each in (result, found))
            if before != now:
                yield f"{_name(result)}: binade {part.binade} ({column}) was {before}, and is {now}"


def _beyond(part: Part, result: Result, found: Result) -> Iterator[str]:
    """Where a part has more than the whole that it is of."""
    for column in COLUMNS:
        known = maxima(result, column)
        for binade, error in maxima(found, column).items():
            if error > ROUNDING * known.get(binade, 0.5):
                yield f"{_name(result)}: binade {binade} ({column}) was {known.get(binade)}, and is at least {error}"
    counts = dict(zip(("0 off", "1 off", "2 off", "3 or more off"), result.ordinals, strict=True)) | result.classes
    now = dict(zip(("0 off", "1 off", "2 off", "3 or more off"), found.ordinals, strict=True)) | found.classes
    for what, count in now.items():
        if count > counts.get(what, 0):
            yield f"{_name(result)}: {counts.get(what, 0)} results were {what}, and at least {count} are"
    if found.dtype != result.dtype:
        yield f"{_name(result)}: results were {result.dtype}, and are {found.dtype}"
    for name in sorted({*result.firsts, *found.firsts}):
        before, here = (_place(part, each.firsts.get(name)) for each in (result, found))
        if here is not None and (before is None or here < before):
            yield f"{_name(result)}: the first of {name} was {result.firsts.get(name)}, and is {found.firsts[name]}"
        elif before is not None and here != before and _inside(part.spec.whole, before):
            yield f"{_name(result)}: the first of {name} was {result.firsts[name]}, and is not there"


def _place(part: Part, first: dict[str, str] | None) -> tuple[int, int] | None:
    if first is None:
        return None
    return position_of(int(first["prediction"], 16), part.spec.whole.dtype), int(first["label"], 16)


def _inside(whole: Shard, place: tuple[int, int]) -> bool:
    """Whether a part has an input; of samples that is not known."""
    prediction, label = place
    if not whole.start <= prediction < whole.stop:
        return False
    if isinstance(whole.labels, Pairs):
        return whole.labels.start <= position_of(label, whole.dtype) < whole.labels.stop
    return isinstance(whole.labels, Single) and label in whole.labels.bits


def _name(result: Result) -> str:
    return f"{result.implementation}, label {result.label}"


def _told(one: Worst) -> str:
    return f"{one.ulp:.6g} ULP at {one.prediction}, {one.label} (got {one.got}, exact {one.exact})"
