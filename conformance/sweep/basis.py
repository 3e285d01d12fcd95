"""What the bits of a result depend on beside what is swept, as a worker tells it."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
from msgspec import Struct

from conformance.pool.backend import OPEN_LIMIT, Backend, Opened
from conformance.pool.process import Worker
from conformance.run.machine import machine
from conformance.sweep.schedule import ask, start
from conformance.version import __version__


class Basis(Struct, frozen=True, kw_only=True):
    """Versions, switches, processor, and the files of the suite by their SHA-256."""

    suite: str
    versions: dict[str, str]
    environment: dict[str, Any]
    machine: dict[str, Any]
    code: dict[str, str]

    @property
    def digest(self) -> str:
        """SHA-256 of the files of the suite, by module."""
        return hashlib.sha256(msgspec.json.encode(self.code, order="sorted")).hexdigest()


def basis_of(worker: Worker, backend: Backend) -> tuple[Basis, Opened]:
    """Open the backend in a new worker, which tells all that.  Raises as `start` does."""
    opened = start(worker, backend)
    basis = Basis(
        suite=__version__,
        versions=opened.versions,
        environment=opened.environment,
        machine=machine(),
        code=ask(worker, backend, None, OPEN_LIMIT)["code"],
    )
    return basis, opened
