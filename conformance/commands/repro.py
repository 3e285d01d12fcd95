"""`bce-conformance repro`: from a finding to a script of the framework alone, and an issue for its project."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from conformance import cases, deviations
from conformance import record as records
from conformance import run as runs
from conformance.errors import InputError
from conformance.options import options_from, suite_options
from conformance.plan import Filters
from conformance.pool import Backend, Pool
from conformance.record import RunRecord
from conformance.repro import finding as findings
from conformance.repro.report import Failed, reproduce


@click.command()
@click.argument("what", metavar="[RUN | CASE | CASE_FILE]", required=False)
@click.argument("which", metavar="[FINDING | IMPLEMENTATION]", default="")
@click.option(
    "--output", type=click.Path(path_type=Path, file_okay=False), default=Path(), help="Folder to write into."
)
@click.option("--force", is_flag=True, help="Overwrite files that are there.")
@suite_options
def repro(what: str | None, which: str, output: Path, force: bool, **arguments: Any) -> None:
    """Write a script that shows a finding with the framework alone, and an issue for its project.

    Without arguments it is about the first finding of the last run.
    A FINDING is a cause, a check, or a check with `#` and an element.
    """
    suite = cases.load_suite(arguments.pop("cases_folder") or cases.default_folder())
    options = options_from(arguments)
    with runs.open_pool(options) as pool:
        backends = runs.discover(pool, options)
        record, suite, wanted = _record(what, which, suite, pool, backends, options)
        known = [one for backend in backends for one in backend.implementations]
        target = findings.target(*findings.chosen(record, wanted), suite, known)
        (made,) = reproduce(pool, backends, [target], options)
    if isinstance(made, Failed):
        raise InputError(f"no script: {made.why}")
    file = output / "repro.py"
    if file.exists() and not force:
        raise InputError(f"{file}: is there already", "name another folder with --output, or say --force")
    records.write_lines([made.script.text.rstrip("\n").encode()], file)
    click.echo(f"wrote {file}: {made.script.title}")


def _record(
    what: str | None,
    which: str,
    suite: cases.Suite,
    pool: Pool,
    backends: tuple[Backend, ...],
    options: runs.Options,
) -> tuple[RunRecord, cases.Suite, str]:
    """The record to choose from, the suite that it is about, and what is wanted of it.

    That of a file, or for a case and an implementation that of a run of both.
    """
    file = Path(what) if what is not None else runs.STATE / "last.jsonl"
    if what is None or (file.is_file() and file.suffix not in (".yaml", ".yml")):
        return records.read(file), suite, which
    if file.is_file():
        located = cases.load_files([file], suite.flags)
        suite = replace(suite, cases=located)
    else:
        located = (suite.find(what),)
    known = [one for backend in backends for one in backend.implementations]
    if not which:
        raise InputError("a case needs an implementation beside it", "`bce-conformance list` shows them")
    one = findings.find_implementation(which, known)
    filters = Filters(
        backend=(one.adapter,),
        implementation=(one.id,),
        case=tuple(each.case.id for each in located),
        dtype=options.filters.dtype,
        quantity=options.filters.quantity,
    )
    narrowed = replace(options, filters=filters)
    plan = runs.planned(backends, suite, narrowed)
    done = runs.execute(pool, backends, plan, deviations.Record(Path(), ()), narrowed)
    return done.record, suite, ""
