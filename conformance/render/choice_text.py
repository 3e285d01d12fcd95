"""A choice for a terminal, 30 lines in the usual width; a narrower one is told the same in more lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from conformance.render.answer import STYLES
from conformance.render.choice import Grid, Page, word_of
from conformance.render.wrapping import wrap

#: Columns that a name gets at least; where there are fewer, each word stands beside its need.
NAME = 24

#: Columns between two cells.
GAP = 2


def render(page: Page, console: Console, everything: bool = False) -> None:
    """Print what to take and what the others do, the table, and what is not known; with `everything` all tables."""
    _print(console, map(Text.from_markup, _head(page)))
    _print(console, ranking(page.grids[0], page.said, console.width))
    _print(console, [Text(page.grids[0].legend, "dim")])
    for grid in page.grids[1:] if everything else ():
        console.print(_table(grid))
        _print(console, [Text(grid.legend, "dim")] if grid.legend else [])
    unknown = Text.assemble(("Cannot tell", "bold"), f": {' '.join(page.limits)}")
    _print(console, [unknown.append(" For the team: `--format markdown`.")])


def _head(page: Page) -> Iterator[str]:
    yield f"[bold]{escape(page.title.partition(': ')[2])}[/]: {escape(page.verdict)}"
    yield from (f"read: {escape(source)}" for source in page.sources)
    yield from (f"[bold red]INTERRUPTED: {escape(name)} has no end[/]" for name in page.interrupted)
    yield f"[{'green' if page.met else 'bold red'}]{escape(page.take)}[/]"


def _print(console: Console, lines: Iterable[Text]) -> None:
    for line in lines:
        for part in wrap(line, console.width) if line.cell_len > console.width else [line]:
            console.print(part, highlight=False, soft_wrap=True)


def ranking(grid: Grid, said: Sequence[str], width: int) -> Iterator[Text]:
    """The first table: rank, name and words, below each what is said of it.

    A name that is too long stands on a line of its own.
    """
    rank, _, *needs = grid.columns
    indent = len(rank) + 1
    wide = [max(len(head), *(len(row[2 + index]) for row in grid.rows)) for index, head in enumerate(needs)]
    left = width - indent - sum(wide) - len(wide)
    held = max((len(row[1]) for row in grid.rows if len(row[1]) <= left), default=left)

    def line(cells: Sequence[str]) -> Text:
        told = Text(f"{cells[0]:{indent}}{cells[1]:{held}}", "bold" if cells[1] else "")
        for index, (cell, columns) in enumerate(zip(cells[2:], wide, strict=True), start=2):
            aligned = f"{cell:{columns}}" if index < grid.texts else f"{cell:>{columns}}"
            told.append(f" {aligned}", STYLES.get(word_of(cell), "not bold"))
        told.rstrip()
        return told

    def beside(cells: Sequence[str]) -> Text:
        told = Text(" " * indent)
        for head, cell in zip(needs, cells[2:], strict=True):
            told.append(f"{head} ").append(cell, STYLES.get(word_of(cell), "")).append(", ")
        return told[:-2]

    if left >= NAME:
        yield line(grid.columns)
    for row, words in zip(grid.rows, said, strict=True):
        if left >= NAME and len(row[1]) <= held:
            yield line(row)
        else:
            yield Text(f"{row[0]:{indent}}{row[1]}", "bold")
            yield line(("", "", *row[2:])) if left >= NAME else beside(row)
        if words:
            yield Text(" " * indent + words)


def _table(grid: Grid) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="bold")
    for index, name in enumerate(grid.columns):
        justify: Literal["left", "right"] = "left" if index < grid.texts else "right"
        table.add_column(escape(name), justify=justify, overflow="fold")
    for row in grid.rows:
        table.add_row(*map(Text, row))
    return table
