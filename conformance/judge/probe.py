"""Judging probes: a contract's field shows where a result agrees with the contract, and not without the field."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from conformance import contracts
from conformance.judge.batch import Batch, Errors
from conformance.judge.contracted import Held, held
from conformance.judge.points import Points
from conformance.judge.verdicts import verdict_of
from conformance.numbers.measurement import CLASSES, CODE
from conformance.plan.requests import Request
from conformance.quantities import PROBE


def _field(request: Request) -> Any:
    """The field of the contract that a probe case is about."""
    return contracts.probed(request.implementation.contract, request.case.probe or "")


def agrees_without_field(batch: Batch, errors: Errors) -> dict[int, Any]:
    """For each probe of a batch, the points where the result also agrees with the contract minus the probed field."""
    agrees, selected = {}, []
    for place, (check, here) in enumerate(zip(batch.checks, batch.parts, strict=True)):
        if check.quantity != PROBE:
            continue
        field = _field(check.request)
        rest = tuple(one for one in check.request.implementation.contract if one != field)
        # A mean without the field that says what it is divided by is a sum.
        divides = field.name == "reduction"
        selected.append(Held(place, rest, "sum" if divides else check.request.case.reduction))
        alone = not rest and not divides
        agrees[place] = errors.code[here] == CODE["ok"] if alone else np.zeros(check.count, dtype=bool)
    for met in held(batch, selected):
        agrees[met.place] |= met.how > 0
    return agrees


def verdicts(check: Points, errors: Errors, expect: Sequence[str], agrees_without: Any) -> list[tuple[str, str]]:
    """Verdict and class of each point of a probe."""
    field = _field(check.request)
    # Without a documented cast a result keeps the dtype of its inputs: another one shows the cast.
    cast = field.name == "casts_to" and check.dtype != check.request.dtype
    found = []
    for index in range(check.count):
        seen, code = check.observation(index), CLASSES[errors.code[index]]
        verdict, what = verdict_of("value", seen, check.trouble(index), code, bool(errors.by_contract[index]))
        if verdict in ("crashed", "timed-out"):
            pass  # whatever the field says, the process did not survive
        elif field.name == "domain_check":
            shown = seen.kind == "raised" and seen.control and seen.type == field.raises
            ok = seen.kind == "returned" if expect[index] == "value" else shown
            verdict, what = ("by-contract", "") if ok else ("deviates", "field")
        elif verdict in ("conforms", "by-contract"):
            verdict, what = ("deviates", "field") if agrees_without[index] and not cast else ("by-contract", "")
        found.append((verdict, what))
    return found
