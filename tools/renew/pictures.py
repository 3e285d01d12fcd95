"""`docs/mechanisms.md`: a picture of each mechanism, the error of one formula of the catalogue over its input.

All pictures stand in one file, two in a row, each below the name of its mechanism.

Drawn is what the formula's emulation gives, against the reference.  Beside it stands, where a step is to blame, how
much it is magnified: by what factor a relative error of the step is larger in the result.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

import numpy as np

from conformance.diagnosis.guilty import Guilt, guilty
from conformance.diagnosis.mechanism import Found, mechanisms_of
from conformance.diagnosis.sentence import sentence
from conformance.diagnosis.vocabulary import DESCRIPTIONS, Mechanism
from conformance.diagnosis.window import Curve, Points
from conformance.formulas.arithmetic import EACH, FLUSHED, FUSED, KERNELS, NARROWER, arithmetics, rounded
from conformance.formulas.catalogue import Options, candidates
from conformance.formulas.exact import PartlyExact, Steps
from conformance.formulas.text import text
from conformance.numbers.formats import FORMATS
from conformance.numbers.measurement import BUDGET

if TYPE_CHECKING:
    from conformance.numbers.arrays import Floats

PAGE = "docs/mechanisms.md"
FILE = "docs/images/mechanisms.svg"
#: Predictions that are drawn.
POINTS = 120
#: Lengths in user units: the whole, and where the plot is.
WIDTH, HEIGHT = 420, 190
LEFT, RIGHT, TOP, BOTTOM = 46, 408, 24, 150
#: Pictures in a row of the file, and the height of the name above each.
COLUMNS, NAME = 2, 18
#: The least error that is drawn, in ULP: a correctly rounded result is below 0.5.
LEAST = 0.1


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A formula by its name in the catalogue, from one prediction to another, and where its mechanism is seen."""

    mechanism: Mechanism
    form: str = "logits"
    quantity: str = "value"
    name: str
    dtype: str = "float32"
    result: str = ""
    arithmetic: str = EACH
    label: float = 0.0
    low: float
    high: float
    at: float
    #: Whether predictions are spread evenly over their exponents.
    exponents: bool = False

    @cached_property
    def curve(self) -> Curve:
        """The formula, which has no options."""
        result = self.result or self.dtype
        known = candidates(self.form, self.quantity, Options())
        return Curve(
            expression=next(one.expression for one in known if one.name == self.name),
            arithmetic=next(one for one in arithmetics(self.dtype, result) if one.name == self.arithmetic),
            form=self.form,
            quantity=self.quantity,
            label=self.label,
        )

    @cached_property
    def points(self) -> Points:
        """What is drawn; an infinity that should be a number is lost, however far it is told to be."""
        spread = np.geomspace if self.exponents else np.linspace
        x = rounded(np.array([*spread(self.low, self.high, POINTS), self.at]), FORMATS[self.dtype])
        found = self.curve.at(np.unique(x))
        infinite = np.isinf(found.got) & np.isfinite(found.exact) & found.wrong
        return found._replace(error=np.where(infinite, np.inf, found.error))

    @cached_property
    def guilt(self) -> Guilt:
        """Who is to blame where it happens."""
        result = self.curve.arithmetic.result
        steps = Steps(self.curve.expression, self.curve.arithmetic, result)
        evaluation = PartlyExact(steps, {self.curve.name: self.at, "y": self.label})
        return guilty(evaluation, float(self.curve.at(np.array([self.at])).exact[0]), BUDGET)

    @cached_property
    def found(self) -> tuple[Found, ...]:
        """What happens there, the mechanism first."""
        found = mechanisms_of(self.guilt, derivative=self.quantity != "value")
        return tuple(sorted(found, key=lambda one: one.mechanism is not self.mechanism))

    @property
    def said(self) -> str:
        """What happens there, in words."""
        return sentence(self.guilt, self.found[:1], text)

    @cached_property
    def condition(self) -> Floats | None:
        """By what a relative error of the guilty step is multiplied; None where no step is to blame."""
        return self.curve.magnified(self.guilt, self.points.x, self.points.exact)


