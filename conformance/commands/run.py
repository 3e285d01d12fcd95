"""`bce-conformance run`: make a run, and print it."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import click

from conformance.commands import Command, progress
from conformance.commands.options import RUN_FILE, Asked, fail_options, suite_options
from conformance.commands.output import Printing, output_options, show_record
from conformance.errors import Exit, InputError
from conformance.known.record import default_place, load, place
from conformance.record import record as records
from conformance.record.compare import FailOn, Side, compare
from conformance.record.spelled import command
from conformance.render.comparison import Compared
from conformance.run import kept, speed
from conformance.run import run as runs
from conformance.run.held import renewed
from conformance.run.propose import beside


@click.command(cls=Command)
@suite_options
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="Also write the run record here.")
@click.option("--known", "own", multiple=True, type=click.Path(path_type=Path), help="A record of your own, too.")
@click.option("--only-known", is_flag=True, help="Hold against the records of --known alone, not the shipped one.")
@click.option("--strict", is_flag=True, help="What no longer deviates fails outside the pinned environment, too.")
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
    own: tuple[Path, ...],
    only_known: bool,
    strict: bool,
    baseline: Path | None,
    quick: bool,
    seed: int,
    sample: bool,
    timed: bool,
    asked: Asked,
    limits: FailOn,
    printing: Printing,
) -> None:
    """Run the checks and print what was found.

    Exit code 0: as expected. 1: a new deviation, or a recorded one that no longer shows in the pinned environment, or
    a regression from the baseline.  What the baseline has alike is not new.

    The last ten runs are kept in .bce-conformance, and the largest of them is not given up for smaller ones:
    see `bce-conformance show --list`.
    """
    before = _baseline(baseline, limits)
    suite = asked.suite()
    options = replace(asked.options, strict=strict, sample=sample, speed=timed, seed=seed)
    if quick:
        options = replace(options, filters=options.filters.quick())
    shipped = () if only_known else (default_place(),)
    known = load((*shipped, *map(place, own)))
    with runs.open_pool(options) as pool:
        backends = runs.discover(pool, options)
        plan = runs.planned(backends, suite, options)
        timings = speed.count(plan, options.filters.dtype) if timed else 0
        with progress.of_requests(len(plan.requests) + len(runs.samples(plan, options)) + timings) as advance:
            done = runs.execute(pool, backends, plan, known, options, advance)
    file = kept.keep(done.record)
    if output is not None:
        records.write(done.record, output)
    shown, found, code = done.record, None, done.exit
    if before is not None:
        shown = renewed(done.record, beside(known, before.record))
        found = Compared(compare(before, Side("this run", shown), options.filters), limits)
        code = max(found.exit, Exit(shown.footer.exit) if shown.footer is not None else Exit.HARNESS_FAILED)
    show_record(shown, printing, options.filters.quantity, found)
    if code or done.record.interrupted:
        again = command("show", kept.number(file), "--all")
        click.echo(f"record: {output or file}, which `{again}` shows again", err=True)
    sys.exit(130 if done.record.interrupted else int(code))


def _baseline(file: Path | None, limits: FailOn) -> Side | None:
    """The run to compare with, read before anything runs."""
    if file is None and limits != FailOn():
        raise InputError("--fail-on and --allow-missing are about a comparison", "name a run record by --baseline")
    return Side(str(file), records.read(file)) if file is not None else None
