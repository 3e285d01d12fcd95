"""`bce-conformance choose`: which implementations meet a reader's needs, from runs that were made before."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from rich.console import Console

from conformance import pinned
from conformance import record as records
from conformance.choose import MET, Source
from conformance.choose import choose as chosen
from conformance.commands.run import WIDTH, last_run
from conformance.errors import Exit
from conformance.needs import VOCABULARY, parse
from conformance.render import choice as choices
from conformance.render import choice_text


@click.command()
@click.argument("files", nargs=-1, type=click.Path(path_type=Path, dir_okay=False))
@click.option("--need", "words", multiple=True, metavar="NEED[,NEED…]", help="What is needed (repeatable).")
@click.option("--list-needs", is_flag=True, help="Print the needs and what they mean.")
@click.option("--shipped", is_flag=True, help="Read the run that ships with the suite, even if there is a last run.")
@click.option("--all", "everything", is_flag=True, help="All rows of every table.")
@click.pass_context
def choose(
    context: click.Context,
    files: tuple[Path, ...],
    words: tuple[str, ...],
    list_needs: bool,
    shipped: bool,
    everything: bool,
) -> None:
    """Rank implementations for what you need, from run records.

    Reads FILES, or else the last run, or else the run of the pinned environment that ships with the suite; no framework
    is needed.  Exit code 0: an implementation meets all needs.  1: none does.
    """
    if list_needs:
        for need in VOCABULARY:
            click.echo(f"{need.name}\t{need.meaning}")
        return
    stated = parse(words)
    choice = chosen(sources(files, shipped), stated)
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    choice_text.render(choices.page(choice, brief=not everything), console, everything)
    context.exit(int(Exit.AS_EXPECTED if choice.of(MET) else Exit.NOT_AS_EXPECTED))


def sources(files: tuple[Path, ...], shipped: bool = False) -> tuple[Source, ...]:
    """The records to read, by the names that the reader knows them by."""
    found = [Source(str(file), records.read(file)) for file in files]
    if not found and not shipped and last_run.is_file():
        found = [Source(f"the last run ({last_run})", records.read(last_run))]
    if shipped or not found:
        found.append(
            Source("the run of the pinned environment that ships with the suite", records.read(pinned.shipped_run()))
        )
    return tuple(found)
