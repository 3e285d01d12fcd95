"""An implementation that switches its process to flush-to-zero, by the library that BCE_FLUSH names."""

import ctypes
import os

import numpy as np

from conformance.adapters import Adapter, Implementation
from conformance.adapters.numpy import NumPyRuntime

ONE = np.ones((), dtype=np.float32)


def flushes(prediction, label):
    ctypes.CDLL(os.environ["BCE_FLUSH"]).flush_to_zero()
    return prediction * ONE


def honest(prediction, label):
    """-log(1 - p) of a tiny p is p."""
    return prediction * ONE


adapters = [
    Adapter(
        "flushing",
        [
            Implementation("flushes", "probabilities", flushes, dtypes=("float32",)),
            Implementation("honest", "probabilities", honest, dtypes=("float32",)),
        ],
        backend=NumPyRuntime(),
    )
]
