"""Workers: one process per adapter, as many at once as there are cores.

Life cycle: spawned -> told its adapters -> opened (the framework is imported) -> answers requests -> closed.
A worker that ends, or uses up the time or the memory that it may, is killed and replaced, and what it was asked is
divided, so that only the request that brings the process down is lost.
"""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Protocol, cast

from conformance.adapters import BUILTIN, load_builtin
from conformance.errors import HarnessError, InputError
from conformance.plan.implementations import Implementation, implementation_from_wire
from conformance.plan.requests import Request
from conformance.pool import usage
from conformance.pool.batches import Batch, batches
from conformance.pool.observation import Observation, Observed, anonymous, ended, observed
from conformance.pool.plugins import Plugin, Refusal
from conformance.shipped import PACKAGE
from conformance.worker import protocol
from conformance.worker.protocol import Message

#: Seconds that importing a framework may take before its worker is given up, as `usage.Patience` counts them.
OPEN_LIMIT = 300.0

#: After so many crashes or time-outs of one implementation its remaining requests are not tried.
PATIENCE = 3

#: Threads of every numeric library in a worker: results are then the same from run to run.
SINGLE_THREADED = dict.fromkeys(
    ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1"
)


#: glibc (mallopt(3)): keep freed memory.  By default large arrays are given back to the system as soon as they are
#: freed, and a sweep of 16-bit pairs spends half of its time on touching pages for the first time.
#: Arrays of a sweep are at most 1 MiB, some of them at a time.
KEEPING_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(1 << 25), "MALLOC_TRIM_THRESHOLD_": str(1 << 27)}


@dataclass(frozen=True, kw_only=True)
class Backend:
    """An adapter, where its code is, and the interpreter that runs it."""

    name: str
    source: str
    interpreter: str
    implementations: tuple[Implementation, ...]
    cost: int = 0
    settings: tuple[dict[str, str], ...] = ()
    chunk: int = 1 << 16

    @classmethod
    def from_declaration(cls, item: dict[str, Any], source: str, interpreter: str = sys.executable) -> Backend:
        """What an adapter declares.  Raises InputError where a contract is not of the vocabulary."""
        name = item["name"]
        try:
            implementations = tuple(implementation_from_wire(name, one) for one in item["implementations"])
        except ValueError as error:
            raise InputError(f"adapter {source}: {error}") from None
        return cls(
            name=name,
            source=source,
            interpreter=interpreter,
            implementations=implementations,
            cost=item["cost"],
            settings=tuple(item["settings"]),
            chunk=item["chunk"],
        )


@dataclass(frozen=True, kw_only=True)
class Opened:
    """What a backend said when it was opened: versions and switches, or why it is absent, or how that failed.

    Only an ImportError makes a backend absent; a crash or another exception is a failure, and the run ends with 3.
    `ended` is how the process ended, where that was the failure.  `lacking` are dtypes that a present one does not have
    here, with the reason.
    """

    versions: dict[str, str] = field(default_factory=dict)
    environment: dict[str, Any] = field(default_factory=dict)
    absent: str | None = None
    failed: str | None = None
    ended: Observation | None = None
    lacking: dict[str, str] = field(default_factory=dict)

    @classmethod
    def from_answer(cls, answer: dict[str, Any]) -> Opened:
        """What the answer of `worker.session.Session.open` says, without private names."""
        if "absent" in answer:
            return cls(absent=anonymous(answer["absent"]))
        if "failed" in answer:
            return cls(failed=anonymous(answer["failed"]))
        return cls(
            versions=_anonymous_values(answer["versions"]),
            environment=_anonymous_values(answer["environment"]),
            lacking=_anonymous_values(answer["lacking"]),
        )

    def why_not(self, request: Request) -> str | None:
        """Why a request has no answer here: the backend is absent, or a dtype of its tensors; None where neither is."""
        if self.absent is not None or not self.lacking:
            return self.absent
        return next(
            (self.lacking[one.dtype] for one in request.inputs.tensors.values() if one.dtype in self.lacking), None
        )

    def has(self, request: Request) -> bool:
        """Whether a request can be made."""
        return self.failed is None and self.why_not(request) is None


