"""Whether this thread computes as IEEE 754 says, which a framework may change for the process that it runs in."""

from __future__ import annotations

import numpy as np


def flushes_to_zero() -> bool:
    """Whether this thread's arithmetic flushes subnormal results to zero, in float32 or float64."""
    single, double = np.array([2.0**-126], dtype=np.float32), np.array([2.0**-1022])
    return bool((single * np.float32(0.5))[0] == 0 or (double * 0.5)[0] == 0)
