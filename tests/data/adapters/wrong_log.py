"""Wrong on purpose: log(1 - p) where log1p(-p) is needed."""

from __future__ import annotations

from typing import Any

import numpy as np

from conformance.adapters import Adapter, Implementation


def loss(prediction: Any, label: Any) -> Any:
    one = np.ones((), dtype=prediction.dtype)
    with np.errstate(all="ignore"):
        return -(label * np.log(prediction) + (one - label) * np.log(one - prediction))


adapters = [Adapter("wrong", [Implementation("log_of_one_minus_p", "probabilities", loss)], backend="numpy")]