#: REDUCTION_ORDER has none: no formula of the catalogue adds elements.
PICTURES = (
    Picture(
        mechanism=Mechanism.NARROWER_INTERMEDIATE,
        name="(1 - y)*z - log_sigmoid(z)",
        result="float64",
        label=1.0,
        low=-4,
        high=4,
        at=1,
    ),
    Picture(
        mechanism=Mechanism.FLUSHED,
        name="max(z, 0) - z*y + log1p(exp(-|z|))",
        arithmetic=EACH + FLUSHED,
        low=-104,
        high=-80,
        at=-89,
    ),
    Picture(
        mechanism=Mechanism.CLIP_WITHOUT_EFFECT,
        form="probabilities",
        name="clip by 1e-7, log and log(1 - q)",
        dtype="float16",
        label=1.0,
        low=0.99,
        high=1,
        at=1,
    ),
    Picture(
        mechanism=Mechanism.OVERFLOW,
        name="log1p(exp(-t*z)), t = 2*y - 1",
        low=80,
        high=100,
        at=89,
    ),
    Picture(
        mechanism=Mechanism.ZERO_TIMES_INFINITY,
        name="sigmoid, log and log(1 - s)",
        label=1.0,
        low=0,
        high=25,
        at=20,
    ),
    Picture(
        mechanism=Mechanism.INFINITY_MINUS_INFINITY,
        name="(1 - y)*z - log_sigmoid(z)",
        dtype="float64",
        arithmetic=NARROWER,
        low=-1e42,
        high=-1e36,
        at=-1e40,
        exponents=True,
    ),
    Picture(
        mechanism=Mechanism.DIVISION_BY_ZERO,
        form="probabilities",
        quantity="gradient-prediction",
        name="dL/dx of log and log(1 - p), by torch",
        arithmetic=EACH + FLUSHED,
        low=1e-41,
        high=1e-35,
        at=2.0**-130,
        exponents=True,
    ),
    Picture(mechanism=Mechanism.SATURATED, name="sigmoid, log and log(1 - s)", low=0, high=25, at=20),
    Picture(mechanism=Mechanism.ABSORBED, name="(1 - y)*z - log_sigmoid(z)", low=-25, high=0, at=-20),
    Picture(
        mechanism=Mechanism.CANCELLED,
        name="(1 - y)*z - log_sigmoid(z)",
        dtype="bfloat16",
        arithmetic=KERNELS,
        low=-12,
        high=0,
        at=-9,
    ),
    Picture(
        mechanism=Mechanism.FOLDED_CONSTANT,
        form="probabilities",
        name="clip by 1e-7, log(q + 1e-7) and log(1 - q + 1e-7)",
        dtype="float16",
        label=1.0,
        low=2.0**-24,
        high=0.01,
        at=2.0**-24,
        exponents=True,
    ),
    Picture(
        mechanism=Mechanism.REORDERED,
        quantity="second-derivative",
        name="d2L/dx2 of -y*log_sigmoid(z) - (1 - y)*log_sigmoid(-z), by torch",
        arithmetic=EACH + FLUSHED + FUSED,
        label=-2.0,
        low=0,
        high=1,
        at=0.5,
    ),
    Picture(
        mechanism=Mechanism.DERIVATIVE_OF_BRANCH,
        form="probabilities",
        quantity="gradient-prediction",
        name="dL/dx of logits of the clamped probabilities, by torch",
        label=1.0,
        low=1e-9,
        high=1e-5,
        at=2.0**-26,
        exponents=True,
    ),
    Picture(
        mechanism=Mechanism.UNDOCUMENTED_CLAMP,
        name="sigmoid, clip, log and log(1 - q)",
        low=-30,
        high=4,
        at=-20,
    ),
    Picture(
        mechanism=Mechanism.MISSING_CHECK,
        form="probabilities",
        name="-log(p*y + (1 - p)*(1 - y))",
        low=-0.5,
        high=0.5,
        at=-0.25,
    ),
    Picture(
        mechanism=Mechanism.WRONG_TERM,
        form="probabilities",
        name="log(p + 1e-7) and log(1 - p + 1e-7)",
        label=1.0,
        low=1e-9,
        high=1e-2,
        at=2.0**-22,
        exponents=True,
    ),
)


# ------------------------------------------------------------------------------------------------------------- drawn


@dataclass(frozen=True)
class _Frame:
    """Where predictions and errors stand; errors reach up to 10^`top` ULP, and what is lost stands above them."""

    picture: Picture
    top: int

    def x(self, value: Floats) -> Floats:
        """From left to right."""
        ends = np.sort([self.picture.low, self.picture.high])
        if self.picture.exponents:
            sign = math.copysign(1, self.picture.low)
            ends, value = np.log(sign * ends) * sign, np.log(sign * value) * sign
        return np.asarray(LEFT + (value - ends[0]) / (ends[1] - ends[0]) * (RIGHT - LEFT), np.float64)

    def y(self, error: Floats) -> Floats:
        """From bottom to top; lost at the top of all."""
        with np.errstate(all="ignore"):
            share = (np.log10(np.maximum(error, LEAST)) - math.log10(LEAST)) / (self.top - math.log10(LEAST))
        return np.where(np.isfinite(error), BOTTOM - np.minimum(share, 1.0) * (BOTTOM - TOP - 12), TOP)


def sheet() -> str:
    """The file with all pictures as SVG."""
    rows = -(-len(PICTURES) // COLUMNS)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {COLUMNS * WIDTH} {rows * (NAME + HEIGHT)}" '
        'font-family="sans-serif" font-size="10">',
        '<rect width="100%" height="100%" fill="#fff"/>',
    ]
    for place, one in enumerate(PICTURES):
        row, column = divmod(place, COLUMNS)
        lines += [f'<g transform="translate({column * WIDTH} {row * (NAME + HEIGHT)})">', *drawn(one), "</g>"]
    return "\n".join([*lines, "</svg>", ""])


