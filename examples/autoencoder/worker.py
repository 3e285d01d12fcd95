"""What runs in the process of one backend: `python -m examples.autoencoder.worker BACKEND FOLDER`.

FOLDER holds `wanted.json` and `problem.npz`; `trajectories.npz` and `endings.json` are left there.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from conformance.adapters import Implementation, load_builtin, runtime
from examples.autoencoder.problem import Array, Problem, sigmoid, squared_error

#: Takes the loss and the logits at the present weights, then moves the weights.
Step = Callable[[], tuple[Any, Array]]

#: (logits, labels, sigmoid) -> losses, all native tensors; their mean is the loss.
Loss = Callable[[Any, Any, Callable[[Any], Any]], Any]

#: The backend that runs `on_numpy`.
REFERENCE = "reference"


@dataclass(frozen=True)
class Run:
    """One training run: which loss, in which dtype, on which labels."""

    backend: str
    #: The implementation's name in the suite.
    entry: str
    form: str
    dtype: str = "float64"
    labels: str = "grey"
    #: What the implementation documents to add inside its logarithms.
    epsilon: float | None = None


def module_of(backend: str) -> str:
    """The module of `conformance.adapters` that declares a backend, which is also the name of the one here."""
    return backend.split("-", maxsplit=1)[0]


def implementation(run: Run) -> Implementation:
    """The suite's declaration of the entry point under training."""
    for adapter in load_builtin(module_of(run.backend)):
        for one in adapter.implementations:
            if (adapter.name, one.entry, one.mode) == (run.backend, run.entry, "eager"):
                return one
    raise LookupError(f"{run.backend} has no entry point {run.entry!r}")


def loss_of(run: Run) -> Loss:
    """The loss of `run` as a function of logits, called as the suite calls it; reduced where the entry point can."""
    one = implementation(run)
    rest = {"reduction": "mean"} if "mean" in one.reductions else {}

    def loss(logits: Any, labels: Any, sigmoid: Callable[[Any], Any]) -> Any:
        prediction = logits if run.form == "logits" else sigmoid(logits)
        return one.loss({"prediction": prediction, "label": labels, **rest})

    return loss


def start(run: Run, problem: Problem) -> Step:
    """The step function of `run`."""
    if run.backend == REFERENCE:
        on_numpy = importlib.import_module("examples.autoencoder.on_numpy")
        step: Step = on_numpy.trainer(problem, run.form, run.epsilon)
    else:
        step = importlib.import_module(f"examples.autoencoder.on_{module_of(run.backend)}").trainer(
            problem, loss_of(run)
        )
    return step


def train(run: Run, problem: Problem) -> tuple[dict[str, Array], dict[str, str]]:
    """Losses, errors and largest logits of every step and the last logits; how the run ended, if by an exception."""
    given = problem.with_labels(run.labels).astype(run.dtype)
    truth = given.labels if run.labels == "hard" else given.images  # black and white images have no greys
    record: dict[str, list[float]] = {"losses": [], "errors": [], "largest": []}
    logits: Array = np.zeros((0, 0))
    ending = {"dtype": "", "raised": "", "message": ""}
    try:
        step = start(run, given)
        for _ in range(problem.steps + 1):
            value, logits = step()
            record["losses"].append(float(value))
            record["errors"].append(squared_error(sigmoid(logits), truth))
            record["largest"].append(float(np.abs(logits).max()))
            ending["dtype"] = str(np.asarray(value).dtype)
    except Exception as error:  # a loss that refuses its labels is a result
        ending.update(raised=type(error).__name__, message=str(error).strip().partition("\n")[0])
    return {name: np.array(values) for name, values in record.items()} | {"logits": logits}, ending


def main(backend: str, folder: Path) -> None:
    """Train every run that the folder asks for."""
    if backend != REFERENCE:
        runtime(backend).open()
    wanted = json.loads((folder / "wanted.json").read_text(encoding="utf-8"))
    with np.load(folder / "problem.npz") as stored:
        weights = tuple(stored[f"weight{index}"] for index in range(4))
        problem = Problem(stored["images"], stored["images"], weights, wanted["rate"], wanted["steps"])
    arrays: dict[str, Array] = {}
    endings = []
    for index, run in enumerate(wanted["runs"]):
        trajectory, ending = train(Run(**run), problem)
        arrays.update({f"{index}/{name}": values for name, values in trajectory.items()})
        endings.append(ending)
    np.savez(folder / "trajectories.npz", allow_pickle=False, **arrays)
    (folder / "endings.json").write_text(json.dumps(endings), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
