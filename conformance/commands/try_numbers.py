"""`bce-conformance try`: a reader's own numbers on all implementations, through the same plan and judge."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from conformance.commands import Command
from conformance.commands.options import Asked, Named, suite_options
from conformance.commands.output import TABLE, show_lines, show_table, show_verdicts
from conformance.commands.reasons import reasons
from conformance.errors import InputError
from conformance.known.record import Record
from conformance.plan import own_numbers
from conformance.plan.cases import Suite
from conformance.plan.inputs import Inputs
from conformance.render import case_file, tried
from conformance.render.elements import nans
from conformance.run import run as runs


@click.command("try", cls=Command)
@click.option("--form", required=True, type=Named(["probabilities", "logits"]), help="What the prediction is.")
@click.option("--prediction", multiple=True, help="A literal (repeatable); write --prediction=-inf.")
@click.option("--label", multiple=True, help="A literal for each prediction.")
@click.option(
    "--option",
    "settings",
    multiple=True,
    metavar="NAME=VALUE",
    help="weight, pos_weight, label_smoothing, gamma or alpha.",
)
@click.option(
    "--input",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Arrays in a NumPy .npz file, in their dtypes and shapes.",
)
@click.option("--save", type=click.Path(path_type=Path, dir_okay=False), help="Write a case file that lints.")
@click.option("--reduction", type=click.Choice(["none", "mean", "sum"]), default="none", show_default=True)
@TABLE
@suite_options
def try_(
    form: str,
    prediction: tuple[str, ...],
    label: tuple[str, ...],
    settings: tuple[str, ...],
    file: Path | None,
    save: Path | None,
    reduction: str,
    wide: bool,
    asked: Asked,
) -> None:
    """Judge your own numbers: what every implementation returns, the ideal, the contract, why there is a NaN.

    The exit code is 1 where a result deviates.
    """
    options = replace(asked.options, filters=replace(asked.options.filters, dtype=()))
    if file is not None and (prediction or label):
        raise InputError("--input holds all numbers of elements: leave --prediction and --label out")
    given = (
        own_numbers.from_file(file, settings)
        if file is not None
        else own_numbers.from_words(prediction, label, settings)
    )
    case = given.case(form, asked.options.filters.dtype, reduction)
    if save is not None:
        click.echo(case_file.write(case, save))
    suite = Suite.of("tried", case)
    with runs.open_pool(options) as pool:
        backends = runs.discover(pool, options)
        plan = runs.planned(backends, suite, options)
        done = runs.execute(pool, backends, plan, Record(), options)
        known = asked.suite()
        why = reasons(pool, backends, done, replace(known, cases=(*known.cases, *suite.cases)), options)
    if len(case.elements) <= tried.SHOWN:
        show_verdicts(done, why)
    else:
        show_lines(tried.worst(done, why))
    show_lines(line for dtype in case.dtypes for line in tried.inputs_of(Inputs(case, dtype), nans(done)))
    show_lines(tried.absent(done))
    if wide:
        show_table(done)
    if done.exit:
        raise SystemExit(done.exit)
