"""`bce-conformance known`: what is recorded, and the problems that explain it."""

from __future__ import annotations

from pathlib import Path

import click

from conformance.commands import Group
from conformance.commands.options import RUN_FILE
from conformance.errors import Exit
from conformance.known.record import Place, default_place, load, place
from conformance.record import record
from conformance.run import propose
from conformance.run.held import held

_FOLDER = click.option(
    "--folder", type=click.Path(path_type=Path, file_okay=False), help="A record of your own: problems and `recorded`."
)


@click.group(cls=Group)
def known() -> None:
    """Work with the record of what deviates, and the problems that explain it."""


@known.command()
@click.argument("files", nargs=-1, type=RUN_FILE)
@_FOLDER
@click.option("--write", is_flag=True, help="Write the files; without it the edits are only shown.")
@click.option("--keep", is_flag=True, help="Add to what is recorded: the runs are of another processor.")
@click.pass_context
def update(context: click.Context, files: tuple[Path, ...], folder: Path | None, write: bool, keep: bool) -> None:
    """Propose a record that says what complete runs saw; several runs give what deviates only sometimes.

    Every line gets the problem that explains it.  Without runs only that is done, after an edit of a problem.
    What no problem explains is named: write one, or extend what one explains.
    """
    where = _place(folder)
    edits = list(propose.edits([record.read(file) for file in files], where, keep=keep))
    for edit in edits:
        click.echo(f"{edit.action} {edit.file}")
        if write:
            edit.apply()
        else:
            click.echo("\n".join(f"    {line}" for line in edit.diff()))
    click.echo(f"{len(edits)} edits{'' if write else ' proposed; --write makes them'}")
    for line in propose.unexplained(edits, where):
        click.echo(f"no problem explains {line}")
    context.exit(int(Exit.AS_EXPECTED))


@known.command()
@click.argument("files", nargs=-1, required=True, type=RUN_FILE)
@_FOLDER
@click.pass_context
def check(context: click.Context, files: tuple[Path, ...], folder: Path | None) -> None:
    """Hold finished runs, perhaps of other machines, against the record as it is now.

    Exit code 0: everything is as recorded. 1: something is new, or recorded and not seen.
    """
    recorded = load((_place(folder),))
    strange = 0
    for file in files:
        lines = [
            f"{match.outcome} {line.id}#{match.element}: {match.what} [{match.cause}] {match.note}".rstrip()
            for line, matches in held(record.read(file), recorded)
            for match in matches
            if match.outcome != "recorded"
        ]
        click.echo("\n".join([f"{file}: {len(lines)} new or fixed", *(f"  {line}" for line in lines)]))
        strange += len(lines)
    context.exit(int(Exit.NOT_AS_EXPECTED if strange else Exit.AS_EXPECTED))


def _place(folder: Path | None) -> Place:
    return place(folder) if folder is not None else default_place()
