"""Serving one backend: its requests one after the other, with a new worker in place of one that ended."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from conformance.errors import HarnessError
from conformance.plan.requests import Request
from conformance.pool import usage
from conformance.pool.backend import Backend, Opened, opened
from conformance.pool.batches import Batch, batches
from conformance.pool.observation import Observation, Observed, observed
from conformance.pool.process import Ended, Outgrown, Worker
from conformance.pool.workers import Idle, Workers
from conformance.worker import protocol
from conformance.worker.protocol import Message

#: After so many crashes or time-outs of one implementation its remaining requests are not tried.
PATIENCE = 3


class Service:
    """Serves the requests of one backend, replacing its worker where that ends."""

    def __init__(
        self,
        workers: Workers,
        backend: Backend,
        requests: Sequence[Request],
        on_opened: Callable[[Backend, Opened], None],
        on_observed: Callable[[int, dict[str, Observed]], None],
    ) -> None:
        self.workers = workers
        self.backend = backend
        self.requests = requests
        self.on_opened = on_opened
        self.on_observed = on_observed
        self.stack = contextlib.ExitStack()
        self.worker: Worker | None = None
        self.failures: dict[str, list[Observation]] = {}
        self.lost: Counter[str] = Counter()
        self.found: dict[int, dict[str, Observed]] = {}

    def run(self, queue: Sequence[int], leaves: bool) -> None:
        """Make the requests of these indices, until all are answered or the pool stops.

        The worker is left to the next run of the pool where it `leaves` it.
        """
        with self.stack:
            opened = self.begin()
            if self.workers.stopping:
                return
            with self.workers.lock:
                self.on_opened(self.backend, opened)
            try:
                self.serve(queue, opened)
            except HarnessError as error:  # the others go on, and their record is kept
                with self.workers.lock:
                    self.on_opened(self.backend, replace(opened, failed=error.message))
                return
            if leaves and not self.workers.stopping:
                self.leave(opened)

    def serve(self, queue: Sequence[int], opened: Opened) -> None:
        """Make the requests of these indices that can be made here.  Raises HarnessError."""
        made = [(index, self.requests[index]) for index in queue]
        for batch in batches(one for one in made if opened.has(one[1])):
            for index, seen in self.settled(batch):
                self.take(index, batch.call, seen)
            if self.workers.stopping:
                return

    def take(self, index: int, call: str, seen: Observed) -> None:
        """Keep what came of one call of a request, and hand all of it on where it was the last one."""
        request = self.requests[index]
        found = self.found.setdefault(index, {})
        found[call] = seen
        if len(found) == len(request.calls):
            del self.found[index]
            with self.workers.lock:
                self.on_observed(index, {name: found[name] for name in request.calls})

    @property
    def key(self) -> tuple[str, str, str]:
        """What workers of one pool that can stand for each other have in common."""
        return self.backend.interpreter, self.backend.source, self.backend.name

    def begin(self) -> Opened:
        """Take the worker that an earlier run has left, or open one."""
        idle = self.workers.left(self.key)
        if idle is None:
            return self.open()
        self.worker = idle.worker
        self.stack.enter_context(idle.stack)
        return idle.opened

    def leave(self, opened: Opened) -> None:
        """Leave the worker to who asks next for this backend, where it has its framework."""
        if self.worker is not None and opened.absent is None and opened.failed is None:
            self.workers.leave(self.key, Idle(self.stack.pop_all(), self.worker, opened))

    def open(self) -> Opened:
        """Start a worker and import the framework in it; once more where that was ended, as from outside."""
        found = self.started()
        if found.ended is None or not found.ended.killed or self.workers.stopping:
            return found
        self.stack.close()
        return self.started()

    def started(self) -> Opened:
        """Start a worker and import the framework in it."""
        self.worker = self.stack.enter_context(self.workers.worker(self.backend.interpreter, self.backend.source))
        self.worker.memory = self.workers.memory
        return opened(self.worker, self.backend)

    def observe(self, request: Request) -> dict[str, Observed]:
        """All calls of one request."""
        return {one.call: seen for one in batches([(0, request)]) for _, seen in self.settled(one)}

    def settled(self, batch: Batch) -> Iterator[tuple[int, Observed]]:
        """The observation of each request of a call, which is divided until there is nothing else to tell of it.

        A request that needs more memory than a worker may hold has none.
        """
        if self.lost[batch.first.implementation.id] == PATIENCE:
            return
        given_up = self.given_up(batch.first)
        found = batch.for_all(given_up) if given_up else self.tried(batch)
        if found is not None:
            yield from found.items()
        elif not self.workers.stopping:
            for part in batch.divided():
                yield from self.settled(part)

    def tried(self, batch: Batch) -> dict[int, Observed] | None:
        """What a call says of each request; None where it must be divided to know that."""
        try:
            return batch.parted(self.ask(batch))
        except Ended as end:
            self.replace(batch)
            if self.workers.stopping:
                return None
            if batch.combined or not batch.whole:
                return self.undisturbed(batch) if end.observation.killed else None
            seen = self.again(batch, end)
            return {} if seen is None else batch.for_all(seen)

    def undisturbed(self, batch: Batch) -> dict[int, Observed] | None:
        """What a call says whose process was killed, as from outside: asked once more before it is divided."""
        try:
            return batch.parted(self.ask(batch))
        except Ended:
            self.replace(batch)
            return None

    def again(self, batch: Batch, end: Ended) -> Observed | None:
        """What a call that ended its process gives in a new one; an end that does not happen again counts all the same.

        None where it is about memory: then the request is lost, and that says nothing of the implementation.
        """
        before = self.failures.setdefault(batch.first.implementation.id, [])
        try:
            seen = self.ask(batch)
            before += [] if isinstance(end, Outgrown) else [end.observation]
            return seen
        except Outgrown:
            self.lose(batch)
            self.replace(batch)
            return None
        except Ended as second:
            before.append(second.observation)
            self.replace(batch)
            return self.each(batch, second.observation)

    def each(self, batch: Batch, end: Observation) -> Observed:
        """What every presentation gives by itself of a request that ended its process: one may end it, and others not.

        After PATIENCE ends the rest is not tried.
        """
        found: list[Observation] = []
        ends = 0
        for one in batch.first.presentations if len(batch.first.presentations) > 1 else ():
            members = tuple((index, replace(request, presentations=(one,))) for index, request in batch.members)
            part = replace(batch, members=members)
            try:
                found += self.ask(part) if ends < PATIENCE and not self.workers.stopping else [end]
            except Ended as its:
                ends += 1
                found.append(its.observation)
                self.replace(part)
        return tuple(found) or (end,)

    def lose(self, batch: Batch) -> None:
        """Note that a request cannot be run with the memory that a worker may hold."""
        name = batch.first.implementation.id
        self.lost[name] += 1
        rest = f"; nothing more of {name} is tried" if self.lost[name] == PATIENCE else ""
        why = f"alone in a new worker {usage.beyond(self.workers.memory)}{rest}"
        self.workers.lose(f"{batch.name}::{batch.call}: {why}")

    def given_up(self, request: Request) -> Observed | None:
        """What stands for every call of an implementation that ended its process too often."""
        name = request.implementation.id
        before = self.failures.get(name, [])
        if len(before) < PATIENCE:
            return None
        message = f"not tried: {name} brought its process down {PATIENCE} times, last: {before[-1].message}"
        return (Observation(kind=before[-1].kind, message=message),)

    def ask(self, batch: Batch) -> Observed:
        """What one call gives.  Raises Ended."""
        assert self.worker is not None
        answer = self.worker.request(batch.message(self.workers.seed), batch.tensors, self.workers.timeout)
        found = self.understood(batch, answer)
        if self.worker.outgrown or any(protocol.STATE in one.changed for one in found):
            self.replace(batch)  # the next implementation must not inherit what this one has left
        return found

    def understood(self, batch: Batch, answer: Message) -> Observed:
        """What an answer says.  Raises HarnessError where it is none to what was asked: that judges nobody."""
        try:
            (found,) = observed(answer.header, answer.arrays).items()
            if found[0] != batch.call or len(found[1]) not in batch.counts:
                raise ValueError(f"{len(found[1])} observations of {found[0]}")
        except ValueError as error:
            name = self.backend.name
            raise HarnessError(f"backend {name}: its worker sent no answer to {batch.name}: {error}") from None
        return found[1]

    def replace(self, batch: Batch) -> None:
        """A new worker in place of one that ended, or that must not go on."""
        if self.workers.stopping:
            return
        assert self.worker is not None
        self.workers.restart(batch.name)
        self.stack.close()
        opened = self.open()
        if opened.absent is not None or opened.failed is not None:
            why = opened.absent or opened.failed
            raise HarnessError(f"backend {self.backend.name} could not be restarted: {why}")
