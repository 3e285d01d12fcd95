"""Having shards done: by local workers, as many as there are cores.

A worker that ends is replaced and its shard done again; a shard is counted when its result arrives, so none counts
twice.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from typing import Any

from conformance.errors import HarnessError, InputError
from conformance.pool.backend import Backend, Opened, opened
from conformance.pool.pool import Pool
from conformance.pool.process import Ended, Worker
from conformance.worker.sweep.shard import Shard

#: How often a shard is tried: whatever ends a worker three times on it will do so again.
ATTEMPTS = 3

#: Is told the index and the result of a shard.
OnDone = Callable[[int, dict[str, Any]], None]


def start(worker: Worker, backend: Backend) -> Opened:
    """Open the backend in a new worker.  Raises InputError where it is absent, HarnessError, Ended."""
    now = opened(worker, backend, sweep=True)
    if now.ended is not None:
        raise Ended(now.ended)
    if now.absent is not None:
        raise InputError(f"backend {backend.name} is absent: {now.absent}", "install it, or choose another one")
    if now.failed is not None:
        raise HarnessError(f"backend {backend.name} could not be opened: {now.failed}")
    return now


def ask(worker: Worker, backend: Backend, shard: Shard | None, limit: float) -> dict[str, Any]:
    """The answer of an open worker.  Raises Ended, and HarnessError where the shard is void."""
    answer = worker.request({"op": "sweep", "shard": None if shard is None else shard.to_wire()}, (), limit).header
    if "voided" in answer:
        raise HarnessError(f"a shard of {backend.name} is void: {answer['voided']}")
    if not isinstance(answer.get("code" if shard is None else "found"), dict):
        raise HarnessError(f"the worker of {backend.name} sent no answer to a shard: {str(answer)[:200]}")
    return answer


def run_locally(
    pool: Pool, backend: Backend, shards: Sequence[Shard], wanted: Sequence[int], limit: float, on_done: OnDone
) -> None:
    """Do the `wanted` ones of some shards; `on_done` is called by one thread at a time.

    Raises HarnessError where a shard ends its worker ATTEMPTS times or is void.
    """
    tasks: queue.SimpleQueue[int] = queue.SimpleQueue()
    for index in wanted:
        tasks.put(index)
    lock = threading.Lock()
    failures: list[BaseException] = []

    def serve() -> None:
        try:
            _serve(pool, backend, shards, tasks, limit, lambda *told: _one_at_a_time(lock, on_done, *told), failures)
        except BaseException as error:  # told by the thread that waits
            failures.append(error)

    threads = [threading.Thread(target=serve, daemon=True) for _ in range(min(pool.jobs, len(wanted)))]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            while thread.is_alive():
                thread.join(0.2)  # so that Ctrl-C is seen
    except BaseException:
        failures.append(KeyboardInterrupt())
        pool.stop()
        raise
    if failures:
        raise failures[0]


def _one_at_a_time(lock: threading.Lock, on_done: OnDone, index: int, found: dict[str, Any]) -> None:
    with lock:
        on_done(index, found)


def _serve(
    pool: Pool,
    backend: Backend,
    shards: Sequence[Shard],
    tasks: queue.SimpleQueue[int],
    limit: float,
    on_done: OnDone,
    failures: list[BaseException],
) -> None:
    """One worker after another, until there are no more tasks or another thread has failed."""
    index: int | None = None
    attempts = 0
    while not failures:
        with pool.worker(backend.interpreter, backend.source) as worker:
            try:
                start(worker, backend)
                while not failures:
                    if index is None:
                        try:
                            index, attempts = tasks.get_nowait(), 0
                        except queue.Empty:
                            return
                    on_done(index, ask(worker, backend, shards[index], limit)["found"])
                    index = None
            except Ended as end:
                attempts += 1
                if failures:
                    return
                if attempts == ATTEMPTS:
                    raise _hopeless(backend, None if index is None else shards[index], end) from None


def _hopeless(backend: Backend, shard: Shard | None, end: Ended) -> HarnessError:
    what = "opening it" if shard is None else f"positions {shard.start} to {shard.stop}"
    return HarnessError(
        f"{backend.name}: {what} ended the worker {ATTEMPTS} times: {end.observation.message}",
        "--resume goes on from here; --implementation tells which one it is",
    )
