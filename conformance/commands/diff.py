"""`bce-conformance diff`: what changed from one run to another."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from conformance.commands.options import RUN_FILE
from conformance.errors import Exit
from conformance.record import record as records
from conformance.record.compare import Comparison, FailOn, Side, compare
from conformance.render import comparison

#: Width of the report where standard output is not a terminal.
WIDTH = 180


def fail_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Options on what counts as a regression."""
    for decorator in (
        click.option("--allow-missing", is_flag=True, help="Checks that only the old run has are no regression."),
        click.option(
            "--fail-on",
            multiple=True,
            metavar="WHAT",
            help="Also fail on behaviour, conforming or drift:NUMBERulp (repeatable).",
        ),
    ):
        function = decorator(function)
    return function


@click.command()
@click.argument("old", type=RUN_FILE)
@click.argument("new", type=RUN_FILE)
@fail_options
@click.option("--all", "everything", is_flag=True, help="All changes, however many screens.")
@click.option("--format", "form", type=click.Choice(["text", "markdown", "json"]), default="text", show_default=True)
def diff(old: Path, new: Path, allow_missing: bool, fail_on: tuple[str, ...], everything: bool, form: str) -> None:
    """Compare the run records OLD and NEW, files or numbers of runs that are kept, check by check.

    Exit code 0: no regression. 1: an element deviates that did not, or a check of OLD is not in NEW, or what --fail-on
    names.
    """
    limits = FailOn.parse(fail_on, allow_missing)
    found = compare(Side(str(old), records.read(old)), Side(str(new), records.read(new)))
    show(found, limits, form, everything)
    sys.exit(int(exit_of(found, limits)))


def exit_of(found: Comparison, limits: FailOn) -> Exit:
    """1 where there is a regression."""
    return Exit.NOT_AS_EXPECTED if found.regressions(limits) else Exit.AS_EXPECTED


def show(found: Comparison, limits: FailOn, form: str, everything: bool = False) -> None:
    """Print a comparison in one of the forms."""
    if form == "text":
        comparison.text(found, limits, Console(width=None if sys.stdout.isatty() else WIDTH), everything)
    else:
        render = comparison.markdown if form == "markdown" else comparison.json
        click.echo(render(found, limits), nl=False)
