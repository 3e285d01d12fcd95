"""How fast implementations are: forward and backward calls on three sizes, all backends in turn.

Every implementation is called once in every round, so that whatever slows the machine down for a while slows all of
them alike; of the rounds the median counts.  No two calls run at once.  Inputs are ordinary: probabilities over all of
(0, 1), or their logits, and labels 0 and 1, which every entry point takes.
"""

from __future__ import annotations

import contextlib
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

import msgspec
import numpy as np

from conformance.adapters.declaration import Declaration
from conformance.numbers.formats import Tensor, encode
from conformance.plan.plan import Plan
from conformance.pool.backend import Backend, Opened
from conformance.pool.backend import opened as open_worker
from conformance.pool.observation import anonymous
from conformance.pool.pool import Pool
from conformance.pool.process import Ended, Worker
from conformance.record.record import SpeedLine

#: Elements of a tensor: where the cost of a call dominates, what fits into a cache, and what does not.
SIZES = (1_000, 100_000, 10_000_000)

#: dtypes that are timed unless a run names others: what frameworks compute in by default.
DTYPES = ("float32",)

#: Rounds over all implementations; odd, so that the median of slow calls is one of them.
ROUNDS = 5

#: Calls of one round where they are short: enough that the first, on cold caches, does not decide.
CALLS = 11

#: Seconds after which a round makes no further call.
ROUND = 0.05

#: Seconds that the timed calls of one implementation, size and direction may take together.
LIMIT = 2.0

#: Seconds that a single call may take, judged by the next smaller size, if it is to be tried at all.
LONGEST = 10.0

#: Distinct elements, which a larger tensor repeats; a step that shares no divisor with it takes them out of order.
DISTINCT, STEP = 1_000, 617

Direction = Literal["forward", "backward"]

DIRECTIONS: tuple[Direction, ...] = ("forward", "backward")


@dataclass(frozen=True)
class Timed:
    """What was measured, and what could not be, with the reason."""

    lines: tuple[SpeedLine, ...] = ()
    untimed: tuple[str, ...] = ()


@dataclass(kw_only=True)
class _Job:
    """One implementation in one dtype and direction, and what was measured of it at the size that is timed now."""

    implementation: Declaration
    dtype: str
    direction: Direction
    seconds: list[float] = field(default_factory=list)
    memory: int | None = None
    given_up: str = ""

    @property
    def name(self) -> str:
        """What is told where it cannot be timed."""
        return f"{self.implementation.id} {self.dtype} {self.direction}"


def jobs(plan: Plan, dtypes: Sequence[str] = ()) -> list[_Job]:
    """What is timed: the implementations that a plan calls, in `dtypes` or else DTYPES, as far as they have them."""
    called = dict.fromkeys(request.implementation for request in plan.requests)
    return [
        _Job(implementation=one, dtype=dtype, direction=direction)
        for one in called
        for dtype in dtypes or DTYPES
        for direction in DIRECTIONS
        if dtype in one.dtypes and (direction == "forward" or "gradient-prediction" in one.quantities)
    ]


def count(plan: Plan, dtypes: Sequence[str] = ()) -> int:
    """How many steps `measure` tells of."""
    return len(jobs(plan, dtypes)) * len(SIZES)


def measure(
    pool: Pool,
    backends: Sequence[Backend],
    plan: Plan,
    opened: dict[str, Opened],
    dtypes: Sequence[str] = (),
    progress: Callable[[int], None] = lambda steps: None,
    sizes: Sequence[int] = SIZES,
) -> Timed:
    """Time the implementations of a plan on the backends that its run has `opened`.

    What raises, crashes or takes too long at a size has no line there and a reason in `untimed`.
    """
    wanted = [job for job in jobs(plan, dtypes) if _is_offered(job, opened)]
    names = {job.implementation.adapter for job in wanted}
    lines: list[SpeedLine] = []
    untimed: list[str] = []
    with contextlib.ExitStack() as stack:
        benches = {one.name: stack.enter_context(_bench(pool, one)) for one in backends if one.name in names}
        before = 0
        for size in sizes:
            for job in wanted:
                benches[job.implementation.adapter].first(job, size, size / before if before else 0.0)
                progress(1)
            for _ in range(ROUNDS):
                for job in wanted:
                    benches[job.implementation.adapter].again(job, size)
            for job in wanted:
                if job.given_up:
                    untimed.append(f"{job.name} {size} elements: {job.given_up}")
                else:
                    lines.append(_line(job, size))
            before = size
    return Timed(tuple(lines), tuple(untimed))


