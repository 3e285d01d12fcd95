"""An adapter whose contract has a field that is not of the vocabulary."""

from dataclasses import dataclass

from conformance.adapters import Adapter, Implementation
from conformance.adapters.numpy import NumPyRuntime
from conformance.contracts import Source


@dataclass(frozen=True)
class Excuse:
    """A field that would excuse everything."""

    source: Source
    name: str = "excuse"


CONTRACT = (Excuse(Source("trust me", "https://example.org")),)

adapters = [
    Adapter("invented", [Implementation("loss", "probabilities", max, contract=CONTRACT)], backend=NumPyRuntime())
]
