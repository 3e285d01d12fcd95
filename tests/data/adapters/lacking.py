"""An adapter whose framework has a dtype that is not installed here."""

from conformance.adapters import Adapter, Implementation
from conformance.adapters.numpy import NumPyRuntime


class Lacking(NumPyRuntime):
    """A runtime without its bfloat16."""

    def lacking(self):
        return {"bfloat16": "a package that nobody has is not installed"}


def loss(prediction, label):
    return prediction


adapters = [Adapter("lacking", [Implementation("loss", "probabilities", loss)], backend=Lacking())]
