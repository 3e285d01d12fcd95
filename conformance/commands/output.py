"""How commands print a run: in a form, in reports beside it, and with what changed from its baseline."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.text import Text

from conformance.commands.options import Function, gathering, listed
from conformance.errors import HarnessError, InputError
from conformance.record.files import write_lines
from conformance.record.moves import Moves, Way
from conformance.record.record import RunRecord
from conformance.render import answer, comparison, elements, github, text
from conformance.render.characters import clean
from conformance.render.comparison import Compared
from conformance.render.forms import FORMS
from conformance.render.wrapping import wrap
from conformance.repro.projects import project_of
from conformance.run.run import Run

#: Width of the report with a column for every family: whatever it needs.
WIDEST = 1_000


@dataclass(frozen=True, kw_only=True)
class Printing:
    """How a run is to be printed: what the options of `output_options` were given."""

    everything: bool
    wide: bool
    counts: bool
    tolerances: bool
    form: str
    reports: tuple[tuple[str, Path], ...]


def output_options(function: Function) -> Function:
    """Options on how a run is printed; the command gets `printing`."""
    forms = click.Choice(["text", *FORMS])
    options = (
        click.option(
            "--report",
            "reports",
            multiple=True,
            metavar="FORM=FILE",
            callback=_reports,
            help=f"Also write this form to a file (repeatable): {', '.join(FORMS)}.",
        ),
        click.option("--format", "form", type=forms, default="text", show_default=True, help="Form of the output."),
        click.option("--tolerances", is_flag=True, help="Print the tolerance report (values, or --quantity)."),
        click.option("--counts", is_flag=True, help="Counts of checks by entry point and case family, and causes."),
        click.option("--wide", is_flag=True, help="The same, a row for every mode, a column for every family."),
        click.option("--all", "everything", is_flag=True, help="All findings, however many screens."),
    )
    names = ("everything", "wide", "counts", "tolerances", "form", "reports")
    return listed(options, gathering("printing", Printing, *names)(function))


def _reports(
    context: click.Context, parameter: click.Parameter, texts: tuple[str, ...]
) -> tuple[tuple[str, Path], ...]:
    """FORM=FILE taken apart; InputError where a form is unknown, before anything is run."""
    found = []
    for given in texts:
        form, _, name = given.partition("=")
        if form not in FORMS or not name:
            raise InputError(f"--report must be FORM=FILE, where FORM is one of {', '.join(FORMS)} (got {given!r})")
        found.append((form, Path(name)))
    return tuple(found)


#: `--wide` of a command that shows a few results: their table, too.
TABLE = click.option("--wide", is_flag=True, help="Also every element in a table, however wide it is.")


class Printed(Console):
    """A console that prints no control character of any text that it is given: a record may quote an exception."""

    def render_str(self, text: str, **given: Any) -> Text:
        """Text from markup, as every string becomes before it is printed."""
        return super().render_str(clean(text), **given)


def console(width: int) -> Console:
    """Standard output, as wide as the terminal or $COLUMNS says, or as `width` where there is neither."""
    return Printed(width=width_of(width))


def width_of(width: int) -> int:
    """The columns of standard output: of the terminal, or of $COLUMNS, or `width` where there is neither."""
    known = sys.stdout.isatty() or os.environ.get("COLUMNS", "").isdigit()
    return shutil.get_terminal_size().columns if known else width


def show_verdicts(run: Run, why: elements.Reasons) -> None:
    """Print a block for each implementation of a run, the worst first."""
    out = console(text.WIDTH)
    for line in elements.told(elements.blocks(run, why), out.width):
        out.print(line, highlight=False, soft_wrap=True)


def show_table(run: Run) -> None:
    """Print every element of a run, in lines as long as they need to be."""
    Printed(width=WIDEST).print(elements.check_table(run))


def show_lines(lines: Iterable[str], width: int = text.WIDTH) -> None:
    """Print lines in the width of the console, or in `width` where it has none."""
    out = console(width)
    for line in lines:
        for part in wrap(Text(line), out.width):
            click.echo(part.plain)


def whom_to_tell(moved: Moves) -> Iterator[str]:
    """Where the projects read of their releases and take reports, for what became worse and has no link."""
    untold = [one for one in moved.of(Way.WORSE) if one.new.problem is None or not one.new.problem.urls]
    found = {project.name: project for one in untold if (project := project_of(one.implementation)) is not None}
    for project in found.values():
        where = f"https://github.com/{project.repository}"
        yield f"whom to tell: {project.name}, {where}/issues (its releases: {where}/releases)"


def show_record(
    record: RunRecord, printing: Printing, quantities: tuple[str, ...] = (), compared: Compared | None = None
) -> None:
    """Print a record in one of the forms, when it has been written in those of the reports.

    What changed from its baseline is told where there is one, whether it is as the baseline first.
    """
    for form, file in printing.reports:
        write_lines([FORMS[form](record, compared).rstrip("\n").encode()], file)
    if printing.form == "github":
        publish(record, compared)
        return
    if printing.form != "text":
        click.echo(FORMS[printing.form](record, compared), nl=False)
        return
    if compared is not None:
        console(text.WIDTH).print(Text(compared.headline, "bold red" if compared.exit else "bold"), soft_wrap=True)
    if printing.tolerances:
        wanted = quantities or ("value",)
        table = text.tolerance_table([line for line in record.tolerances if line.quantity in wanted])
        _report_console(printing).print(table)
        return
    if printing.counts or printing.wide or printing.everything:
        text.render(record, _report_console(printing), printing.wide, printing.everything)
    else:
        answer.render(record, console(text.WIDTH))
    if compared is not None:
        _report_console(printing).print("\n[bold]Compared with the baseline[/]")
        comparison.text(*compared, _report_console(printing), printing.everything)


def _report_console(printing: Printing) -> Console:
    return Printed(width=WIDEST) if printing.wide else console(text.WIDTH)


def publish(record: RunRecord, compared: Compared | None = None) -> None:
    """Print the annotations for GitHub, and append the summary to `$GITHUB_STEP_SUMMARY` where that is set.

    Raises HarnessError where the summary cannot be written.
    """
    root = Path(os.environ.get("GITHUB_WORKSPACE") or ".")
    click.echo(github.workflow_commands(record, compared, github.places(record, root)), nl=False)
    if name := os.environ.get("GITHUB_STEP_SUMMARY"):
        try:
            with Path(name).open("a", encoding="utf-8") as stream:
                stream.write(github.summary(record, compared, github.LIMIT - stream.tell()))
        except OSError as error:
            raise HarnessError(f"$GITHUB_STEP_SUMMARY: {name}: cannot be written: {error.strerror}") from None
