"""A backend: what its adapter declares, the interpreter that runs it, and what it says when it is opened."""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
from msgspec import Struct

from conformance.adapters.declaration import Declaration
from conformance.errors import InputError
from conformance.plan.filters import matches
from conformance.plan.requests import Request
from conformance.pool import usage
from conformance.pool.observation import Observation, anonymous, ended
from conformance.pool.process import Ended, Worker
from conformance.worker.protocol import Header
from conformance.worker.start import NO_NUMPY

#: Seconds that importing a framework may take before its worker is given up, as `usage.Patience` counts them.
OPEN_LIMIT = 300.0


class _Declared(Struct):
    """What a worker says of an adapter: `adapters.Adapter.declaration`."""

    name: str
    cost: int
    settings: tuple[dict[str, str], ...]
    chunk: int
    implementations: tuple[dict[str, Any], ...]


class _Opened(Struct):
    """What a worker says of a framework that it has imported."""

    versions: dict[str, str]
    environment: dict[str, Any]
    lacking: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class Backend:
    """An adapter, where its code is, and the interpreter that runs it."""

    name: str
    source: str
    interpreter: str
    implementations: tuple[Declaration, ...]
    cost: int = 0
    settings: tuple[dict[str, str], ...] = ()
    chunk: int = 1 << 16

    @classmethod
    def from_wire(cls, item: Header, source: str, interpreter: str = sys.executable) -> Backend:
        """What an adapter declares.  Raises InputError where a contract is not of the vocabulary."""
        try:
            said = msgspec.convert(item, _Declared)
            implementations = tuple(Declaration.from_wire(one) for one in said.implementations)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise InputError(f"adapter {source}: {error}") from None
        return cls(
            name=said.name,
            source=source,
            interpreter=interpreter,
            implementations=implementations,
            cost=said.cost,
            settings=said.settings,
            chunk=said.chunk,
        )

    def with_stages(self, modes: Collection[str]) -> Backend:
        """This backend with its implementations in those of `modes` that are stages of the ones that they have."""
        stages = {each.id: each for one in self.implementations for each in one.in_stages() if each.mode in modes}
        known = {one.id for one in self.implementations}
        return replace(
            self, implementations=(*self.implementations, *(one for one in stages.values() if one.id not in known))
        )


def interpreter_of(backend: str, interpreters: Mapping[str, str]) -> str:
    """The interpreter that is named for a backend, or for a glob that it matches; this one where none is."""
    return next((path for name, path in interpreters.items() if matches((name,), backend)), sys.executable)


@dataclass(frozen=True, kw_only=True)
class Opened:
    """What a backend said when it was opened: versions and switches, or why it is absent, or how that failed.

    Only an ImportError makes a backend absent; a crash or another exception is a failure, and the run ends with 3.
    `ended` is how the process ended, where that was the failure.  `lacking` are dtypes that a present one does not have
    here, with the reason.
    """

    versions: dict[str, str] = field(default_factory=dict)
    environment: Header = field(default_factory=dict)
    absent: str | None = None
    failed: str | None = None
    ended: Observation | None = None
    lacking: dict[str, str] = field(default_factory=dict)

    @classmethod
    def from_answer(cls, answer: Header) -> Opened:
        """What the answer of `worker.session.Session.open` says, without private names."""
        if "absent" in answer:
            return cls(absent=anonymous(str(answer["absent"])))
        if "failed" in answer:
            return cls(failed=anonymous(str(answer["failed"])))
        try:
            said = msgspec.convert(answer, _Opened)
        except msgspec.ValidationError as error:
            return cls(failed=f"its worker sent no answer to what it was asked: {error}")
        return cls(
            versions=_anonymous_values(said.versions),
            environment=_anonymous_values(said.environment),
            lacking=_anonymous_values(said.lacking),
        )

    def lacks(self, dtype: str) -> str | None:
        """Why it does not have a dtype here; None where it does."""
        return self.lacking.get(dtype)

    def why_not(self, request: Request) -> str | None:
        """Why a request has no answer here: the backend is absent, or a dtype of its tensors; None where neither is."""
        if self.absent is not None or not self.lacking:
            return self.absent
        return next(filter(None, (self.lacks(one.dtype) for one in request.inputs.tensors.values())), None)

    def has(self, request: Request) -> bool:
        """Whether a request can be made."""
        return self.failed is None and self.why_not(request) is None


def opened(worker: Worker, backend: Backend, sweep: bool = False) -> Opened:
    """Import the framework of a backend in a worker that was just started, for a `sweep` its kernel before that."""
    try:
        hello = worker.receive(OPEN_LIMIT).header
        if hello.get("kind") == "refused":
            return Opened(failed=anonymous(f"{hello.get('type')}: {hello.get('message')}"))
        answer = worker.request({"op": "open", "adapter": backend.name, "sweep": sweep}, (), OPEN_LIMIT).header
    except Ended as end:
        if end.observation == ended(NO_NUMPY):
            return Opened(absent="NumPy cannot be imported there")
        return Opened(failed=end.observation.message, ended=end.observation)
    if worker.outgrown:
        return Opened(failed=f"with nothing but its framework {usage.beyond(worker.memory)}")
    return Opened.from_answer(answer)


def _anonymous_values(values: Header) -> Header:
    return {key: anonymous(value) if isinstance(value, str) else value for key, value in values.items()}
