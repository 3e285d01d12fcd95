"""A loss of logits whose compiled mode is made of stages, on NumPy: nothing is compiled, each mode is written down.

Plainly, and after the first stage, each step is rounded to the dtype: (1 - y)*z - log_sigmoid(z).  After the second one
the steps are taken in float32; the third, which is the mode itself, changes nothing more.  The other mode has a stage
as well, and gives NaN for a large prediction.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from conformance.adapters import PLAIN, Adapter, Arguments, Implementation, Mode, whole
from conformance.adapters.numpy import NumPyRuntime

#: The plain call, two modes and their stages.
MODES = dict(
    PLAIN,
    captured=Mode(compiled=True, stage_of=("made", "worse"), step="the capture"),
    widened=Mode(compiled=True, stage_of=("made",), step="the widening"),
    made=Mode(compiled=True, step="the code"),
    worse=Mode(compiled=True, step="a mistake"),
)

#: What is computed in float32 and rounded once.
WIDE = ("widened", "made")


class Staged(NumPyRuntime):
    """NumPy with two modes that have stages."""

    modes = MODES

    def evaluate(self, implementation: Implementation, quantity: str, arguments: Arguments) -> Any:
        """The loss in the mode."""
        z, y = arguments["prediction"], arguments["label"]
        if implementation.mode in WIDE:
            return _loss(z.astype(np.float32), y.astype(np.float32)).astype(z.dtype)
        found = _loss(z, y)
        return np.where(np.abs(z) > 8, np.nan, found).astype(z.dtype) if implementation.mode == "worse" else found


def _loss(z: Any, y: Any) -> Any:
    with np.errstate(all="ignore"):
        return (1 - y) * z - (np.minimum(z, 0) - np.log1p(np.exp(-np.abs(z))))


adapters = [
    Adapter(
        "staged",
        [Implementation("loss", "logits", _loss, dtypes=("float16",), mode=mode) for mode in whole(MODES)],
        backend=Staged(),
    )
]
