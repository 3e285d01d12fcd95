"""`bce-conformance matrix`: versions side by side, each in an environment of its own."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import click

from conformance.commands.options import Asked, plan_options
from conformance.commands.output import console
from conformance.commands.versions import builder_from, environment_options, must_be_new, tell, write_new
from conformance.errors import Exit, InputError
from conformance.known import deviations
from conformance.record import record as records
from conformance.record.record import RunRecord
from conformance.render import matrix as rendered
from conformance.run import run as runs
from conformance.versions import columns as tables
from conformance.versions.build import Builder, Environment, Failure, Resolved
from conformance.versions.columns import Question, Result, ask, kept, question
from conformance.versions.companions import known
from conformance.versions.requirements import Column, columns

#: Exit code after Ctrl-C.
INTERRUPTED = 130


@dataclass(frozen=True)
class Settings:
    """How columns are worked off: environments made at once, none kept, nothing taken from an earlier run."""

    jobs: int
    discard: bool
    fresh: bool


@click.command()
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
    question = ask(suite, options, deviations.load((deviations.default_folder(),)), sets)
    results = list(_results(asked_for, builder, question, Settings(build_jobs, discard, fresh)))
    code = _exit(results)
    if output is not None and code != INTERRUPTED:
        _hand_out(results, output)
    shown = rendered.page_of(results, everything)
    if report is not None:
        write_new(rendered.FORMS[form](shown), report, force)
    elif form == "text":
        rendered.text(shown, console(rendered.WIDTH))
    else:
        click.echo(rendered.FORMS[form](shown), nl=False)
    sys.exit(code)


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


def _results(asked_for: Sequence[Column], builder: Builder, asked: Question, settings: Settings) -> Iterator[Result]:
    """Tell the plan, then make the environments, as many at once as is wanted, and run each as it comes."""
    with ThreadPoolExecutor(max_workers=settings.jobs) as threads:
        resolved = dict(zip(asked_for, threads.map(builder.resolve, asked_for), strict=True))
        for line in plan(resolved):
            tell(line)
        building: dict[Column, Future[Environment | Failure]] = {}
        try:
            for place, one in enumerate(asked_for):
                for ahead in asked_for[place : place + (1 if settings.discard else len(asked_for))]:
                    if ahead not in building:
                        building[ahead] = threads.submit(_build, builder, ahead, resolved[ahead])
                result = _result(one, building[one].result(), asked, settings)
                tell(f"{one.label}: {result.reason or 'run'}")
                yield result
                if settings.discard:
                    builder.discard(one)
                if isinstance(result.record, RunRecord) and result.record.interrupted:
                    break
        finally:
            threads.shutdown(cancel_futures=True)


def _build(builder: Builder, column: Column, resolved: Resolved | Failure) -> Environment | Failure:
    return resolved if isinstance(resolved, Failure) else builder.build(column, resolved)


def plan(resolved: dict[Column, Resolved | Failure]) -> Iterator[str]:
    """What is about to be made: for each column Python, what is installed with it, size and time; then the sums."""
    yield f"{len(resolved)} environments:"
    for one, what in resolved.items():
        told = f"cannot be installed: {what.reason}" if isinstance(what, Failure) else what.told
        beside = f" with {' '.join(one.requirements[1:])}" if one.requirements[1:] else ""
        yield f"  {one.label}{f' on Python {one.python}' if one.python else ''}{beside}: {told}"
    made = [what for what in resolved.values() if isinstance(what, Resolved)]
    whole = Resolved((), sum(one.size for one in made), sum(one.unknown for one in made))
    yield f"  to download, at most: {whole.told}" if whole.size or whole.unknown else "  nothing to download"


def _result(column: Column, made: Environment | Failure, asked: Question, settings: Settings) -> Result:
    if isinstance(made, Failure):
        return Result(column, None, made)
    file = runs.STATE / "matrix" / f"{column.key}-{question(asked)}.jsonl.gz"
    # What an interpreter of the user's holds may have changed since.
    found = None if settings.fresh or column.interpreter is not None else kept(file)
    record = found if found is not None else tables.run(column, made, asked)
    if isinstance(record, RunRecord) and found is None:
        records.write(record, file)
    return Result(column, made, record)
