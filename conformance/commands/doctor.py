"""`bce-conformance doctor`: what is wrong with the loss of one batch, from its numbers alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from conformance.checkup import CODE, doctor_of_file
from conformance.checkup.batch import REDUCTIONS
from conformance.checkup.frameworks import FRAMEWORKS
from conformance.commands import Command
from conformance.commands.output import show_lines
from conformance.errors import Exit
from conformance.numbers.formats import FORMATS
from reference import FORMS


@click.command("doctor", cls=Command)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--form", metavar="|".join(FORMS), help="What the prediction is (else inferred from the numbers).")
@click.option("--framework", metavar="NAME[==VERSION]", help=f"Whose formulas and remedies: {', '.join(FRAMEWORKS)}.")
@click.option("--dtype", metavar="|".join(FORMATS), help="What the loss is computed in, if not as stored.")
@click.option("--reduction", metavar="|".join(REDUCTIONS), help="How the losses became the number seen.")
@click.option("--label-smoothing", type=float, default=0.0, help="s of y*(1 - s) + s/2.")
@click.option("--epsilon", type=float, help="That of a clip or a sum that you wrote.")
@click.option("--autocast", is_flag=True, help="The loss is computed under automatic mixed precision.")
@click.pass_context
def doctor(context: click.Context, /, file: Path, **asked: Any) -> None:
    """Tell why the loss of a batch is NaN, negative, does not fall, or is not what another framework says.

    FILE is written with numpy.savez: prediction, label, and optionally weight, pos_weight and loss, the number that you
    saw.  No framework is needed.  Exit code 0: a clean bill.  1: something is wrong.
    """
    report = doctor_of_file(file, **{name: value for name, value in asked.items() if value is not None})
    for line in str(report).splitlines():
        if line.startswith(CODE):  # is copied as it is
            click.echo(line)
        else:
            show_lines((line,))
    if not report.healthy:
        context.exit(int(Exit.NOT_AS_EXPECTED))
