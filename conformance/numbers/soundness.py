"""Whether this thread computes as IEEE 754 says, which a framework may change for the process that it runs in."""

from __future__ import annotations

import numpy as np

#: The least normal number of each format in which NumPy computes, and one half: their product is subnormal.
FORMATS = (
    (np.full(1, 2.0**-126, dtype=np.float32), np.full(1, 0.5, dtype=np.float32)),
    (np.full(1, 2.0**-1022, dtype=np.float64), np.full(1, 0.5, dtype=np.float64)),
)


def flushes_to_zero() -> bool:
    """Whether this thread's arithmetic flushes subnormal results to zero, in float32 or float64."""
    return any(bool((least * half)[0] == 0) for least, half in FORMATS)
