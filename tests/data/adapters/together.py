"""Losses of which some see more than an element: what happens where the elements of many cases share a call.

The number `MARKED` is where a loss fails, or warns; everywhere else it is right.
"""

import os
import warnings

import numpy as np

from conformance.adapters import Adapter, Implementation
from conformance.adapters.numpy import NumPyRuntime

MARKED = 0.125


def right(prediction, label, reduction="none"):
    p, y = prediction.astype(np.float64), label.astype(np.float64)
    loss = (-(y * np.log(p) + (1 - y) * np.log1p(-p))).astype(prediction.dtype)
    return {"none": lambda: loss, "mean": loss.mean, "sum": loss.sum}[reduction]()


def refuses(prediction, label):
    if (prediction == MARKED).any():
        raise ValueError(f"{MARKED} is refused")
    return right(prediction, label)


def warns(prediction, label):
    if (prediction == MARKED).any():
        warnings.warn(f"{MARKED} is strange", RuntimeWarning, stacklevel=1)
    return right(prediction, label)


def dies(prediction, label):
    if (prediction == MARKED).any():
        os._exit(7)
    return right(prediction, label)


def by_neighbours(prediction, label):
    """Scales labels so that the largest one of the call is 1, as it is in a long call."""
    return right(prediction, label / label.max())


def by_position(prediction, label):
    """Wrong where a call begins, and nowhere else."""
    loss = right(prediction, label)
    loss[0] *= 2
    return loss


def not_alone(prediction, label):
    if prediction.size == 1:
        raise IndexError("one element is none")
    return right(prediction, label)


FUNCTIONS = (refuses, warns, dies, by_neighbours, by_position, not_alone)

adapters = [
    Adapter(
        "together",
        [
            Implementation("right", "probabilities", right, dtypes=("float32",), reductions=("none", "mean", "sum")),
            *(Implementation(one.__name__, "probabilities", one, dtypes=("float32",)) for one in FUNCTIONS),
        ],
        NumPyRuntime(),
    )
]
