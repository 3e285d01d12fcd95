"""`bce-conformance diff`: what changed from one run to another."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from conformance.commands import Command
from conformance.commands.options import RUN_FILE, fail_options, filter_options
from conformance.commands.output import console, whom_to_tell
from conformance.plan.filters import Filters
from conformance.record import record as records
from conformance.record.compare import FailOn, Side, compare
from conformance.record.moves import moves
from conformance.render import comparison
from conformance.render.comparison import Compared


@click.command(cls=Command)
@click.argument("old", type=RUN_FILE)
@click.argument("new", type=RUN_FILE)
@filter_options
@fail_options
@click.option("--all", "everything", is_flag=True, help="All changes, however many screens.")
@click.option("--format", "form", type=click.Choice(["text", "markdown", "json"]), default="text", show_default=True)
def diff(old: Path, new: Path, filters: Filters, limits: FailOn, everything: bool, form: str) -> None:
    """Compare the run records OLD and NEW, files or numbers of runs that are kept, check by check.

    Exit code 0: no regression. 1: an element deviates that did not, or a check of OLD is not in NEW, or what --fail-on
    names.
    """
    before, after = (Side(str(file), records.read(file)) for file in (old, new))
    found = Compared(compare(before, after, filters), limits)
    if form == "text":
        comparison.text(*found, console(comparison.WIDTH), everything)
        for line in whom_to_tell(moves(before, after, found.found.both)):
            click.echo(line)
    else:
        render = comparison.markdown if form == "markdown" else comparison.json
        click.echo(render(*found), nl=False)
    sys.exit(int(found.exit))
