"""Expected values of a run: the reference at the exact inputs, and at what a contract makes of them.

All points of a run are computed in a few large calls, because a double-double call on ten numbers costs as much as
one on a thousand.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

import reference
from conformance import contracts
from conformance.contracts import Contract
from conformance.judge.escalate import escalate
from conformance.numbers.documented import Documented
from conformance.numbers.formats import decode, encode
from conformance.numbers.measurement import BUDGET
from conformance.plan.inputs import Inputs
from conformance.quantities import QUANTITIES, VALUE
from reference import Reference, exact_total
from reference.formulas import forward_error


@dataclass(frozen=True)
class Point:
    """What to compute: prediction, label, weight, pos_weight (after whatever a contract does to them) and constants.

    `constants` are keyword arguments of the reference: log_clamp, epsilon, and the parameters of a case.
    """

    form: str
    quantity: str
    arrays: tuple[Any, ...]
    constants: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class Reading:
    """What one reading of a contract asks for: the reference at a point, 0 `outside` a clip, a hull `at_bound`."""

    point: Point
    outside: Any
    at_bound: Any


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
        yield Point(inputs.case.form, quantity, inputs.arguments, tuple(inputs.parameters.items()))


def compute(points: Sequence[Point]) -> list[Reference]:
    """The unreduced reference at every point of `points`, in order; where its bound is too large, certified by Arb."""
    results: list[Reference | None] = [None] * len(points)
    groups: dict[tuple[Any, ...], list[int]] = {}
    for index, point in enumerate(points):
        groups.setdefault((point.form, point.quantity, point.constants), []).append(index)
    for (form, quantity, constants), members in groups.items():
        joined = [np.concatenate([points[index].arrays[axis] for index in members]) for axis in range(4)]
        prediction, label, weight, pos_weight = joined
        given = dict(constants)
        whole = reference.FUNCTIONS[quantity](form, prediction, label, weight, pos_weight, **given)
        if not {"log_clamp", "epsilon"} & set(given):
            whole = escalate(form, quantity, joined, whole, BUDGET / 16, **given)
        start = 0
        for index in members:
            stop = start + len(points[index].arrays[0])
            results[index] = Reference(*(field[start:stop] for field in whole))
            start = stop
    return [result for result in results if result is not None]


def take(part: Reference, rows: Any) -> Reference:
    """The reference at some of its points."""
    return Reference(*(field[rows] for field in part))


def divided(part: Reference, by: Fraction | None) -> Reference:
    """Gradients of a mean: each element's own divided by what the mean divides by, exactly."""
    once = np.ones(1, dtype=np.int64)
    parts = [exact_total(take(part, slice(i, i + 1)), once, by) for i in range(len(part.hi))]
    return Reference(*(np.concatenate(fields) for fields in zip(*parts, strict=True))) if parts else part


def readings(inputs: Inputs, quantity: str, contract: Contract) -> list[Reading]:
    """What each reading of `contract` makes of the inputs."""
    said = Documented.by(contract, inputs.dtype)
    arrays = [_cast(array, contract) for array in inputs.arguments]
    if contracts.find(contract, "daz"):
        tiny = 2.0**said.fmt.emin
        arrays = [np.where(np.abs(array) < tiny, 0.0 * array, array) for array in arrays]
    prediction, *others = arrays
    constants = tuple({**inputs.parameters, **said.constants}.items())
    by_prediction = QUANTITIES[quantity].variable == "prediction"
    return [
        Reading(
            Point(inputs.case.form, quantity, (interval.confined(prediction), *others), constants),
            by_prediction & interval.outside(prediction),
            by_prediction & interval.at_bound(prediction),
        )
        for interval in said.intervals
    ]


def slope_by_label(inputs: Inputs, quantity: str) -> Any:
    """Size of the derivative by the label of `quantity` at each combination, from its natural terms."""
    x, _, weight, _ = inputs.arguments
    if inputs.case.form == "logits":
        sizes = {"value": np.abs(x), "gradient-prediction": np.ones_like(x)}
    else:
        with np.errstate(all="ignore"):
            sizes = {
                "value": np.abs(np.log(x)) + np.abs(np.log1p(-x)),
                "gradient-prediction": 1 / x + 1 / (1 - x),
                "second-derivative": 1 / x**2 + 1 / (1 - x) ** 2,
            }
    return np.abs(weight) * sizes.get(quantity, np.zeros_like(x))


def _cast(array: Any, contract: Contract) -> Any:
    cast = contracts.find(contract, "casts_to")
    return decode(encode(array, cast.dtype)) if cast else array


def alternative(inputs: Inputs, contract: Contract, reading: Reading, result: Reference) -> Alternative:
    """`result`, the reference at a reading's point, with what that allows: a hull and a formula's slack."""
    if reading.outside.any():
        zero = np.zeros_like(result.hi)
        result = Reference(*(np.where(reading.outside, zero, field) for field in result))
    slack = np.zeros_like(result.hi)
    formula = contracts.find(contract, "formula")
    if formula and reading.point.quantity == VALUE:
        z, y, w, q = (_cast(array, contract) for array in inputs.arguments)
        fmt = Documented.by(contract, inputs.dtype).fmt
        slack = forward_error(formula.formula, z, y, w, q, fmt.unit_roundoff)
        slack = np.where(np.isfinite(slack), slack, 0.0)
    return Alternative(result, reading.at_bound, slack)
