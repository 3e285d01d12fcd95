"""An adapter whose framework is not installed."""

from conformance.adapters import Adapter, Implementation
from conformance.adapters.numpy import NumPyRuntime


class Missing(NumPyRuntime):
    """A runtime whose module does not exist."""

    def open(self):
        import a_framework_that_nobody_has  # noqa: F401


adapters = [Adapter("absent", [Implementation("loss", "probabilities", max)], backend=Missing())]
