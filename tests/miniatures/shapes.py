"""Shapes that do not come back, and memory that is read in the wrong order."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.miniatures.base import Logits, Probabilities
from tests.miniatures.registry import wrong


class OnlyValue(Probabilities):
    """Only the value is offered."""

    quantities = ("value",)


@wrong(rare=True, report="tensorflow/tensorflow#1343, google-deepmind/optax#1408")
class BroadcastsColumn(OnlyValue):
    """Nothing checks the shapes: (n,) against (n, 1) gives (n, n)."""

    def check(self, prediction: Any, label: Any, weight: Any, pos_weight: Any) -> None:
        pass


class Reshapes(OnlyValue):
    """The result of a call is reshaped."""

    def shape(self, result: Any) -> Any:
        """The result in its wrong shape."""
        raise NotImplementedError

    def narrow(self, result: Any, prediction: Any) -> Any:
        return self.shape(super().narrow(result, prediction))


@wrong(rare=True)
class DropsTrailingAxis(Reshapes):
    """(n, 1) comes back as (n,)."""

    def shape(self, result: Any) -> Any:
        return result[..., 0] if result.ndim > 1 and result.shape[-1] == 1 else result


@wrong(rare=True)
class OneAxisForNone(Reshapes):
    """A scalar comes back as one element of one axis."""

    def shape(self, result: Any) -> Any:
        return np.atleast_1d(result)


@wrong(rare=True)
class Squeezes(Reshapes):
    """Every axis of size 1 is dropped, so that one element comes back as a scalar."""

    def shape(self, result: Any) -> Any:
        return np.squeeze(result)


@wrong(rare=True)
class Flattens(Reshapes):
    """More than one axis comes back as one."""

    def shape(self, result: Any) -> Any:
        return result.ravel() if result.ndim > 1 else result


@wrong()
class AddsAxis(Reshapes):
    """(n,) comes back as (n, 1)."""

    def shape(self, result: Any) -> Any:
        return result[:, None] if result.ndim == 1 else result


@wrong(rare=True)
class Transposes(Reshapes):
    """A matrix comes back transposed."""

    def shape(self, result: Any) -> Any:
        return result.T if result.ndim == 2 else result


@wrong(rare=True)
class TransposesInPlace(Reshapes):
    """A matrix comes back in its own shape, its elements in the order of its columns."""

    def shape(self, result: Any) -> Any:
        return result.T.reshape(result.shape) if result.ndim == 2 else result


@wrong(rare=True)
class MeanOfLastAxis(Reshapes):
    """Of more than one axis, every element of the last one gets the mean over it."""

    def shape(self, result: Any) -> Any:
        return result.mean(axis=-1, keepdims=True) + 0 * result if result.ndim > 1 and result.size else result


@wrong()
class OneShort(Reshapes):
    """The last element is missing from more than eight."""

    def shape(self, result: Any) -> Any:
        return result[:-1] if result.ndim == 1 and result.size > 8 else result


class Reads(Logits):
    """The prediction is read by a method of its own."""

    quantities = ("value",)

    def read(self, array: Any) -> Any:
        """The elements of `array` in its shape."""
        raise NotImplementedError

    def call(self, quantity: str, prediction: Any, label: Any, **rest: Any) -> Any:
        return super().call(quantity, self.read(prediction), label, **rest)


@wrong(rare=True)
class ReadsMemoryOrder(Reads):
    """Elements are read in the order in which they lie in memory: wrong for a transposed tensor."""

    def read(self, array: Any) -> Any:
        return array.ravel(order="K").reshape(array.shape) if array.ndim > 1 else array


@wrong(rare=True)
class ReadsWithoutStrides(Reads):
    """Elements are read one after the other from the first: wrong for every other element of a larger tensor."""

    def read(self, array: Any) -> Any:
        if array.ndim != 1 or array.strides[0] <= array.itemsize:
            return array
        return np.lib.stride_tricks.as_strided(array, strides=(array.itemsize,))


@wrong(rare=True)
class ReadsForwards(Reads):
    """A negative stride is taken for a positive one."""

    def read(self, array: Any) -> Any:
        return array[::-1] if array.ndim == 1 and array.strides[0] < 0 else array


@wrong(rare=True)
class ReadsFromTheStart(Reads):
    """A tensor that starts inside its memory is read from the start of it."""

    def read(self, array: Any) -> Any:
        owner = array.base
        if not isinstance(owner, np.ndarray) or owner.size != array.size + 1 or not array.flags.c_contiguous:
            return array
        return owner.reshape(-1)[: array.size].reshape(array.shape)


@wrong(rare=True)
class WritesWhileReading(Reads):
    """The prediction is written to and restored, which a tensor that refuses writes does not allow."""

    def read(self, array: Any) -> Any:
        array[...] = array.copy()
        return array


@wrong(rare=True)
class FailsForEmpty(OnlyValue):
    """The first element is looked at, and an empty tensor has none."""

    def check(self, prediction: Any, label: Any, weight: Any, pos_weight: Any) -> None:
        super().check(prediction, label, weight, pos_weight)
        prediction.reshape(-1)[0]


@wrong(rare=True)
class FailsForMany(OnlyValue):
    """More than 65536 elements are refused."""

    def check(self, prediction: Any, label: Any, weight: Any, pos_weight: Any) -> None:
        super().check(prediction, label, weight, pos_weight)
        if prediction.size > 65536:
            raise MemoryError("too many elements")
