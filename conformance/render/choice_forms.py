"""A choice for a terminal, 30 lines in the usual width, and as Markdown, which ends with a paragraph for the team."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from conformance.render.answer import STYLES
from conformance.render.choice import Grid, Page, word_of
from conformance.render.markdown import cell
from conformance.render.markdown import row as table_row
from conformance.render.wrapping import wrap

#: Columns that a name gets at least; where there are fewer, each word stands beside its need.
NAME = 24

#: Columns between two cells.
GAP = 2


def as_text(page: Page, console: Console, everything: bool = False) -> None:
    """Print what to take and what the others do, the table, and what is not known; with `everything` all tables."""
    _print(console, map(Text.from_markup, _head(page)))
    _print(console, ranking(page.grids[0], page.said, console.width))
    _print(console, [Text(page.grids[0].legend, "dim")])
    for grid in page.grids[1:] if everything else ():
        console.print(_table(grid))
        _print(console, [Text(grid.legend, "dim")] if grid.legend else [])
    unknown = Text.assemble(("Cannot tell", "bold"), f": {'; '.join(page.limits)}.")
    _print(console, [unknown.append(" To copy: `--format markdown`.")])


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
        for index, (word, columns) in enumerate(zip(cells[2:], wide, strict=True), start=2):
            aligned = f"{word:{columns}}" if index < grid.texts else f"{word:>{columns}}"
            told.append(f" {aligned}", STYLES.get(word_of(word), "not bold"))
        told.rstrip()
        return told

    def beside(cells: Sequence[str]) -> Text:
        told = Text(" " * indent)
        for head, word in zip(needs, cells[2:], strict=True):
            told.append(f"{head} ").append(word, STYLES.get(word_of(word), "")).append(", ")
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


def as_markdown(page: Page) -> str:
    """The whole document."""
    return "\n".join(_markdown(page)) + "\n"


def _markdown(page: Page) -> Iterator[str]:
    yield f"# {cell(page.title)}"
    yield ""
    yield f"**{cell(page.take)}**"
    yield ""
    for name in page.interrupted:
        yield f"**INTERRUPTED: {cell(name)} has no end.**"
        yield ""
    for source in page.sources:
        yield f"- read: {cell(source)}"
    for place, grid in enumerate(page.grids):
        yield ""
        yield f"## {cell(grid.caption)}"
        yield ""
        yield table_row(list(map(cell, grid.columns)))
        yield table_row(["---" if index < grid.texts else "--:" for index in range(len(grid.columns))])
        for cells in grid.rows:
            yield table_row(list(map(cell, cells)))
        if grid.legend:
            yield ""
            yield cell(grid.legend)
        if place == 0:
            yield ""
            yield from (f"- {cell(name)}: {cell(said)}" for name, said in page.sentences)
    yield ""
    yield "## What this cannot tell"
    yield ""
    for line in page.limits:
        yield f"- {cell(line)}"
    yield ""
    yield "## For the team"
    yield ""
    yield "`".join(cell(part) if index % 2 == 0 else part for index, part in enumerate(page.team.split("`")))
