"""`bce-conformance show`: print a run again, with certificates of sweeps, or the list of the runs that are kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from conformance.commands import Command
from conformance.commands.options import RunFile
from conformance.commands.output import Printing, console, output_options, show_record
from conformance.errors import InputError
from conformance.record.files import write_lines
from conformance.render import certificate, maxima, shown, text
from conformance.render import kept as render_kept
from conformance.render.forms import render
from conformance.render.shown import Shown
from conformance.run import kept


@click.command(cls=Command)
@click.argument("files", nargs=-1, metavar="[RUN] [CERTIFICATE | FOLDER]...", type=RunFile())
@click.option("--list", "listed", is_flag=True, help="List the runs that are kept, the newest first.")
@output_options
def show(files: tuple[Path, ...], listed: bool, printing: Printing) -> None:
    """Print a run record again, and certificates of sweeps; without arguments the last run.

    A RUN is a file, or a run that is kept: its number, last or largest.
    Certificates have text, JSON, Markdown and HTML.
    """
    if listed:
        _show_kept()
        return
    found = shown.read(files or (kept.LAST,))
    if found.record is not None and not found.certificates:
        show_record(found.record, printing)
    else:
        _show_certificates(found, printing)


def _show_certificates(found: Shown, printing: Printing) -> None:
    """Print certificates, after a run record if there is one."""
    printed = render(printing.form, found) if printing.form != "text" else ""
    written = [(render(form, found), file) for form, file in printing.reports]  # all, before one is written
    for document, file in written:
        write_lines([document.rstrip("\n").encode()], file)
    if printing.form != "text":
        click.echo(printed, nl=False)
        return
    if found.record is not None:
        show_record(found.record, replace(printing, reports=()))
    wide = console(certificate.WIDTH)
    for one in maxima.ordered(found.certificates):
        certificate.text(one, wide)


def _show_kept() -> None:
    """Print the list of the runs that are kept.  Raises InputError where there is none."""
    files = kept.files()
    if not files:
        raise InputError(f"{kept.RUNS}: has no run", "make one with `bce-conformance run`")
    console(text.WIDTH).print(render_kept.table(map(kept.look, files)))
