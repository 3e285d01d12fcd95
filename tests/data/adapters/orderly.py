"""One right implementation, beside an adapter that misbehaves."""

import numpy as np

from conformance.adapters import Adapter, Implementation
from conformance.adapters.numpy import NumPyRuntime


def loss(prediction, label):
    p, y = prediction.astype(np.float64), label.astype(np.float64)
    return (-(y * np.log(p) + (1 - y) * np.log1p(-p))).astype(prediction.dtype)


adapters = [Adapter("orderly", [Implementation("loss", "probabilities", loss, dtypes=("float32",))], NumPyRuntime())]