def drawn(picture: Picture) -> list[str]:
    """The picture with its name, as lines of SVG in a group; its frame begins below the name."""
    points, condition = picture.points, picture.condition
    finite = points.error[np.isfinite(points.error)]
    frame = _Frame(picture, max(math.ceil(math.log10(np.max(finite, initial=10.0))), 1))
    budget = float(frame.y(np.array(BUDGET)))
    lines = [
        f"<title>{escape(picture.said)}</title>",
        f'<text x="{LEFT}" y="13" font-size="12" font-weight="bold">{escape(picture.mechanism.value)}</text>',
        f'<g transform="translate(0 {NAME})">',
        f'<path d="M{LEFT} {TOP}V{BOTTOM}H{RIGHT}" fill="none" stroke="#555"/>',
        f'<path d="M{LEFT} {budget:.1f}H{RIGHT}" stroke="#2a7" stroke-dasharray="3 3"/>',
        f'<text x="{RIGHT}" y="{budget - 3:.1f}" text-anchor="end" fill="#2a7">budget, {BUDGET:g} ULP</text>',
    ]
    lines += [_label(LEFT - 4, float(frame.y(np.array(10.0**one))) + 3, f"1e{one}") for one in _powers(frame.top)]
    if finite.size < points.error.size:
        lines.append(_label(LEFT - 4, TOP + 3, "lost"))
    if condition is not None:
        lines.append(_path(frame, points.x, condition, "#c80", "1 2"))
    lines.append(_path(frame, points.x, points.error, "#06c"))
    mark = float(frame.x(np.array(picture.at)))
    lines.append(f'<path d="M{mark:.1f} {TOP}V{BOTTOM}" stroke="#c33" stroke-dasharray="2 4"/>')
    for value in sorted({picture.low, picture.high, picture.at}):
        place = float(frame.x(np.array(value)))
        colour = "#c33" if value == picture.at else "#555"
        low = BOTTOM + (26 if value == picture.at else 13)
        anchor = "start" if place < LEFT + 30 else "end" if place > RIGHT - 30 else "middle"
        lines.append(
            f'<text x="{place:.1f}" y="{low}" text-anchor="{anchor}" fill="{colour}">'
            f"{picture.curve.name} = {value:.4g}</text>"
        )
    lines.append(f'<text x="{LEFT}" y="12" fill="#06c">error in ULP</text>')
    if condition is not None:
        lines.append(f'<text x="{RIGHT}" y="12" text-anchor="end" fill="#c80">factor of an error of the step</text>')
    return [*lines, "</g>"]


def _powers(top: int) -> Iterator[int]:
    step = max(math.ceil((top + 1) / 4), 1)
    yield from range(0, top + 1, step)


def _label(x: float, y: float, said: str) -> str:
    return f'<text x="{x:.0f}" y="{y:.1f}" text-anchor="end" fill="#555">{said}</text>'


def _path(frame: _Frame, x: Floats, values: Floats, colour: str, dashes: str = "") -> str:
    """A line through the numbers; NaN breaks it."""
    parts, begun = [], False
    for place, height, value in zip(frame.x(x), frame.y(values), values, strict=True):
        if math.isnan(value):
            begun = False
            continue
        parts.append(f"{'L' if begun else 'M'}{place:.1f} {height:.1f}")
        begun = True
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    return f'<path d="{"".join(parts)}" fill="none" stroke="{colour}"{dashed}/>'


# ------------------------------------------------------------------------------------------------------------- page


def page() -> str:
    """The page as Markdown."""
    lines = [
        "# Mechanisms",
        "",
        "One formula of the catalogue for each [mechanism](why.md#what-happened): the error of its emulation over the"
        " input, against the exact value.",
        "The red line is where the sentence below is about.",
        "The dotted line, where one step is to blame, is the factor by which a relative error of that step is larger in"
        " the result: a step that errs by half an ULP of its own makes the result wrong where it is large.",
        "`lost` is NaN, an infinity, or a number where there is none.",
        "This page is made by `make renew`.",
        "",
        f"![the error of one formula for each mechanism]({FILE.removeprefix('docs/')})",
    ]
    for one in PICTURES:
        result = one.curve.arithmetic.result
        dtype = one.dtype if one.dtype == result else f"{one.dtype} with results in {result}"
        lines += [
            "",
            f"## {one.mechanism.value}",
            "",
            DESCRIPTIONS[one.mechanism].meaning,
            "",
            f"`{one.name}`, {one.arithmetic}, {dtype}, label {one.label:g}.",
            f"{one.said[0].upper()}{one.said[1:]}.".replace("*", "\\*"),
        ]
    return "\n".join([*lines, ""])


def files() -> dict[str, str]:
    """The page and its pictures."""
    return {PAGE: page(), FILE: sheet()}
