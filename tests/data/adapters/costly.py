"""Right losses that take time or memory: too much of it, or only what looks like too much.

`BCE_ONCE` names a file: what misbehaves once does so where it is not there, and makes it.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from conformance.adapters import Adapter, Implementation
from conformance.adapters.numpy import NumPyRuntime

#: float64 numbers of 320 MB, several times what a worker with NumPy holds; and of 8 MB, of which many calls make much.
MANY, SOME = 40_000_000, 1_000_000

#: What is never given back.
KEPT = []

ENDLESS = "while True: pass"


def right(prediction, label):
    p, y = prediction.astype(np.float64), label.astype(np.float64)
    return (-(y * np.log(p) + (1 - y) * np.log1p(-p))).astype(prediction.dtype)


def compute(seconds):
    """Use up CPU time, however long that takes."""
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def first_time():
    """Whether nothing has called this before in any process."""
    marker = Path(os.environ["BCE_ONCE"])
    new = not marker.exists()
    marker.touch()
    return new


def spins(prediction, label):
    while True:
        pass


def spins_in_a_child(prediction, label):
    subprocess.run([sys.executable, "-c", ENDLESS])


def spins_once(prediction, label):
    if first_time():
        spins(prediction, label)
    return right(prediction, label)


def naps(prediction, label):
    """Takes a second, of which it computes a fifteenth."""
    for _ in range(5):
        time.sleep(0.2)
        compute(0.015)
    return right(prediction, label)


def holds_memory(prediction, label):
    held = np.ones(MANY)
    time.sleep(60)
    return right(prediction, label) * held[0]


def holds_memory_once(prediction, label):
    if first_time():
        holds_memory(prediction, label)
    return right(prediction, label)


def leaks(prediction, label):
    KEPT.append(np.ones(SOME))
    return right(prediction, label)


FUNCTIONS = [right, spins, spins_in_a_child, spins_once, naps, holds_memory, holds_memory_once, leaks]

adapters = [
    Adapter(
        "costly",
        [Implementation(call.__name__, "probabilities", call, dtypes=("float32",)) for call in FUNCTIONS],
        NumPyRuntime(),
    )
]
