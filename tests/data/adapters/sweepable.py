"""Losses of logits in plain NumPy for sweeps: a right one, and others that are wrong in one way each."""

import os

import numpy as np

from conformance.adapters import Adapter, Implementation
from conformance.adapters.numpy import NumPyRuntime


def exact(prediction, label):
    z, y = prediction.astype(np.float64), label.astype(np.float64)
    return np.where(z >= 0, (1 - y) * z, -y * z) + np.log1p(np.exp(-np.abs(z)))


def right(prediction, label):
    with np.errstate(over="ignore"):
        return exact(prediction, label).astype(prediction.dtype)


def next_up(prediction, label):
    """One pattern too large, in one of 97 inputs."""
    loss = right(prediction, label)
    bits = prediction.view(np.dtype(f"uint{8 * prediction.itemsize}"))
    return np.where(bits % 97 == 0, np.nextafter(loss, loss.dtype.type(np.inf)), loss)


def truncated(prediction, label):
    """Rounded towards zero: at a tie the even number or the odd one."""
    loss = right(prediction, label)
    too_large = loss.astype(np.float64) > exact(prediction, label)
    return np.where(too_large, np.nextafter(loss, loss.dtype.type(0)), loss)


def at_the_boundary(prediction, label):
    """Three patterns too large where the loss is just below a power of two, which doubles the error in ULP."""
    loss = right(prediction, label)
    higher = loss
    for _ in range(3):
        higher = np.nextafter(higher, loss.dtype.type(np.inf))
    return np.where(np.frexp(loss)[1] != np.frexp(higher)[1], higher, loss)


def not_a_number(prediction, label):
    loss = right(prediction, label)
    return np.where(np.abs(prediction) == prediction.dtype.type(3.0), loss.dtype.type(np.nan), loss)


def negated(prediction, label):
    loss = right(prediction, label)
    return np.where((prediction > 2) & (prediction < 2.5), -loss, loss)


def flushed(prediction, label):
    loss = right(prediction, label)
    return np.where(loss < np.finfo(loss.dtype).tiny, loss.dtype.type(0), loss)


def no_tail(prediction, label):
    """The textbook form: max(z, 0) - z*y + log(1 + exp(-|z|)) in the dtype under test."""
    zero, one = prediction.dtype.type(0), prediction.dtype.type(1)
    with np.errstate(all="ignore"):
        return np.maximum(prediction, zero) - prediction * label + np.log(one + np.exp(-np.abs(prediction)))


def flushed_else_next_up(prediction, label):
    """Subnormal results are flushed to zero; with larger labels results are one pattern too large."""
    loss = right(prediction, label)
    up = np.nextafter(loss, loss.dtype.type(np.inf))
    loss = np.where(label > 2.0**-15, up, loss)
    return np.where(loss < np.finfo(loss.dtype).tiny, loss.dtype.type(0), loss)


def right_again(prediction, label):
    """As right, under another name."""
    return right(prediction, label)


def later(prediction, label):
    """As right up to 2, and no_tail from there on."""
    return np.where(np.abs(prediction) < 2, right(prediction, label), no_tail(prediction, label))


def refused(prediction, label):
    if (prediction == 5).any():
        raise ValueError("no fives, please")
    return right(prediction, label)


def gradient(prediction, label):
    """sigmoid(z) - y in the dtype under test, which loses the tail."""
    one = prediction.dtype.type(1)
    with np.errstate(all="ignore"):
        return one / (one + np.exp(-prediction)) - label


def coarse(prediction, label):
    """As right; its gradient is 2^-25 for all small positive logits."""
    return right(prediction, label)


def coarse_gradient(prediction, label):
    one = prediction.dtype.type(1)
    return np.where(np.abs(prediction) < one / 2**24, one / 2**25, gradient(prediction, label))


CALLS = (right, next_up, truncated, at_the_boundary, not_a_number, negated, flushed, no_tail, coarse, refused)
CALLS += (right_again, later, flushed_else_next_up)


def by_place(prediction, label):
    """Wrong where a vectorized loop over 64 elements ends, and by more in a longer tensor."""
    loss = right(prediction, label)
    place = np.arange(loss.size)
    off = np.where(place >= loss.size - loss.size % 64 - 3, 1 + (loss.size > 1000), 0)
    return (loss.view(np.dtype(f"uint{8 * loss.itemsize}")) + off.astype(np.uint16)).view(loss.dtype)


def patching(prediction, label):
    """Replaces a function of NumPy, for the whole process."""
    exact_exp = np.exp
    np.exp = lambda *given, **named: exact_exp(*given, **named) * (1 + 2.0**-52)
    return right(prediction, label)


def ending(prediction, label):
    """Ends its process."""
    os.kill(os.getpid(), 9)


CALLS += (by_place, patching, ending)

adapters = [
    Adapter(
        "sweepable",
        [
            Implementation(
                call.__name__,
                "logits",
                call,
                dtypes=("float32", "float16"),
                derivatives={"gradient-prediction": coarse_gradient if call is coarse else gradient},
            )
            for call in CALLS
        ],
        NumPyRuntime(),
    )
]
