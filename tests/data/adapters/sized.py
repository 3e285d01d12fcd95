"""Losses that fail on large tensors only: one raises, one ends the process, one does not come back."""

import os
import time

import numpy as np

from conformance.adapters import Adapter, Implementation
from conformance.adapters.numpy import NumPyRuntime

#: Elements above which a tensor is large.
LARGE = 100


def right(prediction, label):
    return -(label * np.log(prediction) + (1 - label) * np.log1p(-prediction))


def gradient(prediction, label):
    return (prediction - label) / (prediction * (1 - prediction))


def raises(prediction, label):
    if prediction.size > LARGE:
        raise MemoryError(f"no room for {prediction.size} elements")
    return right(prediction, label)


def ends(prediction, label):
    if prediction.size > LARGE:
        os._exit(7)
    return right(prediction, label)


def hangs(prediction, label):
    if prediction.size > LARGE:
        time.sleep(600)
    return right(prediction, label)


def of(entry, call, **rest):
    return Implementation(entry, "probabilities", call, dtypes=("float32",), **rest)


adapters = [
    Adapter(
        "sized",
        [
            of("right", right, derivatives={"gradient-prediction": gradient}),
            of("raises", raises),
            of("ends", ends),
            of("hangs", hangs),
        ],
        NumPyRuntime(),
    )
]
