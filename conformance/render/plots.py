"""Plots of a history as geometry for inline SVG: stacked counts of verdicts, and below them the worst errors.

One slot a run, in the order of dates.  Where a run tells nothing nothing is drawn: neither a bar nor a point of a line.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby

from conformance.ids import backend_of
from conformance.judge.verdicts import VERDICTS
from conformance.record.history import History, Past, Point, Series

#: Quantities whose worst error is drawn.
DRAWN = ("value", "gradient-prediction")

#: The lowest error that the logarithmic axis tells apart, in ULP; a correctly rounded result is below 0.5.
LOWEST = 0.1

#: Lengths in user units of the SVG: what stands beside the plot, the widest slot, and room for one label.
LEFT, RIGHT, TOP, BOTTOM, GAP = 52.0, 12.0, 18.0, 18.0, 14.0
WIDEST, LABEL = 28.0, 110.0


@dataclass(frozen=True)
class Shape:
    """A path of one kind: a verdict, a quantity, or a kind of band."""

    kind: str
    path: str


@dataclass(frozen=True)
class Text:
    """A label; `anchor` as in SVG."""

    x: float
    y: float
    text: str
    anchor: str = "middle"


@dataclass(frozen=True)
class Tip:
    """What is told of one slot."""

    x: float
    width: float
    text: str


@dataclass(frozen=True, kw_only=True)
class Plot:
    """The geometry of one small multiple."""

    name: str
    width: float
    height: float
    bands: tuple[Shape, ...]
    bars: tuple[Shape, ...]
    lines: tuple[Shape, ...]
    grid: str
    rules: str
    labels: tuple[Text, ...]
    tips: tuple[Tip, ...]


@dataclass(frozen=True)
class Frame:
    """Where things are in a plot of `runs` slots, `width` wide, with bars and lines as high as it says."""

    runs: int
    width: float
    bars: float
    lines: float

    @cached_property
    def slot(self) -> float:
        """The width of one run."""
        return min((self.width - LEFT - RIGHT) / self.runs, WIDEST)

    @property
    def bottom(self) -> float:
        """Where the lines end."""
        return TOP + self.bars + GAP + self.lines

    def x(self, index: float) -> float:
        """The left end of a slot."""
        return LEFT + self.slot * index


#: A plot of a backend, and the smaller one of an implementation.
LARGE, SMALL = (760.0, 120.0, 64.0), (372.0, 60.0, 40.0)


def plot(
    history: History, series: Series, size: tuple[float, float, float], tips: Callable[[int], str] | None = None
) -> Plot:
    """The plot of a series; `tips` gives what is told of a run where the pointer rests on its slot."""
    frame = Frame(len(history.runs), *size)
    changes = list(_changes(history, backend_of(series.name)))
    exponents, scale = _errors(frame, series)
    most = max((sum(point.verdicts.values()) for point in series.points if point), default=1)
    labels = [Text(LEFT - 4, TOP + 8, str(most), "end"), Text(LEFT - 4, TOP + frame.bars, "0", "end")]
    labels += [Text(LEFT - 4, scale(10.0**one) + 3, f"1e{one}", "end") for one in exponents]
    return Plot(
        name=series.name,
        width=frame.width,
        height=frame.bottom + BOTTOM,
        bands=tuple(_bands(frame, history.runs)),
        bars=tuple(_bars(frame, series.points, frame.bars / max(most, 1))),
        lines=tuple(_lines(frame, history.runs, series.points, scale)),
        grid="".join(f"M{LEFT} {scale(10.0**one):.1f}H{frame.x(frame.runs):.1f}" for one in exponents),
        rules="".join(f"M{frame.x(index):.1f} {TOP}V{frame.bottom:.1f}" for index, _ in changes),
        labels=(*labels, *_change_labels(frame, changes), *_dates(frame, history.runs)),
        tips=tuple(Tip(frame.x(index), frame.slot, tips(index)) for index in range(frame.runs)) if tips else (),
    )


def _rectangles(frame: Frame, spans: Sequence[tuple[float, float]]) -> str:
    """One path of (top, height) for each slot; equal neighbours share a rectangle, and no height gives none."""
    path, index = "", 0
    for span, members in groupby(spans):
        count = len(list(members))
        if span[1] > 0:
            width = frame.slot * count
            path += f"M{frame.x(index):.1f} {span[0]:.2f}h{width:.1f}v{span[1]:.2f}h-{width:.1f}z"
        index += count
    return path


def _bars(frame: Frame, points: Sequence[Point | None], scale: float) -> Iterator[Shape]:
    """Counts of verdicts on each other, the worst ones lowest, where they are easiest to compare."""
    base = [TOP + frame.bars] * len(points)
    seen = {verdict for point in points if point for verdict in point.verdicts}
    for verdict in [one for one in reversed(VERDICTS) if one in seen]:
        spans: list[tuple[float, float]] = []
        for index, point in enumerate(points):
            height = point.verdicts.get(verdict, 0) * scale if point else 0.0
            base[index] -= height
            spans.append((round(base[index], 2), round(height, 2)))
        yield Shape(verdict, _rectangles(frame, spans))


def _bands(frame: Frame, runs: Sequence[Past]) -> Iterator[Shape]:
    """Slots of interrupted runs, and of those whose counts are not comparable."""
    kinds = ["interrupted" if run.interrupted else "marked" if run.marks else "" for run in runs]
    for kind in ("interrupted", "marked"):
        spans = [(TOP, frame.bottom - TOP if one == kind else 0.0) for one in kinds]
        if path := _rectangles(frame, spans):
            yield Shape(kind, path)


def _errors(frame: Frame, series: Series) -> tuple[list[int], Callable[[float], float]]:
    """At most four powers of ten for the axis of errors, and the height of an error."""
    errors = [point.worst[name] for point in series.points if point for name in DRAWN if name in point.worst]
    low, high = math.log10(LOWEST), max(math.ceil(math.log10(max([10.0, *errors]))), 1)
    step = math.ceil((high - low) / 3)

    def scale(error: float) -> float:
        return frame.bottom - frame.lines * (math.log10(max(error, LOWEST)) - low) / (high - low)

    return list(range(0, high + 1, step)), scale


def _lines(
    frame: Frame, runs: Sequence[Past], points: Sequence[Point | None], scale: Callable[[float], float]
) -> Iterator[Shape]:
    """The worst error of each quantity from run to run, broken where a run has none or is about something else."""
    for quantity in DRAWN:
        path, before = "", None
        for index, (run, point) in enumerate(zip(runs, points, strict=True)):
            if point is None or quantity not in point.worst:
                before = None
                continue
            place = f"{frame.x(index + 0.5):.1f} {scale(point.worst[quantity]):.1f}"
            path += f"L{place}" if before == run.marks else f"M{place}h0"  # h0: a dot, where no line follows
            before = run.marks
        if path:
            yield Shape(quantity, path)


def _changes(history: History, backend: str) -> Iterator[tuple[int, str]]:
    """Runs in which the backend has other versions than in the run before that had it, and which ones."""
    before: dict[str, str] = {}
    for index, run in enumerate(history.runs):
        line = run.backend(backend)
        if line is None or not line.versions:
            continue
        changed = [f"{name} {version}" for name, version in line.versions.items() if before.get(name) != version]
        if changed:
            shown = [text for text in changed if not text.startswith("numpy ")] or changed
            yield index, ", ".join(shown)
        before = line.versions


def _change_labels(frame: Frame, changes: Sequence[tuple[int, str]]) -> Iterator[Text]:
    """Versions above their rule, as many as there is room for; the table has all."""
    free = -math.inf
    for index, text in changes:
        x = frame.x(index)
        if x >= free and x + LABEL <= frame.width + LABEL / 2:
            first, _, others = text.partition(", ")
            yield Text(x + 2, TOP - 5, f"{first[:22]}{' …' if others or len(first) > 22 else ''}", "start")
            free = x + LABEL + 20


def _dates(frame: Frame, runs: Sequence[Past]) -> Iterator[Text]:
    """The first and the last day, and days between them where there is room."""
    free = -math.inf
    for index, run in enumerate(runs):
        x = frame.x(index + 0.5)
        if x >= free:
            yield Text(x, frame.bottom + 13, run.ends.header.started[:10])
            free = x + LABEL
