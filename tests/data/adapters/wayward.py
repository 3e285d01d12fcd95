"""Implementations that misbehave, each in its own way, between two that do not.

`first` and `last` are right.  The adapter's name is `wayward`; nothing here needs more than NumPy.
"""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
import warnings

import numpy as np

from conformance.adapters import Adapter, Implementation
from conformance.adapters.numpy import NumPyRuntime


class Escape(BaseException):
    """An exception that `except Exception` does not catch."""


class Unspeakable(Exception):
    """An exception that cannot be printed."""

    def __str__(self):
        raise RuntimeError("no words")


def loss(prediction, label):
    """Correct for ordinary inputs: the textbook formula in float64."""
    p, y = prediction.astype(np.float64), label.astype(np.float64)
    with np.errstate(all="ignore"):
        positive = np.where(y == 0, 0.0, y * np.log(p))
        negative = np.where(y == 1, 0.0, (1 - y) * np.log1p(-p))
    return (-(positive + negative)).astype(prediction.dtype)


def hangs(prediction, label):
    """Tells a waiting test that it has been called, and does not come back."""
    if "BCE_READY" in os.environ:
        with open(os.environ["BCE_READY"], "wb") as stream:
            stream.write(b"1")
    while True:
        time.sleep(60)


def hangs_ignoring_signals(prediction, label):
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    while True:
        time.sleep(60)


def aborts(prediction, label):
    os.abort()


def segfaults(prediction, label):
    ctypes.string_at(0)


def exits(prediction, label):
    os._exit(3)


def exits_with_zero(prediction, label):
    os._exit(0)


def system_exit(prediction, label):
    raise SystemExit(5)


def keyboard_interrupt(prediction, label):
    raise KeyboardInterrupt


def escapes(prediction, label):
    raise Escape("out of here")


def unspeakable(prediction, label):
    raise Unspeakable


def surrogates(prediction, label):
    raise ValueError("half a character: \udc80")


def recursion(prediction, label):
    return recursion(prediction, label)


def chatters(prediction, label):
    print("x" * 100_000)
    print("to standard error", file=sys.stderr, flush=True)
    os.write(1, bytes(range(256)) * 1000)
    os.write(2, b"\xff\xfe\n")
    return loss(prediction, label)


def closes_standard_output(prediction, label):
    with contextlib.suppress(OSError):  # the call is made again, to see whether it repeats
        os.close(1)
    return loss(prediction, label)


def babbles_in_the_pipe(prediction, label):
    """Writes into every descriptor but the standard ones, as a program with a wrong number would."""
    for descriptor in range(3, 64):
        with contextlib.suppress(OSError):
            os.write(descriptor, b"this is no message, and it is longer than sixteen bytes")
    return loss(prediction, label)


def closes_everything(prediction, label):
    os.closerange(0, 64)
    return loss(prediction, label)


def mutates(prediction, label):
    result = loss(prediction, label)
    prediction[...] = 0.25
    return result


def mutates_label(prediction, label):
    result = loss(prediction, label)
    label += 1
    return result


def wrong_shape(prediction, label):
    return loss(prediction, label)[:, None]


def one_short(prediction, label):
    return loss(prediction, label)[:-1]


def wrong_dtype(prediction, label):
    return loss(prediction, label).astype(np.int32)


def complex_numbers(prediction, label):
    return loss(prediction, label).astype(np.complex64)


def text(prediction, label):
    return loss(prediction, label).astype(str)


def none(prediction, label):
    return None


def python_list(prediction, label):
    return loss(prediction, label).tolist()


def objects(prediction, label):
    return loss(prediction, label).astype(object)


def structured(prediction, label):
    return np.zeros(prediction.shape, dtype=[("a", "f4"), ("b", "f4")])


def warns(prediction, label):
    warnings.warn("a warning of the framework", UserWarning, stacklevel=1)
    return loss(prediction, label)


def leaves_a_child(prediction, label):
    """Starts a process that outlives the call, which a crash must not leave behind."""
    subprocess.Popen(["sleep", "6000"])
    os.abort()


def forks_and_aborts(prediction, label):
    """Leaves a fork that holds the worker's pipe open."""
    if os.fork() == 0:
        time.sleep(6000)
    os.abort()


def changes_folder(prediction, label):
    os.chdir("/")
    os.environ.clear()
    sys.path.clear()
    return loss(prediction, label)


#: In the order in which they run.
FUNCTIONS = [
    hangs, hangs_ignoring_signals, aborts, segfaults, exits, exits_with_zero, system_exit, keyboard_interrupt, escapes,
    unspeakable, surrogates, recursion, chatters, closes_standard_output, babbles_in_the_pipe, closes_everything,
    mutates, mutates_label, wrong_shape, one_short, wrong_dtype, complex_numbers, text, none, python_list, objects,
    structured, warns, leaves_a_child, forks_and_aborts, changes_folder,
]  # fmt: skip


def implementation(entry, call):
    return Implementation(entry, "probabilities", call, dtypes=("float32",))


adapters = [
    Adapter(
        "wayward",
        [implementation("first", loss)]
        + [implementation(function.__name__, function) for function in FUNCTIONS]
        + [implementation("last", loss)],
        backend=NumPyRuntime(),
    )
]
