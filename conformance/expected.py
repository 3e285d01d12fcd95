"""Expected values of a run: the reference at the exact inputs, and at what a contract makes of them.

All points of a run are computed in a few large calls, because a double-double call on ten numbers costs as much as
one on a thousand.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np

import reference
from conformance import contracts
from conformance.contracts import Contract
from conformance.escalate import escalate
from conformance.formats import FORMATS, Format, decode, encode, round_to_bits
from conformance.literals import float_of, rational
from conformance.measure import BUDGET
from conformance.plan import Inputs
from reference import Reference
from reference.formulas import forward_error

QUANTITY = {
    "value": reference.loss,
    "gradient-prediction": reference.gradient_prediction,
    "gradient-label": reference.gradient_label,
    "second-derivative": reference.second_derivative,
}

ARGUMENTS = ("prediction", "label", "weight", "pos_weight")


@dataclass(frozen=True)
class Point:
    """What to compute: `inputs` (after whatever a contract does to them) and the constants of the formula."""

    form: str
    quantity: str
    reduction: str
    arrays: tuple[Any, ...]
    log_clamp: float | None = None
    epsilon: float | None = None


@dataclass(frozen=True)
class Alternative:
    """One reading of a contract: its reference, and how far it may be missed.

    Where `hull` is True any value between 0 and the reference is right: the subdifferential at a clip bound.
    `slack` is an absolute error that a documented formula allows.
    """

    reference: Reference
    hull: Any
    slack: Any


def ideal_points(requests: Iterable[tuple[Inputs, str]]) -> Iterator[Point]:
    """The exact mathematics on the exact inputs, for (inputs, quantity) pairs."""
    for inputs, quantity in requests:
        arrays = tuple(inputs.values[name] for name in ARGUMENTS)
        yield Point(inputs.case.form, quantity, inputs.case.reduction, arrays)


def compute(points: Sequence[Point]) -> list[Reference]:
    """The reference at every point of `points`, in order; where its bound is too large, certified by Arb."""
    results: list[Reference | None] = [None] * len(points)
    groups: dict[tuple[Any, ...], list[int]] = {}
    for index, point in enumerate(points):
        groups.setdefault((point.form, point.quantity, point.log_clamp, point.epsilon), []).append(index)
    for (form, quantity, log_clamp, epsilon), members in groups.items():
        joined = [np.concatenate([points[index].arrays[axis] for index in members]) for axis in range(4)]
        p, y, w, q = joined
        whole = QUANTITY[quantity](form, p, y, w, q, log_clamp=log_clamp, epsilon=epsilon)
        if log_clamp is None and epsilon is None:
            whole = escalate(form, quantity, joined, whole, BUDGET / 16)
        start = 0
        for index in members:
            stop = start + len(points[index].arrays[0])
            part = Reference(*(field[start:stop] for field in whole))
            results[index] = _reduced(part, points[index])
            start = stop
    return [result for result in results if result is not None]


def _reduced(part: Reference, point: Point) -> Reference:
    if point.reduction == "none":
        return part
    if point.quantity == "value":
        reduce = reference.exact_mean if point.reduction == "mean" else reference.exact_sum
        return Reference(*(np.atleast_1d(field) for field in reduce(part)))
    return _divided(part, len(part.hi)) if point.reduction == "mean" else part


def _divided(part: Reference, count: int) -> Reference:
    """Gradients of a mean: each element's own divided by the number of elements, exactly."""
    columns = []
    for hi, lo, bound, scale in zip(*part, strict=True):
        if not np.isfinite(hi):
            columns.append((hi, lo, bound, scale / count))
            continue
        exact = (Fraction(float(hi)) + Fraction(float(lo))) / count
        high = float(exact)
        columns.append((high, float(exact - Fraction(high)), bound / count, scale / count))
    return Reference(*(np.array(column) for column in zip(*columns, strict=True)))


def contract_points(inputs: Inputs, quantity: str, contract: Contract, reduction: str) -> list[tuple[Point, Any]]:
    """(point, factor) for each reading of `contract`; `factor` is 1, 0 outside a clip, NaN at a clip bound."""
    cast = contracts.find(contract, "casts_to")
    dtype = cast.dtype if cast else inputs.dtype
    arrays = [_cast(inputs.values[name], cast) for name in ARGUMENTS]
    daz = contracts.find(contract, "daz")
    if daz:
        tiny = 2.0 ** FORMATS[dtype].emin
        arrays = [np.where(np.abs(array) < tiny, 0.0 * array, array) for array in arrays]
    clamp = contracts.find(contract, "log_clamp")
    epsilon = contracts.find(contract, "epsilon")
    readings = []
    for prediction, factor in _clipped(arrays[0], contracts.find(contract, "clip"), FORMATS[dtype]):
        point = Point(
            inputs.case.form,
            quantity,
            reduction,
            (prediction, *arrays[1:]),
            clamp.bound if clamp else None,
            epsilon.value if epsilon else None,
        )
        by_prediction = quantity in ("gradient-prediction", "second-derivative")
        readings.append((point, factor if by_prediction else np.ones(len(prediction))))
    return readings


def _cast(array: Any, cast: contracts.CastsTo | None) -> Any:
    return decode(encode(array, cast.dtype)) if cast else array


def _clipped(prediction: Any, clip: contracts.Clip | None, fmt: Format) -> Iterator[tuple[Any, Any]]:
    if clip is None:
        yield prediction, np.ones(len(prediction))
        return
    for low in clip_bounds(clip.low, fmt):
        for high in clip_bounds(clip.high, fmt):
            inside = (prediction > low) & (prediction < high)
            at_bound = (prediction == low) | (prediction == high)
            with np.errstate(invalid="ignore"):
                clipped = np.clip(prediction, low, high)
            yield clipped, np.where(at_bound, np.nan, np.where(inside | np.isnan(prediction), 1.0, 0.0))


@cache
def clip_bounds(literal: str, fmt: Format) -> tuple[float, ...]:
    """The neighbours in `fmt` of the real bound `literal` that lie strictly inside (0, 1)."""
    exact = rational(literal)
    nearest = round_to_bits(exact, fmt)
    values = [float_of(bits, fmt) for bits in (nearest - 1, nearest, nearest + 1)]
    below = max((value for value in values if Fraction(value) <= exact), default=0.0)
    above = min((value for value in values if Fraction(value) >= exact), default=1.0)
    return tuple(sorted({value for value in (below, above) if 0.0 < value < 1.0}))


def alternative(inputs: Inputs, quantity: str, contract: Contract, result: Reference, factor: Any) -> Alternative:
    """`result` as a contract's reading: zero outside a clip, a hull at its bounds, a formula's slack."""
    outside = factor == 0
    if outside.any():
        zero = np.zeros_like(result.hi)
        result = Reference(*(np.where(outside, zero, field) for field in result))
    slack = np.zeros_like(result.hi)
    formula = contracts.find(contract, "formula")
    if formula and quantity == "value" and inputs.case.reduction == "none":
        cast = contracts.find(contract, "casts_to")
        dtype = cast.dtype if cast else inputs.dtype
        z, y, w, q = (_cast(inputs.values[name], cast) for name in ARGUMENTS)
        slack = forward_error(formula.formula, z, y, w, q, FORMATS[dtype].unit_roundoff)
        slack = np.where(np.isfinite(slack), slack, 0.0)
    hull = np.isnan(factor) if len(factor) == len(result.hi) else np.zeros(len(result.hi), dtype=bool)
    return Alternative(result, hull, slack)
