"""An adapter that declares one implementation twice."""

from conformance.adapters import Adapter, Implementation
from conformance.adapters.numpy import NumPyRuntime

adapters = [
    Adapter(
        "twice",
        [Implementation("loss", "probabilities", max), Implementation("loss", "probabilities", min)],
        backend=NumPyRuntime(),
    )
]
