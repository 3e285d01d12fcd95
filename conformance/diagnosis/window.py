"""Where a formula is wrong: the predictions for which its emulation is out of budget, and where it is worst.

Predictions spread evenly over the exponents are tried, and between a wrong one and a right one beside it numbers of the
dtype until they are neighbours: an end is the outermost wrong number that was met.  Where right and wrong results are
mixed there another may lie farther out; a certificate of `sweep` has every number tried.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

import reference
from conformance.diagnosis.guilty import Guilt
from conformance.diagnosis.identify import Fit
from conformance.diagnosis.results import Group
from conformance.formulas.arithmetic import EACH, Arithmetic, rounded
from conformance.formulas.catalogue import Options
from conformance.formulas.derivative import RULES, derivative
from conformance.formulas.evaluate import emulated
from conformance.formulas.expression import Expression, inlined, inputs, substitute, var
from conformance.numbers.formats import FORMATS, Tensor, decode, encode, ulp
from conformance.numbers.measurement import BUDGET, CODE, Limits, measure

if TYPE_CHECKING:
    from conformance.numbers.arrays import Floats, Index, Mask
    from conformance.numbers.formats import Format

#: Predictions on each side of 0, or of 1/2.
POINTS = 1200
#: Right results between wrong ones that do not end a window.
GAP = POINTS // 20
#: Numbers that are tried between two at once, and at the inner side of an end.
SECTIONS = 1000
#: Logits from here on saturate every dtype but float64, whose exp(-z) is a number up to 745.
_LARGEST = {"float64": 800.0}


class Points(NamedTuple):
    """Results for predictions `x`, and what is exact; `error` is in ULP, infinite where no number is told in ULP."""

    x: Floats
    got: Floats
    exact: Floats
    wrong: Mask
    error: Floats

    def only(self, chosen: Mask) -> Points:
        """Some of them."""
        return Points(self.x[chosen], self.got[chosen], self.exact[chosen], self.wrong[chosen], self.error[chosen])


@dataclass(frozen=True, kw_only=True)
class Curve:
    """A formula in a prediction and a label alone, for one `label`.  Raises ValueError if it has other inputs."""

    expression: Expression
    arithmetic: Arithmetic
    form: str
    quantity: str
    label: float

    def __post_init__(self) -> None:
        if not inputs(self.expression) <= {self.name, "y"}:
            raise ValueError(f"a formula in {self.name} and y is required, got {sorted(inputs(self.expression))}")

    @property
    def name(self) -> str:
        """The prediction, as formulas name it."""
        return "z" if self.form == "logits" else "p"

    @property
    def format(self) -> Format:
        """What predictions are numbers of."""
        return FORMATS[self.arithmetic.inputs]

    def at(self, x: Floats) -> Points:
        """What the formula gives for predictions, which are numbers of the dtype."""
        got = emulated(self.expression, {self.name: x, "y": self._labels(x)}, self.arithmetic)
        return self.measured(x, np.broadcast_to(got, x.shape))

    def measured(self, x: Floats, got: Floats) -> Points:
        """Results for predictions, whoever gave them; where the reference is uncertain, by the least error there is."""
        exact = reference.FUNCTIONS[self.quantity](self.form, x, self._labels(x))
        fmt = FORMATS[self.arithmetic.result]
        found = measure(got, exact, Limits.of([fmt], [x.size]))
        uncertain = found.scaled - exact.bound / ulp(exact.scale, fmt)
        wrong = np.where(found.code == CODE["undecided"], uncertain > BUDGET, ~found.ok)
        return Points(x, got, exact.hi, wrong, np.where(np.isnan(found.scaled), np.inf, found.scaled))

    def magnified(self, guilt: Guilt, x: Floats, exact: Floats) -> Floats | None:
        """By what a relative error of the guilty step is multiplied in the result, which is `exact`, for predictions.

        None where no step is to blame.
        """
        if not guilt.sets or guilt.by_formula:
            return None
        step = inlined(guilt.sets[0][0].step.shown)
        rest = substitute(inlined(self.expression), {step: var("t")})
        if "t" not in inputs(rest):
            return None
        given = {self.name: x, "y": self._labels(x)}
        given["t"] = _plainly(step, given)
        slope = _plainly(derivative(rest, "t", RULES["plain"]), given)
        with np.errstate(all="ignore"):
            return np.abs(given["t"] * slope / exact)

    def _labels(self, x: Floats) -> Floats:
        return np.full(x.size, float(rounded(np.array(self.label), self.format)))

    def tried(self) -> Points:
        """The results for predictions spread over the exponents, sorted."""
        return self.at(_predictions(self.form, self.format))


def _plainly(x: Expression, given: dict[str, Floats]) -> Floats:
    """What `x` gives in float64."""
    float64 = Arithmetic(name=EACH, inputs="float64", step="float64", inside="float64", result="float64")
    return np.broadcast_to(emulated(x, given, float64), given["y"].shape)


class End(NamedTuple):
    """Where something ends: at a number, beyond which it does not hold.

    `sharp`: it holds for every one of the numbers next to the end on its inner side.  `last`: it ends only because no
    number farther out was tried.
    """

    at: float
    sharp: bool = True
    last: bool = False


@dataclass(frozen=True, kw_only=True)
class Window:
    """Predictions from `low` to `high`, between which results are wrong, most of them, at worst at `worst`.

    `error` is condition-scaled, in ULP of the result; infinite where it is no number that is told in ULP.
    """

    low: End
    high: End
    worst: float
    error: float


def windows(curve: Curve) -> tuple[Window, ...]:
    """The windows of a formula, from the smallest prediction on."""
    points = curve.tried()
    x = points.x
    joined = _joined(points.wrong.copy())
    edges = np.flatnonzero(np.diff(np.concatenate([[False], joined, [False]]).astype(np.int8)))
    found = []
    for first, stop in zip(edges[::2], edges[1::2], strict=True):
        low = _end(curve, x[first], x[first - 1] if first else None)
        high = _end(curve, x[stop - 1], x[stop] if stop < x.size else None)
        inside = curve.at(np.array([low.at, *x[first:stop], high.at]))
        worst = int(np.argmax(np.where(inside.wrong, inside.error, -1.0)))
        error = float(inside.error[worst])
        found.append(Window(low=low, high=high, worst=float(inside.x[worst]), error=error))
    return tuple(found)


def _end(curve: Curve, wrong: float, right: float | None) -> End:
    if right is None:
        return End(float(wrong), last=True)
    return end(curve, lambda points: points.wrong, wrong, right)


def end(curve: Curve, holds: Callable[[Points], Mask], inside: float, outside: float) -> End:
    """The outermost number met for which something `holds`, as it does for `inside` and not for `outside`."""
    (low, high), fmt = _ordinals([inside, outside], curve.format), curve.format
    step = 1 if high > low else -1
    while abs(high - low) > 1:
        width = max(abs(high - low) // SECTIONS, 1)
        places = np.arange(low, high, step * width)
        held = np.flatnonzero(holds(curve.at(_numbers(places, fmt))))
        low = int(places[held[-1]])
        high = int(places[held[-1] + 1]) if held[-1] + 1 < places.size else high
    near = np.arange(low, low - step * SECTIONS, -step)
    first = _ordinals([inside], fmt)[0]
    near = near[(near - first) * step >= 0]
    return End(float(_numbers(np.array([low]), fmt)[0]), sharp=bool(holds(curve.at(_numbers(near, fmt))).all()))


def _ordinals(values: list[float], fmt: Format) -> list[int]:
    """Numbers of a format as integers in their order: neighbours are 1 apart, zeros are 0."""
    sign = 1 << (fmt.width - 1)
    bits = [int(one) for one in encode(np.array(values), fmt.name).bits]
    return [-(one - sign) if one & sign else one for one in bits]


def _numbers(ordinals: Index, fmt: Format) -> Floats:
    sizes = np.abs(ordinals).astype(fmt.storage)
    return np.copysign(decode(Tensor(fmt.name, sizes)), ordinals)


def _joined(wrong: Mask) -> Mask:
    """`wrong` with gaps closed that are short: among wrong results a few are right by chance."""
    places = np.flatnonzero(wrong)
    for before, after in pairwise(places):
        if after - before <= GAP:
            wrong[before:after] = True
    return wrong


def _predictions(form: str, fmt: Format) -> Floats:
    """Finite ones of `fmt`, sorted; probabilities are those inside of (0, 1)."""
    if form == "logits":
        sizes = np.geomspace(1e-4, min(_LARGEST.get(fmt.name, 110.0), float(fmt.largest)), POINTS)
        x = np.concatenate([-sizes, [0.0], sizes])
    else:
        sizes = np.geomspace(max(2.0**fmt.emin, 1e-30), 0.5, POINTS)
        x = np.concatenate([sizes, 1 - sizes])
    x = np.unique(rounded(x, fmt))
    return x if form == "logits" else x[(x > 0) & (x < 1)]


# ------------------------------------------------------------------------------------------------------- of a group


@dataclass(frozen=True)
class Where:
    """Where results for one label are wrong: by emulation, and which of the run, whose predictions windows are about.

    What a contract excuses is not wrong in a run.
    """

    curve: Curve
    windows: tuple[Window, ...]
    recorded: Points

    @property
    def agrees(self) -> bool:
        """Whether the emulation is wrong for the same predictions of the run."""
        return bool(np.array_equal(self.curve.at(self.recorded.x).wrong, self.recorded.wrong))


def where_wrong(group: Group, model: Fit, label: float) -> Where | None:
    """Where the results of a group without options are wrong for a label; None where it has none without options."""
    for part, candidate in zip(group.parts, model.candidates, strict=True):
        if part.table.options == Options():
            curve = Curve(
                expression=candidate.expression,
                arithmetic=model.arithmetic,
                form=group.form,
                quantity=group.quantity,
                label=label,
            )
            x = part.table.inputs[curve.name][part.rows]
            asked = (part.table.inputs["y"][part.rows] == label) & np.isfinite(x)
            asked &= (group.form == "logits") | ((x > 0) & (x < 1))
            recorded = curve.measured(x[asked], part.got[asked])
            return Where(curve, windows(curve), recorded._replace(wrong=recorded.wrong & part.wrong[asked]))
    return None