class Executor(Protocol):
    """What runs the requests of a plan: `Pool`, or this process where a callable cannot leave it (`inprocess`).

    `here` tells whether implementations are called in this process, `restarts` which requests cost a worker, and
    `lost` which could not be run, with the reason.
    """

    here: bool
    restarts: list[str]
    lost: list[str]

    def run(
        self,
        backends: Sequence[Backend],
        requests: Sequence[Request],
        on_opened: Callable[[Backend, Opened], None],
        on_observed: Callable[[int, dict[str, Observed]], None],
    ) -> None:
        """Run `requests` on their backends; `on_opened` and, with the index, `on_observed` are told what comes back."""

    def stop(self) -> None:
        """End whatever is under way."""


class Ended(Exception):
    """The worker ended or was killed while a request was under way."""

    def __init__(self, observation: Observation) -> None:
        super().__init__(observation.message)
        self.observation = observation


class Outgrown(Ended):
    """The worker was killed because it held more memory than it may: that is the suite's limit, and no finding."""


class Worker:
    """One worker process and its pipe; `memory` are the bytes that it may hold, None where there is no limit."""

    memory: int | None = None

    def __init__(self, interpreter: str, source: str, log: BinaryIO, environment: Mapping[str, str]) -> None:
        child_read, self._write_fd = os.pipe()
        self._read_fd, child_write = os.pipe()
        script = str(PACKAGE / "worker" / "start.py")
        try:
            self.process = subprocess.Popen(
                [interpreter, script, str(child_read), str(child_write), source],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(child_read, child_write),
                env={**os.environ, **SINGLE_THREADED, **KEEPING_MEMORY, **environment},
                start_new_session=True,  # Ctrl-C reaches the parent alone, which ends the workers in order
            )
        except OSError as error:
            os.close(self._write_fd)
            os.close(self._read_fd)
            raise InputError(f"interpreter {interpreter!r} cannot be started: {error.strerror}") from None
        finally:
            os.close(child_read)
            os.close(child_write)
        self._outgoing = os.fdopen(self._write_fd, "wb")
        self._patience = usage.Patience(0.0)
        self._at_end = False

    @property
    def outgrown(self) -> bool:
        """Whether it holds more memory than it may.

        Its resident memory, seen now and then: a limit of its address space (RLIMIT_AS) is nothing that frameworks can
        live with, which reserve tens of gigabytes that they never touch.
        """
        return self.memory is not None and usage.resident(self.process.pid) > self.memory

    def receive(self, limit: float) -> Message:
        """The next message, for which it may take `limit` seconds as `usage.Patience` counts them.  Raises Ended."""
        self._patience = usage.Patience(limit)
        try:
            message = protocol.read(cast(BinaryIO, self))
        except protocol.ProtocolError as error:
            if not self._at_end:
                self.kill()
                raise Ended(Observation(kind="crashed", message=f"wrote into the pipe of the suite: {error}")) from None
            message = None
        if message is None:
            raise Ended(ended(self._reap()))
        return message

    def request(self, header: dict[str, Any], arrays: Sequence[Any], limit: float) -> Message:
        """Send one request and wait for its answer.  Raises Ended."""
        try:
            protocol.write(self._outgoing, header, arrays)
        except OSError:
            raise Ended(ended(self._reap())) from None
        return self.receive(limit)

    def read(self, count: int) -> bytes:
        """Up to `count` bytes from the worker; Ended where it goes beyond a limit.  What `protocol.read` reads from.

        Looks after the process now and then: a child of it may hold the pipe open when it has ended.
        """
        while True:
            gone = self.process.poll() is not None
            ready, _, _ = select.select([self._read_fd], [], [], 0.0 if gone else usage.LOOK_EVERY)
            data = os.read(self._read_fd, min(count, 1 << 20)) if ready else b""
            if ready or gone:
                self._at_end = not data
                return data
            self._look()

    def _look(self) -> None:
        """End the process where it goes beyond its memory or its time.  Raises Ended."""
        if self.outgrown:
            self.kill()
            raise Outgrown(Observation(kind="crashed", message=f"ended by the suite: {usage.beyond(self.memory)}"))
        exhausted = self._patience.look(self.process.pid)
        if exhausted:
            self.kill()
            raise Ended(Observation(kind="timed-out", message=exhausted))

    def kill(self) -> None:
        """End the process and all that it started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, 9)
        self.process.wait()

    def close(self) -> None:
        """Close the pipe, give the process a moment to leave, then end it."""
        with contextlib.suppress(OSError):
            self._outgoing.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=0.05)
        self.kill()
        with contextlib.suppress(OSError):
            os.close(self._read_fd)

    def _reap(self) -> int:
        try:
            return self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.kill()
            return self.process.returncode


@dataclass(kw_only=True)
class Pool:
    """Runs requests on backends.

    `timeout` is the limit of one request in seconds (`usage.Patience`), `memory` that of a worker in bytes; `jobs` how
    many run at once; `environment` holds variables that every worker gets, `scratch` is a folder that they share;
    `refused` tells after `discover` which plugins are of no use.  An `Executor`.
    """

    log: BinaryIO
    timeout: float = 60.0
    jobs: int = field(default_factory=lambda: len(os.sched_getaffinity(0)))
    interpreters: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    refused: list[Refusal] = field(default_factory=list)
    restarts: list[str] = field(default_factory=list)
    scratch: str = ""
    lost: list[str] = field(default_factory=list)
    seed: int = 0
    memory: int | None = None
    here: bool = field(default=False, init=False)
    _alive: set[Worker] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _stopping: bool = False

    def discover(self, files: Iterable[Path] = (), plugins: Sequence[Plugin] = ()) -> tuple[Backend, ...]:
        """Every adapter of the built-in modules, `files` and `plugins`; no framework is imported.

        A plugin that cannot be loaded, or whose adapters have names that are taken, goes to `refused`; for a file that
        is an InputError.
        """
        sources = [*BUILTIN, *(str(file) for file in files)]
        with ThreadPoolExecutor(max_workers=max(self.jobs, 1)) as threads:
            plugged = threads.map(self._plugged, plugins)
            found = [backend for group in threads.map(self._declared, sources) for backend in group]
        names = [backend.name for backend in found]
        double = [name for name in names if names.count(name) > 1]
        if double:
            raise InputError(f"two adapters are called {double[0]!r}", "give the adapter of your file another name")
        for plugin, group in zip(plugins, plugged, strict=True):
            taken = [backend.name for backend in group if backend.name in names]
            if taken:
                self.refused.append(Refusal(plugin, f"another adapter is called {taken[0]!r}"))
            else:
                found += group
                names += [backend.name for backend in group]
        unknown = [name for name in self.interpreters if name not in names]
        if unknown:
            raise InputError(f"--python names {unknown[0]!r}, but the backends are {', '.join(names)}")
        return tuple(found)

    def run(
        self,
        backends: Sequence[Backend],
        requests: Sequence[Request],
        on_opened: Callable[[Backend, Opened], None],
        on_observed: Callable[[int, dict[str, Observed]], None],
    ) -> None:
        """Run `requests` on their backends.

        `on_opened` and `on_observed` (with the index of the request) are called from worker threads, one at a time.
        """
        queues: dict[str, list[int]] = {backend.name: [] for backend in backends}
        for index, request in enumerate(requests):
            queues[request.implementation.adapter].append(index)
        # Longest first, so that the last worker to end is a short one: importing a framework alone takes seconds.
        order = sorted(
            (backend for backend in backends if queues[backend.name]),
            key=lambda backend: (backend.cost, len(queues[backend.name])),
            reverse=True,
        )

        def serve(backend: Backend) -> None:
            _Service(self, backend, requests, on_opened, on_observed).run(queues[backend.name])

        threads = ThreadPoolExecutor(max_workers=max(self.jobs, 1))
        futures = [threads.submit(serve, backend) for backend in order]
        try:
            done, _ = wait(futures, return_when=FIRST_EXCEPTION)
            for future in done:
                future.result()
        except BaseException:
            self.stop()
            raise
        finally:
            threads.shutdown(wait=True, cancel_futures=True)

    @contextlib.contextmanager
    def session(self, backend: Backend) -> Iterator[Callable[[Request], dict[str, Observed]]]:
        """One worker of `backend` that stays open with the block: a function that observes one request after another.

        Raises InputError where the backend is absent, HarnessError where it cannot be opened.
        """
        service = _Service(self, backend, (), lambda *_: None, lambda *_: None)
        with service.stack:
            opened = service.open()
            if opened.absent is not None:
                raise InputError(f"backend {backend.name} is absent: {opened.absent}")
            if opened.failed is not None:
                raise HarnessError(
                    f"backend {backend.name} cannot be opened: {opened.failed}", "see the log of the run"
                )
            yield service.observe

    def stop(self) -> None:
        """End all workers; threads that wait for one then return."""
        self._stopping = True
        with self._lock:
            for worker in self._alive:
                worker.kill()

    @contextlib.contextmanager
    def worker(self, interpreter: str, source: str) -> Any:
        """A worker that ends with the block."""
        worker = Worker(interpreter, source, self.log, {"BCE_SCRATCH": self.scratch, **self.environment})
        with self._lock:
            self._alive.add(worker)
            if self._stopping:
                worker.kill()
        try:
            yield worker
        finally:
            with self._lock:
                self._alive.discard(worker)
            worker.close()

    def _plugged(self, plugin: Plugin) -> list[Backend]:
        try:
            return self._declared(plugin.source)
        except InputError as error:
            self.refused.append(Refusal(plugin, error.message))
            return []

    def _declared(self, source: str) -> list[Backend]:
        # A worker without variables of its own, of which one is the device, would declare what this process does.
        here = source in BUILTIN and not self.environment
        told = _told_here(source) if here else self._told(source)
        return [
            Backend.from_declaration(item, source, self.interpreters.get(item["name"], sys.executable)) for item in told
        ]

    def _told(self, source: str) -> list[dict[str, Any]]:
        """What the adapters of a source declare, in a process of their own."""
        with self.worker(sys.executable, source) as worker:
            try:
                header = worker.receive(OPEN_LIMIT).header
            except Ended as end:
                raise InputError(f"adapter {source}: {end.observation.message}", "see the log of the run") from None
        if header["kind"] == "refused":
            raise InputError(f"adapter {source}: {header['type']}: {anonymous(header['message'])}")
        declared: list[dict[str, Any]] = header["adapters"]
        return declared


def _told_here(module: str) -> list[dict[str, Any]]:
    """What the adapters of a built-in module declare; it imports its framework when it is opened, not before."""
    try:
        return [one.declaration() for one in load_builtin(module)]
    except ValueError as error:  # of BCE_DEVICE, which is this process's own
        raise InputError(f"adapter {module}: {error}") from None


def opened(worker: Worker, backend: Backend, sweep: bool = False) -> Opened:
    """Import the framework of a backend in a worker that was just started, for a `sweep` its kernel before that."""
    try:
        hello = worker.receive(OPEN_LIMIT).header
        if hello["kind"] == "refused":
            return Opened(failed=anonymous(f"{hello['type']}: {hello['message']}"))
        answer = worker.request({"op": "open", "adapter": backend.name, "sweep": sweep}, (), OPEN_LIMIT).header
    except Ended as end:
        return Opened(failed=end.observation.message, ended=end.observation)
    if worker.outgrown:
        return Opened(failed=f"with nothing but its framework {usage.beyond(worker.memory)}")
    return Opened.from_answer(answer)


class _Service:
    """Serves the requests of one backend, replacing its worker where that ends."""

    def __init__(
        self,
        pool: Pool,
        backend: Backend,
        requests: Sequence[Request],
        on_opened: Callable[[Backend, Opened], None],
        on_observed: Callable[[int, dict[str, Observed]], None],
    ) -> None:
        self.pool = pool
        self.backend = backend
        self.requests = requests
        self.on_opened = on_opened
        self.on_observed = on_observed
        self.stack = contextlib.ExitStack()
        self.worker: Worker | None = None
        self.failures: dict[str, list[Observation]] = {}
        self.lost: Counter[str] = Counter()
        self.found: dict[int, dict[str, Observed]] = {}

    def run(self, queue: Sequence[int]) -> None:
        with self.stack:
            opened = self.open()
            if self.pool._stopping:
                return
            with self.pool._lock:
                self.on_opened(self.backend, opened)
            made = [(index, self.requests[index]) for index in queue]
            for batch in batches(one for one in made if opened.has(one[1])):
                for index, seen in self.settled(batch):
                    self.take(index, batch.call, seen)
                if self.pool._stopping:
                    return

    def take(self, index: int, call: str, seen: Observed) -> None:
        """Keep what came of one call of a request, and hand all of it on where it was the last one."""
        request = self.requests[index]
        found = self.found.setdefault(index, {})
        found[call] = seen
        if len(found) == len(request.calls):
            del self.found[index]
            with self.pool._lock:
                self.on_observed(index, {name: found[name] for name in request.calls})

    def open(self) -> Opened:
        """Start a worker and import the framework in it."""
        self.worker = self.stack.enter_context(self.pool.worker(self.backend.interpreter, self.backend.source))
        self.worker.memory = self.pool.memory
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
        elif not self.pool._stopping:
            for part in batch.divided():
                yield from self.settled(part)

    def tried(self, batch: Batch) -> dict[int, Observed] | None:
        """What a call says of each request; None where it must be divided to know that."""
        try:
            return batch.parted(self.ask(batch))
        except Ended as end:
            self.replace(batch)
            if self.pool._stopping or batch.combined or not batch.whole:
                return None
            seen = self.again(batch, end)
            return {} if seen is None else batch.for_all(seen)

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
            return (second.observation,)

    def lose(self, batch: Batch) -> None:
        """Note that a request cannot be run with the memory that a worker may hold."""
        name = batch.first.implementation.id
        self.lost[name] += 1
        rest = f"; nothing more of {name} is tried" if self.lost[name] == PATIENCE else ""
        with self.pool._lock:
            self.pool.lost.append(
                f"{batch.name}::{batch.call}: alone in a new worker {usage.beyond(self.pool.memory)}{rest}"
            )

    def given_up(self, request: Request) -> Observed | None:
        """What stands for every call of an implementation that ended its process too often."""
        name = request.implementation.id
        before = self.failures.get(name, [])
        if len(before) < PATIENCE:
            return None
        message = f"not tried: {name} brought its process down {PATIENCE} times, last: {before[-1].message}"
        return (Observation(kind=before[-1].kind, message=message),)

    def ask(self, batch: Batch) -> Observed:
        assert self.worker is not None
        answer = self.worker.request(batch.message(self.pool.seed), batch.tensors, self.pool.timeout)
        (found,) = observed(answer.header, answer.arrays).values()
        if self.worker.outgrown or any(protocol.STATE in one.changed for one in found):
            self.replace(batch)  # the next implementation must not inherit what this one has left
        return found

    def replace(self, batch: Batch) -> None:
        """A new worker in place of one that ended, or that must not go on."""
        if self.pool._stopping:
            return
        assert self.worker is not None
        with self.pool._lock:
            self.pool.restarts.append(batch.name)
        self.stack.close()
        opened = self.open()
        if opened.absent is not None or opened.failed is not None:
            why = opened.absent or opened.failed
            raise HarnessError(f"backend {self.backend.name} could not be restarted: {why}")


def _anonymous_values(values: dict[str, Any]) -> dict[str, Any]:
    return {key: anonymous(value) if isinstance(value, str) else value for key, value in values.items()}
