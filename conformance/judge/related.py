"""Judging relations: whether what must hold between results does, within the bound of the results themselves."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from conformance.judge.batch import Errors
from conformance.judge.points import Points
from conformance.judge.verdicts import EXPECTED, Element, Judged, detail_of, judged, verdict_of
from conformance.numbers.formats import FORMATS, decode, ulp
from conformance.numbers.measurement import BUDGET, CODE
from conformance.plan.inputs import Group
from conformance.plan.relations import Statement
from conformance.plan.requests import Request
from conformance.pool.observation import Observed
from conformance.quantities import RELATION
from reference import Reference

#: Class of a relation that does not hold: NaN or an infinity among its results, or a residual beyond the bound.
Broken = str


def judge(check: Points, errors: Errors, ideal: Reference, expect: tuple[str, ...], regions: tuple[str, ...]) -> Judged:
    """The check `relation`: where it does not hold, each result as its contract says explains it.

    `expect` has a word for each leg, `regions` one for each element.
    """
    request, relation = check.request, check.request.relation
    assert relation is not None
    groups = request.inputs.groups
    exact, contracted = errors.code == CODE["ok"], errors.by_contract > 0
    elements = []
    for group, region, (what, residual) in zip(groups, regions, broken(check, ideal), strict=True):
        lost = [leg for leg in group.legs if not check.present[leg]]
        seen = check.observation(lost[0] if lost else group.legs[0])
        legs = list(group.legs)
        # A contract explains what its results break, and where all are exact there is nothing to explain.
        explained = bool((exact | contracted)[legs].all() and (contracted & ~exact)[legs].any())
        word, trouble = expect[legs[0]], check.trouble(lost[0]) if lost else ""
        verdict, what = verdict_of(word, seen, trouble, what or "ok", explained and not relation.one_call)
        elements.append(Element(group.name, verdict, what, region, detail_of(seen) or residual))
    details = [f"{one.name}: {one.detail}" for one in elements if one.verdict not in EXPECTED]
    return judged(request, RELATION, elements, details, check.dtype)


def broken(check: Points, ideal: Reference) -> list[tuple[Broken, str]]:
    """For each element of a relation's case: "" where the relation holds, else a class, and the residual in words."""
    request = check.request
    relation = request.relation
    assert relation is not None
    bounds = BUDGET * ulp(ideal.scale, check.fmt)
    if not relation.variants:
        return [_stated(group, check.got, bounds) for group in request.inputs.groups]
    left, right = (_results(request, name, check.outcome[name]) for name in request.calls[-2:])
    if relation.name == "forms":
        bounds = bounds + _rounding_of_probabilities(request, check)
    return [_equal(left[index], right[index], float(bounds[index])) for index in range(len(request.inputs.groups))]


def _stated(group: Group, got: Any, bounds: Any) -> tuple[Broken, str]:
    legs = list(group.legs)
    return _residual(group.statement, got[legs].tolist(), bounds[legs].tolist())


def _residual(statement: Statement, results: list[float], bounds: list[float]) -> tuple[Broken, str]:
    if not np.isfinite(results).all():
        return _endless(statement, results), f"results {results}"
    pairs = list(zip(statement.coefficients, results, bounds, strict=True))
    residual = statement.constant + sum((c * Fraction(value) for c, value, _ in pairs), Fraction(0))
    bound = sum((abs(c) * Fraction(limit) for c, _, limit in pairs), Fraction(0))
    holds = {
        "equal": abs(residual) <= bound,
        "not-below": residual >= -bound,
        "differ": abs(residual) > bound,
    }[statement.sense]
    return ("" if holds else "inaccurate"), f"residual {float(residual):.6g}, bound {float(bound):.3g}"


def _endless(statement: Statement, results: list[float]) -> Broken:
    """The class of a residual that is not finite; "" where it is +infinity and must only not be negative."""
    with np.errstate(invalid="ignore"):
        residual = sum(float(c) * one for c, one in zip(statement.coefficients, results, strict=True))
    if statement.sense == "not-below" and residual == np.inf:
        return ""
    return "nan" if np.isnan(results).any() else "infinite"


def _results(request: Request, name: str, observations: Observed) -> list[list[float]]:
    """For each element the results that one call gave it; none where it gave no comparable one."""
    count = len(request.inputs.groups)
    values: list[list[float]] = [[] for _ in range(count)]
    if len(observations) == 1:
        tensor = observations[0].tensor
        if tensor is not None and tensor.dtype in FORMATS and count and tensor.bits.size % count == 0:
            values = decode(tensor).reshape(count, -1).tolist()
    else:
        for index, one in enumerate(observations):
            if one.tensor is not None and one.tensor.dtype in FORMATS:
                values[index] = decode(one.tensor).ravel().tolist()
    return values[::-1] if name == "reversed" else values


def _equal(left: list[float], right: list[float], bound: float) -> tuple[Broken, str]:
    """Whether two calls agree on an element, within the budgets of both."""
    if len(left) != len(right) or not left:
        return ("", "") if left == right else ("raised", "one of the two calls has no result")
    equal = Statement((Fraction(1), Fraction(-1)))
    found = [
        ("", "") if a == b or (a != a and b != b) else _residual(equal, [a, b], [bound, bound])
        for a, b in zip(left, right, strict=True)
    ]
    return max(found, key=lambda one: bool(one[0]))


def _rounding_of_probabilities(request: Request, check: Points) -> Any:
    """Half of |dL/dp| ulp(p), for each call: p = sigmoid(z) is rounded to the dtype before the counterpart sees it."""
    z, y = request.inputs.arguments[:2]
    with np.errstate(over="ignore"):
        p = 1.0 / (1.0 + np.exp(-z))
        q = 1.0 / (1.0 + np.exp(z))
    slope = np.abs(y) / p + np.abs(1.0 - y) / q
    return slope * ulp(p, FORMATS[request.dtype]) / 2
