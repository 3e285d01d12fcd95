"""Holding the points of many checks against the readings of their contracts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from conformance import contracts
from conformance.contracts import Contract
from conformance.judge import expected
from conformance.judge.batch import Batch, Errors
from conformance.judge.expected import Alternative
from conformance.judge.points import coarser
from conformance.numbers.measurement import CODE, Limits, concatenate, measure
from conformance.plan.inputs import Inputs

#: How a point meets a contract: within the counted error of a documented formula, or within the budget of a reading.
FORMULA, CONTRACT = 1, 2


class Held(NamedTuple):
    """Which check of a batch is held against which contract, and how that reduces."""

    place: int
    contract: Contract
    reduction: str


class Met(NamedTuple):
    """How the points of a check meet one reading: not (0), by FORMULA or by CONTRACT; errors in ULP, its values."""

    place: int
    how: Any
    ulps: Any
    values: Any


class _Wanted(NamedTuple):
    """What the readings of a contract are computed for: checks of one case and dtype share them."""

    inputs: Inputs
    quantity: str
    contract: Contract


def take_in(batch: Batch, errors: Errors) -> None:
    """Hold the points that miss the ideal against the contracts of their implementations."""
    missing = batch.present & (errors.code != CODE["ok"])
    selected = [
        Held(place, check.request.implementation.contract, check.request.case.reduction)
        for place, (check, here) in enumerate(zip(batch.checks, batch.parts, strict=True))
        if check.request.implementation.contract and missing[here].any()
    ]
    for met in held(batch, selected):
        here = batch.parts[met.place]
        errors.part(here).take_in(np.where(missing[here], met.how, 0), met.ulps, met.values)
    flushed = missing & (errors.code == CODE["flushed"])
    for check, here in zip(batch.checks, batch.parts, strict=True):
        if contracts.find(check.request.implementation.contract, "ftz"):
            errors.by_contract[here] = np.maximum(errors.by_contract[here], CONTRACT * flushed[here])


def held(batch: Batch, selected: Sequence[Held]) -> Iterator[Met]:
    """Some checks of a batch against every reading of a contract, in bulk."""
    readings = _readings(batch, selected)
    if not readings:
        return
    index = np.concatenate([np.arange(batch.parts[i].start, batch.parts[i].stop) for i, _ in readings])
    joined = concatenate([one.reference for _, one in readings])
    checks = [batch.checks[i] for i, _ in readings]
    counts = [check.count for check in checks]
    # A gradient passes through a documented cast: it is as coarse as the cast, whatever dtype it comes back in.
    limits = Limits.of([coarser(check.fmt, check.request.implementation.contract) for check in checks], counts)
    values, allowed = batch.got[index], batch.budget[index]
    found = measure(values, joined, limits, allowed)
    slack = np.concatenate([one.slack for _, one in readings])
    hull = np.concatenate([one.hull for _, one in readings])
    with np.errstate(all="ignore"):
        within = np.isfinite(values) & (np.abs(values - joined.hi) <= slack) & (slack > 0) & ~found.ok
        # A formula's rounding errors explain neither another sign nor a flushed result nor an uncertain reference.
        within &= ~np.isin(found.code, (CODE["sign"], CODE["flushed"], CODE["undecided"]))
        span = np.abs(joined.hi) * (1 + allowed * 2.0 ** (1 - limits.precision))
        between = hull & (values * np.sign(joined.hi) >= 0) & (np.abs(values) <= span)
    how = np.where(found.ok | between, CONTRACT, np.where(within, FORMULA, 0))
    ulps = np.where((between | within) & ~found.ok, 0.0, found.scaled)
    stops = np.cumsum(counts)
    for (i, _), stop, count in zip(readings, stops, counts, strict=True):
        here = slice(stop - count, stop)
        yield Met(i, how[here], ulps[here], joined.hi[here])


def _readings(batch: Batch, selected: Sequence[Held]) -> list[tuple[int, Alternative]]:
    """(place, reading) of the contracts that checks are held against, computed together."""
    wanted: dict[tuple[Any, ...], _Wanted] = {}
    users: dict[tuple[Any, ...], list[Held]] = {}
    for one in selected:
        check = batch.checks[one.place]
        key = (check.request.case.id, check.request.dtype, check.numeric, one.contract)
        wanted[key] = _Wanted(check.request.inputs, check.numeric, one.contract)
        users.setdefault(key, []).append(one)
    flat = [(key, one, reading) for key, one in wanted.items() for reading in expected.readings(*one)]
    computed = expected.compute([reading.point for _, _, reading in flat])
    readings = []
    for (key, (inputs, _, contract), reading), result in zip(flat, computed, strict=True):
        unreduced = expected.alternative(inputs, contract, reading, result)
        for user in users[key]:
            check = batch.checks[user.place]
            divisor = contracts.divisor(contract, check.request.implementation.masks)
            readings.append((user.place, check.spread_reading(unreduced, user.reduction, divisor)))
    return readings
