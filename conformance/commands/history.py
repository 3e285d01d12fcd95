"""`bce-conformance history DIR`."""

from __future__ import annotations

from pathlib import Path

import click

from conformance.commands import Command
from conformance.commands.output import console
from conformance.record import history as histories
from conformance.record.files import write_lines
from conformance.render import history as render
from conformance.render.narrate import counted


@click.command(cls=Command)
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), help="Also draw it, as one HTML page.")
@click.option("--last", type=click.IntRange(1), default=10, show_default=True, help="Runs in each table.")
@click.option("--formulas", is_flag=True, help="Also tell which formulas changed from run to run: half a minute each.")
def history(folder: Path, html: Path | None, last: int, formulas: bool) -> None:
    """Show verdicts and worst errors of the runs whose records lie in DIR, by backend, versions and date.

    Runs that were interrupted, or that are about other cases or filters than the newest complete one, are marked.
    """
    found = histories.load(folder)
    if html is not None:
        write_lines([render.render(found).encode()], html)
    wide = console(render.WIDTH)
    render.shown(found, last, wide)
    for line in render.models(found, last) if formulas else ():
        click.echo(line)
    interrupted = sum(run.interrupted for run in found.runs)
    wide.print(f"{counted(len(found.runs), 'run')}{f', [bold red]{interrupted} INTERRUPTED[/]' if interrupted else ''}")
