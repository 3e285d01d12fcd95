"""A choice as a page: headings, tables and sentences in plain words, which the forms of output lay out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from conformance.adapters.declaration import PLAIN_CALL
from conformance.choose.choose import MET, NOT_MEASURED, NOT_MET, Answer, Choice, Row, Source, Worst, worst_of
from conformance.choose.limits import limits
from conformance.choose.needs import RIGHT, Need
from conformance.quantities import NUMERIC
from conformance.record.record import CheckLine, SpeedLine
from conformance.record.summary import Cell
from conformance.render.scoreboard import cell_text, error_text

#: Checks that are named for a need that is not met; all others are counted.
WORST = 3

LEGEND = (
    "cells: conforms + by-contract (f: by a printed formula; r: rejected as it should be) / checks, of N where other "
    "implementations of the same form have N checks · ULP: worst error of these values and gradients, in ULP of the "
    "returned dtype, against the nearer of ideal and contract (which orders the rows), and against the ideal alone"
)


@dataclass(frozen=True)
class Grid:
    """A table: its caption, what stands below it, column heads, rows, and the number of columns of text at the left."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    texts: int = 1
    legend: str = ""

    @property
    def head(self) -> int:
        """The column that names the row."""
        return self.columns.index("implementation") if "implementation" in self.columns else 0


@dataclass(frozen=True, kw_only=True)
class Page:
    """What is told about a choice; `interrupted` warns of a run without an end."""

    title: str
    verdict: str
    met: bool
    sources: tuple[str, ...]
    interrupted: tuple[str, ...]
    grids: tuple[Grid, ...]
    limits: tuple[str, ...]


def page(choice: Choice, brief: bool = False) -> Page:
    """The page of a choice; a `brief` one counts cases instead of naming them, and shortens ids."""
    several = len(choice.sources) > 1
    met, silent, unmet = (choice.of(status) for status in (MET, NOT_MEASURED, NOT_MET))
    grids = [
        _ranking(f"{len(met)} meet all needs, by worst error", met, several),
        _profile([*met, *silent], several),
        _speed([*met, *silent], several),
        _needs(choice, brief),
        _ranking(f"{len(silent)} of which a need was not measured", silent, several),
        _excluded(unmet, several, brief),
    ]
    return Page(
        title=f"bce-conformance choose: {', '.join(need.name for need in choice.stated.needs)}",
        verdict=_verdict(choice),
        met=bool(met),
        sources=tuple(source_text(source) for source in choice.sources),
        interrupted=tuple(source.name for source in choice.sources if source.record.interrupted),
        grids=tuple(grid for grid in grids if grid.rows),
        limits=tuple(limits(choice)),
    )


def source_text(source: Source) -> str:
    """What was read: its name, its date, the versions and the machine."""
    header = source.record.header
    versions = sorted({pair for line in header.backends for pair in line.versions.items()})
    named = ", ".join(f"{name} {version}" for name, version in versions)
    processor = header.machine.get("processor", "unknown processor")
    return f"{source.name}, of {header.started[:10]} (suite {header.suite}, {processor}): {named or 'no backend'}"


def _verdict(choice: Choice) -> str:
    met, every = len(choice.of(MET)), len(choice.rows)
    if met:
        return f"{met} of {every} implementations meet all needs"
    said = []
    for index, need in enumerate(choice.stated.needs):
        found = [row.answers[index].status for row in choice.rows]
        if MET not in found:
            counts = ", ".join(f"{found.count(status)} {status}" for status in (NOT_MET, NOT_MEASURED))
            said.append(f"{need.name} is met by none ({counts})")
    return f"none of {every} implementations meets all needs: {'; '.join(said) or 'each is met by some, all by none'}"


def _needs(choice: Choice, brief: bool) -> Grid:
    """The needs in words, and the cases whose checks are the evidence."""
    dtypes = ", ".join(choice.stated.dtypes)
    rows = tuple(
        (need.name, need.meaning, need.dtype or dtypes, ", ".join(need.quantities), _cases(choice.cases(index), brief))
        for index, need in enumerate(choice.stated.needs)
    )
    return Grid(
        "What is needed, and the checks behind it", ("need", "meaning", "dtypes", "quantities", "cases"), rows, 5
    )


def _cases(cases: Iterable[str], brief: bool) -> str:
    """Cases by the first part of their ids: `hard-labels/{logits, probabilities}`, or `hard-labels 2` in brief."""
    groups: dict[str, list[str]] = {}
    for case in cases:
        group, _, name = case.partition("/")
        groups.setdefault(group, []).append(name)
    if brief:
        said = [f"{group} {len(names)}" for group, names in groups.items()]
    else:
        said = [f"{group}/{{{', '.join(names)}}}" for group, names in groups.items()]
    return ", ".join(said) or "none in this run"


def _rank(row: Row) -> str:
    return str(row.rank or "-")


def _named(row: Row, several: bool) -> tuple[str, ...]:
    """The id without the mode and device that most have, and the run where there are several."""
    name = row.implementation.removesuffix(PLAIN_CALL)
    return (name, row.source.name) if several else (name,)


def _heads(several: bool) -> tuple[str, ...]:
    return ("implementation", "run") if several else ("implementation",)


