"""`bce-conformance report`: a run and certificates as a page that people look at."""

from __future__ import annotations

from pathlib import Path

import click

from conformance.commands import Command
from conformance.commands.options import RunFile
from conformance.record.files import write_lines
from conformance.render import report as page
from conformance.render import shown
from conformance.run import kept


@click.command(cls=Command)
@click.argument("files", nargs=-1, metavar="[RUN] [CERTIFICATE | FOLDER]...", type=RunFile())
@click.option(
    "--html",
    "target",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("report.html"),
    show_default=True,
    help="Where the page is written.",
)
def report(files: tuple[Path, ...], target: Path) -> None:
    """Write one HTML page that works from disk.

    It shows a run record, certificates of sweeps, and those of folders, in any order.
    Without arguments it is about the last run; with certificates alone it has no run.
    """
    found = shown.read(files or (kept.LAST,))
    text = page.render(found.record, found.certificates)
    write_lines(iter([text.encode()]), target)
    click.echo(f"{target}: {len(text.encode()) / 1e6:.1f} MB")
