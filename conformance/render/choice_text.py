"""A choice for a terminal, 30 lines in the usual width."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from conformance.render.answer import STYLES
from conformance.render.choice import Grid, Page
from conformance.render.wrapping import wrap

#: What the name of an implementation gets at least, however many needs there are.
NAME = 36


def render(page: Page, console: Console, everything: bool = False) -> None:
    """Print what to take, the table, the sentences and what is not known; with `everything` the other tables, too."""
    _print(console, _head(page))
    for grid in page.grids if everything else page.grids[:1]:
        console.print(_table(grid))
        _print(console, [f"[dim]{escape(grid.legend)}[/]"] if grid.legend else [])
    _print(console, (f"[bold]{escape(name)}[/]: {escape(said)}" for name, said in page.sentences))
    unknown = f"[bold]What this cannot tell[/]: {escape(' '.join(page.limits))}"
    _print(console, [f"{unknown} To copy for the team: `--format markdown`."])


def _head(page: Page) -> Iterator[str]:
    yield f"[bold]{escape(page.title)}[/] · {escape(page.verdict)}"
    yield from (f"read: {escape(source)}" for source in page.sources)
    yield from (f"[bold red]INTERRUPTED: {escape(name)} has no end[/]" for name in page.interrupted)
    yield f"[{'green' if page.met else 'bold red'}]{escape(page.take)}[/]"


def _print(console: Console, lines: Iterator[str] | list[str]) -> None:
    for line in lines:
        for part in wrap(Text.from_markup(line), console.width):
            console.print(part, highlight=False, soft_wrap=True)


def _table(grid: Grid) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for index, name in enumerate(grid.columns):
        justify: Literal["left", "right"] = "left" if index < grid.texts else "right"
        width = NAME if name == "implementation" else None
        table.add_column(escape(name), justify=justify, overflow="fold", min_width=width)
    for row in grid.rows:
        table.add_row(*(Text(cell, STYLES.get(cell, "")) for cell in row))
    return table
