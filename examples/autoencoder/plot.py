"""The picture of `docs/autoencoder.md`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from examples.autoencoder.agreement import bound, distance
from examples.autoencoder.on_numpy import sigmoid
from examples.autoencoder.problem import LABELS, Problem, baseline, extra, floor
from examples.autoencoder.training import Trajectory, reference_of
from examples.autoencoder.worker import REFERENCE

#: Colours that readers with a colour vision deficiency can tell apart (Okabe and Ito).
COLOURS = {"hard": "#0072B2", "grey": "#D55E00", "doubled": "#CC79A7", "float64": "#0072B2", "float32": "#D55E00"}

TITLES = {"hard": "labels 0 and 1", "grey": "grey labels", "doubled": "grey labels in [0, 2]"}

#: Digits shown.
SHOWN = 6


def draw(problem: Problem, trajectories: Sequence[Trajectory], file: Path) -> None:
    """Draw losses, reconstruction errors, distances from the reference and a few digits.  Raises MissingExtra."""
    extra("matplotlib").use("Agg")
    figure, axes = extra("matplotlib.pyplot").subplots(2, 2, figsize=(11, 8), layout="constrained")
    exact = {t.run.labels: t for t in trajectories if t.run.backend == REFERENCE and t.run.form == "logits"}
    _losses(axes[0, 0], problem, exact)
    _errors(axes[0, 1], problem, exact)
    _distances(axes[1, 0], problem, trajectories)
    _digits(axes[1, 1], problem, exact)
    figure.savefig(file, dpi=100)


def _losses(axis: Any, problem: Problem, exact: dict[str, Trajectory]) -> None:
    for kind in TITLES:
        axis.plot(exact[kind].losses, color=COLOURS[kind], label=TITLES[kind])
        if kind != "doubled":
            entropy = floor(LABELS[kind](problem.images))
            axis.axhline(entropy, color=COLOURS[kind], linestyle=":", label=f"their entropy, {entropy:.4f}")
    axis.set(title="The loss tends to the entropy of the labels", xlabel="step", ylabel="mean cross-entropy (nats)")
    axis.set(xscale="symlog", xlim=(0, problem.steps), ylim=(-1, 0.8))
    axis.legend()


def _errors(axis: Any, problem: Problem, exact: dict[str, Trajectory]) -> None:
    for kind in ("grey", "doubled"):
        axis.plot(exact[kind].errors, color=COLOURS[kind], label=TITLES[kind])
    axis.axhline(baseline(problem.images), color="black", linestyle=":", label="mean image")
    axis.set(title="Reconstruction of the grey images", xlabel="step", ylabel="mean squared error")
    axis.set(xscale="symlog", yscale="log", xlim=(0, problem.steps))
    axis.legend()


def _distances(axis: Any, problem: Problem, trajectories: Sequence[Trajectory]) -> None:
    expected = {t.run: t for t in trajectories}
    for dtype in ("float64", "float32"):
        label: str | None = f"losses returned in {dtype}"
        for one in trajectories:
            if one.run.backend != REFERENCE and one.run.labels == "grey" and one.dtype == dtype and not one.raised:
                apart = distance(one.losses, expected[reference_of(one.run)].losses)
                axis.plot(np.maximum(apart, 1e-17), color=COLOURS[dtype], linewidth=0.4, label=label)
                label = None
        allowed = bound(dtype, len(problem.images), problem.steps)
        axis.plot(allowed, color=COLOURS[dtype], linestyle="--", label=f"bound for {dtype}")
    axis.set(title="Every framework, both forms, against the reference", xlabel="step", ylabel="relative distance")
    axis.set(yscale="log", xlim=(0, problem.steps), ylim=(1e-17, 1e-2))
    axis.legend(ncols=2, loc="upper right")


def _digits(axis: Any, problem: Problem, exact: dict[str, Trajectory]) -> None:
    rows = [problem.images[:SHOWN]] + [sigmoid(exact[kind].logits[:SHOWN]) for kind in ("grey", "doubled")]
    strips = [np.hstack([np.pad(image.reshape(8, 8), 1, constant_values=0.5) for image in row]) for row in rows]
    axis.imshow(np.vstack(strips), cmap="gray", vmin=0, vmax=1)
    axis.set(title="Digits, and what was learnt", xticks=[], yticks=[4.5, 14.5, 24.5])
    axis.set_yticklabels(["image", "grey labels", "in [0, 2]"])
