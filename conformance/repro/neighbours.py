"""Which other entry points of the same project get the inputs of a script right."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import msgspec

from conformance.adapters.declaration import BASE_MODE, Declaration
from conformance.known.record import Record
from conformance.numbers.formats import FORMATS
from conformance.numbers.literals import text_of
from conformance.plan.cases import Suite
from conformance.plan.inputs import Inputs
from conformance.plan.plan import Plan
from conformance.plan.requests import Request
from conformance.pool.backend import Backend
from conformance.pool.pool import Pool
from conformance.quantities import NUMERIC
from conformance.repro.projects import project_of
from conformance.repro.report import Reproducer
from conformance.repro.shrink import alone, element_at
from conformance.run import run as runs


class Neighbour(NamedTuple):
    """A plain call that gives the right number, as a decimal, for the inputs of a script."""

    implementation: Declaration
    gives: str


def neighbours(
    pool: Pool, backends: Sequence[Backend], made: Sequence[Reproducer], options: runs.Options
) -> list[tuple[Neighbour, ...]]:
    """For each script the plain calls of its project that are right, in the order of the adapters.

    None where a script is about anything but a number of one element.
    """
    requests = [request for number, one in enumerate(made) for request in _requests(number, one, backends)]
    if not requests:
        return [() for _ in made]
    plan = Plan(
        suite=Suite.of("repro", *{one.case.id: one.case for one in requests}.values()),
        implementations=tuple({one.implementation: None for one in requests}),
        requests=tuple(requests),
    )
    found: dict[str, list[Neighbour]] = {}
    for check in runs.execute(pool, backends, plan, Record(), options).checks:
        if check.verdict == "conforms" and check.bits and check.result_dtype in FORMATS:
            text = text_of(int(check.bits[0], 16), FORMATS[check.result_dtype])
            gives = text if float(text) else "0"  # without the sign of a zero
            found.setdefault(check.request.case.id, []).append(Neighbour(check.request.implementation, gives))
    return [tuple(found.get(_case_id(number), ())) for number in range(len(made))]


def _case_id(number: int) -> str:
    return f"neighbours/n{number}"


def _requests(number: int, made: Reproducer, backends: Sequence[Backend]) -> Iterator[Request]:
    small = made.small
    if small.target.quantity not in NUMERIC or not alone(small.request):
        return
    case = msgspec.structs.replace(small.case, id=_case_id(number), elements=(element_at(small),))
    request = replace(small.request, inputs=Inputs(case, small.request.dtype), quantities=(small.target.quantity,))
    for backend in backends:
        for one in backend.implementations:
            if one.id != small.target.implementation.id and takes(one, request):
                yield replace(request, implementation=one)


def takes(one: Declaration, request: Request) -> bool:
    """Whether it is a plain call of the same project that can be asked for the same."""
    case, own = request.case, request.implementation
    project, mine = project_of(one.id), project_of(own.id)
    return (
        one.mode == BASE_MODE
        and one.device == own.device
        and bool(one.link)
        and project is not None
        and mine is not None
        and project.repository == mine.repository
        and one.form == own.form
        and request.dtype in one.dtypes
        and "none" in one.reductions
        and set(case.options) <= set(one.options)
        and set(case.parameters) <= set(one.parameters)
        and set(request.quantities) <= set(one.quantities)
    )
