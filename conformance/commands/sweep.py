"""`bce-conformance sweep`: every bit pattern through an implementation, with the largest errors as a certificate."""

from __future__ import annotations

import re
from pathlib import Path

import click

from conformance.adapters import ALL_DTYPES, DEVICES
from conformance.commands import Command, progress
from conformance.commands.options import SHARD_LIMIT, Asked, Named, asking
from conformance.commands.output import console
from conformance.errors import InputError
from conformance.record import spelled
from conformance.render import certificate as render
from conformance.run import run as runs
from conformance.sweep import spec
from conformance.sweep.sweep import sweep as do_sweep
from conformance.worker.sweep.kernel import QUANTITIES
from conformance.worker.sweep.shard import Labels, Samples

#: Where certificates are written without --output.
FOLDER = runs.STATE / "certificates"


@click.command("sweep", cls=Command)
@click.option("--implementation", multiple=True, required=True, help="Implementations (glob on id or backend/entry).")
@click.option("--quantity", type=click.Choice(QUANTITIES), default="value", show_default=True, help="Quantity.")
@click.option("--dtype", type=Named(ALL_DTYPES), default="float32", show_default=True, help="dtype of the inputs.")
@click.option("--label", "labels", multiple=True, help=f"Labels [default: {', '.join(spec.LABELS)}].")
@click.option(
    "--pairs", type=click.Choice(["unit", "all"]), help="16-bit types: with all labels in [0, 1], or all finite ones."
)
@click.option("--samples", type=click.IntRange(1), help="float64, float32: so many random pairs with labels in [0, 1].")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of --samples.")
@click.option("--positions", metavar="START:STOP", help="Part of the predictions, in the order of their bit patterns.")
@click.option("--output", type=click.Path(path_type=Path, file_okay=False), help=f"Folder [default: {FOLDER}].")
@click.option("--resume", is_flag=True, help="Go on where an interrupted sweep has stopped.")
@click.option("--scheduler", metavar="ADDRESS", help="Run on the Dask cluster of this scheduler (tcp://...).")
@click.option("--chunk", type=click.IntRange(1), help="Elements of one call [default: as the backend likes it].")
@click.option("--mode", multiple=True, help="Execution modes (glob) [default: all that --implementation names].")
@click.option("--device", type=click.Choice(DEVICES), help="Where to compute [default: cpu].")
@click.option("--adapter", "adapters", multiple=True, type=click.Path(path_type=Path), help="Adapter file.")
@click.option("--python", "interpreters", multiple=True, metavar="BACKEND=INTERPRETER", help="Run a backend there.")
@click.option("--timeout", default=SHARD_LIMIT, show_default=True, help="Seconds of CPU time of one shard.")
@click.option("--jobs", type=click.IntRange(1), help="Workers at once [default: the cores].")
@asking("implementation", "mode", "device", "adapters", "interpreters", "timeout", "jobs")
def sweep(
    quantity: str,
    dtype: str,
    labels: tuple[str, ...],
    pairs: str | None,
    samples: int | None,
    seed: int,
    positions: str | None,
    output: Path | None,
    resume: bool,
    scheduler: str | None,
    chunk: int | None,
    asked: Asked,
) -> None:
    """Try every prediction of a dtype, and certify the largest errors.

    Implementations of one backend and form are swept together, and have one certificate.
    A sweep that is interrupted keeps what is done; --resume goes on.
    """
    if ((pairs or samples) and labels) or (pairs and samples):
        raise InputError("--label, --pairs and --samples exclude each other")
    options = asked.options
    command = spelled.sweep(
        implementations=options.filters.implementation,
        modes=options.filters.mode,
        quantity=quantity,
        dtype=dtype,
        labels=labels,
        pairs=pairs,
        positions=positions,
        samples=samples,
        seed=seed,
        chunk=chunk,
        asked=options.asked,
    )
    with runs.open_pool(options) as pool:
        groups = list(
            spec.groups(runs.discover(pool, options), options.filters, quantity, dtype, labels or spec.LABELS)
        )
        if not groups:
            raise InputError("no implementation is left", "`bce-conformance list implementations` shows what there is")
        for backend, implementations, chosen in groups:
            part = spec.make(
                backend,
                implementations,
                quantity=quantity,
                dtype=dtype,
                labels=_labels(chosen, dtype, pairs, Samples(samples, seed) if samples else None),
                positions=_positions(positions),
                chunk=chunk,
            )
            file = (output or FOLDER) / f"{spec.name_of(part)}.json"
            with progress.of_results(f"{part.backend} {part.whole.form} {part.whole.dtype}", part.points) as advance:
                made = do_sweep(pool, backend, implementations, part, file, command, resume, scheduler, advance)
            render.text(made, console(render.WIDTH))
            click.echo(str(file))


def _labels(texts: tuple[str, ...], dtype: str, pairs: str | None, samples: Samples | None) -> Labels:
    """What predictions are tried with: samples or pairs where they are asked for, else single labels."""
    return samples or (spec.pairs(pairs, dtype) if pairs else spec.single(texts, dtype))


def _positions(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    found = re.fullmatch(r"(\d+):(\d+)", text)
    if found is None:
        raise InputError(f"--positions must be START:STOP, two whole numbers (got {text!r})")
    return int(found[1]), int(found[2])
