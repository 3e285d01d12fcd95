"""`bce-conformance matrix`: versions side by side, each in an environment of its own."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import click

from conformance.commands import Command, progress
from conformance.commands.options import Asked, plan_options
from conformance.commands.output import console
from conformance.commands.versions import builder_from, environment_options, must_be_new, tell, write_new
from conformance.errors import Exit, InputError
from conformance.known.record import default_place, load
from conformance.record import record as records
from conformance.record.record import RunRecord
from conformance.record.spelled import command
from conformance.render import matrix as rendered
from conformance.versions import matrix as worked_off
from conformance.versions.columns import Result, ask
from conformance.versions.companions import known
from conformance.versions.matrix import Settings
from conformance.versions.requirements import Column, columns

#: Exit code after Ctrl-C.
INTERRUPTED = 130


@click.command(cls=Command)
@click.argument("specs", nargs=-1, required=True, metavar="PACKAGE==V1,V2[+COMPANION…]|WHEEL|INTERPRETER …")
@plan_options
@click.option("--quick", is_flag=True, help="Values of the main families, eager mode, float32 and float16.")
@environment_options
@click.option("--build-jobs", type=click.IntRange(1), default=2, show_default=True, help="Environments made at once.")
@click.option("--discard", is_flag=True, help="Keep no environment and no download; one at a time.")
@click.option("--fresh", is_flag=True, help="Run again what was run before.")
@click.option("--all", "everything", is_flag=True, help="Also rows that are alike in all versions.")
@click.option("--format", "form", type=click.Choice(tuple(rendered.FORMS)), default="text", show_default=True)
@click.option("--report", type=click.Path(path_type=Path, dir_okay=False), help="Write that form here instead.")
@click.option("--output", type=click.Path(path_type=Path, file_okay=False), help="Also put the run records there.")
@click.option("--force", is_flag=True, help="Overwrite files of --report and --output.")
def matrix(
    specs: tuple[str, ...], quick: bool, folder: Path | None, build_jobs: int, discard: bool, fresh: bool,
    everything: bool, form: str, report: Path | None, output: Path | None, force: bool, asked: Asked,
) -> None:  # fmt: skip
    """Run the same checks on several versions and show what differs.

    Each SPEC is one column or several: versions of a package, a wheel, or an interpreter that has everything.
    `uv` makes the environments; they are kept, as are the records, so that what was interrupted goes on where it was.
    Exit code 0: every column was run.  1: one could not be installed or imported; its row tells why.
    """
    sets = known()
    asked_for = columns(specs, sets)
    for file in _files(asked_for, report, output):
        must_be_new(file, force)
    suite, options = asked.suite(), asked.options
    if quick:
        options = replace(options, filters=options.filters.quick())
    builder = builder_from(folder, discard)
    question = ask(suite, options, load((default_place(),)), sets)
    results = list(
        worked_off.results(
            asked_for, builder, question, Settings(build_jobs, discard, fresh, progress.of_requests), tell
        )
    )
    code = _exit(results)
    if output is not None and code != INTERRUPTED:
        _hand_out(results, output)
    shown = rendered.page_of(results, everything)
    if report is not None:
        write_new(rendered.FORMS[form](shown), report, force)
    elif form == "text":
        rendered.text(shown, console(rendered.WIDTH))
        for line in _next(results):
            click.echo(line)
    else:
        click.echo(rendered.FORMS[form](shown), nl=False)
    sys.exit(code)


def _next(results: Sequence[Result]) -> Iterator[str]:
    """The command that says what changed from the first version to the last, in words."""
    files = [str(one.file) for one in results if one.file is not None]
    if len(files) > 1:
        yield f"next: {command('upgrade', files[0], files[-1])}"


def _hand_out(results: Sequence[Result], folder: Path) -> None:
    """Put the records where the user wants them, when all are there."""
    for one in results:
        if isinstance(one.record, RunRecord):
            records.write(one.record, _record_file(folder, one.column))


def _exit(results: Sequence[Result]) -> int:
    if any(isinstance(one.record, RunRecord) and one.record.interrupted for one in results):
        return INTERRUPTED
    return int(Exit.NOT_AS_EXPECTED if any(one.reason for one in results) else Exit.AS_EXPECTED)


def _files(asked_for: Sequence[Column], report: Path | None, output: Path | None) -> Iterator[Path]:
    """What would be written.  Raises InputError where two records would have one name."""
    if report is not None:
        yield report
    names = [one.file_name for one in asked_for]
    if output is not None and len(set(names)) < len(names):
        raise InputError("--output needs columns of different names", "ask for them one after the other")
    if output is not None:
        yield from (_record_file(output, one) for one in asked_for)


def _record_file(folder: Path, column: Column) -> Path:
    return folder / f"{column.file_name}.jsonl.gz"
