"""`bce-conformance hunt`: search for the worst input of an implementation, or the largest disagreement of two."""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np

from conformance.adapters import ALL_DTYPES
from conformance.commands import Command
from conformance.commands.options import ADAPTER, INTERPRETER, Asked, Named, asking, complete_implementations
from conformance.errors import InputError
from conformance.numbers import literals
from conformance.numbers.formats import FORMATS
from conformance.render import case_file
from conformance.render import hunt as told
from conformance.run import run as runs
from conformance.search import hunt as search
from conformance.search import target
from conformance.search.options import hunt_calls
from conformance.search.target import Target


@click.command("hunt", cls=Command)
@click.argument("implementation", shell_complete=complete_implementations)
@click.argument("other", required=False, shell_complete=complete_implementations)
@click.option("--dtype", type=Named(ALL_DTYPES), default="float32", show_default=True)
@click.option("--quantity", type=click.Choice(target.QUANTITIES), default="value", show_default=True)
@click.option("--label", "labels", default="0,1", show_default=True, help="One literal, or two: from and to.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--inputs", type=click.IntRange(1), default=200_000, show_default=True, help="Inputs to try.")
@click.option(
    "--seconds", type=click.FloatRange(0.1), default=60.0, show_default=True, help="Time after which it ends."
)
@click.option("--options", "varied", is_flag=True, help="Vary options, shapes and reductions, too (needs Hypothesis).")
@click.option("--calls", type=click.IntRange(1), default=2_000, show_default=True, help="Calls to try with --options.")
@click.option("--save", type=click.Path(path_type=Path, dir_okay=False), help="Write what was found as a case file.")
@ADAPTER
@INTERPRETER
@asking("adapters", "interpreters")
def hunt(
    implementation: str,
    other: str | None,
    dtype: str,
    quantity: str,
    labels: str,
    seed: int,
    inputs: int,
    seconds: float,
    varied: bool,
    calls: int,
    save: Path | None,
    asked: Asked,
) -> None:
    """Search for the input on which IMPLEMENTATION is worst, or on which it and OTHER disagree most.

    IMPLEMENTATION is an id, as of `bce-conformance list implementations`. The same seed and number of inputs give the
    same answer. What is found is a lower bound of the largest error, never a proof.
    """
    ends = _ends(labels)
    names = (implementation, *([other] if other else []))
    with runs.open_pool(asked.options) as pool:
        backends = runs.discover(pool, asked.options)
        with target.opened(pool, backends, names, dtype, quantity) as hunted:
            if varied:
                _hunt_calls(hunted, seed, calls, save)
                return
            where = search.space(hunted.form, dtype, ends)
            found = search.hunt(hunted.judge, where, seed, inputs, seconds)
            shown = [found.worst] if found.worst is not None else []
            small = [search.shrink(hunted.judge, where, one) for one in (*shown, *found.classes)]
            for one in small:
                click.echo(told.worst(hunted, one, asked.options.asked))
    ended = "the time was over" if found.out_of_time else "all were tried"
    click.echo(f"{found.tried} inputs, seed {seed}; {ended}. A search proves no maximum.")
    if save is not None and small:
        case = hunted.case([one.prediction for one in small], [one.label for one in small])
        click.echo(case_file.write(case, save))


def _hunt_calls(hunted: Target, seed: int, calls: int, save: Path | None) -> None:
    """Search over whole calls, and tell the worst one."""
    if len(hunted.implementations) > 1:
        raise InputError("--options is about one implementation")
    found = hunt_calls(hunted.judge_call, hunted.implementations[0], hunted.dtype, seed, calls)
    check = hunted.check(found.call) if found is not None else None
    if found is None or check is None:
        click.echo("no call gave a number")
        return
    for line in told.call(found.call, check):
        click.echo(line)
    click.echo(f"{found.budgets:.6g} times the budget; seed {seed}, {calls} calls. A search proves no maximum.")
    if save is not None:
        click.echo(case_file.write(check.request.case, save))


def _ends(labels: str) -> tuple[str, str]:
    words = labels.split(",")
    if len(words) > 2:
        raise InputError(f"--label must be one literal, or two with a comma between them (got {labels!r})")
    for word in words:
        try:
            literals.check(word)
        except literals.LiteralError as error:
            raise InputError(f"--label: {error}") from None
        if not np.isfinite(
            search.values([literals.bits_of(word.lstrip("+-"), FORMATS["float64"])], FORMATS["float64"])[0]
        ):
            raise InputError(f"--label must be finite (got {word!r})")
    return words[0], words[-1]
