"""Calls as Python text: asked of a worker for each adapter, which needs no framework for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from conformance.errors import HarnessError, InputError
from conformance.plan.requests import Request
from conformance.pool.backend import OPEN_LIMIT, Backend
from conformance.pool.observation import anonymous
from conformance.pool.pool import Pool
from conformance.pool.process import Ended


class Source(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One call as Python text: see `adapters.writing.source`."""

    kind: str
    modules: tuple[str, ...]
    versions: tuple[tuple[str, str], ...]
    arguments: tuple[str, ...]
    loss: str
    produced: str
    helpers: tuple[str, ...]
    before: tuple[str, ...]
    result: str
    tensor: str
    reshaped: str
    number: str
    numbers: str
    dtype: str


class Asked(NamedTuple):
    """What a call is asked for: the request, which numeric quantity, and what makes probabilities of its logits."""

    request: Request
    quantity: str
    producer: str = ""


def ask(pool: Pool, backends: Sequence[Backend], asked: Sequence[Asked]) -> list[Source | InputError]:
    """The text of each call, or why it has none."""
    found: dict[int, Source | InputError] = {}
    for backend in backends:
        mine = [index for index, one in enumerate(asked) if one.request.implementation.adapter == backend.name]
        if not mine:
            continue
        with pool.worker(backend.interpreter, backend.source) as worker:
            try:
                worker.receive(OPEN_LIMIT)
                for index in mine:
                    answer = worker.request(_message(asked[index]), (), pool.timeout).header
                    found[index] = _source(asked[index].request, answer)
            except Ended as end:
                raise HarnessError(f"the worker of {backend.name} ended: {end.observation.message}") from None
    return [found[index] for index in range(len(asked))]


def _source(request: Request, answer: dict[str, Any]) -> Source | InputError:
    if answer.get("kind") == "raised":
        why = anonymous(f"{answer.get('type')}: {answer.get('message')}")
        return InputError(f"the call of {request.implementation.id} cannot be written as a script: {why}")
    try:
        return msgspec.convert({key: value for key, value in answer.items() if key != "arrays"}, Source)
    except msgspec.ValidationError as error:
        raise HarnessError(f"the worker of {request.implementation.adapter} sent no text of a call: {error}") from None


def _message(asked: Asked) -> dict[str, Any]:
    request = asked.request
    one, tensors = request.implementation, request.inputs.tensors
    shapes = {name: list(tensor.shape) for name, tensor in tensors.items()}
    for presentation in request.presentations:
        shapes = {name: list(presentation.shape_of(name)) for name in tensors}
    return {
        "op": "write",
        "adapter": one.adapter,
        "implementation": one.key,
        "quantity": asked.quantity,
        "producer": asked.producer,
        "reduction": request.case.reduction,
        "parameters": request.inputs.parameters,
        "tensors": [[name, tensor.dtype, shapes[name]] for name, tensor in tensors.items()],
    }
