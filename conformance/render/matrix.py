"""Versions side by side as text, Markdown, HTML or JSON."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from operator import itemgetter
from typing import Any

import msgspec
from rich.console import Console, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from conformance.record.compare import Side, compare
from conformance.record.record import RunRecord
from conformance.render.characters import clean
from conformance.render.comparison import models_of, place_of
from conformance.render.markdown import cell, row
from conformance.render.pages import page
from conformance.render.scoreboard import error_text
from conformance.versions.columns import Result
from conformance.versions.table import Cell, Row, Sheet, sheets

TITLE = "Versions side by side"

#: What a verdict is called in a cell.
LETTERS = {
    "conforms": "c",
    "by-contract": "b",
    "rejects": "r",
    "recorded": "o",
    "undecided": "?",
    "unsupported": "u",
    "deviates": "d",
    "crashed": "x",
    "timed-out": "t",
}

LEGEND = (
    "cells: elements by verdict, "
    + ", ".join(f"{letter} {verdict}" for verdict, letter in LETTERS.items())
    + "; then the worst error in ULP of the returned dtype against the ideal"
)

#: Width of text where it is not printed on a terminal.
WIDTH = 180


@dataclass(frozen=True, kw_only=True)
class Line:
    """A column in words: what is in its environment, or why it could not be run; `state` is INTERRUPTED or "".

    `chief` are the packages that text names: all that were installed for it, of an interpreter what the backends use.
    """

    label: str
    python: str
    packages: tuple[str, ...]
    chief: tuple[str, ...]
    reason: str
    state: str = ""
    why: str = ""


@dataclass(frozen=True)
class Grid:
    """A table: names of its columns, rows of text, and how many rows are alike in all versions and left out.

    `models` say which implementations evaluate another formula than in the version before.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    alike: int
    models: tuple[str, ...] = ()


@dataclass(frozen=True)
class Page:
    """All that a reader sees."""

    lines: tuple[Line, ...]
    grids: tuple[Grid, ...]
    everything: bool


def page_of(results: Sequence[Result], everything: bool = False) -> Page:
    """The page of some columns; rows that are alike in all versions only where `everything` is asked for."""
    return Page(tuple(map(_line, results)), tuple(_grid(one, everything) for one in sheets(results)), everything)


def _line(result: Result) -> Line:
    installed = result.environment.installed if result.environment is not None else None
    packages = sorted(installed.packages.items()) if installed is not None else []
    record = result.record if isinstance(result.record, RunRecord) else None
    used = {pair for line in record.header.backends for pair in line.versions.items()} if record is not None else set()
    chief = packages if result.column.interpreter is None else sorted(used)
    return Line(
        label=result.column.label,
        python=installed.python if installed is not None else result.column.python,
        packages=tuple(f"{name} {version}" for name, version in packages),
        chief=tuple(f"{name} {version}" for name, version in chief),
        reason=result.reason,
        state="INTERRUPTED: this run has no end" if record is not None and record.interrupted else "",
        why=result.column.why,
    )


def _grid(sheet: Sheet, everything: bool) -> Grid:
    shown = [one for one in sheet.rows if everything or one.differs]
    names = ("implementation", "family", "quantity", *(result.column.label for result in sheet.results))
    return Grid(names, tuple(map(_row, shown)), len(sheet.rows) - len(shown), tuple(_models(sheet)))


def _models(sheet: Sheet) -> Iterator[str]:
    """What changed from each version to the next, of the first results that differ."""
    sides = [Side(one.column.label, one.record) for one in sheet.results if isinstance(one.record, RunRecord)]
    for before, after in pairwise(sides):
        for one in models_of(compare(before, after)):
            yield f"{before.name} → {after.name}: {place_of(one)}: {one.sentence}"


def _row(one: Row) -> tuple[str, ...]:
    return one.implementation, one.family, one.quantity, *map(cell_text, one.cells)


def cell_text(one: Cell | None) -> str:
    """A cell: counts by verdict, and the worst error."""
    if one is None:
        return "-"
    counts = " ".join(f"{one.verdicts[name]}{letter}" for name, letter in LETTERS.items() if one.verdicts[name])
    return f"{counts} {error_text(one.worst)}" if one.worst is not None else counts


