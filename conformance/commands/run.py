"""`bce-conformance run` and `bce-conformance show`: make a run, and print one again."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from conformance.commands.diff import exit_of, fail_options
from conformance.commands.github import publish
from conformance.commands.options import RUN_FILE, Asked, RunFile, suite_options
from conformance.errors import Exit, InputError
from conformance.known import deviations
from conformance.record import record as records
from conformance.record.compare import Comparison, FailOn, Side, compare
from conformance.record.record import RunRecord
from conformance.render import certificate, comparison, jsondoc, maxima, shown, text
from conformance.render import kept as render_kept
from conformance.render.forms import FORMS, render
from conformance.run import kept, speed
from conformance.run import run as runs

#: Width of the report where standard output is not a terminal.
WIDTH = 140

#: Width of the report with a column for every family: whatever it needs.
WIDEST = 1_000

FORMATS = click.Choice(["text", *FORMS])


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


def output_options(function: Any) -> Any:
    """Options on how a run is printed."""
    for decorator in (
        click.option("--all", "everything", is_flag=True, help="All findings, however many screens."),
        click.option("--wide", is_flag=True, help="A row for every mode, a column for every case family."),
        click.option("--tolerances", is_flag=True, help="Print the tolerance report (values, or --quantity)."),
        click.option("--format", "form", type=FORMATS, default="text", show_default=True, help="Form of the output."),
        click.option(
            "--report",
            "reports",
            multiple=True,
            metavar="FORM=FILE",
            callback=_reports,
            help=f"Also write this form to a file (repeatable): {', '.join(FORMS)}.",
        ),
    ):
        function = decorator(function)
    return function


@click.command()
@suite_options
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="Also write the run record here.")
@click.option("--deviations", "extra", multiple=True, type=click.Path(path_type=Path), help="More recorded deviations.")
@click.option("--only-deviations", is_flag=True, help="Use those of --deviations alone, not the shipped ones.")
@click.option("--strict", is_flag=True, help="Deviations that no longer show fail outside the pinned environment, too.")
@click.option(
    "--baseline",
    type=RUN_FILE,
    metavar="RUN",
    help="Compare with this run record at once, as far as the filters of this run go.",
)
@fail_options
@click.option("--quick", is_flag=True, help="Values of the main families, eager mode, float32 and float16: a minute.")
@click.option(
    "--seed", default=0, show_default=True, help="Which elements of calls of many are also called alone, to compare."
)
@click.option("--sample/--no-sample", default=True, help="Also measure a sample of inputs, for the plots of a report.")
@click.option("--speed", "timed", is_flag=True, help="Also time forward and backward calls, and their memory: minutes.")
@output_options
def run(
    output: Path | None,
    extra: tuple[Path, ...],
    only_deviations: bool,
    strict: bool,
    baseline: Path | None,
    allow_missing: bool,
    fail_on: tuple[str, ...],
    quick: bool,
    seed: int,
    sample: bool,
    timed: bool,
    asked: Asked,
    **printed: Any,
) -> None:
    """Run the checks and print what was found.

    Exit code 0: as expected. 1: a new deviation, or a recorded one that no longer shows in the pinned environment, or
    a regression from the baseline.

    The last ten runs are kept in .bce-conformance, and the largest of them is not given up for smaller ones:
    see `bce-conformance show --list`.
    """
    before, limits = _baseline(baseline, fail_on, allow_missing)
    suite = asked.suite()
    options = replace(asked.options, strict=strict, sample=sample, speed=timed, seed=seed)
    if quick:
        options = replace(options, filters=options.filters.quick())
    shipped = () if only_deviations else (deviations.default_folder(),)
    known = deviations.load((*shipped, *extra))
    with runs.open_pool(options) as pool:
        backends = runs.discover(pool, options)
        plan = runs.planned(backends, suite, options)
        timings = speed.count(plan, options.filters.dtype) if timed else 0
        with _progress(len(plan.requests) + len(plan.samples) + timings) as advance:
            done = runs.execute(pool, backends, plan, known, options, advance)
    kept.keep(done.record)
    if output is not None:
        records.write(done.record, output)
    found = compare(before, Side("this run", done.record), options.filters) if before is not None else None
    show_record(done.record, quantities=options.filters.quantity, compared=(found, limits), **printed)
    worst = max(done.exit, exit_of(found, limits) if found is not None else Exit.AS_EXPECTED)
    sys.exit(130 if done.record.interrupted else int(worst))


def _baseline(file: Path | None, fail_on: tuple[str, ...], allow_missing: bool) -> tuple[Side | None, FailOn]:
    """The run to compare with, read before anything runs, and what counts as a regression from it."""
    limits = FailOn.parse(fail_on, allow_missing)
    if file is None and limits != FailOn():
        raise InputError("--fail-on and --allow-missing are about a comparison", "name a run record by --baseline")
    return (Side(str(file), records.read(file)) if file is not None else None), limits


@click.command()
@click.argument("files", nargs=-1, metavar="[RUN] [CERTIFICATE | FOLDER]...", type=RunFile())
@click.option("--list", "listed", is_flag=True, help="List the runs that are kept, the newest first.")
@output_options
def show(files: tuple[Path, ...], listed: bool, **chosen: Any) -> None:
    """Print a run record again, and certificates of sweeps; without arguments the last run.

    A RUN is a file, or a run that is kept: its number, last or largest.
    Certificates have text, JSON, Markdown and HTML.
    """
    if listed:
        show_kept()
        return
    found = shown.read(files or (kept.LAST,))
    if found.record is not None and not found.certificates:
        show_record(found.record, quantities=(), **chosen)
        return
    form = chosen["form"]
    printed = render(form, found) if form != "text" else ""
    written = [(render(other, found), file) for other, file in chosen.pop("reports")]  # all, before one is written
    for document, file in written:
        records.write_lines([document.rstrip("\n").encode()], file)
    if form != "text":
        click.echo(printed, nl=False)
        return
    if found.record is not None:
        show_record(found.record, **chosen)
    console = Console(width=None if sys.stdout.isatty() else certificate.WIDTH)
    for one in maxima.ordered(found.certificates):
        certificate.text(one, console)


def show_kept() -> None:
    """Print the list of the runs that are kept.  Raises InputError where there is none."""
    files = kept.files()
    if not files:
        raise InputError(f"{kept.RUNS}: has no run", "make one with `bce-conformance run`")
    Console(width=None if sys.stdout.isatty() else WIDTH).print(render_kept.table(map(kept.look, files)))


def show_record(
    record: RunRecord,
    everything: bool,
    wide: bool,
    tolerances: bool,
    form: str,
    reports: tuple[tuple[str, Path], ...] = (),
    quantities: tuple[str, ...] = (),
    compared: tuple[Comparison | None, FailOn] = (None, FailOn()),
) -> None:
    """Print a record in one of the forms, when it has been written in those of `reports`.

    What changed from its baseline follows where there is one: in a form that has no place for it, on standard error.
    """
    for other, file in reports:
        records.write_lines([FORMS[other](record).rstrip("\n").encode()], file)
    found, limits = compared
    if form == "json" and found is not None:
        click.echo(jsondoc.render(record, comparison.document(found, limits)), nl=False)
        return
    if form == "markdown" and found is not None:
        click.echo(
            f"{FORMS[form](record)}\n## Compared with the baseline\n\n{comparison.markdown(found, limits)}", nl=False
        )
        return
    if form != "text":
        publish(record) if form == "github" else click.echo(FORMS[form](record), nl=False)
        if found is not None:
            comparison.text(found, limits, Console(stderr=True, width=WIDTH))
        return
    narrow = None if sys.stdout.isatty() else WIDTH
    console = Console(width=WIDEST if wide else narrow, soft_wrap=False)
    if tolerances:
        wanted = quantities or ("value",)
        console.print(text.tolerance_table([line for line in record.tolerances if line.quantity in wanted]))
        return
    text.render(record, console, wide, everything)
    if found is not None:
        console.print("\n[bold]Compared with the baseline[/]")
        comparison.text(found, limits, console, everything)


@contextmanager
def _progress(total: int) -> Any:
    """A progress bar on standard error where that is a terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("requests", total=total)
        yield lambda steps: bar.advance(task, steps)
