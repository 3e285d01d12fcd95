"""An adapter that takes the name of a built-in one."""

from conformance.adapters import Adapter, Implementation
from conformance.adapters.numpy import NumPyRuntime

adapters = [Adapter("numpy", [Implementation("loss", "probabilities", max)], backend=NumPyRuntime())]
