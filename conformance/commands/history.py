"""`bce-conformance history DIR`."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from rich.console import Console

from conformance.record import history as histories
from conformance.record.files import write_lines
from conformance.render import history as render

#: Width of the tables where standard output is no terminal: wide enough for every verdict.
WIDTH = 200


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), help="Also draw it, as one HTML page.")
@click.option("--last", type=click.IntRange(1), default=10, show_default=True, help="Runs in each table.")
def history(folder: Path, html: Path | None, last: int) -> None:
    """Show verdicts and worst errors of the runs whose records lie in DIR, by backend, versions and date.

    Runs that were interrupted, or that are about other cases or filters than the newest complete one, are marked.
    """
    found = histories.load(folder)
    if html is not None:
        write_lines([render.render(found).encode()], html)
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    for table in render.tables(found, last):
        console.print(table)
    interrupted = sum(run.interrupted for run in found.runs)
    console.print(f"{len(found.runs)} runs{f', [bold red]{interrupted} INTERRUPTED[/]' if interrupted else ''}")
