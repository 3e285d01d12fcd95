"""Train the autoencoder everywhere and compare: `python -m examples.autoencoder [--steps N] [--plot FILE.png]`.

Ends with 0 where every trajectory is as it must be, 1 where one is not, 2 for bad usage, 3 where a process failed.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import click
import numpy as np

from examples.autoencoder.agreement import bound, complaints, distance, precision
from examples.autoencoder.problem import MissingExtra, Problem, baseline, digits, floor
from examples.autoencoder.training import BACKENDS, BackendFailed, Trajectory, installed, reference_of, runs_of, train
from examples.autoencoder.worker import REFERENCE, Run

#: The exact runs that the picture shows.
EXACT = [Run(REFERENCE, "loss", "logits", "float64", kind) for kind in ("grey", "hard", "doubled")]

COLUMNS = "{:<16} {:<47} {:<8} {:>8} {:>9} {:>9} {:>7}  {}"


@click.command()
@click.option("--steps", type=click.IntRange(min=1), default=1000, show_default=True, help="Steps of gradient descent.")
@click.option("--images", type=click.IntRange(1, 1797), default=200, show_default=True, help="How many digits.")
@click.option("--backend", "backends", type=click.Choice(list(BACKENDS)), multiple=True, help="Default: all installed.")
@click.option("--plot", type=click.Path(dir_okay=False, path_type=Path), help="Draw the picture into this file.")
def main(steps: int, images: int, backends: tuple[str, ...], plot: Path | None) -> None:
    """Train one autoencoder on grey pixels in every framework, with every framework's own binary cross-entropy."""
    absent = [backend for backend in backends if not installed(backend)]
    if absent:
        raise click.UsageError(f"not installed: {', '.join(absent)}")
    chosen = backends or tuple(backend for backend in BACKENDS if installed(backend))
    try:
        problem = digits(images, steps)
        if plot is not None:
            _can_draw()
        trajectories = _train(problem, chosen)
        good = _report(problem, trajectories)
        if plot is not None:
            from examples.autoencoder.plot import draw

            draw(problem, trajectories, plot)
    except MissingExtra as error:
        raise click.UsageError(str(error)) from None
    except (BackendFailed, subprocess.TimeoutExpired) as error:
        click.echo(f"error: {error}", err=True)
        raise SystemExit(3) from None
    raise SystemExit(0 if good else 1)


def _can_draw() -> None:
    """Raise MissingExtra before the work and not after it."""
    from examples.autoencoder.problem import extra

    extra("matplotlib")


def _train(problem: Problem, backends: tuple[str, ...]) -> list[Trajectory]:
    """The runs of `backends` on grey labels in both dtypes and on doubled ones in float64, and the reference's."""
    runs = [run for backend in backends for run in runs_of(backend)]
    exact = [*EXACT, *(reference_of(run) for run in runs)]
    doubled = [run for backend in backends for run in runs_of(backend, ("float64",), ("doubled",))]
    return train(problem, list(dict.fromkeys([*exact, *runs, *doubled])))


def _report(problem: Problem, trajectories: list[Trajectory]) -> bool:
    """Print both tables; whether every trajectory on grey labels is as it must be."""
    known = {one.run: one for one in trajectories}
    entropy, least = floor(problem.images), baseline(problem.images)
    click.echo(f"{len(problem.images)} digits, {problem.steps} steps")
    click.echo(f"entropy of the labels H(y) {entropy:.10f}, squared error of the mean image {least:.6f}\n")
    click.echo(COLUMNS.format("grey labels", "loss", "dtype", "returns", "loss-H(y)", "distance", "bound", "error"))
    good = True
    for one in trajectories:
        if one.run.labels != "grey":
            continue
        found = complaints(one, known[reference_of(one.run)], entropy, len(problem.images))
        good = good and not found
        click.echo(_row(one, known[reference_of(one.run)], entropy, least) + "".join(f"; {text}" for text in found))
    click.echo(f"\nlabels in [0, 2]{'':<48} after {problem.steps} steps")
    for one in trajectories:
        if one.run.labels == "doubled":
            click.echo(f"{one.run.backend:<16} {_name(one):<47} {_fate(one)}")
    return good


def _name(one: Trajectory) -> str:
    if one.run.backend != REFERENCE:
        return one.run.entry
    return f"{one.run.form}{'' if one.run.epsilon is None else f', epsilon {one.run.epsilon:g}'}"


def _row(one: Trajectory, exact: Trajectory, entropy: float, least: float) -> str:
    """One line of the table of grey labels."""
    if one.raised:
        return COLUMNS.format(one.run.backend, _name(one), one.run.dtype, "", "", "", "", "")
    images = len(one.logits)
    apart = distance(one.losses, exact.losses).max()
    share = (distance(one.losses, exact.losses) / bound(precision(one), images, len(one.losses) - 1)).max()
    return COLUMNS.format(
        one.run.backend,
        _name(one),
        one.run.dtype,
        one.dtype,
        f"{one.losses[-1] - entropy:.6f}",
        f"{apart:.1e}",
        f"{share:.1%}",
        f"{least / one.errors[-1]:.2f} times below the mean image",
    )


def _fate(one: Trajectory) -> str:
    """What became of a run on labels that are no probabilities."""
    if one.raised:
        return f"raises {one.raised}: {one.message}"
    broken = ~np.isfinite(one.losses)
    if broken.any():
        step = int(np.argmax(broken))
        return f"{one.losses[step]} at step {step}, {one.losses[-1]} in the end"
    below = int(np.argmax(one.losses < 0))
    fall = one.losses[-1] - one.losses[-1 - (len(one.losses) - 1) // 2]
    return (
        f"below 0 from step {below}, {one.losses[-1]:.4g} in the end ({fall:+.4g} in the last half); "
        f"largest logit {one.largest[-1]:.4g}"
    )


if __name__ == "__main__":
    main()
