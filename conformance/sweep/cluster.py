"""Having shards done by a Dask cluster that is there: `--scheduler tcp://...`.

Each process of the cluster has a worker of the suite for itself, as a local sweep has, so that the results are the same
bits.  The client keeps each result as it arrives: what a killed process of the cluster had in its memory is done again.
"""

from __future__ import annotations

import os
import re
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

from conformance.errors import HarnessError, InputError
from conformance.pool.backend import Backend
from conformance.pool.process import Ended, Worker
from conformance.sweep.basis import Basis, basis_of
from conformance.sweep.schedule import ATTEMPTS, OnDone, ask
from conformance.worker.sweep.shard import Shard

#: Shards that are sent ahead for each thread of the cluster: enough that none waits for the client.
AHEAD = 4

#: What distributed connects to.
ADDRESS = re.compile(r"(tcp|tls|ucx|ws|wss)://\S+:\d+\Z")

#: What a thread of a process of the cluster keeps: its worker, and the backend that this has opened.
_kept = threading.local()


def run_on_cluster(
    scheduler: str,
    backend: Backend,
    basis: Basis,
    shards: Sequence[Shard],
    wanted: Sequence[int],
    limit: float,
    on_done: OnDone,
) -> None:
    """Do the `wanted` ones of some shards on the cluster of a `scheduler`.

    Raises InputError where there is no cluster or its processes differ from this one in what the results depend on.
    """
    try:
        import distributed
    except ImportError:
        raise InputError(
            "--scheduler needs the package distributed", "pip install 'bce-conformance[cluster]'"
        ) from None
    if not ADDRESS.match(scheduler):
        raise InputError(f"--scheduler must be an address such as tcp://host:8786 (got {scheduler!r})")
    try:
        client = distributed.Client(scheduler, timeout=30, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise InputError(f"--scheduler {scheduler}: no cluster answers: {error}") from None
    if backend.interpreter == sys.executable:
        backend = replace(backend, interpreter="")  # each process of the cluster has its own
    with client:
        futures = _submitted(client, backend, basis, shards, wanted, limit)
        window = max(sum(client.nthreads().values()), 1) * AHEAD
        running = distributed.as_completed(list(islice(futures, window)), loop=client.loop)
        for future in running:
            try:
                index, found = future.result()
            except distributed.KilledWorker as error:
                raise HarnessError(f"{backend.name}: a shard ended its process again and again: {error}") from None
            on_done(index, found)
            future.release()
            following = next(futures, None)
            if following is not None:
                running.add(following)


def _submitted(
    client: Any, backend: Backend, expected: Basis, shards: Sequence[Shard], wanted: Sequence[int], limit: float
) -> Iterator[Any]:
    for index in wanted:
        yield client.submit(done, index, backend, expected, shards[index], limit, pure=False)


def done(index: int, backend: Backend, expected: Basis, shard: Shard, limit: float) -> tuple[int, dict[str, Any]]:
    """One shard, in a process of the cluster.  Raises InputError where that is not what the client expects."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return index, ask(_worker(backend, expected), backend, shard, limit)["found"]
        except Ended as end:
            _kept.worker = None
            if attempt == ATTEMPTS:
                raise HarnessError(f"{backend.name}: {end.observation.message}") from None
    raise AssertionError("unreachable")


def _worker(backend: Backend, expected: Basis) -> Worker:
    """The worker of this thread, which is started where there is none of this backend."""
    if getattr(_kept, "worker", None) is not None and _kept.backend == backend and _kept.expected == expected:
        kept: Worker = _kept.worker
        return kept
    with open(os.devnull, "wb") as log:
        worker = Worker(backend.interpreter or sys.executable, backend.source, log, {})
    try:
        _must_be_as(expected, worker, backend)
    except BaseException:
        worker.close()
        raise
    _kept.worker, _kept.backend, _kept.expected = worker, backend, expected
    return worker


def _must_be_as(expected: Basis, worker: Worker, backend: Backend) -> None:
    """Raises InputError where this process differs from the client in what results depend on."""
    here, _ = basis_of(worker, backend)
    for name in Basis.__struct_fields__:
        value = getattr(here, name)
        if value != getattr(expected, name):
            raise InputError(f"a process of the cluster has other {name} than this one: {value!r:.200}")
