"""`bce-conformance report`: a run as a page that people look at."""

from __future__ import annotations

from pathlib import Path

import click

from conformance import record as records
from conformance import run as runs
from conformance.render import report as page


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), required=False)
@click.option(
    "--html",
    "target",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("report.html"),
    show_default=True,
    help="Where the page is written.",
)
def report(file: Path | None, target: Path) -> None:
    """Write the run record FILE (the last run without it) as one HTML page that works from disk."""
    text = page.render(records.read(file or runs.STATE / "last.jsonl"))
    records.write_lines(iter([text.encode()]), target)
    click.echo(f"{target}: {len(text.encode()) / 1e6:.1f} MB")
