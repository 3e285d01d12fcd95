"""`bce-conformance badges RUN DIR`."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from conformance.commands import Command
from conformance.commands.options import RUN_FILE
from conformance.record import record as records
from conformance.record.files import write_lines
from conformance.render import badges as render


@click.command(cls=Command)
@click.argument("run", type=RUN_FILE)
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
def badges(run: Path, folder: Path) -> None:
    """Write a badge for each implementation and each backend of RUN into DIR.

    Each file is an endpoint for https://img.shields.io/endpoint?url=...; files of other runs are replaced.
    """
    made = render.badges(records.read(run))
    for name, badge in made.items():
        write_lines([msgspec.json.encode(badge)], folder / name)
    click.echo(f"{folder}: {len(made)} badges")
