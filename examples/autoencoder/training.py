"""Trains in the processes of the backends: plans the runs, starts the processes, reads what they leave.

No framework is imported here.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from conformance.contracts import find
from conformance.pool.process import SINGLE_THREADED
from examples.autoencoder.problem import Array, Problem
from examples.autoencoder.worker import REFERENCE, Run, implementation

ROOT = Path(__file__).resolve().parents[2]

#: Seconds that the process of one backend may take.
LIMIT = 1800.0

#: Backend -> the packages that it needs, and its losses: of probabilities, of logits.
BACKENDS: dict[str, tuple[tuple[str, ...], tuple[str, str]]] = {
    "torch": (("torch",), ("nn.functional.binary_cross_entropy", "nn.functional.binary_cross_entropy_with_logits")),
    "tensorflow": (("tensorflow",), ("compat.v1.losses.log_loss", "nn.sigmoid_cross_entropy_with_logits")),
    "jax": (("jax", "optax"), ("formula", "optax.sigmoid_binary_cross_entropy")),
} | {
    f"keras-{framework}": (
        ("keras", framework),
        ("losses.binary_crossentropy", "losses.binary_crossentropy[from_logits]"),
    )
    for framework in ("tensorflow", "torch", "jax")
}


@dataclass(frozen=True)
class Trajectory:
    """What one training run did, from the initial weights on; shorter than the run was to be if it raised."""

    run: Run
    #: The loss at every step, in the dtype that the loss was returned in.
    losses: Array
    #: Mean squared error of the reconstruction against the images.
    errors: Array
    #: The largest magnitude of a logit.
    largest: Array
    #: The last logits.
    logits: Array
    #: Format in which the loss was returned, empty if none was.
    dtype: str
    #: Type and first line of the exception that ended the run, empty if none did.
    raised: str
    message: str


class BackendFailed(RuntimeError):
    """The process of a backend ended with an error."""


def installed(backend: str) -> bool:
    """Whether the packages of a backend can be found; none of them is imported."""
    return all(importlib.util.find_spec(package) for package in BACKENDS[backend][0])


def runs_of(
    backend: str, dtypes: Iterable[str] = ("float64", "float32"), labels: Iterable[str] = ("grey",)
) -> list[Run]:
    """The runs of one backend: both forms, with what the contract of each entry point says."""
    found = []
    for form, entry in zip(("probabilities", "logits"), BACKENDS[backend][1], strict=True):
        epsilon = find(implementation(Run(backend, entry, form)).contract, "epsilon")
        for kind in labels:
            for dtype in dtypes:
                found.append(
                    Run(
                        backend=backend,
                        entry=entry,
                        form=form,
                        dtype=dtype,
                        labels=kind,
                        epsilon=epsilon.value if epsilon else None,
                    )
                )
    return found


def reference_of(run: Run) -> Run:
    """The run of the reference that `run` is compared with: the same form, labels and contract, in float64."""
    return Run(backend=REFERENCE, entry="loss", form=run.form, dtype="float64", labels=run.labels, epsilon=run.epsilon)


def train(problem: Problem, runs: Sequence[Run]) -> list[Trajectory]:
    """Train all `runs`, the backends one after another, each in a process of its own.  Raises BackendFailed."""
    found: dict[Run, Trajectory] = {}
    for backend in dict.fromkeys(run.backend for run in runs):
        mine = [run for run in dict.fromkeys(runs) if run.backend == backend]
        found.update(zip(mine, _in_process(backend, problem, mine), strict=True))
    return [found[run] for run in runs]


def _in_process(backend: str, problem: Problem, runs: list[Run]) -> list[Trajectory]:
    with tempfile.TemporaryDirectory(prefix="autoencoder-") as name:
        folder = Path(name)
        weights = {f"weight{index}": weight for index, weight in enumerate(problem.weights)}
        np.savez(folder / "problem.npz", allow_pickle=False, images=problem.images, **weights)
        wanted = {"rate": problem.rate, "steps": problem.steps, "runs": [asdict(run) for run in runs]}
        (folder / "wanted.json").write_text(json.dumps(wanted), encoding="utf-8")
        done = subprocess.run(
            [sys.executable, "-m", "examples.autoencoder.worker", backend, str(folder)],
            cwd=ROOT,
            env=os.environ | SINGLE_THREADED,
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
        )
        if done.returncode != 0:
            raise BackendFailed(f"{backend} ended with status {done.returncode}\n{done.stderr.strip()[-2000:]}")
        endings = json.loads((folder / "endings.json").read_text(encoding="utf-8"))
        with np.load(folder / "trajectories.npz") as arrays:
            return [
                Trajectory(
                    run,
                    **{part: arrays[f"{index}/{part}"] for part in ("losses", "errors", "largest", "logits")},
                    **ending,
                )
                for index, (run, ending) in enumerate(zip(runs, endings, strict=True))
            ]
