"""Wrong in one way each, and simple enough that each call can be written down: what reproducers are made of."""

from __future__ import annotations

from typing import Any

import numpy as np

from conformance.adapters import Adapter, Implementation
from conformance.contracts import DomainCheck, Source

PAGE = Source("labels outside [0, 1] raise ValueError", "https://example.org/documentation")


def right(prediction: Any, label: Any) -> Any:
    return -(label * np.log(prediction) + (1 - label) * np.log1p(-prediction))


def rounded(prediction: Any, label: Any) -> Any:
    return -(label * np.log(prediction) + (1 - label) * np.log(1 - prediction))


def wide(prediction: Any, label: Any) -> Any:
    return right(prediction, label).astype(np.float64)


def flat(prediction: Any, label: Any) -> Any:
    return right(prediction, label)[..., None]


def singular(prediction: Any, label: Any) -> Any:
    # No inverse at label 0, whatever the prediction is.
    return right(prediction, label) + 0 * np.linalg.inv(label.reshape(-1, 1, 1)).reshape(-1)


def summed(prediction: Any, label: Any, reduction: str) -> Any:
    return {"none": right, "mean": lambda p, y: np.sum(right(p, y)) / 4}[reduction](prediction, label)


adapters = [
    Adapter(
        "faulty",
        [
            Implementation("rounded", "probabilities", rounded),
            Implementation("wide", "probabilities", wide),
            Implementation("flat", "probabilities", flat),
            Implementation("singular", "probabilities", singular),
            Implementation("lenient", "probabilities", right, contract=(DomainCheck("label", "ValueError", PAGE),)),
            Implementation("summed", "probabilities", summed, reductions=("none", "mean")),
        ],
        backend="numpy",
    )
]
