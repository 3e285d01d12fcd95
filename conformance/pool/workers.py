"""The workers of a run: what every one of them is given, those that are alive, and what they cost."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, NamedTuple

from conformance.pool.backend import Opened
from conformance.pool.process import Worker


class Idle(NamedTuple):
    """A worker that is open and asked nothing now: what ends it, itself, and what it said when it was opened."""

    stack: contextlib.ExitStack
    worker: Worker
    opened: Opened


@dataclass(kw_only=True)
class Workers:
    """The processes of a run, which its threads share.

    `timeout` is the limit of one request in seconds (`usage.Patience`), `memory` that of a worker in bytes;
    `environment` holds variables that every worker gets, `scratch` is a folder that they share.  `restarts` tells which
    requests cost a worker, `lost` which could not be run, with the reason; `seed` draws what is also called alone.
    `idle` are workers that one run has left to the next, until `stop`: to import a framework takes seconds.
    """

    log: BinaryIO
    timeout: float = 60.0
    memory: int | None = None
    environment: dict[str, str] = field(default_factory=dict)
    scratch: str = ""
    seed: int = 0
    restarts: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    alive: set[Worker] = field(default_factory=set, init=False)
    idle: dict[tuple[str, str, str], Idle] = field(default_factory=dict, init=False)
    lock: threading.Lock = field(default_factory=threading.Lock, init=False)
    stopping: bool = field(default=False, init=False)

    @contextlib.contextmanager
    def worker(self, interpreter: str, source: str) -> Iterator[Worker]:
        """A worker that ends with the block."""
        worker = Worker(interpreter, source, self.log, {"BCE_SCRATCH": self.scratch, **self.environment})
        with self.lock:
            self.alive.add(worker)
            if self.stopping:
                worker.kill()
        try:
            yield worker
        finally:
            with self.lock:
                self.alive.discard(worker)
            worker.close()

    def restart(self, name: str) -> None:
        """Note that a request cost a worker."""
        with self.lock:
            self.restarts.append(name)

    def lose(self, why: str) -> None:
        """Note that a request could not be run, and why."""
        with self.lock:
            self.lost.append(why)

    def leave(self, key: tuple[str, str, str], idle: Idle) -> None:
        """Keep a worker for who asks next for its backend."""
        with self.lock:
            before = self.idle.get(key)
            self.idle[key] = idle
        if before is not None:
            before.stack.close()

    def left(self, key: tuple[str, str, str]) -> Idle | None:
        """The worker that was left for a backend, which is then the caller's; None where there is none that lives."""
        with self.lock:
            idle = self.idle.pop(key, None)
        if idle is not None and idle.worker.process.poll() is not None:
            idle.stack.close()
            return None
        return idle

    def stop(self) -> None:
        """End all workers; threads that wait for one then return."""
        self.stopping = True
        with self.lock:
            for worker in self.alive:
                worker.kill()
            idle, self.idle = self.idle, {}
        for one in idle.values():
            one.stack.close()
