"""`bce-conformance repro`: from a finding to a script of the framework alone, and a report for its project."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import click

from conformance.commands import Command
from conformance.commands.options import RUN_FILE, Asked, complete_implementations, complete_subjects, suite_options
from conformance.errors import InputError
from conformance.known.problem import Advice
from conformance.known.record import default_place, load, place
from conformance.record import record as records
from conformance.repro.job import Job, joined, write_all, write_one
from conformance.repro.origin import origin
from conformance.run import run as runs

#: Where `--all` writes.
REPORTS = Path("reports")


@click.command(cls=Command)
@click.argument("what", metavar="[RUN | PROBLEM | CASE | CASE_FILE]", required=False, shell_complete=complete_subjects)
@click.argument(
    "which", metavar="[PROBLEM | FINDING | IMPLEMENTATION]", default="", shell_complete=complete_implementations
)
@click.option("--all", "everything", is_flag=True, help="A report for every new finding of the run, by cause.")
@click.option(
    "--advice",
    multiple=True,
    type=click.Choice([one for one in get_args(Advice) if one != "noise"]),
    help="With --all: for every known problem of which this is the advice, instead (repeatable).",
)
@click.option(
    "--with",
    "others",
    multiple=True,
    type=RUN_FILE,
    metavar="RUN",
    help="Another run beside it, of other modes for one (repeatable).",
)
@click.option("--output", type=click.Path(path_type=Path, file_okay=False), help="Folder to write into.")
@click.option("--force", is_flag=True, help="Overwrite files that are there.")
@click.option("--known", "own", multiple=True, type=click.Path(path_type=Path), help="A record of your own, too.")
@suite_options
def repro(
    what: str | None,
    which: str,
    everything: bool,
    advice: tuple[Advice, ...],
    others: tuple[Path, ...],
    output: Path | None,
    force: bool,
    own: tuple[Path, ...],
    asked: Asked,
) -> None:
    """Write a script that shows a finding with the framework alone (repro.py), and a report of it (issue.md).

    Without arguments it is about the first finding of the last run.
    A PROBLEM is the name of a file in `known/`; alone it is about the last run, or the one that ships.
    A FINDING is a cause, a check, or a check with `#` and an element.
    Only a script that was seen to fail in a clean interpreter is written; nothing is ever posted.
    """
    if advice and not everything:
        raise InputError("--advice is for many reports", "say --all")
    suite, options = asked.suite(), asked.options
    known = load((default_place(), *map(place, own)))
    with runs.open_pool(options) as pool:
        backends = runs.discover(pool, options)
        record, suite, wanted = origin(what, which, suite, pool, backends, options, known)
        job = Job(
            record=joined(record, [records.read(file) for file in others]),
            suite=suite,
            backends=backends,
            pool=pool,
            options=options,
            known=known,
        )
        if everything:
            write_all(job, advice, output or REPORTS, force, click.echo)
        else:
            write_one(job, wanted, output or Path(), force, click.echo)
