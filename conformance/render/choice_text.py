"""A choice for a terminal."""

from __future__ import annotations

from typing import Literal

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from conformance.render.choice import Grid, Page

#: Rows of a table that are printed unless all are asked for.
ROWS = 12

#: What the name of an implementation gets at least, however many needs there are.
NAME = 36


def render(page: Page, console: Console, everything: bool = False) -> None:
    """Print a page; tables longer than ROWS are cut unless `everything` is asked for, and say so."""
    console.print(f"[bold]{escape(page.title)}[/]", highlight=False)
    for source in page.sources:
        console.print(f"read: {escape(source)}", highlight=False)
    for name in page.interrupted:
        console.print(f"[bold red]INTERRUPTED: {escape(name)} has no end[/]", highlight=False)
    for grid in page.grids:
        console.print(f"\n[bold]{escape(grid.caption)}[/]", highlight=False)
        console.print(_table(grid, len(grid.rows) if everything else ROWS))
        if not everything and len(grid.rows) > ROWS:
            console.print(f"… and {len(grid.rows) - ROWS} more: --all", highlight=False)
        if grid.legend:
            console.print(grid.legend, style="dim", highlight=False)
    console.print("\n[bold]What this cannot tell[/]", highlight=False)
    for line in page.limits:
        console.print(f"- {escape(line)}", highlight=False)
    style = "green" if page.met else "bold red"
    console.print(f"\n[{style}]{escape(page.verdict)}[/]", highlight=False)


def _table(grid: Grid, count: int) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for index, name in enumerate(grid.columns):
        justify: Literal["left", "right"] = "left" if index < grid.texts else "right"
        width = NAME if name == "implementation" else None
        table.add_column(escape(name), justify=justify, overflow="fold", min_width=width)
    for row in grid.rows[:count]:
        table.add_row(*map(escape, row))
    return table
