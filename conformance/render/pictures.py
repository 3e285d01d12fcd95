"""The picture of a problem: how wrong the loss or its gradient is over the prediction, as geometry for inline SVG.

Its points are the run's sample of inputs, in what shows the problem best: that implementation, dtype and label.  The
colour of a point is its harm.  There is no picture where the sample does not show the problem.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from conformance.judge.harm import DRIFTING, MISLEADING, Harm
from conformance.judge.harm import harms as weighed
from conformance.numbers.arrays import Floats
from conformance.numbers.formats import FORMATS, decode_hexadecimal
from conformance.numbers.measurement import BUDGET
from conformance.plan.sample import BENDS, QUANTITIES
from conformance.record.problems import ProblemSummary
from conformance.record.record import InputsLine, RunRecord, SampleLine
from conformance.render.coloured import key
from conformance.render.plots import Shape, Text

#: Lengths in user units of the SVG; as wide as a phone leaves it, so that its text is as large as that of the page.
WIDTH, HEIGHT = 360.0, 170.0
LEFT, RIGHT, TOP, BOTTOM = 56.0, 8.0, 8.0, 20.0

#: How much of the height lies above an error of 100 %: NaN, infinities and wrong signs are drawn there.
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


class Points(NamedTuple):
    """The sample of one implementation for one label: what was asked, how large the error is, and its kind."""

    predictions: list[float]
    errors: list[float]
    kinds: list[str]


@dataclass(frozen=True, kw_only=True)
class Picture:
    """The geometry of one picture; `mark` is where the example of the problem lies."""

    dots: tuple[Shape, ...]
    grid: str
    mark: float
    labels: tuple[Text, ...]
    caption: str
    width: float = WIDTH
    height: float = HEIGHT


def pictures(record: RunRecord, found: Sequence[ProblemSummary]) -> dict[str, Picture]:
    """A picture for each problem that the sample of the run shows, by its id."""
    samples = {(line.implementation, line.dtype, line.quantity): line for line in record.samples}
    made = ((one.line.problem, _picture(record, one, samples)) for one in found)
    return {name: one for name, one in made if one is not None}


def _picture(
    record: RunRecord, one: ProblemSummary, samples: dict[tuple[str, str, str], SampleLine]
) -> Picture | None:
    shown = one.example
    line = samples.get((shown.implementation, shown.dtype, shown.quantity))
    at = _at(one)
    if line is None or at is None:
        return None
    inputs = record.inputs_by_case[line.case, line.dtype]
    points = _points(line, inputs, shown.inputs["label"][0])
    if not _shows(points, inputs.form, at, one.worst):
        return None
    bottom = math.log10(FORMATS[shown.dtype].unit_roundoff) - 1
    return Picture(
        dots=tuple(_dots(points, inputs.form, bottom)),
        grid="".join(f"M{LEFT} {_y(error, bottom):.0f}H{WIDTH - RIGHT}" for error in (1.0, MISLEADING, DRIFTING)),
        mark=round(_x(at, inputs.form), 1),
        labels=tuple(_labels(inputs.form, bottom)),
        caption=_caption(one, points),
    )


def _at(one: ProblemSummary) -> float | None:
    """Where the example of a problem lies, if that is one plain element of a quantity that is sampled."""
    shown = one.example
    tensors = [bits for _, bits in shown.inputs.values()]
    if shown.quantity not in QUANTITIES or set(shown.inputs) != {"prediction", "label"} or any(map(_several, tensors)):
        return None
    return float(shown.inputs["prediction"][0])


def _several(bits: str) -> bool:
    return " " in bits


def _points(line: SampleLine, inputs: InputsLine, label: str) -> Points:
    """The points of a label that have a result and lie within the axis."""
    predictions = decode_hexadecimal(inputs.inputs["prediction"], inputs.dtype)
    exact = np.array([float.fromhex(one) for one in inputs.ideal[line.quantity]])
    kept = [
        place
        for place, name in enumerate(inputs.elements)
        if name.partition("-y")[2] == label and line.bits[place] and abs(predictions[place]) <= FARTHEST
    ]
    got = decode_hexadecimal([line.bits[place] for place in kept], line.result_dtype)
    owed = exact[kept]
    with np.errstate(all="ignore"):
        relative = np.where(got == owed, 0.0, np.abs(got - owed) / np.abs(owed))
    harm = weighed(got, owed, line.result_dtype, line.quantity, inputs.form)
    kinds = [_kind(line, place, Harm(code), same) for place, code, same in zip(kept, harm, got == owed, strict=True)]
    return Points([float(predictions[place]) for place in kept], relative.tolist(), kinds)


def _kind(line: SampleLine, place: int, harm: Harm, same: bool) -> str:
    """What a point is: right, right by what is documented, or its harm."""
    if same or _within(line.ulp[place]):
        return "ok"
    if line.contract_ulp and _within(line.contract_ulp[place]):
        return "documented"
    return key(harm)


def _within(error: float | None) -> bool:
    return error is not None and error <= BUDGET


def _shows(points: Points, form: str, at: float, worst: Harm) -> bool:
    """Whether the points beside the example, one on each side, have one of its harm."""
    places = sorted((abs(_x(one, form) - _x(at, form)), kind) for one, kind in zip(*points[::2], strict=True))
    return any(kind == key(worst) for _, kind in places[:2])


def _x(prediction: float, form: str) -> float:
    """The place of a prediction: a logit's is even near 0 and logarithmic beyond, a probability's even in its logit."""
    if form == "logits":
        part = math.asinh(max(min(prediction, FARTHEST), -FARTHEST)) / math.asinh(FARTHEST)
    else:
        inner = min(max(prediction, NEAREST), 1 - NEAREST)
        part = math.log(inner / (1 - inner)) / math.log(1 / NEAREST - 1)
    return LEFT + (WIDTH - LEFT - RIGHT) * (1 + part) / 2


def _y(error: float, bottom: float) -> float:
    """The height of a relative error; what is no number, or above 100 %, lies above."""
    full, end = TOP + ABOVE, HEIGHT - BOTTOM
    if not error <= 1:
        return TOP + ABOVE / 2
    share = max(math.log10(error) if error else bottom, bottom) / bottom
    return full + (end - full) * share


def _dots(points: Points, form: str, bottom: float) -> Iterator[Shape]:
    """One path of dots for each kind of point; dots at one place are one."""
    for kind in KINDS:
        places = dict.fromkeys(
            f"M{_x(at, form):.0f} {_y(error, bottom):.0f}h0"
            for at, error, own in zip(*points, strict=True)
            if own == kind
        )
        if places:
            yield Shape(kind, "".join(places))


def _labels(form: str, bottom: float) -> Iterator[Text]:
    yield Text(LEFT - 4, TOP + ABOVE / 2 + 4, "no number", "end")
    for error, said in ((1.0, "100 %"), (MISLEADING, "1 %"), (DRIFTING, "0.1 %")):
        yield Text(LEFT - 4, _y(error, bottom) + 4, said, "end")
    yield Text(LEFT - 4, HEIGHT - BOTTOM + 4, f"{10**bottom:.0e}".replace("e-0", "e-"), "end")
    for said, at in TICKS[form]:
        yield Text(round(_x(at, form), 1), HEIGHT - 5, said, "start" if at == 0 and form != "logits" else "middle")


def _caption(one: ProblemSummary, points: Points) -> str:
    """What is drawn, and where which harm begins and ends."""
    shown = one.example
    entry = "/".join(shown.implementation.split("/")[:2])
    parts = []
    for kind in reversed(KINDS[1:]):
        at = [prediction for prediction, own in zip(*points[::2], strict=True) if own == kind]
        if at:
            parts.append(f"{kind.replace('-', ' ')} at {len(at)}, from {min(at):.4g} to {max(at):.4g}")
    return (
        f"Relative error of the {shown.quantity} at label {shown.inputs['label'][0]}, {entry} in {shown.dtype}, "
        f"at {len(points.kinds)} predictions of the sample: {'; '.join(parts)}. The line is the example."
    )