def _is_offered(job: _Job, opened: dict[str, Opened]) -> bool:
    """Whether the backend of a job has been opened and has its dtype."""
    one = opened.get(job.implementation.adapter)
    return one is not None and one.absent is None and one.failed is None and not one.lacks(job.dtype)


def _line(job: _Job, size: int) -> SpeedLine:
    middle = float(f"{statistics.median(job.seconds):.4g}")
    return SpeedLine(
        implementation=job.implementation.id,
        dtype=job.dtype,
        direction=job.direction,
        elements=size,
        seconds=middle,
        repeats=len(job.seconds),
        memory=job.memory,
    )


def inputs(form: str, dtype: str) -> dict[str, Tensor]:
    """Prediction and label of DISTINCT elements."""
    order = np.arange(DISTINCT) * STEP % DISTINCT
    p = (order + 0.5) / DISTINCT
    prediction = p if form == "probabilities" else np.log(p) - np.log1p(-p)
    return {"prediction": encode(prediction, dtype), "label": encode((order % 2).astype(np.float64), dtype)}


@contextlib.contextmanager
def _bench(pool: Pool, backend: Backend) -> Iterator[_Bench]:
    bench = _Bench(pool, backend)
    try:
        yield bench
    finally:
        bench.close()


class _Bench:
    """The worker of one backend, replaced where it ends."""

    def __init__(self, pool: Pool, backend: Backend) -> None:
        self.pool = pool
        self.backend = backend
        self.stack = contextlib.ExitStack()
        self.worker: Worker | None = None
        self.failed = ""

    def first(self, job: _Job, size: int, larger: float) -> None:
        """The untimed calls of a job on a size that is `larger` times the one before, whose measurements end here."""
        expected = statistics.median(job.seconds) * larger if job.seconds else 0.0
        job.seconds, job.memory, job.given_up = [], None, ""
        if expected > LONGEST:
            job.given_up = f"not tried: about {expected:.0f} s for a call"
        else:
            self.ask(job, size, first=True)

    def again(self, job: _Job, size: int) -> None:
        """One more round of a job, unless it has taken its time."""
        if not job.given_up and sum(job.seconds) < LIMIT:
            self.ask(job, size, first=False)

    def ask(self, job: _Job, size: int, first: bool) -> None:
        """Have the worker call, and note in the job what it measured, or why it could not."""
        one = job.implementation
        tensors = inputs(one.form, job.dtype)
        header = {
            "op": "time",
            "implementation": one.key,
            "reduction": "none" if "none" in one.reductions else one.reductions[0],
            "tensors": list(tensors),
            "elements": size,
            "direction": job.direction,
            "first": first,
            "calls": 0 if first else CALLS,
            "limit": ROUND,
        }
        self.failed = self.failed or self.open()
        if self.worker is None:
            job.given_up = self.failed
            return
        try:
            answer = self.worker.request(header, list(tensors.values()), self.pool.timeout).header
        except Ended as end:
            job.given_up = end.observation.message
            self.close()
            return
        try:
            seconds = msgspec.convert(answer.get("seconds"), list[float])
            memory = msgspec.convert(answer.get("memory"), int | None)
        except msgspec.ValidationError:
            job.given_up = anonymous(f"{answer.get('type')}: {answer.get('message')}")[:200]
            return
        job.seconds += seconds
        job.memory = memory if first else job.memory

    def open(self) -> str:
        """Start a worker where there is none; the answer tells why that was not possible, or is ""."""
        if self.worker is not None:
            return ""
        self.worker = self.stack.enter_context(self.pool.worker(self.backend.interpreter, self.backend.source))
        self.worker.memory = self.pool.memory
        now = open_worker(self.worker, self.backend)
        if now.absent is not None or now.failed is not None:
            self.close()
        return now.absent or now.failed or ""

    def close(self) -> None:
        """End the worker, which has ended by itself or is of no use."""
        self.stack.close()
        self.worker = None