def text(shown: Page, console: Console) -> None:
    """Print a page for a terminal."""
    for line in shown.lines:
        style = "bold red" if line.reason or line.state else "bold"
        told = line.reason or line.state or ", ".join(line.packages if shown.everything else line.chief)
        console.print(f"[{style}]{_safe(line.label)}[/] Python {line.python}: {_safe(told)}", highlight=False)
    for grid in shown.grids:
        console.print()
        for part in _tables(grid) if grid.rows else ():
            console.print(part)
        for said in grid.models:
            console.print(_safe(said), highlight=False, soft_wrap=True)
        console.print(_alike(grid), highlight=False)
    if shown.grids:
        console.print(LEGEND, style="dim", highlight=False)


def plain(shown: Page) -> str:
    """The text without colours."""
    stream = io.StringIO()
    text(shown, Console(file=stream, width=WIDTH, force_terminal=False))
    return "".join(f"{line.rstrip()}\n" for line in stream.getvalue().splitlines())


def _tables(grid: Grid) -> Iterator[RenderableType]:
    """For each implementation its name and its rows; the columns of all are as wide as each other."""
    names = ("family", "quantity", *grid.columns[3:])
    texts = zip(*(cells[1:] for cells in grid.rows), strict=True)
    widths = [max(max(map(len, name.split())), *map(len, column)) for name, column in zip(names, texts, strict=True)]
    for place, (implementation, rows) in enumerate(groupby(grid.rows, key=itemgetter(0))):
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold", show_header=place == 0)
        for index, (name, width) in enumerate(zip(names, widths, strict=True)):
            table.add_column(escape(name), width=width, overflow="fold", justify="left" if index < 2 else "right")
        for cells in rows:
            table.add_row(*map(_safe, cells[1:]))
        yield Text(clean(implementation), style="bold")
        yield table


def _safe(text: str) -> str:
    """Text of a framework as text of a terminal: neither markup of rich nor an escape sequence."""
    return escape(clean(text))


def _alike(grid: Grid) -> str:
    word = "row is" if len(grid.rows) == 1 else "rows are"
    return f"{len(grid.rows)} {word} shown; {grid.alike} that are alike in all versions are left out (--all shows them)"


def markdown(shown: Page) -> str:
    """The page for a report."""
    return "\n".join(_markdown(shown)) + "\n"


def _markdown(shown: Page) -> Iterator[str]:
    yield f"# {TITLE}"
    yield ""
    yield row(["version", "Python", "installed, or why not"])
    yield row(["---"] * 3)
    for line in shown.lines:
        told = f"**{cell(line.state)}** " if line.state else ""
        told += f"not run: {cell(line.reason)}" if line.reason else cell(", ".join(line.packages))
        yield row([cell(line.label), cell(line.python), told])
    for grid in shown.grids:
        yield ""
        yield row([cell(name) for name in grid.columns])
        yield row(["---"] * 3 + ["--:"] * (len(grid.columns) - 3))
        yield from (row([cell(one) for one in cells]) for cells in grid.rows)
        yield ""
        yield from (f"- {cell(said)}" for said in grid.models)
        yield from [""] * bool(grid.models)
        yield f"{_alike(grid)}."
    yield ""
    yield f"{cell(LEGEND)}."


def html(shown: Page) -> str:
    """The page for a browser; it asks no network for anything."""
    return page("matrix.html.j2", title=TITLE, page=shown, legend=LEGEND, alike=[_alike(one) for one in shown.grids])


def document(shown: Page) -> dict[str, Any]:
    """The page as plain data."""
    made: dict[str, Any] = msgspec.to_builtins(shown)
    return made


def json(shown: Page) -> str:
    """One JSON document."""
    return msgspec.json.format(msgspec.json.encode(document(shown)), indent=2).decode() + "\n"


#: Forms that are text as a whole.
FORMS = {"text": plain, "markdown": markdown, "html": html, "json": json}