def _ranking(caption: str, rows: Sequence[Row], several: bool) -> Grid:
    needs = [answer.need.name for answer in rows[0].answers] if rows else []
    return Grid(
        caption,
        ("rank", *_heads(several), *needs, "ULP", "ideal ULP"),
        tuple(
            (_rank(row), *_named(row, several), *map(answer_text, row.answers), *worst_text(row.worst)) for row in rows
        ),
        2 + several,
        LEGEND,
    )


def answer_text(answer: Answer) -> str:
    """The status with the counts of the evidence."""
    if not answer.cell.checks:
        return f"{answer.status}: {'not offered' if answer.tried else 'not run'}"
    fewer = f" of {answer.most}" if answer.cell.checks < answer.most else ""
    return f"{answer.status} {cell_text(answer.cell)}{fewer}"


def worst_text(worst: Worst | None) -> tuple[str, str]:
    """The errors against the nearer of ideal and contract, and against the ideal."""
    return ("-", "-") if worst is None else (_error(worst.contract), _error(worst.ideal))


def _error(value: float) -> str:
    return "∞" if math.isinf(value) else error_text(value)


def _profile(rows: Sequence[Row], several: bool) -> Grid:
    """What else is known: values and gradients of the main families and stated inputs, labels outside [0, 1]."""
    return Grid(
        "Accuracy, gradients and domain, on the main families and what is stated",
        (
            "rank", *_heads(several), "form", "values", "gradients", "gradient ULP", "gradient ideal ULP",
            "labels outside [0, 1]",
        ),
        tuple(
            (
                _rank(row), *_named(row, several), row.form, _counts(row.values),
                _counts(row.gradients), *worst_text(row.worst_gradient),
                row.outside or "not run",
            )
            for row in rows
        ),
        3 + several,
    )  # fmt: skip


def _counts(cell: Cell) -> str:
    return cell_text(cell) if cell.checks else "not measured"


def _speed(rows: Sequence[Row], several: bool) -> Grid:
    """Elements per second and memory, one row for each dtype and direction that was timed."""
    sizes = sorted({line.elements for row in rows for line in row.speeds})
    made = []
    for row in rows:
        for dtype, direction in dict.fromkeys((line.dtype, line.direction) for line in row.speeds):
            found = {line.elements: line for line in row.speeds if (line.dtype, line.direction) == (dtype, direction)}
            cells = (speed_text(found.get(size)) for size in sizes)
            made.append((_rank(row), *_named(row, several), dtype, direction, *cells))
    return Grid(
        "Speed: elements per second, and memory at the peak beyond what was held before",
        ("rank", *_heads(several), "dtype", "direction", *(f"{size:,} elements" for size in sizes)),
        tuple(made),
        4 + several,
        "one thread; forward: the losses; backward: the gradient by the prediction, for which automatic "
        "differentiation computes the losses on the way unless a compiler leaves them out; the median of interleaved "
        "repeats",
    )


def speed_text(line: SpeedLine | None) -> str:
    """Elements per second, and memory in units of 1000 bytes and so on."""
    if line is None:
        return "not measured"
    memory = "" if line.memory is None else f", {_with_unit(line.memory)}B"
    return f"{_with_unit(line.elements / line.seconds)}/s{memory}"


def _with_unit(number: float) -> str:
    """Three digits and the prefix that leaves the number between 1 and 1000."""
    for factor, prefix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= 0.9995 * factor:
            return f"{number / factor:.3g} {prefix}"
    return f"{number:.3g} "


def _excluded(rows: Sequence[Row], several: bool, brief: bool) -> Grid:
    return Grid(
        f"{len(rows)} that do not meet a need",
        (*_heads(several), "not met", "worst checks"),
        tuple((*_named(row, several), *_why(row, brief)) for row in rows),
        3 + several,
        "ids are CASE::IMPLEMENTATION::DTYPE::QUANTITY; `bce-conformance explain CASE IMPLEMENTATION --dtype DTYPE` "
        "shows such a check in full",
    )


def _why(row: Row, brief: bool) -> tuple[str, str]:
    """The needs that are not met, counted, and the worst checks of each."""
    failing = [answer for answer in row.answers if answer.status == NOT_MET]
    counts = [
        f"takes {row.form}" if one.need.form else f"{one.need.name}: {len(one.failing)} of {one.cell.checks}"
        for one in failing
    ]
    worst = [
        check_text(check, one.need, brief)
        for one in failing
        if not one.need.form
        for check in one.failing[: 1 if brief else WORST]
    ]
    return "; ".join(counts), "; ".join(dict.fromkeys(worst))


def check_text(check: CheckLine, need: Need, brief: bool) -> str:
    """The id of a check, in brief without the implementation, its verdict and, of numbers, the worst error."""
    name = f"{check.case}::…::{check.dtype}::{check.quantity}" if brief else check.id
    if check.verdict in RIGHT:
        return f"{name} {check.verdict}, needed: {' or '.join(sorted(need.passes))}"
    worst = worst_of([check]) if check.quantity in NUMERIC else None
    return f"{name} {check.verdict}" + (f" ({_error(worst.contract)} ULP)" if worst else "")
