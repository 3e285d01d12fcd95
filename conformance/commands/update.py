"""`bce-conformance deviations update RUN.jsonl…`: propose deviation files from runs."""

from __future__ import annotations

import datetime
from pathlib import Path

import click

from conformance.commands.options import RUN_FILE
from conformance.errors import Exit
from conformance.known import deviations as deviation_files
from conformance.record import record
from conformance.run import propose
from conformance.run.held import held


@click.group()
def deviations() -> None:
    """Work with the record of deviations."""


@deviations.command()
@click.argument("files", nargs=-1, required=True, type=RUN_FILE)
@click.option("--folder", type=click.Path(path_type=Path, file_okay=False), help="Folder of deviation files.")
@click.option("--write", is_flag=True, help="Write the files; without it the edits are only shown.")
@click.pass_context
def update(context: click.Context, files: tuple[Path, ...], folder: Path | None, write: bool) -> None:
    """Propose edits that make the record say what complete runs saw; several runs give `sometimes`.

    Comments, titles, reasons and the order of keys stay.  A new cause needs a title and a link or a reason: its file is
    written with `unreported: true` and a reason that says so.
    """
    where = folder or deviation_files.default_folder()
    edits = list(propose.edits([record.read(file) for file in files], where, datetime.date.today().isoformat()))
    for edit in edits:
        click.echo(f"{edit.action} {edit.file}")
        if not write:
            for line in edit.diff():
                click.echo(f"    {line}")
    if write:
        for edit in edits:
            edit.apply()
    click.echo(f"{len(edits)} edits{'' if write else ' proposed; --write makes them'}")
    context.exit(int(Exit.AS_EXPECTED))


@deviations.command()
@click.argument("files", nargs=-1, required=True, type=RUN_FILE)
@click.option("--folder", type=click.Path(path_type=Path, file_okay=False), help="Folder of deviation files.")
@click.pass_context
def check(context: click.Context, files: tuple[Path, ...], folder: Path | None) -> None:
    """Hold finished runs, perhaps of other machines, against the record as it is now.

    Exit code 0: everything is as recorded. 1: something is new, or recorded and not seen.
    """
    known = deviation_files.load((folder or deviation_files.default_folder(),))
    strange = 0
    for file in files:
        lines = [
            f"{match.outcome} {line.id}#{match.element}: {match.what} [{match.cause}] {match.note}".rstrip()
            for line, matches in held(record.read(file), known)
            for match in matches
            if match.outcome != "recorded"
        ]
        click.echo("\n".join([f"{file}: {len(lines)} new or fixed", *(f"  {line}" for line in lines)]))
        strange += len(lines)
    context.exit(int(Exit.NOT_AS_EXPECTED if strange else Exit.AS_EXPECTED))
