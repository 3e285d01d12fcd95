"""Judging numbers: all points of a run at once, then each check by the worst of its points.

First every point is held against the ideal, then those that miss it against each reading of their implementation's
contract.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np

from conformance.judge import contracted, expected, probe, related, summation
from conformance.judge.batch import Batch, Errors
from conformance.judge.contracted import FORMULA
from conformance.judge.expectation import Expectations
from conformance.judge.points import Points, coarser
from conformance.judge.verdicts import EXPECTED, SEVERITY, Element, Judged, detail_of, judged, verdict_of
from conformance.numbers.formats import ulp
from conformance.numbers.measurement import BUDGET, CLASSES
from conformance.quantities import PROBE, RELATION
from reference import Reference

T = TypeVar("T")


def judge(checks: Sequence[Points], unreduced: Sequence[Reference], expectations: Expectations) -> Iterator[Judged]:
    """The checks in their order; `unreduced` are the ideals at the combinations of the inputs of each."""
    if not checks:
        return
    ideals = [
        check.spread(ideal, check.request.case.reduction, check.request.divisor)
        for check, ideal in zip(checks, unreduced, strict=True)
    ]
    batch = Batch(checks, ideals, [_budget(check, one) for check, one in zip(checks, ideals, strict=True)])
    errors = batch.against_ideal()
    contracted.take_in(batch, errors)
    agrees = probe.agrees_without_field(batch, errors)
    told = errors.told(batch.present)
    for index, (check, here) in enumerate(zip(checks, batch.parts, strict=True)):
        part = told.part(here)
        if check.quantity == RELATION:
            regions = expectations.regions(check.request, len(check.request.inputs.groups))
            yield related.judge(check, part, ideals[index], expectations.elements(check.request), regions)
        else:
            expect = expectations.points(check)
            regions = expectations.regions(check.request, len(check.names))
            yield _judged(check, part, _verdicts(check, part, expect, agrees.get(index)), expect, regions)


def _budget(check: Points, ideal: Reference) -> Any:
    """BUDGET, and what summation and the rounding of a smoothed label may add, in ULP of the returned dtype."""
    budget = np.full(check.count, BUDGET)
    if check.scalar:
        budget += summation.budget(check)
    if "label_smoothing" in check.request.inputs.parameters:
        budget += _rounding_of_label(check, ideal)
    return budget


def _rounding_of_label(check: Points, ideal: Reference) -> Any:
    """|dL/dy| times two roundings of y' = y (1 - s) + s/2: the documented composition, each step rounded once."""
    inputs = check.request.inputs
    slope = np.abs(expected.slope_by_label(inputs, check.numeric))
    label = np.abs(inputs.arguments[1]) + inputs.parameters["label_smoothing"]
    fmt = coarser(check.fmt, check.request.implementation.contract)
    error = slope * label * 2 * fmt.unit_roundoff
    zeros = np.zeros_like(error)
    spread = check.spread(Reference(error, zeros, zeros, error), check.request.case.reduction, "elements").hi
    with np.errstate(all="ignore"):
        share = spread / ulp(ideal.scale, check.fmt)
    return np.where(np.isfinite(share), share, 0.0)


def _verdicts(check: Points, errors: Errors, expect: Sequence[str], agrees_without: Any) -> list[tuple[str, str]]:
    """Verdict and class of each point."""
    if check.quantity == PROBE:
        return probe.verdicts(check, errors, expect, agrees_without)
    if (errors.code == 0).all() and check.present.all() and not {"reject", "observe"} & set(expect):
        return [("conforms", "")] * check.count
    return [
        verdict_of(expect[owner], check.observation(owner), check.trouble(owner), CLASSES[code], bool(by_contract))
        for owner, code, by_contract in zip(check.owner.tolist(), errors.code, errors.by_contract, strict=True)
    ]


def _judged(
    check: Points, errors: Errors, verdicts: Sequence[tuple[str, str]], expect: Sequence[str], regions: Sequence[str]
) -> Judged:
    """A check by its points: each element has the verdict of its worst one."""
    chosen = _worst_points(check, verdicts, errors.scaled.tolist())
    elements = []
    for index, (name, point, region) in enumerate(zip(check.names, chosen, regions, strict=True)):
        seen = check.observation(index)
        if point is None:  # no point of it came back, or an empty tensor did
            verdict, what = verdict_of(expect[index], seen, check.trouble(index), "ok", False)
        else:
            verdict, what = verdicts[point]
        detail = ""
        if verdict not in EXPECTED:
            detail = detail_of(seen) or (check.where(point) if point is not None else "")
        elements.append(Element(name, verdict, what, region, detail))
    details = [text for one in check.observations if (text := detail_of(one))]
    made = judged(check.request, check.quantity, elements, details, check.dtype)
    by_formula = (errors.by_contract == FORMULA).tolist()
    shown = bool(made.findings) or any(one.verdict == "by-contract" for one in elements)
    return replace(
        made,
        bits=_picked(chosen, check.bits, ""),
        scaled=_picked(chosen, errors.scaled.tolist(), np.nan),
        plain=_picked(chosen, errors.plain.tolist(), np.nan),
        contract=_picked(chosen, errors.contract.tolist(), np.nan),
        contract_values=_picked(chosen, errors.contract_values(), None) if shown else (),
        budget=_picked(chosen, errors.budget.tolist(), BUDGET),
        ideal=_picked(chosen, errors.ideal.tolist(), np.nan),
        formula=tuple(
            one.name
            for one, point in zip(elements, chosen, strict=True)
            if one.verdict == "by-contract" and point is not None and by_formula[point]
        ),
        warnings=tuple(sorted({text for one in check.observations for text in one.warnings})),
    )


def _picked(chosen: Sequence[int | None], values: Sequence[T], otherwise: T) -> tuple[T, ...]:
    """What a column has at the chosen points, something else where there is no point."""
    if chosen == range(len(values)):
        return tuple(values)
    return tuple(otherwise if point is None else values[point] for point in chosen)


def _worst_points(check: Points, verdicts: Sequence[tuple[str, str]], errors: Sequence[float]) -> Sequence[int | None]:
    """For each element of a check its worst point, None where it has none."""
    if len(check.names) == check.count and not check.request.presentations:
        return range(check.count)
    chosen: list[int | None] = [None] * len(check.names)
    ranks: list[tuple[int, float]] = [(-1, 0.0)] * len(check.names)
    for point, owner in enumerate(check.owner.tolist()):
        error = errors[point]
        rank = (SEVERITY[verdicts[point][0]], error if error == error else -1.0)
        if rank > ranks[owner]:
            ranks[owner], chosen[owner] = rank, point
    return chosen
