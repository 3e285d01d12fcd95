"""The picture of a problem: how wrong the loss or its gradient is over the prediction, as geometry for inline SVG.

Its points are the run's sample of inputs, in the implementation, dtype and label of a finding of the problem.  The
colour of a point is its harm.  There is no picture where the sample beside the finding does no such harm.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from conformance.diagnosis.diagnosis import Example
from conformance.diagnosis.why import Result, brief, examples
from conformance.diagnosis.window import Curve
from conformance.judge.harm import DRIFTING, MISLEADING, Harm
from conformance.judge.harm import harms as weighed_harms
from conformance.numbers.arrays import Codes, Floats, Mask
from conformance.numbers.formats import FORMATS, decode_hexadecimal
from conformance.numbers.measurement import BUDGET
from conformance.plan.sample import BENDS
from conformance.quantities import VALUE
from conformance.record.harms import Harms
from conformance.record.problems import ProblemSummary
from conformance.record.record import CheckLine, FindingLine, InputsLine, RunRecord, SampleLine
from conformance.record.summary import PLAINEST
from conformance.render.coloured import key
from conformance.render.plots import Shape, Text

#: Lengths in user units of the SVG; as wide as a phone leaves it, so that its text is as large as that of the page.
WIDTH, HEIGHT = 360.0, 170.0
LEFT, MARGIN, TOP, BOTTOM = 56.0, 16.0, 8.0, 20.0

#: How much of the height lies above an error of 100 %: NaN and infinities are drawn there, and numbers off by more.
ABOVE = 22.0

#: The largest logit that is drawn: beyond it the sample says nothing new (`sample.BENDS`).
FARTHEST = 2.0 ** BENDS[1]

#: Probabilities nearer to 0 or 1 than this are drawn at the end of the axis.
NEAREST = 1e-9

#: What is marked on the axis of a form: the number as it is written, and what it is.
TICKS = {
    "logits": (("-100", -100.0), ("-10", -10.0), ("-1", -1.0), ("0", 0.0), ("1", 1.0), ("10", 10.0), ("100", 100.0)),
    "probabilities": (
        ("0", 0.0),
        ("1e-6", 1e-6),
        ("0.001", 1e-3),
        ("0.5", 0.5),
        ("0.999", 0.999),
        ("1-1e-6", 1 - 1e-6),
        ("1", 1.0),
    ),
}

#: The kinds of points, those that must not be hidden last; the first are right, or right by the documentation.
KINDS = ("ok", "documented", *map(key, sorted(Harm)))
RIGHT, DOCUMENTED, FIRST_HARM = range(3)


class Points(NamedTuple):
    """The sample of one implementation for one label: predictions, exact values, places, errors, kinds by index."""

    predictions: Floats
    exact: Floats
    places: Floats
    errors: Floats
    kinds: Codes


class Shown(NamedTuple):
    """A finding of a problem that a sample may show; sorted, the worst harm in the plainest dtype is first."""

    harm: int
    dtype: int
    quantity: str
    implementation: str
    label: str
    prediction: str
    case: str
    element: str

    @property
    def result(self) -> Result:
        """The result that it is about."""
        return Result(self.implementation, self.quantity, PLAINEST[self.dtype], self.case, self.element)


@dataclass(frozen=True, kw_only=True)
class Picture:
    """The geometry of one picture; `mark` is where the finding lies that it shows.

    `blamed` says what happens there at the guilty step, and `step` is the line of that; "" where none is known.
    """

    dots: tuple[Shape, ...]
    grid: str
    mark: float
    labels: tuple[Text, ...]
    caption: str
    blamed: str = ""
    step: str = ""
    width: float = WIDTH
    height: float = HEIGHT


def pictures(record: RunRecord, found: Sequence[ProblemSummary], weighed: Harms) -> dict[str, Picture]:
    """A picture for each problem that the sample of the run shows, by its id, of the implementation of its example.

    If that does not show it, it is of another one.  `weighed` is the harm of all findings.
    """
    sampled = _Sampled(record)
    plainest = {one.line.problem: one.example.implementation for one in found}
    shown: dict[str, set[Shown]] = {}
    for check in record.checks:
        if check.findings and (check.implementation, check.dtype, check.quantity) in sampled.lines:
            for finding, one in _shown(record, check, weighed):
                shown.setdefault(finding.problem or finding.cause, set()).add(one)
    first = {name: sampled.chosen(some, plainest[name]) for name, some in shown.items()}
    chosen = {name: one for name, one in first.items() if one is not None}
    said = {name: record.problems_by_id[name].mechanism for name in chosen if name in record.problems_by_id}
    why = examples(record, (place.shown.result for name, place in chosen.items() if said.get(name)))
    made: dict[str, Picture] = {}
    for name, place in chosen.items():
        example = why.get(place.shown.result)
        known = example if example is not None and example.mechanism.value in said.get(name, ()) else None
        made[name] = _drawn(place, known)
    return made


def _shown(record: RunRecord, check: CheckLine, weighed: Harms) -> Iterator[tuple[FindingLine, Shown]]:
    """The recorded findings of a check that are about a prediction and a label alone."""
    inputs = record.inputs_by_case[check.case, check.dtype]
    places = {name: place for place, name in enumerate(inputs.elements)}
    if set(inputs.inputs) != {"prediction", "label"} or inputs.dtypes:
        return
    for finding in check.findings:
        if finding.outcome == "recorded" and finding.element in places:
            place = places[finding.element]
            yield (
                finding,
                Shown(
                    harm=-weighed[check.id, finding.element],
                    dtype=PLAINEST.index(check.dtype),
                    quantity=check.quantity,
                    implementation=check.implementation,
                    label=inputs.inputs["label"][place],
                    prediction=inputs.inputs["prediction"][place],
                    case=check.case,
                    element=finding.element,
                ),
            )


class Chosen(NamedTuple):
    """A finding that a picture shows: the line of the sample, the form of its loss, its points, and where it lies."""

    line: SampleLine
    form: str
    shown: Shown
    points: Points
    at: float


class _Sampled:
    """The sample of a run: its lines, exact values, and the points of what was asked for."""

    def __init__(self, record: RunRecord) -> None:
        self.lines = {(line.implementation, line.dtype, line.quantity): line for line in record.samples}
        self.inputs = record.inputs_by_case
        self.exact: dict[tuple[str, str, str], Floats] = {}
        self.points: dict[tuple[str, str, str, str], Points] = {}

    def chosen(self, found: set[Shown], wanted: str) -> Chosen | None:
        """The first of some findings that the sample shows, of the `wanted` implementation if there is one."""

        def order(one: Shown) -> tuple[int | bool | str, ...]:
            return (one.harm, one.dtype, one.quantity != VALUE, one.implementation != wanted, *one[3:])

        for one in sorted(found, key=order):
            line = self.lines[one.implementation, PLAINEST[one.dtype], one.quantity]
            form = self.inputs[line.case, line.dtype].form
            at = float(decode_hexadecimal([one.prediction], line.dtype)[0])
            if _drawable(at, form):
                points = self._points_of(line, one.label)
                if _shows(points, form, at, Harm(-one.harm)):
                    return Chosen(line, form, one, points, at)
        return None

    def _points_of(self, line: SampleLine, label: str) -> Points:
        """The points of a label that have a result and lie within the axis."""
        asked = line.implementation, line.dtype, line.quantity, label
        if asked not in self.points:
            inputs = self.inputs[line.case, line.dtype]
            predictions = decode_hexadecimal(inputs.inputs["prediction"], inputs.dtype)
            kept = [
                place
                for place, own in enumerate(inputs.inputs["label"])
                if own == label and line.bits[place] and _drawable(predictions[place], inputs.form)
            ]
            exact = self._exact(inputs, line.quantity)[kept]
            self.points[asked] = _points(line, kept, predictions[kept], exact, inputs.form)
        return self.points[asked]

    def _exact(self, inputs: InputsLine, quantity: str) -> Floats:
        asked = inputs.case, inputs.dtype, quantity
        if asked not in self.exact:
            self.exact[asked] = np.array([float.fromhex(one) for one in inputs.ideal[quantity]])
        return self.exact[asked]


def _drawable(prediction: float, form: str) -> bool:
    """Whether a prediction lies on the axis of its form; NaN does not."""
    return abs(prediction) <= FARTHEST if form == "logits" else 0 <= prediction <= 1


def _points(line: SampleLine, kept: list[int], predictions: Floats, exact: Floats, form: str) -> Points:
    got = decode_hexadecimal([line.bits[place] for place in kept], line.result_dtype)
    with np.errstate(all="ignore"):
        errors = np.where(got == exact, 0.0, np.abs(got - exact) / np.abs(exact))
    kinds = weighed_harms(got, exact, line.result_dtype, line.quantity, form) + FIRST_HARM
    kinds[_within(line.contract_ulp, kept)] = DOCUMENTED
    kinds[_within(line.ulp, kept) | (got == exact)] = RIGHT
    places = np.array([_x(one, form) for one in predictions.tolist()])
    return Points(predictions, exact, places, errors, kinds)


def _within(errors: Sequence[float | None], kept: list[int]) -> Mask:
    """Which of the errors are within the budget; none where a line has none."""
    return np.array([bool(errors) and (error := errors[place]) is not None and error <= BUDGET for place in kept], bool)


def _shows(points: Points, form: str, at: float, harm: Harm) -> bool:
    """Whether one of the two points nearest to a finding does its harm."""
    nearest = np.argsort(np.abs(points.places - _x(at, form)), kind="stable")[:2]
    return bool((points.kinds[nearest] == FIRST_HARM + harm).any())


def _drawn(chosen: Chosen, example: Example | None) -> Picture:
    line, form, shown, points, at = chosen
    bottom = math.log10(FORMATS[line.dtype].unit_roundoff) - 1
    label = float(decode_hexadecimal([shown.label], line.dtype)[0])
    return Picture(
        dots=tuple(_dots(points, bottom)),
        grid="".join(f"M{LEFT} {_y(error, bottom):.0f}H{WIDTH - MARGIN}" for error in (1.0, MISLEADING, DRIFTING)),
        mark=round(_x(at, form), 1),
        labels=tuple(_labels(form, bottom)),
        caption=_caption(line, form, label, points, at),
        blamed="" if example is None else f"{example.mechanism.value}: {brief(example)}",
        step="" if example is None else _step(chosen, example, bottom),
    )


def _step(chosen: Chosen, example: Example, bottom: float) -> str:
    """How far one rounding of the guilty step moves the result, as a path; "" where the formula has other inputs."""
    line, form, shown, points, _ = chosen
    steps = example.guilt.evaluation.steps
    label = float(decode_hexadecimal([shown.label], line.dtype)[0])
    try:
        curve = Curve(
            expression=steps.expression, arithmetic=steps.arithmetic, form=form, quantity=line.quantity, label=label
        )
    except ValueError:
        return ""
    order = np.argsort(points.places, kind="stable")
    factors = curve.magnified(example.guilt, points.predictions[order], points.exact[order])
    if factors is None:
        return ""
    moved = FORMATS[line.dtype].unit_roundoff * factors
    heights = {
        f"{place:.0f}": f"{_y(error, bottom):.0f}"
        for place, error in zip(points.places[order].tolist(), moved.tolist(), strict=True)
        if not math.isnan(error)
    }
    return "M" + "L".join(f"{place} {height}" for place, height in heights.items()) if len(heights) > 1 else ""


def _x(prediction: float, form: str) -> float:
    """The place of a prediction: a logit's is even near 0 and logarithmic beyond, a probability's even in its logit."""
    if form == "logits":
        part = math.asinh(max(min(prediction, FARTHEST), -FARTHEST)) / math.asinh(FARTHEST)
    else:
        inner = min(max(prediction, NEAREST), 1 - NEAREST)
        part = math.log(inner / (1 - inner)) / math.log(1 / NEAREST - 1)
    return LEFT + (WIDTH - LEFT - MARGIN) * (1 + part) / 2


def _y(error: float, bottom: float) -> float:
    """The height of a relative error; what is no number, or above 100 %, lies above."""
    full, end = TOP + ABOVE, HEIGHT - BOTTOM
    if not error <= 1:
        return TOP + ABOVE / 2
    share = max(math.log10(error) if error else bottom, bottom) / bottom
    return full + (end - full) * share


def _dots(points: Points, bottom: float) -> Iterator[Shape]:
    """One path of dots for each kind of point; dots at one place are one."""
    for kind, name in enumerate(KINDS):
        own = points.kinds == kind
        places = zip(points.places[own].tolist(), points.errors[own].tolist(), strict=True)
        if path := dict.fromkeys(f"M{x:.0f} {_y(error, bottom):.0f}h0" for x, error in places):
            yield Shape(name, "".join(path))


def _labels(form: str, bottom: float) -> Iterator[Text]:
    yield Text(LEFT - 4, TOP + ABOVE / 2 + 4, "NaN, ∞", "end")
    for error, said in ((1.0, "100 %"), (MISLEADING, "1 %"), (DRIFTING, "0.1 %")):
        yield Text(LEFT - 4, _y(error, bottom) + 4, said, "end")
    yield Text(LEFT - 4, HEIGHT - BOTTOM + 4, f"{10**bottom:.0e}".replace("e-0", "e-"), "end")
    for said, at in TICKS[form]:
        anchor = "start" if at == 0 and form != "logits" else "middle"
        yield Text(round(_x(at, form), 1), HEIGHT - 5, said, anchor)


def _caption(line: SampleLine, form: str, label: float, points: Points, at: float) -> str:
    """What is drawn, and where which harm begins and ends."""
    parts = []
    for kind in reversed(range(DOCUMENTED, len(KINDS))):
        own = points.predictions[points.kinds == kind]
        if own.size:
            ends = dict.fromkeys(_number(end, form) for end in (own.min(), own.max()))
            parts.append(f"{KINDS[kind].replace('-', ' ')} at {own.size} ({' to '.join(ends)})")
    entry = "/".join(line.implementation.split("/")[:2])
    return (
        f"Relative error of the {line.quantity} at label {label:.4g} over the prediction, {entry} in {line.dtype}. "
        f"Of {points.kinds.size} predictions: {', '.join(parts)}. Dashed: {_number(at, form)}."
    )


def _number(prediction: float, form: str) -> str:
    """A prediction in few digits; a probability near 1 by its distance from that."""
    near = form == "probabilities" and 0.999 < prediction < 1
    return f"1-{1 - prediction:.2g}" if near else f"{prediction:.4g}"
