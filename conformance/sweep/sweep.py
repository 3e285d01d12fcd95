"""One sweep from its plan to its certificate: the path that the command and tests share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from conformance.adapters.declaration import Declaration
from conformance.errors import HarnessError, InputError
from conformance.pool.backend import Backend
from conformance.pool.pool import Pool
from conformance.pool.process import Ended
from conformance.sweep import certificate, cluster, schedule
from conformance.sweep.basis import Basis, basis_of
from conformance.sweep.certificate import Certificate
from conformance.sweep.checkpoint import open_checkpoint
from conformance.sweep.spec import Spec

#: Is told how many results are judged, of all: once at the start, and when shards are done.
Progress = Callable[[int], None]


def sweep(
    pool: Pool,
    backend: Backend,
    implementations: list[Declaration],
    spec: Spec,
    file: Path,
    command: str,
    resume: bool = False,
    scheduler: str | None = None,
    progress: Progress = lambda points: None,
) -> Certificate:
    """Do what is left of a sweep and write its certificate to `file`; the checkpoint stands beside it meanwhile.

    It runs on the cluster of a Dask `scheduler` where one is named, else on local workers.

    Raises InputError where the backend or its dtype is absent, or the checkpoint to be resumed has another basis.
    """
    basis = _basis(pool, backend, spec.whole.dtype)
    checkpoint = open_checkpoint(checkpoint_of(file), spec, basis, resume)
    try:
        shards = spec.shards()
        progress(sum(shards[index].points for index in checkpoint.done))

        def on_done(index: int, found: dict[str, Any]) -> None:
            checkpoint.add(index, found)
            progress(shards[index].points)

        missing = [index for index in range(len(shards)) if index not in checkpoint.done]
        if missing and scheduler is not None:
            cluster.run_on_cluster(scheduler, backend, basis, shards, missing, pool.timeout, on_done)
        elif missing:
            schedule.run_locally(pool, backend, shards, missing, pool.timeout, on_done)
        contracts = {one.key: one.contract for one in implementations}
        found = [checkpoint.done[index] for index in range(len(shards))]
        made = certificate.certificate(spec, basis, contracts, found, command)
        certificate.write(made, file)
    except BaseException:
        checkpoint.close()
        raise
    checkpoint.close(remove=True)
    return made


def _basis(pool: Pool, backend: Backend, dtype: str) -> Basis:
    with pool.worker(backend.interpreter, backend.source) as worker:
        try:
            basis, opened = basis_of(worker, backend)
        except Ended as end:
            raise HarnessError(f"backend {backend.name} could not be opened: {end.observation.message}") from None
    if dtype in opened.lacking:
        raise InputError(f"backend {backend.name} has no {dtype} here: {opened.lacking[dtype]}")
    return basis


def checkpoint_of(file: Path) -> Path:
    """Where the checkpoint of a certificate stands."""
    return file.with_suffix(".partial.jsonl")
