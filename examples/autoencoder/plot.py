"""The picture of `docs/autoencoder.md`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from examples.autoencoder.agreement import AVERAGED_IN_FLOAT32, bound, distance
from examples.autoencoder.problem import LABELS, Array, Problem, baseline, extra, floor, sigmoid
from examples.autoencoder.training import Trajectory, reference_of
from examples.autoencoder.worker import REFERENCE

#: Colours that readers with a colour vision deficiency can tell apart (Okabe and Ito).
COLOURS = {"hard": "#0072B2", "grey": "#D55E00", "doubled": "#CC79A7"}

#: Groups of trajectories -> their colour.
GROUPS = {
    "float32": "#D55E00",
    "float64 by name, averaged in float32": "#009E73",
    "float64": "#0072B2",
}

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
        _line(axis, exact[kind].losses, COLOURS[kind], TITLES[kind])
        if kind != "doubled":
            entropy = floor(LABELS[kind](problem.images))
            axis.axhline(entropy, color=COLOURS[kind], linestyle=":", label=f"their entropy, {entropy:.4f}")
    axis.set(title="The loss tends to the entropy of the labels", xlabel="step", ylabel="mean cross-entropy (nats)")
    axis.set(xscale="log", xlim=(1, problem.steps), ylim=(-1, 0.8))
    axis.legend()


def _errors(axis: Any, problem: Problem, exact: dict[str, Trajectory]) -> None:
    for kind in ("grey", "doubled"):
        _line(axis, exact[kind].errors, COLOURS[kind], TITLES[kind])
    axis.axhline(baseline(problem.images), color="black", linestyle=":", label="mean image")
    axis.set(title="Reconstruction of the grey images", xlabel="step", ylabel="mean squared error")
    axis.set(xscale="log", yscale="log", xlim=(1, problem.steps))
    axis.legend()


def _line(axis: Any, values: Array, colour: str, label: str) -> None:
    """Values by step from step 1 on, as a logarithmic axis has no 0."""
    axis.plot(np.arange(1, len(values)), values[1:], color=colour, label=label)


def _distances(axis: Any, problem: Problem, trajectories: Sequence[Trajectory]) -> None:
    expected = {t.run: t for t in trajectories}
    members: dict[str, list[Array]] = {group: [] for group in GROUPS}
    for one in trajectories:
        if one.run.backend != REFERENCE and one.run.labels == "grey" and not one.raised:
            members[_group(one)].append(distance(one.losses, expected[reference_of(one.run)].losses))
    for group, colour in GROUPS.items():
        if members[group]:  # the largest of each step: one line is legible where twelve are not
            axis.plot(np.maximum(np.max(members[group], axis=0), 1e-17), color=colour, linewidth=0.6, label=group)
    for dtype in ("float32", "float64"):
        allowed = bound(dtype, len(problem.images), problem.steps)
        axis.plot(allowed, color=GROUPS[dtype], linestyle="--", label=f"bound for {dtype}")
    axis.set(title="The farthest framework from the reference", xlabel="step", ylabel="relative distance of the loss")
    axis.set(yscale="log", xlim=(0, problem.steps), ylim=(1e-17, 1))
    axis.legend(ncols=2, loc="upper left", fontsize="small")


def _group(one: Trajectory) -> str:
    """The key of GROUPS that a trajectory belongs to."""
    if one.dtype == "float64" and one.run.backend in AVERAGED_IN_FLOAT32:
        return "float64 by name, averaged in float32"
    return one.dtype


def _digits(axis: Any, problem: Problem, exact: dict[str, Trajectory]) -> None:
    rows = [problem.images[:SHOWN]] + [sigmoid(exact[kind].logits[:SHOWN]) for kind in ("grey", "doubled")]
    strips = [np.hstack([np.pad(image.reshape(8, 8), 1, constant_values=0.5) for image in row]) for row in rows]
    axis.imshow(np.vstack(strips), cmap="gray", vmin=0, vmax=1)
    axis.set(title="Digits, and what was learnt", xticks=[], yticks=[4.5, 14.5, 24.5])
    axis.set_yticklabels(["image", "grey labels", "in [0, 2]"])
